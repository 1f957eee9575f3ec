-- Booking by people without an account, at the practice's public name. Off until the practice switches it on, and no service is shown before somebody says so:
-- what was made for staff alone (a break, a service at a friend's price) must not become public by an upgrade.

ALTER TABLE service
  ADD COLUMN visibility text NOT NULL DEFAULT 'staff' CHECK (visibility IN ('public','link','staff')),
  ADD COLUMN modality text NOT NULL DEFAULT 'in_person' CHECK (modality IN ('in_person','video','phone','at_client')),
  ADD COLUMN intake jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(intake) = 'array' AND jsonb_array_length(intake) <= 20);

-- What was asked and answered when the visit was booked: [{"key", "label", "type", "answer"}]; questions change later.
CREATE TABLE appointment_intake(
  appointment_id uuid PRIMARY KEY REFERENCES appointment,
  answers jsonb NOT NULL CHECK (jsonb_typeof(answers) = 'array'),
  created_at timestamptz NOT NULL DEFAULT now());
GRANT SELECT, INSERT ON appointment_intake TO :tenant;

-- Who came by the public page is a client of their own: nobody who is there already is changed or shown. Staff see who may be the same person.
ALTER TABLE client ADD COLUMN source text NOT NULL DEFAULT 'staff' CHECK (source IN ('staff','public'));
CREATE INDEX client_email ON client(email) WHERE email IS NOT NULL;
CREATE INDEX client_phone ON client(phone) WHERE phone IS NOT NULL;

-- A hold of nobody who works here is counted by where it was made from: an HMAC of the address.
ALTER TABLE hold
  ALTER COLUMN made_by DROP NOT NULL,
  ADD COLUMN made_from bytea CHECK (length(made_from) = 32),
  ADD CHECK (num_nonnulls(made_by, made_from) = 1);
CREATE INDEX hold_made_from ON hold(made_from) WHERE made_from IS NOT NULL;

-- Proofs of work that were used, until they would be too old anyway.
CREATE TABLE used_proof(
  digest bytea PRIMARY KEY CHECK (length(digest) = 32),
  expires_at timestamptz NOT NULL);
CREATE INDEX used_proof_expires ON used_proof(expires_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON used_proof TO :tenant;  -- UPDATE: to pass over rows that another sweep has

-- Whether strangers may book, whether staff confirm what they book, how many visits to come one e-mail or phone may have: 0: any number. Workers of the
-- version before write none of them.
UPDATE booking_policy SET rules = '{"public_booking": false, "public_approval": false, "open_per_client": 0}'::jsonb || rules;
ALTER TABLE booking_policy ADD CHECK (coalesce(jsonb_typeof(rules->'public_booking'), '') = 'boolean'
  AND coalesce(jsonb_typeof(rules->'public_approval'), '') = 'boolean' AND coalesce((rules->>'open_per_client')::int, -1) BETWEEN 0 AND 100);
