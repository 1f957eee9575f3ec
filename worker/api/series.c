/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Making and reading series of visits. All that a rule comes to is checked and booked in one transaction, by a policy that the request declares; a preview is the same
 * without the booking. What exists is changed in series_change.c. */
#include "worker/api/series.h"

#include "common/str.h"
#include "common/uuid.h"

static const struct column series_list_columns[] = {
    SERIES_COLUMNS,
    { 0 },
};

static const struct column series_preview_columns[] = {
    { "occurrences", T_JSON,
      "Of each series_key (the local time that the rule gives it), outcome (booked, moved, "
      "skipped, "
      "conflict), starts_at (RFC 3339; null: none) and why it cannot be where the rule has it: as "
      "availability says, or client_busy, nonexistent_time, ambiguous_time" },
    { "possible", T_INT, "How many would be booked" },
    { 0 },
};

#define RULE_DOC                                                                                   \
    "Of RFC 5545: FREQ=DAILY, WEEKLY with BYDAY=MO,WE, MONTHLY with BYMONTHDAY=1,-1 or BYDAY=2TU," \
    "-1FR; INTERVAL; COUNT or UNTIL. At most 100 occurrences, over two years"
#define NEW_PARAMS                                                                              \
    { .name = "client_id", .in = IN_BODY, .type = T_UUID, .required = true },                   \
        { .name = "service_id", .in = IN_BODY, .type = T_UUID, .required = true },              \
        { .name = "staff_id", .in = IN_BODY, .type = T_UUID, .required = true },                \
        { .name = "starts_at",                                                                  \
          .in = IN_BODY,                                                                        \
          .type = T_TIME,                                                                       \
          .required = true,                                                                     \
          .doc = "The first occurrence: the practice's wall-clock time, without offset" },      \
        { .name = "rrule",                                                                      \
          .in = IN_BODY,                                                                        \
          .type = T_TEXT,                                                                       \
          .required = true,                                                                     \
          .max = RRULE_TEXT_MAX,                                                                \
          .doc = RULE_DOC },                                                                    \
        { .name = "duration_min",                                                               \
          .in = IN_BODY,                                                                        \
          .type = T_INT,                                                                        \
          .min = 1,                                                                             \
          .max = 1440,                                                                          \
          .nullable = true,                                                                     \
          .doc = "As long as it takes them when absent" },                                      \
        SERIES_POLICY_PARAM("When some cannot be: reject books none, skip the others, nearest " \
                            "takes the nearest free start of the same day"),                    \
        SERIES_OVERRIDE_PARAM

static const struct param series_preview_params[] = { NEW_PARAMS, { 0 } };
static const struct param series_create_params[] = { NEW_PARAMS, APPOINTMENT_BOOK_PARAMS, { 0 } };

static const struct param series_list_params[] = {
    { .name = "client_id", .in = IN_QUERY, .type = T_UUID },
    { 0 },
};
static const struct sort series_sorts[] = {
    { "-created_at", "created_at", "timestamptz", true },
    { "created_at", "created_at", "timestamptz", false },
    { 0 },
};
static const struct param series_one_params[] = {
    { .name = "series_id", .in = IN_PATH, .type = T_UUID },
    { 0 },
};

static const struct param series_new_vars[] = {
    APPOINTMENT_BOOK_VARS,
    OPENINGS_VARS,
    SERIES_VARS,
    { .name = "rule", .type = T_TEXT },
    { .name = "first", .type = T_TEXT }, /* local time */
    { .name = "length", .type = T_INT },
    { 0 },
};

static const struct stmt *const series_preview_stmts[] = { &series_check, &series_met,
                                                           &openings_world, NULL };
static const struct stmt *const series_create_stmts[] = {
    &appointment_lock,
    &appointment_sweep,
    &series_check,
    &series_met,
    &openings_world,
    &series_insert,
    &appointment_book,
    &series_join,
    &series_skip,
    &series_answer,
    NULL,
};

/* ---- what is asked for ---- */

static enum err refuse_rule(struct call *c, const struct rrule_fault *f)
{
    return call_refuse_field(c, f->start ? "/starts_at" : "/rrule", f->code, f->text[0],
                             f->text[1]);
}

/* Makes the plan of the request's rule: all its times, nothing known of them yet. */
static enum err ask(struct call *c, struct series_plan *p)
{
    struct rrule rule;
    struct rrule_dates *dates = arena_take(c->arena, sizeof(*dates));
    const char *first = series_plan_key(c, call_get(c, "starts_at")->text);
    char text[RRULE_TEXT_MAX + 1];
    if (!dates) {
        return E_NOMEM;
    }
    if (!first) {
        return call_refuse_field(c, "/starts_at", "local_time_required",
                                 "Debe ser hora local sin desfase, en minutos enteros",
                                 "It must be a local time without offset, in whole minutes");
    }
    const struct rrule_fault *fault = rrule_read(slice_of(call_get(c, "rrule")->text), &rule);
    fault = fault ? fault : rrule_expand(&rule, first, dates);
    if (fault) {
        return refuse_rule(c, fault);
    }
    rrule_write(&rule, text);
    call_set(c, "rule", text);
    call_set(c, "first", first);
    call_set(c, "to_client", call_get(c, "client_id")->text);
    call_set(c, "to_service", call_get(c, "service_id")->text);
    call_set(c, "to_staff", call_get(c, "staff_id")->text);
    *p = (struct series_plan){
        .count = dates->count,
        .policy = series_plan_policy(call_get(c, "on_conflict")->text),
        .override = call_get(c, "override")->text != NULL,
        .wishes = arena_take(c->arena, dates->count * sizeof(*p->wishes)),
    };
    for (size_t i = 0; p->wishes && i < p->count; i++) {
        p->wishes[i] = (struct series_wish){ .key = dates->keys[i],
                                             .local = dates->keys[i],
                                             .staff = call_get(c, "staff_id")->text,
                                             .minutes = call_get(c, "duration_min")->number };
    }
    return p->wishes ? OK : E_NOMEM;
}

