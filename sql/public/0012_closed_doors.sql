-- Doors that were not quite shut.

-- As in 0011; but a practice whose schema is not there yet, is older than links are, or is being dropped has no links: who guesses at one of it, or at one of
-- no practice while it is the first of all, gets the answer of every other guess, and no error.
CREATE OR REPLACE FUNCTION ext.link_find(practice uuid, hash bytea, OUT said text, OUT known boolean, OUT wait int, OUT place text, OUT link uuid,
  OUT step text, OUT practice_name text, OUT practice_phone text, OUT language text, OUT address text, OUT born date, OUT mac bytea)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
#variable_conflict use_variable
DECLARE state text; until timestamptz; over boolean;
BEGIN
  SELECT 't_' || t.code, t.state INTO place, state FROM public.tenant t
  WHERE t.id = practice AND t.schema_version >= 6 AND t.state NOT IN ('provisioning','closing');
  IF NOT FOUND THEN
    hash := NULL;
    SELECT 't_' || t.code INTO place FROM public.tenant t
    WHERE t.schema_version >= 6 AND t.state NOT IN ('provisioning','closing') ORDER BY t.id LIMIT 1;
  END IF;
  IF place IS NOT NULL THEN
    EXECUTE pg_catalog.format('SELECT l.id, l.step_up, b.name, b.phone, coalesce(c.locale, b.locale), c.email, c.birth_date,'
      ' CASE WHEN l.code_expires_at > now() THEN l.code_hash END, l.locked_until, c.archived_at IS NOT NULL OR l.revoked_at IS NOT NULL'
      ' OR l.expires_at <= now() OR l.uses >= l.max_uses FROM %1$I.access_link l JOIN %1$I.client c ON c.id = l.client_id'
      ' CROSS JOIN %1$I.business b WHERE l.secret_hash = $1 FOR UPDATE OF l', place)
      INTO link, step, practice_name, practice_phone, language, address, born, mac, until, over USING hash;
  END IF;
  known := link IS NOT NULL;
  wait := coalesce(greatest(0, ceil(extract(epoch FROM until - pg_catalog.now()))), 0);
  said := CASE WHEN NOT known OR over THEN 'over' WHEN state = 'suspended' THEN 'closed'
    WHEN state NOT IN ('active','read_only') THEN 'busy' WHEN wait > 0 THEN 'locked' ELSE 'open' END;
END $$;

-- As in 0007; but an invitation from before somebody was suspended or archived does not bring them back, who comes back by a later one is no longer
-- suspended, and nobody joins by the word of who no longer works there.
CREATE OR REPLACE FUNCTION ext.invitation_accept(hash bytea, proved uuid, fresh uuid, fresh_staff uuid, password text) RETURNS text
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
