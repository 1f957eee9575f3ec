-- Failed logins, counted for a while: by account (or e-mail that is none), by address, and by both for an address from which the
-- account has logged in before. key is SHA-256 of what is counted. A crash may forget it.
CREATE UNLOGGED TABLE public.login_failure(
  key bytea PRIMARY KEY, failures int NOT NULL, since timestamptz NOT NULL, latest timestamptz NOT NULL);
CREATE INDEX login_failure_since ON public.login_failure(since);
GRANT SELECT, INSERT, UPDATE, DELETE ON public.login_failure TO gremio_auth;

-- The login that a session comes from when another practice was switched to; they end together.
ALTER TABLE public.session ADD COLUMN origin uuid;
CREATE INDEX session_origin ON public.session(origin) WHERE origin IS NOT NULL;
CREATE INDEX session_opened ON public.session(account_id, created_at);

-- An address as limits count it: IPv4 whole, of IPv6 the /64 that one subscriber has. Not STRICT, so that it is inlined.
CREATE FUNCTION ext.address_block(address text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN CASE WHEN address LIKE '%:%' THEN pg_catalog.network(pg_catalog.set_masklen(address::inet, 64))::text ELSE address END;
