-- Mail: when an account's address was proved, one-time tokens, messages to accounts, and which practices have work waiting. A practice's
-- own messages are in its schema (outbox). gremio_jobs delivers; it reads neither accounts nor tokens.
ALTER TABLE public.account ADD COLUMN email_verified_at timestamptz;

-- What a link in a mail carries is 256 random bits, of which only the hash is here. Without an account it is nobody's: asked for an address that
-- is no account.
CREATE TABLE public.one_time_token(
  id uuid PRIMARY KEY,
  kind text NOT NULL CHECK (kind IN ('reset','verify','change','invitation')),
  secret_hash bytea UNIQUE NOT NULL CHECK (length(secret_hash) = 32),
  account_id uuid REFERENCES public.account ON DELETE CASCADE,
  bound_email text NOT NULL, tenant_id uuid REFERENCES public.tenant ON DELETE CASCADE,
  payload jsonb NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT now(), expires_at timestamptz NOT NULL,
  consumed_at timestamptz, superseded_at timestamptz);
CREATE UNIQUE INDEX one_time_token_alive ON public.one_time_token(kind, bound_email, account_id, tenant_id) NULLS NOT DISTINCT
  WHERE consumed_at IS NULL AND superseded_at IS NULL;
CREATE INDEX one_time_token_account ON public.one_time_token(account_id);
CREATE INDEX one_time_token_tenant ON public.one_time_token(tenant_id) WHERE tenant_id IS NOT NULL;
CREATE INDEX one_time_token_expires ON public.one_time_token(expires_at);

-- sealed: subject and text, as they hold a link; gone once the message is. void: nobody there to write to, kept for the same work.
CREATE TABLE public.outbox(
  id uuid PRIMARY KEY,
  topic text NOT NULL, recipient text NOT NULL, language text NOT NULL CHECK (language IN ('es','en')),
  sealed bytea, dedupe_key text UNIQUE NOT NULL,
  state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued','sent','failed','void')),
  attempts int NOT NULL DEFAULT 0, not_before timestamptz NOT NULL DEFAULT now(),
  created_at timestamptz NOT NULL DEFAULT now(), sent_at timestamptz,
  CHECK (state <> 'queued' OR sealed IS NOT NULL));
CREATE INDEX outbox_waiting ON public.outbox(not_before) WHERE state = 'queued';
CREATE INDEX outbox_done ON public.outbox(created_at) WHERE state <> 'queued';

-- One row for a practice and kind of work: who looks for work reads this and not every schema. raised tells whether more came while it was done.
CREATE TABLE public.due_work(
  tenant_id uuid NOT NULL REFERENCES public.tenant ON DELETE CASCADE,
  kind text NOT NULL CHECK (kind IN ('outbox')),
  due_at timestamptz NOT NULL,
  leased_until timestamptz, leased_by int,  -- the server process of whoever does it
  raised bigint NOT NULL DEFAULT 0,
  PRIMARY KEY(tenant_id, kind));
CREATE INDEX due_work_due ON public.due_work(due_at);

-- Mail that was asked for, by recipient and by address, counted for a while. A crash may forget it.
CREATE UNLOGGED TABLE public.mail_asked(
  key bytea PRIMARY KEY, asked int NOT NULL, since timestamptz NOT NULL);
CREATE INDEX mail_asked_since ON public.mail_asked(since);

-- The practice whose role is set has work: noted with its transaction, told once that is committed.
CREATE FUNCTION ext.work_due(work text, at timestamptz) RETURNS boolean
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
  INSERT INTO public.due_work AS w(tenant_id, kind, due_at) VALUES (ext.current_practice(), work, at)
  ON CONFLICT (tenant_id, kind) DO UPDATE SET due_at = least(w.due_at, excluded.due_at), raised = w.raised + 1;
  PERFORM pg_catalog.pg_notify('gremio_work', '');
  RETURN true;
END $$;

-- A message to an account; not wanted: the same work, and nothing is sent.
CREATE FUNCTION ext.account_mail(message uuid, about text, addressee text, speech text, content bytea, once text, wanted boolean)
  RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
  INSERT INTO public.outbox(id, topic, recipient, language, sealed, dedupe_key, state)
  VALUES (message, about, addressee, speech, content, once, CASE WHEN wanted THEN 'queued' ELSE 'void' END)
  ON CONFLICT (dedupe_key) DO NOTHING;
  PERFORM pg_catalog.pg_notify('gremio_work', '');
  RETURN wanted;
END $$;
REVOKE EXECUTE ON FUNCTION ext.account_mail FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ext.account_mail TO gremio_auth;

GRANT SELECT (email_verified_at), UPDATE (email, email_verified_at) ON public.account TO gremio_auth;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.one_time_token, public.mail_asked TO gremio_auth;
GRANT USAGE ON SCHEMA public TO gremio_jobs;
GRANT SELECT (id, code, slug, pool, state) ON public.tenant TO gremio_jobs;
GRANT SELECT, UPDATE ON public.due_work TO gremio_jobs;
GRANT SELECT, UPDATE, DELETE ON public.outbox TO gremio_jobs;
