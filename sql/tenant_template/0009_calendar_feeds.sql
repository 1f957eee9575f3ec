-- Calendars that other programs subscribe to, by an address that nobody guesses: here is SHA-256 of what it carries. Of a member's own visits, or of
-- those that a client's link covers: it lives no longer than who it is of.
CREATE TABLE calendar_feed(
  id uuid PRIMARY KEY,
  secret_hash bytea UNIQUE NOT NULL CHECK (length(secret_hash) = 32),
  staff_id uuid REFERENCES staff, link_id uuid REFERENCES access_link,
  CHECK (num_nonnulls(staff_id, link_id) = 1),
  revoked_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX calendar_feed_staff ON calendar_feed(staff_id, created_at, id) WHERE staff_id IS NOT NULL;
CREATE INDEX calendar_feed_link ON calendar_feed(link_id) WHERE link_id IS NOT NULL;
GRANT SELECT, INSERT, UPDATE (revoked_at) ON calendar_feed TO :tenant;
