-- Visits that recur. A rule is followed once, when the series is made: its occurrences are appointments, known by the local time that the rule gave them,
-- whatever becomes of them later; nothing is ever made of the rule again.

CREATE TABLE series(
  id uuid PRIMARY KEY,
  client_id uuid NOT NULL REFERENCES client, service_id uuid NOT NULL REFERENCES service, staff_id uuid NOT NULL REFERENCES staff,
  rrule text NOT NULL, starts_local timestamp NOT NULL, time_zone text NOT NULL,
  time_of_day time NOT NULL,                               -- of its occurrences now: edits change it, keys stay
  duration_min int NOT NULL CHECK (duration_min BETWEEN 1 AND 1440),
  notes text,
  on_conflict text NOT NULL CHECK (on_conflict IN ('reject','skip','nearest')),
  continues_id uuid REFERENCES series,                     -- split off from there
  made_by uuid NOT NULL,
  version int NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX series_client ON series(client_id, created_at);
CREATE INDEX series_created ON series(created_at, id);
GRANT SELECT, INSERT, UPDATE ON series TO :tenant;

-- Times of the rule that were never booked, and why.
CREATE TABLE series_exception(
  series_id uuid NOT NULL REFERENCES series, series_key timestamp NOT NULL,
  why jsonb NOT NULL DEFAULT '[]',
  PRIMARY KEY(series_id, series_key));
GRANT SELECT, INSERT, UPDATE ON series_exception TO :tenant;

-- detached: changed by itself, so that changes of the whole series leave it alone.
ALTER TABLE appointment
  ADD COLUMN series_id uuid REFERENCES series,
  ADD COLUMN series_key timestamp,
  ADD COLUMN detached boolean NOT NULL DEFAULT false,
  ADD CHECK ((series_id IS NULL) = (series_key IS NULL));
CREATE UNIQUE INDEX appointment_series ON appointment(series_id, series_key) WHERE series_id IS NOT NULL;
