-- Rooms, chairs and devices: busy like people, with weeks and closed days of their own, and open around the clock where they have none.
CREATE TABLE asset(
  id uuid PRIMARY KEY REFERENCES resource,
  kind text NOT NULL CHECK (kind IN ('room','chair','device')),
  name text NOT NULL,
  archived_at timestamptz, version int NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX asset_name ON asset(ext.fold(name), id);
GRANT SELECT, INSERT, UPDATE ON asset TO :tenant;

ALTER TABLE schedule
  ALTER COLUMN staff_id DROP NOT NULL,
  ADD COLUMN asset_id uuid REFERENCES asset,
  ADD CHECK (num_nonnulls(staff_id, asset_id) = 1);
CREATE INDEX schedule_asset ON schedule(asset_id) WHERE asset_id IS NOT NULL;
-- An asset's own; without staff and asset: everybody's, which says nothing of assets.
ALTER TABLE schedule_exception
  ADD COLUMN asset_id uuid REFERENCES asset,
  ADD CHECK (num_nonnulls(staff_id, asset_id) <= 1);

-- What a visit needs besides the person: of each need one asset, whichever is free.
CREATE TABLE service_need(
  service_id uuid NOT NULL REFERENCES service,
  need smallint NOT NULL CHECK (need BETWEEN 1 AND 5),
  asset_id uuid NOT NULL REFERENCES asset,
  PRIMARY KEY(service_id, need, asset_id));
CREATE INDEX service_need_asset ON service_need(asset_id);
GRANT SELECT, INSERT, DELETE ON service_need TO :tenant;

-- What a visit has: [{"id", "kind", "name"}], as its allocations say; null: it needs none.
ALTER TABLE appointment ADD COLUMN assets jsonb;

-- Time that is held for one visit goes together.
ALTER TABLE allocation ADD COLUMN held_with uuid REFERENCES allocation ON DELETE CASCADE;
CREATE INDEX allocation_held_with ON allocation(held_with) WHERE held_with IS NOT NULL;

-- How much one person is booked at most: visits and minutes of a day and of a week (Monday to Sunday); 0: no limit. Workers of the version before write none of them.
UPDATE booking_policy SET rules = '{"day_visits": 0, "day_minutes": 0, "week_visits": 0, "week_minutes": 0}'::jsonb || rules;
ALTER TABLE booking_policy ADD CHECK (coalesce((rules->>'day_visits')::int, -1) BETWEEN 0 AND 200
  AND coalesce((rules->>'day_minutes')::int, -1) BETWEEN 0 AND 1440 AND coalesce((rules->>'week_visits')::int, -1) BETWEEN 0 AND 1000
  AND coalesce((rules->>'week_minutes')::int, -1) BETWEEN 0 AND 10080);
