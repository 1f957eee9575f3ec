-- Invitations to work in a practice: the practice makes and withdraws them, the person invited accepts, who may have no account yet. Each side
-- reaches the other's tables only through these.

-- The practice whose role is set invites address: a new token replaces the one before.
CREATE FUNCTION ext.invitation_token(invitation uuid, address text, hash bytea, until timestamptz) RETURNS boolean
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE practice uuid := ext.current_practice();
BEGIN
  UPDATE public.one_time_token t SET superseded_at = pg_catalog.now() WHERE t.kind = 'invitation' AND t.tenant_id = practice
    AND t.bound_email = address AND t.consumed_at IS NULL AND t.superseded_at IS NULL;
  INSERT INTO public.one_time_token(id, kind, secret_hash, bound_email, tenant_id, payload, expires_at)
  SELECT pg_catalog.gen_random_uuid(), 'invitation', hash, address, t.id, pg_catalog.jsonb_build_object('invitation', invitation), until
  FROM public.tenant t WHERE t.id = practice;
  RETURN FOUND;
END $$;

-- The practice whose role is set takes its invitation back; true when there was one.
CREATE FUNCTION ext.invitation_withdrawn(address text) RETURNS boolean
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
  UPDATE public.one_time_token t SET superseded_at = pg_catalog.now() WHERE t.kind = 'invitation'
    AND t.tenant_id = ext.current_practice() AND t.bound_email = address AND t.consumed_at IS NULL AND t.superseded_at IS NULL;
  RETURN FOUND;
END $$;

-- Who has the token joins the practice, all or nothing: with the account that was proved, else with a new one or one without a password, which gets
-- password. Says 'joined', 'over' (no such token any more), 'member' (works there already), 'closed' (the practice takes nobody now)
-- or 'stranger' (the token is another address's); only 'joined' uses the token up. An invitation from
-- before somebody was suspended or archived does not bring them back, and nobody joins by the word of who no longer works there. The practice's
-- tables are named by its code in the directory.
CREATE FUNCTION ext.invitation_accept(hash bytea, proved uuid, fresh uuid, fresh_staff uuid, password text) RETURNS text
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE invited public.one_time_token; who public.account; was public.membership; place text; called text; as_role text;
BEGIN
  SELECT t.* INTO invited FROM public.one_time_token t WHERE t.secret_hash = hash AND t.kind = 'invitation' AND t.consumed_at IS NULL
    AND t.superseded_at IS NULL AND t.expires_at > pg_catalog.now() FOR UPDATE;
  IF NOT FOUND THEN RETURN 'over'; END IF;
  SELECT 't_' || t.code INTO place FROM public.tenant t WHERE t.id = invited.tenant_id AND t.state = 'active';
  IF NOT FOUND THEN RETURN 'closed'; END IF;
  SELECT a.* INTO who FROM public.account a WHERE a.email = invited.bound_email FOR UPDATE;
  IF NOT FOUND AND proved IS NULL THEN
    INSERT INTO public.account(id, email) VALUES (fresh, invited.bound_email) RETURNING * INTO who;
  END IF;
  IF proved IS DISTINCT FROM who.id AND (proved IS NOT NULL OR who.password_hash IS NOT NULL) THEN RETURN 'stranger'; END IF;
  SELECT m.* INTO was FROM public.membership m WHERE m.account_id = who.id AND m.tenant_id = invited.tenant_id FOR UPDATE;
  IF FOUND AND was.revoked_at IS NULL THEN RETURN 'member'; END IF;
  IF was.revoked_at >= invited.created_at THEN RETURN 'over'; END IF;
  EXECUTE pg_catalog.format('UPDATE %1$I.invitation i SET state = ''accepted'', accepted_at = now(), staff_id = $2, version = version + 1'
    ' WHERE i.id = $1 AND i.state = ''pending'' AND EXISTS (SELECT FROM %1$I.staff s WHERE s.id = i.invited_by AND s.archived_at IS NULL'
    ' AND s.suspended_at IS NULL) RETURNING i.name, i.role', place)
    INTO called, as_role USING (invited.payload->>'invitation')::uuid, coalesce(was.staff_id, fresh_staff);
  IF called IS NULL THEN RETURN 'over'; END IF;
  UPDATE public.one_time_token t SET consumed_at = pg_catalog.now() WHERE t.id = invited.id;
  UPDATE public.account a SET password_hash = coalesce(a.password_hash, password),
    email_verified_at = coalesce(a.email_verified_at, pg_catalog.now()) WHERE a.id = who.id;
  IF was.staff_id IS NOT NULL THEN  -- comes back
    EXECUTE pg_catalog.format('UPDATE %I.staff SET role = $2, archived_at = NULL, suspended_at = NULL, version = version + 1,'
      ' updated_at = now() WHERE id = $1', place) USING was.staff_id, as_role;
    UPDATE public.membership m SET role = as_role, revoked_at = NULL, epoch = m.epoch + 1
    WHERE m.account_id = who.id AND m.tenant_id = invited.tenant_id;
  ELSE
    EXECUTE pg_catalog.format('INSERT INTO %I.resource(id, kind) VALUES ($1, ''staff'')', place) USING fresh_staff;
    EXECUTE pg_catalog.format('INSERT INTO %I.staff(id, account_id, role, name, email) VALUES ($1, $2, $3, $4, $5)', place)
      USING fresh_staff, who.id, as_role, called, invited.bound_email;
    INSERT INTO public.membership(account_id, tenant_id, staff_id, role) VALUES (who.id, invited.tenant_id, fresh_staff, as_role);
  END IF;
  RETURN 'joined';
END $$;
REVOKE EXECUTE ON FUNCTION ext.invitation_accept FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ext.invitation_accept TO gremio_auth;
