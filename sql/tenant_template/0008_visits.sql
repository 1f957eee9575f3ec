-- What the life of an appointment needs: answers that are waited for so long only, time that is held for a moment, visits beside others on purpose.

ALTER TABLE appointment
  ADD COLUMN expires_at timestamptz,                       -- of a state that waits for an answer: when it is over without one
  ADD COLUMN lane smallint NOT NULL DEFAULT 1 CHECK (lane BETWEEN 1 AND 20); -- above 1: beside another visit of the same person, on purpose
CREATE INDEX appointment_expires ON appointment(expires_at) WHERE expires_at IS NOT NULL;

CREATE INDEX allocation_expires ON allocation(expires_at) WHERE expires_at IS NOT NULL;

-- Time of somebody's that is kept free until it is booked by the token whose SHA-256 this is, or the allocation expires, which takes it along.
CREATE TABLE hold(
  id uuid PRIMARY KEY REFERENCES allocation ON DELETE CASCADE,
  secret_hash bytea UNIQUE NOT NULL CHECK (length(secret_hash) = 32),
  service_id uuid NOT NULL REFERENCES service, staff_id uuid NOT NULL REFERENCES staff,
  starts_at timestamptz NOT NULL, ends_at timestamptz NOT NULL CHECK (ends_at > starts_at),
  made_by uuid NOT NULL, created_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX hold_made_by ON hold(made_by);
GRANT SELECT, INSERT ON hold TO :tenant;

-- How long a request or a proposed time waits for its answer, and a hold for its booking: in minutes. Whether a client's moves wait for staff. Workers of
-- the version before write none of them.
UPDATE booking_policy SET rules = '{"answer_min": 2880, "hold_min": 10, "approve_moves": false}'::jsonb || rules;
ALTER TABLE booking_policy ADD CHECK (coalesce((rules->>'answer_min')::int, 0) BETWEEN 5 AND 43200
  AND coalesce((rules->>'hold_min')::int, 0) BETWEEN 1 AND 60 AND coalesce(jsonb_typeof(rules->'approve_moves'), '') = 'boolean');
