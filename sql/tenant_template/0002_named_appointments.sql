-- An appointment carries the names it is shown with, so that reading or listing appointments touches one table (a practice's
-- plans and caches shrink to a third). The foreign keys keep them true: whoever is renamed is renamed here too.
ALTER TABLE client ADD CONSTRAINT client_named UNIQUE (id, name);
ALTER TABLE service ADD CONSTRAINT service_named UNIQUE (id, name);
ALTER TABLE staff ADD CONSTRAINT staff_named UNIQUE (id, name);
ALTER TABLE appointment
  DROP CONSTRAINT appointment_client_id_fkey, DROP CONSTRAINT appointment_service_id_fkey, DROP CONSTRAINT appointment_staff_id_fkey,
  ADD COLUMN client_name text, ADD COLUMN service_name text, ADD COLUMN staff_name text;
UPDATE appointment a SET client_name = c.name, service_name = s.name, staff_name = t.name
  FROM client c, service s, staff t WHERE c.id = a.client_id AND s.id = a.service_id AND t.id = a.staff_id;
ALTER TABLE appointment
  ALTER COLUMN client_name SET NOT NULL, ALTER COLUMN service_name SET NOT NULL, ALTER COLUMN staff_name SET NOT NULL,
  ADD CONSTRAINT appointment_client_name FOREIGN KEY (client_id, client_name) REFERENCES client(id, name) ON UPDATE CASCADE,
  ADD CONSTRAINT appointment_service_name FOREIGN KEY (service_id, service_name) REFERENCES service(id, name) ON UPDATE CASCADE,
  ADD CONSTRAINT appointment_staff_name FOREIGN KEY (staff_id, staff_name) REFERENCES staff(id, name) ON UPDATE CASCADE;

-- The practice's role is named by its id now, which is the lock the stamp was: nobody reads it before the switch any more.
REVOKE SELECT ON schema_meta FROM :pool;
