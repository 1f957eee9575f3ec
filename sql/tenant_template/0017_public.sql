-- Booking by anybody, where the practice opens itself to it: off unless it says so. What a service says of itself: public is listed, link is booked by whoever has its
-- id, staff is nobody else's. As nothing is public before the practice is, what is offered to staff is offered to all once it is.
ALTER TABLE service
  ADD COLUMN visibility text NOT NULL DEFAULT 'public' CHECK (visibility IN ('public','link','staff')),
  ADD COLUMN modality text NOT NULL DEFAULT 'in_person' CHECK (modality IN ('in_person','video','phone','at_client')),
  ADD COLUMN intake jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(intake) = 'array');

-- Who came by themselves is a client of their own, whatever address they give: that it is somebody else's too is for staff to see.
ALTER TABLE client ADD COLUMN source text NOT NULL DEFAULT 'staff' CHECK (source IN ('staff','public'));
CREATE INDEX client_email ON client(email) WHERE email IS NOT NULL;
CREATE INDEX client_phone ON client(phone) WHERE phone IS NOT NULL;

-- What was answered to the service's questions when it was booked.
CREATE TABLE appointment_intake(
  appointment_id uuid PRIMARY KEY REFERENCES appointment,
  questions jsonb NOT NULL, answers jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now());
GRANT SELECT, INSERT ON appointment_intake TO :tenant;

-- Proofs of work that were used, while they would be good.
CREATE TABLE work_proof(
  hash bytea PRIMARY KEY CHECK (length(hash) = 32),
  expires_at timestamptz NOT NULL);
CREATE INDEX work_proof_expires ON work_proof(expires_at);
GRANT SELECT, INSERT, DELETE ON work_proof TO :tenant;

-- Whether anybody may book, whether that waits for staff, and how many visits to come one contact may have booked by themselves (0: no limit). Workers of the version
-- before write none.
UPDATE booking_policy SET rules = '{"public_booking": false, "public_approval": false, "open_per_client": 3}'::jsonb || rules;
ALTER TABLE booking_policy ADD CHECK (coalesce(jsonb_typeof(rules->'public_booking'), '') = 'boolean'
  AND coalesce(jsonb_typeof(rules->'public_approval'), '') = 'boolean' AND coalesce((rules->>'open_per_client')::int, -1) BETWEEN 0 AND 100);
