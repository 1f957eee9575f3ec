-- Fills one practice for the benchmarks; search_path is its schema. Ids are predictable, so that wrk and pgbench ask for the same rows:
-- appointment i is 00000000-0000-7000-8000-1000000NNNNN, i = 1 .. :appointments; client i ...-2000000NNNNN.
INSERT INTO client(id, given_name, family_name, phone, email)
SELECT ('00000000-0000-7000-8000-2000000' || lpad(i::text, 5, '0'))::uuid, 'Cliente', 'Número ' || i, '+5255' || lpad(i::text, 8, '0'),
       'cliente' || i || '@example.com'
FROM generate_series(1, 50) i;
INSERT INTO service(id, name, duration_min, price_minor, currency)
SELECT ('00000000-0000-7000-8000-3000000' || lpad(i::text, 5, '0'))::uuid, 'Servicio ' || i, 30, 50000 * i, 'MXN' FROM generate_series(1, 5) i;
INSERT INTO appointment(id, client_id, client_name, service_id, service_name, staff_id, staff_name, state, starts_at, ends_at,
                        local_start, local_end, time_zone, buffer_before_min, buffer_after_min, price_minor, currency)
SELECT ('00000000-0000-7000-8000-1000000' || lpad(i::text, 5, '0'))::uuid,
       c.id, c.name, s.id, s.name, p.id, p.name, 'confirmed', t.at, t.at + interval '30 minutes',
       t.at AT TIME ZONE 'America/Mexico_City', (t.at + interval '30 minutes') AT TIME ZONE 'America/Mexico_City',
       'America/Mexico_City', 0, 0, 50000, 'MXN'
FROM generate_series(1, :appointments) i
     JOIN client c ON c.id = ('00000000-0000-7000-8000-2000000' || lpad((i % 50 + 1)::text, 5, '0'))::uuid
     JOIN service s ON s.id = ('00000000-0000-7000-8000-3000000' || lpad((i % 5 + 1)::text, 5, '0'))::uuid,
     (SELECT id, name FROM staff ORDER BY id LIMIT 1) p,
     LATERAL (SELECT timestamptz '2027-01-04 15:00Z' + (i / 16) * interval '1 day' + (i % 16) * interval '30 minutes' AS at) t;
INSERT INTO allocation(id, resource_id, busy, kind, appointment_id)
SELECT gen_random_uuid(), staff_id, tstzrange(starts_at, ends_at), 'visit', id FROM appointment;
INSERT INTO client_busy(appointment_id, client_id, busy) SELECT id, client_id, tstzrange(starts_at, ends_at) FROM appointment;
ANALYZE client, service, appointment, allocation, staff;
