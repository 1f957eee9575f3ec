-- Keys for integrations: 256 random bits, of which the hash is here. What a key may do is a role of the practice that only the key has (role.kind
-- 'key'), so that who takes the role away takes all of it. The practice makes and ends keys through these; gremio_auth gives tokens for them.
CREATE TABLE public.api_key(
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL REFERENCES public.tenant ON DELETE CASCADE,
  name text NOT NULL, role text NOT NULL,
  secret_hash bytea UNIQUE NOT NULL CHECK (length(secret_hash) = 32),
  created_by uuid NOT NULL, created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL, last_used_at timestamptz, revoked_at timestamptz);
CREATE INDEX api_key_tenant ON public.api_key(tenant_id);
GRANT SELECT, UPDATE (last_used_at) ON public.api_key TO gremio_auth;

CREATE FUNCTION ext.api_key_make(key uuid, called text, as_role text, hash bytea, maker uuid, until timestamptz) RETURNS boolean
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
  INSERT INTO public.api_key(id, tenant_id, name, role, secret_hash, created_by, expires_at)
  SELECT key, t.id, called, as_role, hash, maker, until FROM public.tenant t WHERE t.id = ext.current_practice();
  RETURN FOUND;
END $$;

CREATE FUNCTION ext.api_keys() RETURNS TABLE(id uuid, name text, role text, created_by uuid, created_at timestamptz,
  expires_at timestamptz, last_used_at timestamptz, revoked_at timestamptz)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
  SELECT k.id, k.name, k.role, k.created_by, k.created_at, k.expires_at, k.last_used_at, k.revoked_at
  FROM public.api_key k WHERE k.tenant_id = ext.current_practice() $$;

-- The key of the practice whose role is set ends, and its tokens as those of a session do; its role, NULL when there is no such key alive.
CREATE FUNCTION ext.api_key_end(key uuid) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE as_role text;
BEGIN
  UPDATE public.api_key k SET revoked_at = pg_catalog.now() WHERE k.id = key AND k.tenant_id = ext.current_practice()
    AND k.revoked_at IS NULL RETURNING k.role INTO as_role;
  IF FOUND THEN PERFORM pg_catalog.pg_notify('gremio_directory', 'session ' || key); END IF;
  RETURN as_role;
END $$;
