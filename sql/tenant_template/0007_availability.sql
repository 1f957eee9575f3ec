-- When somebody can be booked: schedules of a week, what is otherwise on certain days, and who offers what. Opening hours stay what they are: the
-- week of whoever has no schedule on a day.

-- Of those valid on a day one holds: one for the service before one for all, then the one that begins last, then the one made last. time_zone null:
-- the practice's.
CREATE TABLE schedule(
  id uuid PRIMARY KEY,
  name text NOT NULL,
  staff_id uuid NOT NULL REFERENCES staff, service_id uuid REFERENCES service,
  time_zone text,
  valid_from date, valid_to date, CHECK (valid_from <= valid_to),
  version int NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX schedule_staff ON schedule(staff_id);
CREATE INDEX schedule_created ON schedule(created_at, id);
GRANT SELECT, INSERT, UPDATE, DELETE ON schedule TO :tenant;

-- Of local time; beyond midnight they end on the next day. 1 is Monday. parity: only in weeks whose ISO number is odd (1) or even (0).
CREATE TABLE schedule_span(
  schedule_id uuid NOT NULL REFERENCES schedule ON DELETE CASCADE,
  kind text NOT NULL CHECK (kind IN ('work','break')),
  weekday smallint NOT NULL CHECK (weekday BETWEEN 1 AND 7),
  starts time NOT NULL CHECK (extract(second FROM starts) = 0),
  minutes smallint NOT NULL CHECK (minutes BETWEEN 1 AND 1440),
  parity smallint CHECK (parity IN (0, 1)),
  UNIQUE NULLS NOT DISTINCT (schedule_id, weekday, starts, minutes, kind, parity));
GRANT SELECT, INSERT, DELETE ON schedule_span TO :tenant;

-- closed takes time away (whole days without starts), open adds some, special is a day's time instead of the week's. staff_id null: for everybody;
-- whoever has special hours of their own on a day keeps those. In the practice's zone.
CREATE TABLE schedule_exception(
  id uuid PRIMARY KEY,
  staff_id uuid REFERENCES staff,
  effect text NOT NULL CHECK (effect IN ('closed','open','special')),
  first_day date NOT NULL, last_day date NOT NULL,
  CHECK (first_day <= last_day AND last_day - first_day < 731),
  starts time CHECK (extract(second FROM starts) = 0),
  minutes smallint CHECK (minutes BETWEEN 1 AND 1440),
  CHECK ((starts IS NULL) = (minutes IS NULL) AND (effect = 'closed' OR starts IS NOT NULL)),
  reason text,
  source text NOT NULL DEFAULT 'manual' CHECK (source IN ('manual','ical')), uid text,
  CHECK ((source = 'ical') = (uid IS NOT NULL)),
  version int NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX schedule_exception_days ON schedule_exception(last_day, first_day);
CREATE INDEX schedule_exception_first ON schedule_exception(first_day, id);
GRANT SELECT, INSERT, UPDATE, DELETE ON schedule_exception TO :tenant;

-- Starts are local midnight + offset + n * grid. null: quarter hours for staff, half hours for clients.
ALTER TABLE service
  ADD COLUMN grid_min int CHECK (grid_min BETWEEN 5 AND 1440),
  ADD COLUMN grid_offset_min int NOT NULL DEFAULT 0 CHECK (grid_offset_min BETWEEN 0 AND 1439);

-- Who offers a service, and how long it takes them; a service without rows is offered by whoever takes appointments.
CREATE TABLE service_staff(
  service_id uuid NOT NULL REFERENCES service, staff_id uuid NOT NULL REFERENCES staff,
  duration_min int CHECK (duration_min BETWEEN 1 AND 1440),
  PRIMARY KEY(service_id, staff_id));
CREATE INDEX service_staff_of ON service_staff(staff_id);
GRANT SELECT, INSERT, DELETE ON service_staff TO :tenant;
