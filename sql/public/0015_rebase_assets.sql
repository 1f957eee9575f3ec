-- The same with rooms, chairs and devices, and with visits that share their time: everything that a visit takes moves with it, or nothing does; of a group all
-- or none.
CREATE OR REPLACE FUNCTION ext.rebase_visits(apply boolean)
  RETURNS TABLE(visit uuid, zone text, agreed timestamp, stored timestamptz, derived timestamptz, why text) LANGUAGE plpgsql AS $$
BEGIN
  CREATE TEMP TABLE IF NOT EXISTS shifted(id uuid, client uuid, team uuid, old timestamptz, new timestamptz, met tstzrange, blocked text) ON COMMIT DROP;
  CREATE TEMP TABLE IF NOT EXISTS shifted_time(id uuid, part uuid, resource uuid, lane smallint, busy tstzrange, shift interval) ON COMMIT DROP;
  DELETE FROM pg_temp.shifted;
  DELETE FROM pg_temp.shifted_time;
  INSERT INTO pg_temp.shifted
  SELECT a.id, a.client_id, a.group_id, a.starts_at, i.at, tstzrange(i.at, i.at + (a.ends_at - a.starts_at)),
    CASE WHEN i.at IS NULL THEN 'nonexistent_time' END
  FROM appointment a CROSS JOIN LATERAL (SELECT (SELECT x FROM unnest(ext.local_instants(a.local_start, a.time_zone)) x
    ORDER BY abs(extract(epoch FROM x - a.starts_at)) LIMIT 1) AS at) i
  WHERE a.starts_at > now() AND a.state IN ('requested','awaiting_client','awaiting_payment','confirmed') AND i.at IS DISTINCT FROM a.starts_at;
  INSERT INTO pg_temp.shifted_time
  SELECT s.id, l.id, l.resource_id, l.lane, tstzrange(lower(l.busy) + (s.new - s.old), upper(l.busy) + (s.new - s.old)), s.new - s.old
  FROM pg_temp.shifted s JOIN allocation l ON l.appointment_id = s.id OR l.id = s.team OR l.held_with = s.team WHERE s.blocked IS NULL;
  LOOP  -- who is left keeps the old time, in which others may not move then; of two that meet the later one is left
    UPDATE pg_temp.shifted s SET blocked = CASE WHEN EXISTS (SELECT FROM client_busy c WHERE c.client_id = s.client AND c.busy && s.met
        AND NOT EXISTS (SELECT FROM pg_temp.shifted o WHERE o.id = c.appointment_id AND o.blocked IS NULL)) OR EXISTS (SELECT FROM pg_temp.shifted o
        WHERE o.blocked IS NULL AND o.client = s.client AND o.met && s.met AND (o.old, o.id) < (s.old, s.id)) THEN 'client_conflict' ELSE 'slot_taken' END
    WHERE s.blocked IS NULL AND (
      EXISTS (SELECT FROM appointment a LEFT JOIN pg_temp.shifted o ON o.id = a.id AND o.blocked IS NULL WHERE a.group_id = s.team AND o.id IS NULL)
      OR EXISTS (SELECT FROM pg_temp.shifted_time t JOIN allocation l ON l.resource_id = t.resource AND l.lane = t.lane AND l.busy && t.busy
        WHERE t.id = s.id AND (l.expires_at IS NULL OR l.expires_at > now())
        AND NOT EXISTS (SELECT FROM pg_temp.shifted_time u JOIN pg_temp.shifted o ON o.id = u.id AND o.blocked IS NULL WHERE u.part = l.id))
      OR EXISTS (SELECT FROM client_busy c WHERE c.client_id = s.client AND c.busy && s.met
        AND NOT EXISTS (SELECT FROM pg_temp.shifted o WHERE o.id = c.appointment_id AND o.blocked IS NULL))
      OR EXISTS (SELECT FROM pg_temp.shifted o WHERE o.blocked IS NULL AND (o.old, o.id) < (s.old, s.id)
        AND (o.client = s.client AND o.met && s.met OR EXISTS (SELECT FROM pg_temp.shifted_time t JOIN pg_temp.shifted_time u
          ON u.resource = t.resource AND u.lane = t.lane AND u.busy && t.busy AND u.part <> t.part WHERE t.id = s.id AND u.id = o.id))));
    EXIT WHEN NOT FOUND;
  END LOOP;
  RETURN QUERY SELECT a.id, a.time_zone, a.local_start, a.starts_at, s.new, s.blocked FROM pg_temp.shifted s JOIN appointment a ON a.id = s.id
    ORDER BY a.starts_at, a.id;
  IF apply THEN
    DELETE FROM allocation l USING pg_temp.shifted_time t WHERE l.resource_id = t.resource AND l.expires_at <= now();
    DELETE FROM client_busy c USING pg_temp.shifted s WHERE s.blocked IS NULL AND c.appointment_id = s.id;
    INSERT INTO appointment_event(appointment_id, seq, actor_kind, from_state, to_state, change)
    SELECT a.id, a.version + 1, 'system', a.state, a.state, jsonb_build_object('reason', 'time_zone_rules',
      'starts_at', jsonb_build_array(a.starts_at, s.new), 'ends_at', jsonb_build_array(a.ends_at, s.new + (a.ends_at - a.starts_at)))
    FROM pg_temp.shifted s JOIN appointment a ON a.id = s.id WHERE s.blocked IS NULL;
    UPDATE appointment a SET starts_at = s.new, ends_at = s.new + (a.ends_at - a.starts_at), local_end = (s.new + (a.ends_at - a.starts_at)) AT TIME ZONE a.time_zone,
      auto_at = a.auto_at + (s.new - s.old), version = a.version + 1, updated_at = now() FROM pg_temp.shifted s WHERE s.id = a.id AND s.blocked IS NULL;
    -- Aside first, where nobody is: so that none meets the old time of another that moves, too.
    UPDATE allocation l SET lane = l.lane + 10000 FROM pg_temp.shifted_time t JOIN pg_temp.shifted s ON s.id = t.id AND s.blocked IS NULL WHERE l.id = t.part;
    UPDATE allocation l SET lane = t.lane, busy = t.busy, group_span = CASE WHEN l.seats IS NOT NULL
      THEN tstzrange(lower(l.group_span) + t.shift, upper(l.group_span) + t.shift) END
    FROM pg_temp.shifted_time t JOIN pg_temp.shifted s ON s.id = t.id AND s.blocked IS NULL WHERE l.id = t.part;
    INSERT INTO client_busy(appointment_id, client_id, busy) SELECT s.id, s.client, s.met FROM pg_temp.shifted s WHERE s.blocked IS NULL;
  END IF;
END $$;

-- Visits that are not over show an asset's name as it is now, as foreign keys see to for other names.
CREATE FUNCTION ext.asset_renamed(asset uuid, to_name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  UPDATE appointment v SET assets = (SELECT jsonb_agg(CASE WHEN f->>'id' = asset::text THEN f || jsonb_build_object('name', to_name) ELSE f END)
    FROM jsonb_array_elements(v.assets) f)
  FROM allocation x WHERE x.resource_id = asset AND x.appointment_id = v.id AND upper(x.busy) > now();
END $$;
