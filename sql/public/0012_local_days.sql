-- Days of a zone as instants: what rules of local time are expanded with. Seconds since 1970, because worker/avail.h counts in them.

-- The first instant whose local date in zone z is d or later: midnight, or what follows where clocks leave midnight out. Of a midnight that comes
-- twice the first.
CREATE FUNCTION ext.day_start(d date, z text) RETURNS timestamptz LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = '' AS $$
DECLARE
  midnight timestamp := d;
  utc timestamptz := midnight AT TIME ZONE 'UTC';
  before timestamptz := utc - interval '1 day';
  after timestamptz := utc + interval '1 day';
  early timestamptz := utc - ((before AT TIME ZONE z) - (before AT TIME ZONE 'UTC'));
  late timestamptz := utc - ((after AT TIME ZONE z) - (after AT TIME ZONE 'UTC'));
  low bigint; high bigint; middle bigint;
BEGIN
  IF early AT TIME ZONE z = midnight THEN
    RETURN early;
  ELSIF late AT TIME ZONE z = midnight THEN
    RETURN late;
  END IF;
  -- Nobody's clock is farther from UTC than these.
  low := extract(epoch FROM utc)::bigint - 16 * 3600;
  high := extract(epoch FROM utc)::bigint + 16 * 3600;
  WHILE high - low > 1 LOOP
    middle := (low + high) / 2;
    IF pg_catalog.to_timestamp(middle) AT TIME ZONE z < midnight THEN low := middle; ELSE high := middle; END IF;
  END LOOP;
  RETURN pg_catalog.to_timestamp(high);
END $$;

-- The days first to last of zone z, ends half-open. Where clocks change on a day: at change_s, from when on they show shown_s (seconds since the
-- day's midnight); change_s is 0 where they do not. A day that a zone left out has no length.
CREATE FUNCTION ext.local_days(first date, last date, z text)
  RETURNS TABLE(day date, from_s bigint, to_s bigint, change_s bigint, shown_s bigint)
  LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE ROWS 20 SET search_path = '' AS $$
DECLARE
  starts timestamptz := ext.day_start(first, z);
  ends timestamptz; before interval; low bigint; middle bigint;
BEGIN
  day := first;
  WHILE day <= last LOOP
    ends := ext.day_start(day + 1, z);
    from_s := extract(epoch FROM starts);
    to_s := extract(epoch FROM ends);
    change_s := 0;
    shown_s := 0;
    before := (starts AT TIME ZONE z) - (starts AT TIME ZONE 'UTC');
    IF starts < ends AND starts AT TIME ZONE z <> day::timestamp THEN
      change_s := from_s;
    ELSIF starts < ends AND ((ends - interval '1 second') AT TIME ZONE z) - ((ends - interval '1 second') AT TIME ZONE 'UTC') <> before THEN
      low := from_s;
      change_s := to_s;
      WHILE change_s - low > 1 LOOP
        middle := (low + change_s) / 2;
        IF (pg_catalog.to_timestamp(middle) AT TIME ZONE z) - (pg_catalog.to_timestamp(middle) AT TIME ZONE 'UTC') = before THEN
          low := middle;
        ELSE
          change_s := middle;
        END IF;
      END LOOP;
    END IF;
    IF change_s <> 0 THEN
      shown_s := extract(epoch FROM (pg_catalog.to_timestamp(change_s) AT TIME ZONE z) - day::timestamp);
    END IF;
    RETURN NEXT;
    starts := ends;
    day := day + 1;
  END LOOP;
END $$;
