-- A practice's role is named by its id (p_ and 32 digits), its schema by its code: only when both are the same practice's does the
-- role find its tables.
-- The practice whose role is set; NULL outside a practice.
CREATE FUNCTION ext.current_practice() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
  RETURN CASE WHEN pg_catalog.current_setting('role') ~ '^p_[0-9a-f]{32}$'
    THEN pg_catalog.substr(pg_catalog.current_setting('role'), 3)::uuid END;

-- As in 0001: the membership follows and its sessions end; true when it did.
CREATE OR REPLACE FUNCTION ext.member_changed(staff uuid, new_role text, works_here boolean) RETURNS boolean
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE account uuid; practice uuid := ext.current_practice();
BEGIN
  UPDATE public.membership m SET role = new_role, epoch = m.epoch + 1,
    revoked_at = CASE WHEN works_here THEN NULL ELSE pg_catalog.now() END
  WHERE m.tenant_id = practice AND m.staff_id = staff
    AND (m.role <> new_role OR (m.revoked_at IS NULL) <> works_here)
  RETURNING m.account_id INTO account;
  -- A login that is opening a session holds the account's key: its session is seen below, or it sees what was done here.
  PERFORM FROM public.account a WHERE a.id = account FOR UPDATE;
  UPDATE public.session s SET revoked_at = pg_catalog.now(), revoke_reason = 'membership'
  WHERE s.account_id = account AND s.tenant_id = practice AND s.revoked_at IS NULL;
  RETURN account IS NOT NULL;
END $$;

-- As in 0001: the directory's copy of what a practice says of itself follows; true when it changed.
CREATE OR REPLACE FUNCTION ext.practice_changed(new_name text, new_zone text, new_locale text, new_currency text)
  RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
  UPDATE public.tenant t SET name = new_name, time_zone = new_zone, locale = new_locale, currency = new_currency,
    updated_at = pg_catalog.now()
  WHERE t.id = ext.current_practice()
    AND (t.name, t.time_zone, t.locale, t.currency) IS DISTINCT FROM (new_name, new_zone, new_locale, new_currency);
  RETURN FOUND;
END $$;
