-- Failed logins, counted for a while: by account (or e-mail that is none), by address, and by both for an address from which the
-- account has logged in before. key is SHA-256 of what is counted. A crash may forget it.
CREATE UNLOGGED TABLE public.login_failure(
  key bytea PRIMARY KEY, failures int NOT NULL, latest timestamptz NOT NULL);
CREATE INDEX login_failure_latest ON public.login_failure(latest);
GRANT SELECT, INSERT, UPDATE, DELETE ON public.login_failure TO gremio_auth;

-- An address as limits count it: IPv4 whole, of IPv6 the /64 that one subscriber has.
CREATE FUNCTION ext.address_block(address text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
  RETURN CASE WHEN address LIKE '%:%' THEN pg_catalog.network(pg_catalog.set_masklen(address::inet, 64))::text ELSE address END;
