-- Messages of this practice, written in the transaction that they tell of (with ext.work_due) and delivered by the jobs slot. sealed: subject and
-- text, as they may hold a link; gone once the message is sent.
CREATE TABLE outbox(
  id uuid PRIMARY KEY,
  topic text NOT NULL, recipient text NOT NULL, language text NOT NULL CHECK (language IN ('es','en')),
  sealed bytea, dedupe_key text UNIQUE NOT NULL,
  state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued','sent','failed')),
  attempts int NOT NULL DEFAULT 0, not_before timestamptz NOT NULL DEFAULT now(),
  created_at timestamptz NOT NULL DEFAULT now(), sent_at timestamptz,
  CHECK (state <> 'queued' OR sealed IS NOT NULL));
CREATE INDEX outbox_waiting ON outbox(not_before) WHERE state = 'queued';
GRANT SELECT, INSERT, UPDATE ON outbox TO :tenant;
