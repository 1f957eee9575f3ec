-- Roles: besides those that come ready (worker/perms.c) a practice makes its own, each a list of permissions as words. A key's permissions are a
-- role of its own that nobody else gets. Whoever works here may belong to a team, which some permissions reach, and may be suspended.
CREATE TABLE role(
  code text PRIMARY KEY, kind text NOT NULL DEFAULT 'custom' CHECK (kind IN ('custom','key')),
  name text NOT NULL, permissions text NOT NULL,
  version int NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now());
CREATE UNIQUE INDEX role_name ON role(ext.fold(name)) WHERE kind = 'custom';
GRANT SELECT, INSERT, UPDATE, DELETE ON role TO :tenant;

ALTER TABLE staff DROP CONSTRAINT staff_role_check,
  ADD COLUMN team text, ADD COLUMN suspended_at timestamptz;
UPDATE staff SET role = 'receptionist' WHERE role = 'staff';
UPDATE invitation SET role = 'receptionist' WHERE role = 'staff';

-- Who registered the client, so that a permission may reach one's own clients.
ALTER TABLE client ADD COLUMN created_by uuid;