static const struct appointment_ask everything = { true, true, true, true };

/* ---- preview ---- */

static void write_all(struct sbuf *out, const struct series_plan *p)
{
    const char *left = p->policy == SERIES_REJECT ? "conflict" : "skipped";
    sbuf_char(out, '[');
    for (size_t i = 0; i < p->count; i++) {
        sbuf_text(out, i ? "," : "");
        series_plan_write(out, &p->wishes[i], "booked", left);
    }
    sbuf_char(out, ']');
}

static enum err series_preview(struct call *c)
{
    struct series_plan p;
    struct sbuf body;
    TRY(ask(c, &p));
    TRY(series_plan_check(c, &p, everything));
    TRY(series_plan_judge(c, &p));
    sbuf_init(&body);
    sbuf_text(&body, "{\"occurrences\":");
    write_all(&body, &p);
    sbuf_fmt(&body, ",\"possible\":%zu}", p.count - p.impossible);
    enum err e = sbuf_failed(&body) ? E_NOMEM : call_answer_raw(c, CONTENT_JSON, sbuf_slice(&body));
    sbuf_fini(&body);
    return e;
}

/* ---- making ---- */

static const char *nth_id(const void *of, size_t i)
{
    return ((const struct series_wish *)of)[i].id;
}

static const char *nth_booked(const void *of, size_t i)
{
    const struct series_wish *w = (const struct series_wish *)of + i;
    return w->id ? w->key : NULL;
}

/* As any booking is made: client and staff, history, policy and price. */
static enum err book(struct call *c, struct series_wish *w)
{
    TRY(call_renew_id(c));
    appointment_ask_book(c);
    TRY(appointment_ask_payment(c));
    TRY(series_plan_place(c, w));
    w->id = call_get(c, "new_id")->text;
    return call_post(c, &appointment_book);
}

static enum err book_all(struct call *c, struct series_plan *p)
{
    for (size_t i = 0; i < p->count; i++) {
        if (p->wishes[i].taken) {
            TRY(book(c, &p->wishes[i]));
        }
    }
    const char *ids = series_plan_array(c, p->wishes, p->count, nth_id),
               *keys = series_plan_array(c, p->wishes, p->count, nth_booked);
    call_set(c, "ids", ids);
    call_set(c, "keys", keys);
    return ids && keys ? call_post(c, &series_join) : E_NOMEM;
}

static enum err set_report(struct call *c, const struct series_plan *p)
{
    struct sbuf out;
    sbuf_init(&out);
    write_all(&out, p);
    const char *text = series_plan_text(c, &out);
    call_set(c, "report", text);
    return text ? OK : E_NOMEM;
}

static enum err series_create(struct call *c)
{
    struct series_plan p;
    struct uuid id = uuid_v7();
    char text[UUID_TEXT];
    PGresult *rows;
    uuid_format(&id, text);
    call_set(c, "shown", text);
    TRY(ask(c, &p));
    TRY(appointment_ask_payment(c));
    TRY(call_post(c, &appointment_lock));
    TRY(call_post(c, &appointment_sweep));
    TRY(series_plan_check(c, &p, everything));
    TRY(series_plan_judge(c, &p));
    if (p.impossible == p.count || (p.impossible > 0 && p.policy == SERIES_REJECT)) {
        return series_plan_refuse(c, &p);
    }
    call_set_int(c, "length", p.wishes[0].seconds / 60);
    TRY(set_report(c, &p));
    TRY(call_post(c, &series_insert));
    TRY(book_all(c, &p));
    TRY(call_post(c, &series_skip));
    TRY(call_query(c, &series_answer, &rows));
    return call_answer(c, rows);
}

const struct route series_routes[] = {
    {
        .method = M_GET,
        .path = "/api/v1/series",
        .summary = "List series of visits: a client's",
        .need = PERM_APPOINTMENT_READ,
        .cost = COST_FAST,
        .params = series_list_params,
        .columns = series_list_columns,
        .sorts = series_sorts,
        .sql = series_list_sql,
        .shape = SHAPE_PAGE,
        .success = 200,
    },
    {
        .method = M_POST,
        .path = "/api/v1/series",
        .summary = "Book a series of visits by a rule: all in one transaction",
        .need = PERM_APPOINTMENT_BOOK,
        .cost = COST_FAST,
        .params = series_create_params,
        .vars = series_new_vars,
        .columns = series_done_columns,
        .stmts = series_create_stmts,
        .handler = series_create,
        .shape = SHAPE_ONE,
        .success = 201,
        .location = "/api/v1/series/{id}",
    },
    {
        .method = M_POST,
        .path = "/api/v1/series/preview",
        .summary = "What booking a series would come to; changes nothing",
        .need = PERM_APPOINTMENT_BOOK,
        .cost = COST_FAST,
        .params = series_preview_params,
        .vars = series_new_vars,
        .columns = series_preview_columns,
        .stmts = series_preview_stmts,
        .handler = series_preview,
        .shape = SHAPE_RAW,
        .success = 200,
    },
    {
        .method = M_GET,
        .path = "/api/v1/series/{series_id}",
        .summary = "Read a series with its occurrences",
        .need = PERM_APPOINTMENT_READ,
        .cost = COST_FAST,
        .params = series_one_params,
        .columns = series_columns,
        .sql = series_read_sql,
        .shape = SHAPE_ONE,
        .success = 200,
    },
    { 0 },
};
