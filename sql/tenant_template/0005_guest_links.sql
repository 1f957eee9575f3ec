-- Clients without an account: links by which they see, confirm, cancel and move their visits, the practice's rules for that, and how it
-- looks to them. What is inserted here is where every practice begins, old and new.

-- What clients may do by themselves. A booking carries the rules of its day along: changing them changes no visit that is agreed.
CREATE TABLE booking_policy(
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  rules jsonb NOT NULL CHECK (coalesce(
    (rules->>'cancel_cutoff_min')::int BETWEEN 0 AND 43200 AND (rules->>'reschedule_cutoff_min')::int BETWEEN 0 AND 43200
    AND (rules->>'max_reschedules')::int BETWEEN 0 AND 100 AND (rules->>'notice_min')::int BETWEEN 0 AND 43200
    AND (rules->>'horizon_days')::int BETWEEN 1 AND 730 AND jsonb_typeof(rules->'guest_confirm') = 'boolean'
    AND jsonb_typeof(rules->'guest_cancel') = 'boolean' AND jsonb_typeof(rules->'guest_reschedule') = 'boolean', false)),
  version int NOT NULL DEFAULT 1, updated_at timestamptz NOT NULL DEFAULT now());
INSERT INTO booking_policy(rules) VALUES ('{"cancel_cutoff_min": 1440, "reschedule_cutoff_min": 1440, "max_reschedules": 3,
  "notice_min": 120, "horizon_days": 60, "guest_confirm": true, "guest_cancel": true, "guest_reschedule": true}');
GRANT SELECT, UPDATE ON booking_policy TO :tenant;

-- The hours into which clients may move a visit; beyond midnight they end on the next day. 1 is Monday.
CREATE TABLE opening_hours(
  weekday smallint NOT NULL CHECK (weekday BETWEEN 1 AND 7),
  starts time NOT NULL CHECK (extract(second FROM starts) = 0),
  minutes smallint NOT NULL CHECK (minutes BETWEEN 1 AND 1440),
  PRIMARY KEY(weekday, starts));
INSERT INTO opening_hours(weekday, starts, minutes) SELECT d, '09:00', 540 FROM generate_series(1, 5) d;
GRANT SELECT, INSERT, DELETE ON opening_hours TO :tenant;

CREATE TABLE branding(
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  color text NOT NULL DEFAULT '#0f766e' CHECK (color ~ '^#[0-9a-f]{6}$'),
  logo bytea CHECK (length(logo) <= 102400),
  logo_type text CHECK (logo_type IN ('image/png','image/jpeg','image/webp')),
  version int NOT NULL DEFAULT 1, updated_at timestamptz NOT NULL DEFAULT now(),
  CHECK ((logo IS NULL) = (logo_type IS NULL)));
INSERT INTO branding DEFAULT VALUES;
GRANT SELECT, UPDATE ON branding TO :tenant;

-- The default is for workers of the version before, which book without saying; it is also what visits before this one get.
ALTER TABLE appointment
  ADD COLUMN policy jsonb NOT NULL DEFAULT '{"cancel_cutoff_min": 1440, "reschedule_cutoff_min": 1440, "max_reschedules": 3,
    "notice_min": 120, "horizon_days": 60, "guest_confirm": true, "guest_cancel": true, "guest_reschedule": true}',
  ADD COLUMN client_moves smallint NOT NULL DEFAULT 0,  -- of reschedules, those by the client
  ADD COLUMN client_confirmed_at timestamptz;           -- of the time it has now

-- A link to a client shows all of the client's visits, one to an appointment that one. What it carries is known to nobody but who was given
-- it: here is SHA-256 of it. step_up: what else who opens it must know; a wrong answer is a failure, every fifth locks the link for a while, and the
-- twentieth in a row ends it.
CREATE TABLE access_link(
  id uuid PRIMARY KEY,
  client_id uuid NOT NULL REFERENCES client, appointment_id uuid REFERENCES appointment,
  secret_hash bytea UNIQUE NOT NULL CHECK (length(secret_hash) = 32),
  scopes text[] NOT NULL CHECK (scopes <@ ARRAY['see','confirm','cancel','reschedule','profile'] AND cardinality(scopes) > 0),
  step_up text NOT NULL CHECK (step_up IN ('none','birth_date','code')),
  code_hash bytea, code_expires_at timestamptz,
  expires_at timestamptz NOT NULL,
  max_uses int CHECK (max_uses > 0), uses int NOT NULL DEFAULT 0,
  failures int NOT NULL DEFAULT 0, locked_until timestamptz,
  revoked_at timestamptz, last_used_at timestamptz,
  created_by uuid NOT NULL REFERENCES staff, created_at timestamptz NOT NULL DEFAULT now(),
  version int NOT NULL DEFAULT 1);
CREATE INDEX access_link_client ON access_link(client_id, created_at, id);
CREATE INDEX access_link_appointment ON access_link(appointment_id, created_at, id) WHERE appointment_id IS NOT NULL;
-- Opening is ext.link_open's; the practice itself makes links and takes them back.
GRANT SELECT, INSERT, UPDATE (revoked_at, version) ON access_link TO :tenant;

ALTER TABLE appointment_event ADD COLUMN link_id uuid;  -- the client came by it

-- Contact data as a client says it is; the client's row changes when somebody of the practice accepts. null: as it is. One waits for a client.
CREATE TABLE client_proposal(
  id uuid PRIMARY KEY,
  client_id uuid NOT NULL REFERENCES client, link_id uuid NOT NULL REFERENCES access_link,
  given_name text, family_name text, email text, phone text,
  state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending','accepted','rejected')),
  decided_by uuid REFERENCES staff, decided_at timestamptz,
  version int NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now());
CREATE UNIQUE INDEX client_proposal_pending ON client_proposal(client_id) WHERE state = 'pending';
CREATE INDEX client_proposal_client ON client_proposal(client_id, created_at, id);
GRANT SELECT, INSERT, UPDATE ON client_proposal TO :tenant;
