-- Ten people and 2,000 appointments for one practice of the benchmarks; search_path is its schema. :week is a Monday to come. Service ...-300000000001 is
-- offered by three of them, ...-300000000002 by all. Done anew by every run, as the days move.
DELETE FROM allocation WHERE appointment_id IN (SELECT id FROM appointment WHERE id::text LIKE '00000000-0000-7000-8000-5%');
DELETE FROM appointment WHERE id::text LIKE '00000000-0000-7000-8000-5%';
INSERT INTO resource(id, kind) SELECT ('00000000-0000-7000-8000-4000000' || lpad(i::text, 5, '0'))::uuid, 'staff' FROM generate_series(1, 10) i
  ON CONFLICT DO NOTHING;
INSERT INTO staff(id, role, name) SELECT ('00000000-0000-7000-8000-4000000' || lpad(i::text, 5, '0'))::uuid, 'professional', 'Persona ' || i
  FROM generate_series(1, 10) i ON CONFLICT DO NOTHING;
INSERT INTO service_staff(service_id, staff_id) SELECT s.id, t.id FROM service s JOIN staff t ON t.id::text LIKE '00000000-0000-7000-8000-4%'
  WHERE s.id = '00000000-0000-7000-8000-300000000002' OR (s.id = '00000000-0000-7000-8000-300000000001' AND t.id < '00000000-0000-7000-8000-400000000004')
  ON CONFLICT DO NOTHING;
UPDATE booking_policy SET rules = rules || '{"horizon_days": 365}';
INSERT INTO appointment(id, client_id, client_name, service_id, service_name, staff_id, staff_name, state, starts_at, ends_at,
                        local_start, local_end, time_zone, buffer_before_min, buffer_after_min, price_minor, currency)
SELECT ('00000000-0000-7000-8000-5000000' || lpad(i::text, 5, '0'))::uuid,
       c.id, c.name, s.id, s.name, p.id, p.name, 'confirmed', t.at, t.at + interval '30 minutes',
       t.at AT TIME ZONE 'America/Mexico_City', (t.at + interval '30 minutes') AT TIME ZONE 'America/Mexico_City',
       'America/Mexico_City', 0, 0, 50000, 'MXN'
FROM generate_series(0, 1799) i
     JOIN client c ON c.id = ('00000000-0000-7000-8000-2000000' || lpad((i % 50 + 1)::text, 5, '0'))::uuid
     JOIN service s ON s.id = '00000000-0000-7000-8000-300000000001'
     JOIN staff p ON p.id = ('00000000-0000-7000-8000-4000000' || lpad((i % 10 + 1)::text, 5, '0'))::uuid,
     LATERAL (SELECT :'week'::date + time '09:00' + (i / 80) * interval '1 day' + (i / 10 % 8) * interval '1 hour' AS local) l,
     LATERAL (SELECT l.local AT TIME ZONE 'America/Mexico_City' AS at) t;
INSERT INTO allocation(id, resource_id, busy, kind, appointment_id)
SELECT gen_random_uuid(), staff_id, tstzrange(starts_at, ends_at), 'visit', id FROM appointment WHERE id::text LIKE '00000000-0000-7000-8000-5%';
ANALYZE;
