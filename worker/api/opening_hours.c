/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The practice's hours: when those can be booked who have no schedule. Staff book whenever they like. */
#include "worker/api/impact.h"
#include "worker/api/spans.h"

#define DAY_COLUMN(day)                                       \
    {                                                         \
        day, T_JSON, "Like [\"09:00-14:00\",\"16:00-19:00\"]" \
    }
#define DAY_PARAM(day)                                                   \
    {                                                                    \
        .name = day, .in = IN_BODY, .type = T_SPANS, .fallback = "",     \
        .doc = "In order; the last may end on the next day: 22:00-02:00" \
    }

static const struct column hours_columns[] = {
    DAY_COLUMN("monday"), DAY_COLUMN("tuesday"),  DAY_COLUMN("wednesday"), DAY_COLUMN("thursday"),
    DAY_COLUMN("friday"), DAY_COLUMN("saturday"), DAY_COLUMN("sunday"),    { 0 },
};

static const struct param hours_params[] = {
    DAY_PARAM("monday"), DAY_PARAM("tuesday"),  DAY_PARAM("wednesday"), DAY_PARAM("thursday"),
    DAY_PARAM("friday"), DAY_PARAM("saturday"), DAY_PARAM("sunday"),    { 0 },
};

/* clang-format off */
#define HOURS_OF(number, day)                                                                \
    "coalesce(jsonb_agg(span ORDER BY starts) FILTER (WHERE weekday = " number "), '[]') AS " day
#define HOURS_SQL                                                                            \
    "SELECT "                                                                                \
    HOURS_OF("1", "monday") ", "                                                             \
    HOURS_OF("2", "tuesday") ", "                                                            \
    HOURS_OF("3", "wednesday") ", "                                                          \
    HOURS_OF("4", "thursday") ", "                                                           \
    HOURS_OF("5", "friday") ", "                                                             \
    HOURS_OF("6", "saturday") ", "                                                           \
    HOURS_OF("7", "sunday")                                                                  \
    " FROM (SELECT weekday, starts, " SPANS_TEXT " AS span FROM opening_hours) h"
/* clang-format on */

/* Two who set the hours at once do it one after the other. */
static const struct stmt hours_lock = {
    "lock",
    "SELECT 1 FROM booking_policy FOR UPDATE",
};

static const struct stmt hours_clear = {
    "clear",
    "DELETE FROM opening_hours",
};

static const struct stmt hours_set = {
    "set",
    "INSERT INTO opening_hours(weekday, starts, minutes) SELECT d.weekday, " SPANS_PARSED
    " FROM (VALUES (1, :monday), (2, :tuesday), (3, :wednesday), (4, :thursday), (5, :friday),"
    " (6, :saturday), (7, :sunday)) d(weekday, spans)"
    " CROSS JOIN LATERAL unnest(d.spans::text[]) s(span)",
};

static const struct stmt hours_read = { "read", HOURS_SQL };

static const struct param hours_impact_vars[] = { IMPACT_VARS, { 0 } };
static const struct stmt *const hours_stmts[] = { &hours_lock, &hours_clear, &hours_set,
                                                  &hours_read, NULL };
static const struct stmt *const hours_impact_stmts[] = { &hours_lock,  &hours_clear, &hours_set,
                                                         &impact_look, &impact_show, NULL };

static enum err replace(struct call *c)
{
    TRY(call_post(c, &hours_lock));
    TRY(call_post(c, &hours_clear));
    return call_post(c, &hours_set);
}

static enum err set_hours(struct call *c)
{
    PGresult *rows;
    TRY(replace(c));
    TRY(call_query(c, &hours_read, &rows));
    return call_answer(c, rows);
}

static enum err set_hours_impact(struct call *c)
{
    struct impact i;
    TRY(impact_begin(c, &i));
    TRY(replace(c));
    return impact_answer(c, &i);
}

const struct route opening_hours_routes[] = {
    {
        .method = M_GET,
        .path = "/api/v1/opening-hours",
        .summary = "Read the hours of whoever has no schedule",
        .need = PERM_BUSINESS_READ,
        .cost = COST_FAST,
        .columns = hours_columns,
        .sql = HOURS_SQL,
        .shape = SHAPE_ONE,
        .success = 200,
    },
    {
        .method = M_PUT,
        .path = "/api/v1/opening-hours",
        .summary = "Set these hours, all of them: a day that is left out is closed",
        .need = PERM_BUSINESS_WRITE,
        .cost = COST_FAST,
        .params = hours_params,
        .columns = hours_columns,
        .stmts = hours_stmts,
        .handler = set_hours,
        .shape = SHAPE_ONE,
        .success = 200,
        .any_version = true,
    },
    {
        .method = M_POST,
        .path = "/api/v1/opening-hours/impact",
        .summary = "What if these were the hours: visits that would be outside of them",
        .need = PERM_APPOINTMENT_READ,
        .also = PERM_BUSINESS_WRITE,
        .cost = COST_FAST,
        .params = hours_params,
        .vars = hours_impact_vars,
        .columns = impact_columns,
        .stmts = hours_impact_stmts,
        .handler = set_hours_impact,
        .shape = SHAPE_RAW,
        .success = 200,
    },
    { 0 },
};
