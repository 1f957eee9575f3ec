-- Second factor of an account: codes by time (RFC 6238). The secret is sealed with the installation's key, behind the account's id, so
-- that it is of no use in another row. last_step is the newest step a code was taken of: each code is good once.
CREATE TABLE public.second_factor(
  account_id uuid PRIMARY KEY REFERENCES public.account ON DELETE CASCADE,
  secret_sealed bytea NOT NULL, last_step bigint NOT NULL DEFAULT 0,
  confirmed_at timestamptz, created_at timestamptz NOT NULL DEFAULT now());
-- For who has lost the device. code_hash is HMAC-SHA-256 with the installation's key.
CREATE TABLE public.backup_code(
  account_id uuid NOT NULL REFERENCES public.second_factor ON DELETE CASCADE,
  code_hash bytea NOT NULL, used_at timestamptz,
  PRIMARY KEY(account_id, code_hash));
GRANT SELECT, INSERT, UPDATE, DELETE ON public.second_factor, public.backup_code TO gremio_auth;

-- When the session last proved who it is, and whether a code was given.
ALTER TABLE public.session ADD COLUMN proved_at timestamptz NOT NULL DEFAULT now(),
  ADD COLUMN second_factor boolean NOT NULL DEFAULT false;
UPDATE public.session SET proved_at = created_at;

-- Whether the practice lets its people do anything before they have a second factor.
ALTER TABLE public.tenant ADD COLUMN second_factor_required boolean NOT NULL DEFAULT false;
-- Who loses the factor gets new rights with the next token.
GRANT UPDATE (epoch) ON public.membership TO gremio_auth;

CREATE FUNCTION ext.second_factor_required() RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
  SELECT t.second_factor_required FROM public.tenant t WHERE t.id = ext.current_practice() $$;

-- The practice whose role is set requires a second factor, or does so no longer. Only for a member who has one: false otherwise.
CREATE FUNCTION ext.require_second_factor(required boolean, account uuid) RETURNS boolean
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE practice uuid := ext.current_practice();
BEGIN
  IF required AND NOT EXISTS (SELECT FROM public.membership m JOIN public.second_factor f ON f.account_id = m.account_id
      WHERE m.tenant_id = practice AND m.account_id = account AND f.confirmed_at IS NOT NULL) THEN
    RETURN false;
  END IF;
  UPDATE public.tenant t SET second_factor_required = required, updated_at = pg_catalog.now()
  WHERE t.id = practice AND t.second_factor_required <> required;
  IF FOUND THEN
    UPDATE public.membership m SET epoch = m.epoch + 1 WHERE m.tenant_id = practice
      AND NOT EXISTS (SELECT FROM public.second_factor f WHERE f.account_id = m.account_id AND f.confirmed_at IS NOT NULL);
  END IF;
  RETURN true;
END $$;
