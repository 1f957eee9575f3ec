-- Visits of several clients at once: each has an appointment of their own, all share the time of one allocation, which counts its seats. Whoever leaves the
-- last seat lets it expire.
ALTER TABLE service ADD COLUMN seats smallint NOT NULL DEFAULT 1 CHECK (seats BETWEEN 1 AND 500);

ALTER TABLE allocation
  ADD COLUMN group_service uuid REFERENCES service,
  ADD COLUMN group_span tstzrange,                 -- the visit, without buffers
  ADD COLUMN seats smallint, ADD COLUMN taken smallint,
  ADD CHECK (num_nonnulls(group_service, group_span, seats, taken) IN (0, 4)),
  ADD CHECK (taken BETWEEN 0 AND seats),
  DROP CONSTRAINT allocation_check1,
  ADD CONSTRAINT allocation_of CHECK (kind <> 'visit' OR num_nonnulls(appointment_id, seats, held_with) > 0);

ALTER TABLE appointment ADD COLUMN group_id uuid REFERENCES allocation;  -- while its seat is taken
CREATE INDEX appointment_group ON appointment(group_id) WHERE group_id IS NOT NULL;
