-- Who waits for time that is not free yet: on which days, at which hours. In order of queued_at; looked: by which word of
-- freed time (public.due_work.raised) it was last looked at.
CREATE TABLE waitlist(
  id uuid PRIMARY KEY,
  client_id uuid NOT NULL REFERENCES client, service_id uuid NOT NULL REFERENCES service, staff_id uuid REFERENCES staff,
  first_day date NOT NULL, last_day date NOT NULL, CHECK (last_day - first_day BETWEEN 0 AND 61),
  weekdays smallint[] NOT NULL CHECK (weekdays <@ '{1,2,3,4,5,6,7}' AND cardinality(weekdays) > 0),
  from_min smallint NOT NULL CHECK (from_min BETWEEN 0 AND 1439),   -- a start is within [from_min, to_min) minutes of the day
  to_min smallint NOT NULL CHECK (to_min <= 1440 AND to_min > from_min),
  note text,
  state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting','offered','booked','passed','cancelled','expired')),
  offers smallint NOT NULL DEFAULT 0,              -- that were declined or missed
  queued_at timestamptz NOT NULL DEFAULT now(), looked bigint,
  appointment_id uuid REFERENCES appointment,
  version int NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX waitlist_waiting ON waitlist(queued_at, id) WHERE state = 'waiting';
CREATE INDEX waitlist_created ON waitlist(created_at, id);
CREATE INDEX waitlist_client ON waitlist(client_id);
GRANT SELECT, INSERT, UPDATE ON waitlist TO :tenant;

-- Time that was offered: an allocation of the same id keeps it free while the offer is open. What was offered once is not offered to the same again.
CREATE TABLE waitlist_offer(
  id uuid PRIMARY KEY,
  waitlist_id uuid NOT NULL REFERENCES waitlist, staff_id uuid NOT NULL REFERENCES staff,
  starts_at timestamptz NOT NULL, ends_at timestamptz NOT NULL CHECK (ends_at > starts_at),
  secret_hash bytea UNIQUE NOT NULL CHECK (length(secret_hash) = 32),
  until timestamptz NOT NULL,
  state text NOT NULL DEFAULT 'open' CHECK (state IN ('open','accepted','declined','missed','withdrawn')),
  created_at timestamptz NOT NULL DEFAULT now());
CREATE UNIQUE INDEX waitlist_offer_open ON waitlist_offer(waitlist_id) WHERE state = 'open';
CREATE INDEX waitlist_offer_of ON waitlist_offer(waitlist_id, created_at);
CREATE INDEX waitlist_offer_until ON waitlist_offer(until) WHERE state = 'open';
GRANT SELECT, INSERT, UPDATE ON waitlist_offer TO :tenant;

-- How long an offer keeps its time, in minutes. Workers of the version before write none.
UPDATE booking_policy SET rules = '{"offer_min": 120}'::jsonb || rules;
ALTER TABLE booking_policy ADD CHECK (coalesce((rules->>'offer_min')::int, 0) BETWEEN 5 AND 10080);
