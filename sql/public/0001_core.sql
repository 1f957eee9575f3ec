-- What belongs to no practice: the directory, accounts and sessions, keys, the migration ledger.
-- Run by `gremioctl init` as gremio_owner, which owns all of it and never logs in.
-- gremio_router reads the directory and public keys; gremio_auth accounts, sessions and private keys;
-- gremio_provision (the CLI) acts as gremio_owner. Pool logins get nothing here.

CREATE TABLE public.tenant(
  id uuid PRIMARY KEY,
  code text UNIQUE NOT NULL CHECK (code ~ '^[a-z0-9]{4,8}$'),       -- names schema and role: t_CODE
  slug text UNIQUE NOT NULL CHECK (slug ~ '^[a-z0-9](-?[a-z0-9])+$' AND length(slug) BETWEEN 3 AND 40),
  name text NOT NULL, sector text NOT NULL, country char(2) NOT NULL,
  time_zone text NOT NULL, locale text NOT NULL, currency char(3) NOT NULL,
  state text NOT NULL DEFAULT 'active'
    CHECK (state IN ('provisioning','active','read_only','suspended','migrating','closing')),
  pool smallint NOT NULL CHECK (pool BETWEEN 0 AND 999),
  schema_version int NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX tenant_pool ON public.tenant(pool);
CREATE INDEX tenant_behind ON public.tenant(schema_version, id);

CREATE TABLE public.account(
  id uuid PRIMARY KEY,
  email text UNIQUE NOT NULL CHECK (email = lower(email)),
  password_hash text, token_epoch int NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT now());

-- Operators of the installation (gremioctl operator create).
CREATE TABLE public.operator(
  account_id uuid PRIMARY KEY REFERENCES public.account ON DELETE CASCADE,
  created_at timestamptz NOT NULL DEFAULT now());

CREATE TABLE public.membership(
  account_id uuid REFERENCES public.account ON DELETE CASCADE,
  tenant_id uuid REFERENCES public.tenant ON DELETE CASCADE,
  staff_id uuid NOT NULL, role text NOT NULL, epoch int NOT NULL DEFAULT 0, revoked_at timestamptz,
  PRIMARY KEY(account_id, tenant_id));
CREATE INDEX membership_tenant ON public.membership(tenant_id);

-- A refresh token is HMAC(refresh_key, id, refresh_counter): one counter per session, nothing stored per token.
CREATE TABLE public.session(
  id uuid PRIMARY KEY,
  account_id uuid NOT NULL REFERENCES public.account ON DELETE CASCADE,
  tenant_id uuid NOT NULL REFERENCES public.tenant ON DELETE CASCADE,
  refresh_key bytea NOT NULL, refresh_counter bigint NOT NULL DEFAULT 0, refreshed_at timestamptz NOT NULL DEFAULT now(),
  idle_deadline timestamptz NOT NULL, hard_deadline timestamptz NOT NULL,
  revoked_at timestamptz, revoke_reason text, user_agent text, peer text,
  created_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX session_account ON public.session(account_id) WHERE revoked_at IS NULL;
CREATE INDEX session_tenant ON public.session(tenant_id);
CREATE INDEX session_revoked ON public.session(revoked_at) WHERE revoked_at IS NOT NULL;

CREATE TABLE public.signing_key(
  kid text PRIMARY KEY, alg text NOT NULL CHECK (alg = 'ES256'),
  public_pem text NOT NULL, public_jwk jsonb NOT NULL,
  state text NOT NULL CHECK (state IN ('next','active','retiring','revoked')),
  created_at timestamptz NOT NULL DEFAULT now());
CREATE UNIQUE INDEX signing_key_active ON public.signing_key((1)) WHERE state = 'active';
CREATE TABLE public.signing_secret(
  kid text PRIMARY KEY REFERENCES public.signing_key, private_sealed bytea NOT NULL);

-- The ledger of sql/public and sql/tenant_template: a file whose checksum changed is refused.
CREATE TABLE public.migration(
  scope text NOT NULL CHECK (scope IN ('public','tenant')), version int NOT NULL,
  name text NOT NULL, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY(scope, version));
-- The last failure of a tenant's migration; removed by its next success.
CREATE TABLE public.migration_failure(
  tenant_id uuid PRIMARY KEY REFERENCES public.tenant ON DELETE CASCADE,
  version int NOT NULL, sqlstate text NOT NULL, error text NOT NULL, attempts int NOT NULL DEFAULT 1,
  at timestamptz NOT NULL DEFAULT now());

-- Routers listen here. The payload says what changed: "tenant UUID", "session UUID", "keys".
CREATE FUNCTION public.directory_changed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
  IF TG_TABLE_NAME = 'signing_key' THEN
    PERFORM pg_catalog.pg_notify('gremio_directory', 'keys');
  ELSIF TG_OP = 'DELETE' THEN
    PERFORM pg_catalog.pg_notify('gremio_directory', TG_TABLE_NAME || ' ' || OLD.id);
  ELSE
    PERFORM pg_catalog.pg_notify('gremio_directory', TG_TABLE_NAME || ' ' || NEW.id);
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER tenant_changed AFTER INSERT OR UPDATE OR DELETE ON public.tenant
  FOR EACH ROW EXECUTE FUNCTION public.directory_changed();
CREATE TRIGGER session_revoked AFTER UPDATE OF revoked_at ON public.session
  FOR EACH ROW WHEN (NEW.revoked_at IS NOT NULL) EXECUTE FUNCTION public.directory_changed();
CREATE TRIGGER keys_changed AFTER INSERT OR UPDATE OR DELETE ON public.signing_key
  FOR EACH STATEMENT EXECUTE FUNCTION public.directory_changed();

-- Case and accents folded away, for search columns and search words alike.
CREATE FUNCTION ext.fold(t text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
  RETURN pg_catalog.regexp_replace(pg_catalog.normalize(pg_catalog.lower(t), 'NFD'), '[\u0300-\u036f]', '', 'g');
-- A LIKE pattern that finds t anywhere, its own wildcards taken literally.
CREATE FUNCTION ext.contains_pattern(t text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
  RETURN '%' || pg_catalog.regexp_replace(ext.fold(t), '([\\%_])', '\\\1', 'g') || '%';

-- The words of a search as LIKE patterns, all of which must match; the longest first, for the trigram index.
CREATE FUNCTION ext.word_patterns(q text) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
  RETURN coalesce((SELECT pg_catalog.array_agg(ext.contains_pattern(w) ORDER BY pg_catalog.length(w) DESC)
                   FROM pg_catalog.regexp_split_to_table(q, '\s+') w WHERE w <> ''), ARRAY['%'::text]);
-- The same where phone numbers are searched too: a text of nothing but digits and a phone's punctuation is one word, its digits.
CREATE FUNCTION ext.search_patterns(q text) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
  RETURN CASE WHEN q ~ '^[-0-9+(). ]*[0-9][-0-9+(). ]*$'
    THEN ARRAY['%' || pg_catalog.regexp_replace(q, '[^0-9]', '', 'g') || '%'] ELSE ext.word_patterns(q) END;

-- Is z an IANA zone this server knows? (pg_timezone_names reads every zone file: 50 ms and more.) The shape keeps out
-- abbreviations and POSIX rules, which AT TIME ZONE takes as well.
CREATE FUNCTION ext.zone_known(z text) RETURNS boolean LANGUAGE plpgsql STABLE STRICT SET search_path = '' AS $$
BEGIN
  IF z !~ '^(UTC|Etc/(UTC|GMT([+]([0-9]|1[0-2])|-([0-9]|1[0-4])))|[A-Z][A-Za-z]+(/[A-Z][A-Za-z_-]+){1,2})$' THEN
    RETURN false;
  END IF;
  PERFORM pg_catalog.now() AT TIME ZONE z;
  RETURN true;
EXCEPTION WHEN invalid_parameter_value THEN
  RETURN false;
END $$;

-- The instants at which clocks in zone z show l: none in a gap, two when clocks go back, else one. PostgreSQL itself
-- picks one silently. The zone's offsets a day before and after cover the change between them.
-- plpgsql keeps its plan: an SQL function that cannot be inlined is planned again by every statement (1.6 ms).
CREATE FUNCTION ext.local_instants(l timestamp, z text) RETURNS timestamptz[] LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
  SET search_path = '' AS $$
DECLARE
  before timestamptz := (l AT TIME ZONE 'UTC') - interval '1 day';
  after timestamptz := (l AT TIME ZONE 'UTC') + interval '1 day';
  early timestamptz := (l AT TIME ZONE 'UTC') - ((before AT TIME ZONE z) - (before AT TIME ZONE 'UTC'));
  late timestamptz := (l AT TIME ZONE 'UTC') - ((after AT TIME ZONE z) - (after AT TIME ZONE 'UTC'));
  instants timestamptz[] := '{}';
BEGIN
  IF early AT TIME ZONE z = l THEN
    instants := ARRAY[early];
  END IF;
  IF late <> early AND late AT TIME ZONE z = l THEN
    instants := instants || late;
  END IF;
  RETURN instants;
END $$;

-- One end of a range that a client gave: an instant, a wall-clock time in zone z, or a day there; a day is moved by days.
CREATE FUNCTION ext.moment(t text, z text, days int) RETURNS timestamptz LANGUAGE sql STABLE STRICT PARALLEL SAFE
  RETURN CASE WHEN pg_catalog.length(t) = 10 THEN (t::date + days)::timestamp AT TIME ZONE z
    WHEN t ~* '(z|[+-][0-9]{2}:?[0-9]{2})$' THEN t::timestamptz
    ELSE t::timestamp AT TIME ZONE z END;

-- A practice changed somebody's role or archived them: the membership follows and their sessions end; true when it
-- did. The practice is the one whose role is set, so nobody reaches another's members.
CREATE FUNCTION ext.member_changed(staff uuid, new_role text, works_here boolean) RETURNS boolean
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE account uuid; practice uuid;
BEGIN
  UPDATE public.membership m SET role = new_role, epoch = m.epoch + 1,
    revoked_at = CASE WHEN works_here THEN NULL ELSE pg_catalog.now() END
  FROM public.tenant t
  WHERE 't_' || t.code = pg_catalog.current_setting('role') AND m.tenant_id = t.id AND m.staff_id = staff
    AND (m.role <> new_role OR (m.revoked_at IS NULL) <> works_here)
  RETURNING m.account_id, m.tenant_id INTO account, practice;
  -- A login that is opening a session holds the account's key: its session is seen below, or it sees what was done here.
  PERFORM FROM public.account a WHERE a.id = account FOR UPDATE;
  UPDATE public.session s SET revoked_at = pg_catalog.now(), revoke_reason = 'membership'
  WHERE s.account_id = account AND s.tenant_id = practice AND s.revoked_at IS NULL;
  RETURN account IS NOT NULL;
END $$;

-- The directory's copy of what a practice says of itself follows in the same transaction; true when it changed.
CREATE FUNCTION ext.practice_changed(new_name text, new_zone text, new_locale text, new_currency text) RETURNS boolean
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
  UPDATE public.tenant t SET name = new_name, time_zone = new_zone, locale = new_locale, currency = new_currency,
    updated_at = pg_catalog.now()
  WHERE 't_' || t.code = pg_catalog.current_setting('role')
    AND (t.name, t.time_zone, t.locale, t.currency) IS DISTINCT FROM (new_name, new_zone, new_locale, new_currency);
  RETURN FOUND;
END $$;

GRANT USAGE ON SCHEMA public TO gremio_router, gremio_auth;
GRANT USAGE ON SCHEMA ext TO PUBLIC;
GRANT SELECT ON public.tenant, public.signing_key TO gremio_router;
GRANT SELECT (id, revoked_at) ON public.session TO gremio_router;
GRANT SELECT ON public.tenant, public.membership, public.signing_key, public.signing_secret TO gremio_auth;
GRANT SELECT (id, email, password_hash, token_epoch), UPDATE (password_hash, token_epoch) ON public.account TO gremio_auth;
GRANT SELECT, INSERT, UPDATE ON public.session TO gremio_auth;
