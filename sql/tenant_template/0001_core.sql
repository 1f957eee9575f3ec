-- One practice's schema: who works here, what is offered, who comes, when.
-- Unqualified names (search_path is the new schema); :tenant is the practice's role, :pool the pool login.
-- No sequences, no triggers. Every table grants exactly what the API does to it; append-only means no UPDATE, no DELETE.

CREATE TABLE schema_meta(
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  tenant_id uuid NOT NULL);
-- The third lock: the pool login reads the stamp while it switches role and path; nothing else is readable without the switch.
GRANT SELECT ON schema_meta TO :pool;

CREATE TABLE business(
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  name text NOT NULL, legal_name text, tax_id text, sector text NOT NULL, country char(2) NOT NULL,
  time_zone text NOT NULL, locale text NOT NULL, currency char(3) NOT NULL,
  phone text, email text, address text,
  version int NOT NULL DEFAULT 1, updated_at timestamptz NOT NULL DEFAULT now());
GRANT SELECT, UPDATE ON business TO :tenant;

CREATE TABLE resource(            -- everything that can be busy: staff, rooms, chairs, devices
  id uuid PRIMARY KEY,
  kind text NOT NULL CHECK (kind IN ('staff','room','chair','device','virtual')),
  lanes smallint NOT NULL DEFAULT 1 CHECK (lanes BETWEEN 1 AND 500));
GRANT SELECT, INSERT ON resource TO :tenant;

CREATE TABLE staff(
  id uuid PRIMARY KEY REFERENCES resource,
  account_id uuid UNIQUE,
  role text NOT NULL CHECK (role IN ('owner','staff')),
  name text NOT NULL, email text, phone text, title text, license_no text, color text,
  bookable boolean NOT NULL DEFAULT true,
  archived_at timestamptz, version int NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX staff_name ON staff(ext.fold(name), id);
GRANT SELECT, INSERT, UPDATE ON staff TO :tenant;

CREATE TABLE service(
  id uuid PRIMARY KEY,
  name text NOT NULL, description text, category text, color text,
  duration_min int NOT NULL CHECK (duration_min BETWEEN 1 AND 1440),
  buffer_before_min int NOT NULL DEFAULT 0 CHECK (buffer_before_min BETWEEN 0 AND 480),
  buffer_after_min int NOT NULL DEFAULT 0 CHECK (buffer_after_min BETWEEN 0 AND 480),
  price_minor bigint NOT NULL DEFAULT 0 CHECK (price_minor >= 0), currency char(3) NOT NULL,
  archived_at timestamptz, version int NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX service_name ON service(ext.fold(name), id);
GRANT SELECT, INSERT, UPDATE ON service TO :tenant;

CREATE TABLE client(
  id uuid PRIMARY KEY,
  given_name text NOT NULL, family_name text NOT NULL DEFAULT '',
  email text, phone text, birth_date date, locale text, notes text,
  archived_at timestamptz, version int NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now(),
  name text GENERATED ALWAYS AS (given_name || CASE family_name WHEN '' THEN '' ELSE ' ' || family_name END) STORED,
  -- Order of lists, whatever the cluster's collation: Ángel stands beside Angel.
  sort_name text GENERATED ALWAYS AS (ext.fold(given_name || ' ' || family_name)) STORED,
  search text GENERATED ALWAYS AS (ext.fold(given_name || ' ' || family_name || ' ' || coalesce(email, '') || ' '
    || coalesce(phone, '') || ' ' || regexp_replace(coalesce(phone, ''), '[^0-9]', '', 'g'))) STORED);
CREATE INDEX client_search ON client USING gin (search ext.gin_trgm_ops);
CREATE INDEX client_name ON client(sort_name, id);
CREATE INDEX client_created ON client(created_at, id);
GRANT SELECT, INSERT, UPDATE ON client TO :tenant;

CREATE TABLE appointment(
  id uuid PRIMARY KEY,
  client_id uuid NOT NULL REFERENCES client, service_id uuid NOT NULL REFERENCES service, staff_id uuid NOT NULL REFERENCES staff,
  state text NOT NULL CHECK (state IN ('held','requested','awaiting_client','awaiting_payment','confirmed','checked_in',
    'in_progress','completed','cancelled','declined','expired','no_show')),
  starts_at timestamptz NOT NULL, ends_at timestamptz NOT NULL CHECK (ends_at > starts_at),
  -- The wall-clock time is the truth; the zone's rules may change after booking.
  local_start timestamp NOT NULL, local_end timestamp NOT NULL, time_zone text NOT NULL,
  buffer_before_min int NOT NULL, buffer_after_min int NOT NULL,
  price_minor bigint NOT NULL, currency char(3) NOT NULL,
  notes text, cancel_reason text, cancelled_by text CHECK (cancelled_by IN ('staff','client','system')),
  reschedules smallint NOT NULL DEFAULT 0,
  version int NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX appointment_starts ON appointment(starts_at, id);
CREATE INDEX appointment_staff ON appointment(staff_id, starts_at);
CREATE INDEX appointment_client ON appointment(client_id, starts_at);
GRANT SELECT, INSERT, UPDATE ON appointment TO :tenant;

CREATE TABLE allocation(          -- the only place where time is taken; buffers are inside busy
  id uuid PRIMARY KEY,
  resource_id uuid NOT NULL REFERENCES resource, lane smallint NOT NULL DEFAULT 1 CHECK (lane > 0),
  busy tstzrange NOT NULL CHECK (NOT isempty(busy)),
  kind text NOT NULL CHECK (kind IN ('hold','visit','block','external','waitlist_offer')),
  appointment_id uuid REFERENCES appointment, expires_at timestamptz,
  CHECK (kind NOT IN ('hold','waitlist_offer') OR expires_at IS NOT NULL),
  CHECK (kind <> 'visit' OR appointment_id IS NOT NULL),
  CONSTRAINT allocation_no_overlap EXCLUDE USING gist (resource_id WITH =, lane WITH =, busy WITH &&));
CREATE INDEX allocation_appointment ON allocation(appointment_id);
GRANT SELECT, INSERT, UPDATE, DELETE ON allocation TO :tenant;

CREATE TABLE client_busy(         -- a person cannot be in two places
  appointment_id uuid PRIMARY KEY REFERENCES appointment, client_id uuid NOT NULL REFERENCES client,
  busy tstzrange NOT NULL,
  CONSTRAINT client_busy_no_overlap EXCLUDE USING gist (client_id WITH =, busy WITH &&));
GRANT SELECT, INSERT, UPDATE, DELETE ON client_busy TO :tenant;

CREATE TABLE appointment_event(   -- append-only history; seq is the appointment's version after the event
  appointment_id uuid NOT NULL REFERENCES appointment, seq int NOT NULL,
  at timestamptz NOT NULL DEFAULT now(), actor_kind text NOT NULL, actor_id uuid,
  from_state text, to_state text NOT NULL, change jsonb NOT NULL DEFAULT '{}',
  PRIMARY KEY(appointment_id, seq));
GRANT SELECT, INSERT ON appointment_event TO :tenant;

CREATE TABLE idempotency(
  actor uuid NOT NULL, key text NOT NULL, route text NOT NULL, request_hash bytea NOT NULL,
  status int, content text, etag text, location text, body text,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY(actor, key));
CREATE INDEX idempotency_created ON idempotency(created_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency TO :tenant;
