-- How often a client came and did not, beside the client, so that lists show it: changed with the visit, by its statement. Workers of the version before do not;
-- the next such step of the client counts anew.
ALTER TABLE client
  ADD COLUMN visits int NOT NULL DEFAULT 0, ADD COLUMN last_visit_at timestamptz,      -- those that are completed, by when they began
  ADD COLUMN no_shows int NOT NULL DEFAULT 0, ADD COLUMN last_no_show_at timestamptz;  -- those that were missed
UPDATE client c SET visits = n.visits, last_visit_at = n.last_visit_at, no_shows = n.no_shows, last_no_show_at = n.last_no_show_at
  FROM (SELECT client_id, count(*) FILTER (WHERE state = 'completed') AS visits, max(starts_at) FILTER (WHERE state = 'completed') AS last_visit_at,
    count(*) FILTER (WHERE state = 'no_show') AS no_shows, max(starts_at) FILTER (WHERE state = 'no_show') AS last_no_show_at
    FROM appointment WHERE state IN ('completed', 'no_show') GROUP BY client_id) n WHERE n.client_id = c.id;

-- When time alone ends a visit by the policy that was agreed: nobody has checked in, or it is in progress for too long. null: never.
ALTER TABLE appointment ADD COLUMN auto_at timestamptz;
CREATE INDEX appointment_auto ON appointment(auto_at) WHERE auto_at IS NOT NULL;

-- So many minutes after its beginning a visit is missed, and after its end over; 0: staff say so. Workers of the version before write neither.
UPDATE booking_policy SET rules = '{"auto_no_show_min": 0, "auto_complete_min": 0}'::jsonb || rules;
ALTER TABLE booking_policy ADD CHECK (coalesce((rules->>'auto_no_show_min')::int, -1) BETWEEN 0 AND 1440
  AND coalesce((rules->>'auto_complete_min')::int, -1) BETWEEN 0 AND 1440);
