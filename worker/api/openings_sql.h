/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The practice's rules of some days as instants: the part of a statement that openings and agenda share. In front of it stand two tables: a, one row
 * with zone, service (null: schedules for one service do not count), first, last (days) and pad (so many more on both sides, as spans reach over midnight and other zones' days are
 * shifted; openings.c), and people(who, id, asset), numbered from 0; asset: a room, chair or device,
 * which is open around the clock where no schedule of its own holds. It gives days (the practice's, padded) and spans(who, what, from_s, to_s). */
#ifndef GREMIO_OPENINGS_SQL_H
#define GREMIO_OPENINGS_SQL_H

/* What a span is. */
enum openings_span { OPENINGS_WORK = 4, OPENINGS_BREAK, OPENINGS_EXCEPTION };

/* How many days a needs for pad. */
#define OPENINGS_PAD \
    "CASE WHEN EXISTS (SELECT FROM schedule WHERE time_zone <> b.time_zone) THEN 3 ELSE 1 END"

/* The practice's days, of the padding too. */
#define OPENINGS_DAYS                                                                          \
    "days AS MATERIALIZED (SELECT d.day, d.from_s, d.to_s, nullif(d.change_s, 0) AS change_s," \
    " d.shown_s FROM a CROSS JOIN LATERAL ext.local_days(a.first - a.pad, a.last + a.pad,"     \
    " a.zone) d)"

/* Which schedule holds for whom on which day; null: the opening hours. */
#define OPENINGS_CHOSEN                                                                   \
    "chosen AS MATERIALIZED (SELECT p.who, p.asset, d.day, c.id AS schedule,"             \
    " coalesce(c.time_zone, a.zone) AS zone FROM a CROSS JOIN people p CROSS JOIN days d" \
    " LEFT JOIN LATERAL (SELECT h.id, h.time_zone FROM schedule h"                        \
    " WHERE (h.staff_id = p.id OR h.asset_id = p.id)"                                     \
    " AND (h.service_id IS NULL OR h.service_id = a.service)"                             \
    " AND (h.valid_from IS NULL OR h.valid_from <= d.day)"                                \
    " AND (h.valid_to IS NULL OR h.valid_to >= d.day) ORDER BY h.service_id IS NULL,"     \
    " h.valid_from DESC NULLS LAST, h.id DESC LIMIT 1) c ON true)"

/* The days of each zone there is. */
#define OPENINGS_CLOCKS                                                                     \
    "clocks AS MATERIALIZED (SELECT a.zone, d.day, d.from_s, d.to_s, d.change_s, d.shown_s" \
    " FROM a CROSS JOIN days d UNION ALL SELECT z.zone, d.day, d.from_s, d.to_s,"           \
    " nullif(d.change_s, 0), d.shown_s FROM a CROSS JOIN LATERAL (SELECT DISTINCT c.zone"   \
    " FROM chosen c WHERE c.zone <> a.zone) z CROSS JOIN LATERAL ext.local_days(a.first"    \
    " - a.pad, a.last + a.pad, z.zone) d)"

/* Exceptions day by day, of each person. */
#define OPENINGS_OTHERWISE                                                               \
    "otherwise AS MATERIALIZED (SELECT p.who, e.effect, d.day,"                          \
    " num_nonnulls(e.staff_id, e.asset_id) > 0 AS own,"                                  \
    " coalesce(e.starts, '00:00') AS starts, coalesce(e.minutes, 1440) AS minutes"       \
    " FROM a JOIN schedule_exception e ON e.last_day >= a.first - a.pad"                 \
    " AND e.first_day <= a.last + a.pad JOIN people p ON e.staff_id = p.id"              \
    " OR e.asset_id = p.id OR e.staff_id IS NULL AND e.asset_id IS NULL AND NOT p.asset" \
    " JOIN days d ON d.day BETWEEN e.first_day AND e.last_day)"

#define OPENINGS_NOT_SPECIAL                                                    \
    "NOT EXISTS (SELECT FROM otherwise x WHERE x.who = h.who AND x.day = h.day" \
    " AND x.effect = 'special')"

/* Spans of local time with the kind of row they become. */
#define OPENINGS_HOURS                                                                          \
    "hours AS (SELECT h.who, h.zone, h.day, CASE s.kind WHEN 'work' THEN 4 ELSE 5 END AS what," \
    " s.starts, s.minutes FROM chosen h JOIN schedule_span s ON s.schedule_id = h.schedule"     \
    " AND s.weekday = extract(isodow FROM h.day) AND (s.parity IS NULL"                         \
    " OR s.parity = mod(extract(week FROM h.day)::int, 2)) WHERE " OPENINGS_NOT_SPECIAL         \
    " UNION ALL SELECT h.who, h.zone, h.day, 4, o.starts, o.minutes FROM chosen h"              \
    " JOIN (SELECT weekday, starts, minutes, false AS asset FROM opening_hours"                 \
    " UNION ALL SELECT w, '00:00', 1440, true FROM generate_series(1, 7) w) o"                  \
    " ON o.weekday = extract(isodow FROM h.day) AND o.asset = h.asset"                          \
    " WHERE h.schedule IS NULL AND " OPENINGS_NOT_SPECIAL                                       \
    " UNION ALL SELECT y.who, a.zone, y.day, CASE y.effect WHEN 'closed' THEN 6 ELSE 4 END,"    \
    " y.starts, y.minutes FROM a CROSS JOIN otherwise y WHERE y.effect <> 'special' OR y.own"   \
    " OR NOT EXISTS (SELECT FROM otherwise x WHERE x.who = y.who AND x.day = y.day AND x.own"   \
    " AND x.effect = 'special'))"

/* The part of a span on its own day and on the next, before and behind the change of clocks. */
#define OPENINGS_SPANS                                                                           \
    "spans AS (SELECT h.who, h.what, p.from_s, p.to_s FROM hours h CROSS JOIN (VALUES (0), (1))" \
    " n(later) JOIN clocks d ON d.zone = h.zone AND d.day = h.day + n.later"                     \
    " CROSS JOIN LATERAL (SELECT greatest(0, m.first - n.later * 86400) AS low,"                 \
    " least(86400, m.first + h.minutes * 60 - n.later * 86400) AS high FROM (SELECT"             \
    " extract(epoch FROM h.starts)::int AS first) m) w CROSS JOIN LATERAL (VALUES"               \
    " (d.from_s + w.low, least(d.from_s + w.high, d.change_s, d.to_s)),"                         \
    " (greatest(d.change_s - d.shown_s + w.low, d.change_s),"                                    \
    " least(d.change_s - d.shown_s + w.high, d.to_s))) p(from_s, to_s)"                          \
    " WHERE w.low < w.high AND p.from_s < p.to_s)"

/* Where days are there already: some of them only. */
#define OPENINGS_RULES_OF_DAYS                                                       \
    OPENINGS_CHOSEN ", " OPENINGS_CLOCKS ", " OPENINGS_OTHERWISE ", " OPENINGS_HOURS \
                    ", " OPENINGS_SPANS
#define OPENINGS_RULES OPENINGS_DAYS ", " OPENINGS_RULES_OF_DAYS

#define FIRST_SECOND(time) "floor(extract(epoch FROM " time "))::bigint"
#define LAST_SECOND(time)  "ceil(extract(epoch FROM " time "))::bigint"

#endif
