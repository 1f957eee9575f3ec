-- Who was invited to work here and what became of it. One pending for an address; expired is a pending one whose time is over.
CREATE TABLE invitation(
  id uuid PRIMARY KEY,
  email text NOT NULL, name text NOT NULL, role text NOT NULL,
  state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending','accepted','withdrawn')),
  expires_at timestamptz NOT NULL, sends int NOT NULL DEFAULT 1,
  invited_by uuid NOT NULL REFERENCES staff, staff_id uuid, accepted_at timestamptz,
  version int NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now());
CREATE UNIQUE INDEX invitation_pending ON invitation(email) WHERE state = 'pending';
CREATE INDEX invitation_created ON invitation(created_at, id);
GRANT SELECT, INSERT, UPDATE ON invitation TO :tenant;
