-- Opening a client's link: whoever has it has no account, so gremio_auth opens it through these. practice and hash are of the token; a practice
-- that is not there is looked for in another one's links, where nobody's hash is, so that a guesser meets the same work and the same answer.

-- The link with that hash: locked, with what else the client is asked for. known is false for a guess; of a link that is over the practice's name and
-- phone may be told. A practice whose schema is not there, older than links, or being dropped has none. Says 'over', 'closed' (the practice is suspended), 'busy' (it is being migrated), 'locked' (wait: seconds) or 'open'.
CREATE FUNCTION ext.link_find(practice uuid, hash bytea, OUT said text, OUT known boolean, OUT wait int, OUT place text, OUT link uuid,
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

-- What may be shown to who has the link before it is opened; uses nothing up.
CREATE FUNCTION ext.link_look(practice uuid, hash bytea, OUT said text, OUT known boolean, OUT wait int, OUT step text, OUT practice_name text,
  OUT practice_phone text, OUT language text) LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
  SELECT f.said, f.known, f.wait, f.step, f.practice_name, f.practice_phone, f.language FROM ext.link_find(practice, hash) f $$;

-- Opens it once: a use is counted by one conditional UPDATE. code is HMAC-SHA-256 of what was typed. Says what ext.link_find says, or 'ask' (step is
-- wanted and was not given), 'wrong' (it was, and is on record: every fifth failure locks for 15 minutes, the twentieth in a row ends the link).
CREATE FUNCTION ext.link_open(practice uuid, hash bytea, birth date, code bytea, OUT said text, OUT known boolean, OUT wait int,
  OUT step text, OUT practice_name text, OUT practice_phone text, OUT link uuid, OUT client uuid, OUT appointment uuid, OUT scopes text[],
  OUT left_s bigint) LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
#variable_conflict use_variable
DECLARE f record; good boolean;
BEGIN
  f := ext.link_find(practice, hash);
  said := f.said; known := f.known; wait := f.wait; step := f.step; link := f.link;
  practice_name := f.practice_name; practice_phone := f.practice_phone;
  IF said <> 'open' THEN RETURN; END IF;
  IF (step = 'birth_date' AND birth IS NULL) OR (step = 'code' AND code IS NULL) THEN
    said := 'ask';
    RETURN;
  END IF;
  good := CASE step WHEN 'birth_date' THEN birth = f.born WHEN 'code' THEN code = f.mac ELSE true END;
  IF good IS NOT TRUE THEN
    EXECUTE pg_catalog.format('UPDATE %I.access_link SET failures = failures + 1,'
      ' locked_until = CASE WHEN (failures + 1) %% 5 = 0 THEN now() + interval ''15 minutes'' END,'
      ' revoked_at = CASE WHEN failures + 1 >= 20 THEN now() END, version = version + 1 WHERE id = $1', f.place) USING link;
    said := 'wrong';
    RETURN;
  END IF;
  EXECUTE pg_catalog.format('UPDATE %I.access_link l SET uses = l.uses + 1, last_used_at = now(), failures = 0, locked_until = NULL,'
    ' code_hash = NULL, code_expires_at = NULL, version = l.version + 1 WHERE l.id = $1 AND l.revoked_at IS NULL AND l.expires_at > now()'
    ' AND (l.max_uses IS NULL OR l.uses < l.max_uses) RETURNING l.client_id, l.appointment_id, l.scopes,'
    ' floor(extract(epoch FROM l.expires_at - now()))::bigint', f.place) INTO client, appointment, scopes, left_s USING link;
  said := CASE WHEN client IS NULL THEN 'over' ELSE 'open' END;
END $$;

-- A code for a link that wants one goes to the client's address through the practice's outbox; it replaces the one before. Says what ext.link_find
-- says, or 'none': this link wants no code, or the client has no address any more.
CREATE FUNCTION ext.link_code(practice uuid, hash bytea, code bytea, message uuid, about text, speech text, content bytea, wanted boolean)
  RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE f record;
BEGIN
  f := ext.link_find(practice, hash);
  IF f.said <> 'open' THEN RETURN f.said; END IF;
  IF f.step <> 'code' OR f.address IS NULL THEN RETURN 'none'; END IF;
  IF wanted THEN
    EXECUTE pg_catalog.format('UPDATE %I.access_link SET code_hash = $2, code_expires_at = now() + interval ''10 minutes'' WHERE id = $1',
      f.place) USING f.link, code;
    EXECUTE pg_catalog.format('INSERT INTO %I.outbox(id, topic, recipient, language, sealed, dedupe_key)'
      ' VALUES ($1, $2, $3, $4, $5, $1::text)', f.place) USING message, about, f.address, speech, content;
    INSERT INTO public.due_work AS w(tenant_id, kind, due_at) VALUES (practice, 'outbox', pg_catalog.now())
    ON CONFLICT (tenant_id, kind) DO UPDATE SET due_at = least(w.due_at, excluded.due_at), raised = w.raised + 1;
    PERFORM pg_catalog.pg_notify('gremio_work', '');
  END IF;
  RETURN 'open';
END $$;
REVOKE EXECUTE ON FUNCTION ext.link_find, ext.link_look, ext.link_open, ext.link_code FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ext.link_look, ext.link_open, ext.link_code TO gremio_auth;
