/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Changing and cancelling series: one occurrence, one and all that follow, or all. worker/series_rule.h says what becomes of each; all of it happens, or none. What is
 * moved is taken out of its own way first and then placed by the statement that moves any visit. */
#include "worker/series_rule.h"

#include "common/str.h"
#include "common/uuid.h"
#include "worker/api/current.h"
#include "worker/api/series.h"

#define AWAY_DAYS 365000 /* a thousand years: nobody's time */
#define SCOPES    "one following all"

static const struct param series_change_params[] = {
    { .name = "series_id", .in = IN_PATH, .type = T_UUID },
    { .name = "scope",
      .in = IN_BODY,
      .type = T_CHOICE,
      .choices = SCOPES,
      .required = true,
      .doc = "one: the occurrence stands for itself from then on. following: it and all behind it "
             "become a series of their own, which is the answer. all: all that are to come" },
    { .name = "from",
      .in = IN_BODY,
      .type = T_TIME,
      .doc = "The series_key of the occurrence that one and following are about" },
    { .name = "time_of_day", .in = IN_BODY, .type = T_TEXT, .min = 5, .max = 5, .doc = "HH:MM" },
    { .name = "staff_id", .in = IN_BODY, .type = T_UUID },
    { .name = "duration_min", .in = IN_BODY, .type = T_INT, .min = 1, .max = 1440 },
    { .name = "notes", .in = IN_BODY, .type = T_TEXT, .max = 2000, .nullable = true },
    SERIES_POLICY_PARAM("When some cannot be moved: reject moves none, skip leaves them where they "
                        "are, nearest takes the nearest free start of the same day"),
    SERIES_OVERRIDE_PARAM,
    { 0 },
};

static const struct param series_cancel_params[] = {
    { .name = "series_id", .in = IN_PATH, .type = T_UUID },
    { .name = "scope", .in = IN_BODY, .type = T_CHOICE, .choices = SCOPES, .required = true },
    { .name = "from",
      .in = IN_BODY,
      .type = T_TIME,
      .doc = "The series_key of the occurrence that one and following are about" },
    { .name = "reason", .in = IN_BODY, .type = T_TEXT, .max = 500, .nullable = true },
    { 0 },
};

static const struct param series_change_vars[] = {
    APPOINTMENT_PLACE_VARS,
    OPENINGS_VARS,
    SERIES_VARS,
    { .name = "id", .type = T_UUID },       /* an appointment */
    { .name = "lock_ids", .type = T_TEXT }, /* as an array */
    { .name = "shift", .type = T_INT },
    { .name = "rule", .type = T_TEXT },
    { .name = "rule_rest", .type = T_TEXT },
    { .name = "from_key", .type = T_TEXT },
    { 0 },
};

static const struct param series_cancel_vars[] = {
    APPOINTMENT_STEP_VARS,
    SERIES_VARS,
    { .name = "id", .type = T_UUID },
    { .name = "from_key", .type = T_TEXT },
    { 0 },
};

static const struct stmt *const series_change_stmts[] = {
    &series_find,
    &series_occurrences,
    &series_lock,
    &series_sweep,
    &series_check,
    &series_met,
    &openings_world,
    &series_aside,
    &series_groups,
    &series_split,
    &series_settle,
    &appointment_place,
    &appointment_note,
    &series_revise,
    &series_touch,
    &series_answer,
    NULL,
};
static const struct stmt *const series_cancel_stmts[] = {
    &series_find, &series_occurrences, &appointment_step, &series_touch, &series_answer, NULL,
};

/* ---- what the change is about ---- */

struct occurrence {
    const char *id, *key, *service, *staff, *local, *before, *after;
    int64_t start, seconds;
    enum series_fate fate;
    const struct series_wish *wish; /* of those that move */
};

struct edit {
    enum series_scope scope;
    enum series_change change;
    const char *from; /* NULL: all */
    const PGresult *series;
    struct occurrence *all;
    size_t count, affected;
};

static enum series_scope scope_of(const char *word)
{
    return strcmp(word, "one") == 0         ? SERIES_ONE
           : strcmp(word, "following") == 0 ? SERIES_FOLLOWING
                                            : SERIES_ALL;
}

static int64_t number(const PGresult *rows, int row, const char *column)
{
    int64_t v = 0;
    const char *text = call_cell(rows, row, column);
    return text && str_int(slice_of(text), INT64_MIN, INT64_MAX, &v) == OK ? v : 0;
}

static enum series_fate fate_of(const struct edit *e, const PGresult *rows, int i)
{
    int side = e->from ? strcmp(call_cell(rows, i, "key"), e->from) : 0;
    const struct series_occurrence o = {
        .where = side < 0   ? SERIES_BEFORE
                 : side > 0 ? SERIES_AFTER
                            : SERIES_AT,
        .when = call_true(rows, i, "past") ? SERIES_PAST : SERIES_FUTURE,
        .bond = call_true(rows, i, "detached") ? SERIES_DETACHED : SERIES_BOUND,
        .state = call_cell(rows, i, "state"),
    };
    return series_rule_fate(e->scope, e->change, &o);
}

static bool is_affected(const struct occurrence *o)
{
    return o->fate >= SERIES_CHANGES;
}

static enum err refuse_from(struct call *c, const char *code, const char *es, const char *en)
{
    return call_refuse_field(c, "/from", code, es, en);
}

static enum err ask_scope(struct call *c, struct edit *e)
{
    const char *from = call_get(c, "from")->text;
    e->scope = scope_of(call_get(c, "scope")->text);
    e->from = from ? series_plan_key(c, from) : NULL;
    if (e->scope == SERIES_ALL && from) {
        return refuse_from(c, "unexpected", "No va con all", "It does not go with all");
    }
    if (e->scope != SERIES_ALL && !from) {
        return refuse_from(c, "required", "Falta", "It is missing");
    }
    if (from && !e->from) {
        return refuse_from(c, "local_time_required", "Debe ser una series_key",
                           "It must be a series_key");
    }
    return OK;
}

/* Nothing would change: said, rather than done. */
static enum err refuse_idle(struct call *c, const struct edit *e)
{
    struct sbuf out;
    size_t written = 0;
    sbuf_init(&out);
    sbuf_text(&out, "\"untouched\":[");
    for (size_t i = 0; i < e->count; i++) {
        const char *why = series_rule_why(e->all[i].fate);
        if (why) {
            sbuf_fmt(&out, "%s{\"series_key\":\"%s\",\"why\":[\"%s\"]}", written++ ? "," : "",
                     e->all[i].key, why);
        }
    }
    sbuf_char(&out, ']');
    const char *extra = series_plan_text(c, &out);
    if (!extra) {
        return E_NOMEM;
    }
    c->problem.extra = slice_of(extra);
    return call_refuse(c, E_STATE_CONFLICT, "No hay ninguna cita que cambiar",
                       "There is no visit that would change");
}

/* Locks the series and its occurrences, and says what becomes of each. */
static enum err load(struct call *c, struct edit *e)
{
    PGresult *found, *rows;
    TRY(ask_scope(c, e));
    call_set(c, "from_key", e->from);
    TRY(current_row(c, &series_find, &found));
    TRY(call_query(c, &series_occurrences, &rows));
    e->series = found;
    e->count = (size_t)PQntuples(rows);
    e->all = arena_take(c->arena, (e->count + 1) * sizeof(*e->all));
    if (!e->all) {
        return E_NOMEM;
    }
    bool skipped = e->scope == SERIES_FOLLOWING && call_true(found, 0, "skips_from");
    bool named = !e->from || skipped;
    for (int i = 0; i < PQntuples(rows); i++) {
        struct occurrence *o = &e->all[i];
        *o = (struct occurrence){
            .id = call_cell(rows, i, "id"),
            .key = call_cell(rows, i, "key"),
            .service = call_cell(rows, i, "service_id"),
            .staff = call_cell(rows, i, "staff_id"),
            .local = call_cell(rows, i, "local"),
            .before = call_cell(rows, i, "buffer_before_min"),
            .after = call_cell(rows, i, "buffer_after_min"),
            .start = number(rows, i, "start_s"),
            .seconds = number(rows, i, "seconds"),
            .fate = fate_of(e, rows, i),
        };
        named |= e->from && strcmp(o->key, e->from) == 0;
        e->affected += is_affected(o);
    }
    if (!named) {
        return refuse_from(c, "not_found", "La serie no tiene esa cita",
                           "The series has no such occurrence");
    }
    call_set(c, "shown", call_get(c, "series_id")->text);
    return e->affected ? OK : refuse_idle(c, e);
}

static void write_outcome(struct sbuf *out, const struct occurrence *o)
{
    const char *why = series_rule_why(o->fate);
    if (o->wish) {
        series_plan_write(out, o->wish, "changed", "kept");
    } else if (why) {
        sbuf_fmt(out,
                 "{\"series_key\":\"%s\",\"outcome\":\"untouched\",\"starts_at\":null,"
                 "\"why\":[\"%s\"]}",
                 o->key, why);
    } else {
        sbuf_fmt(out, "{\"series_key\":\"%s\",\"outcome\":\"%s\",\"starts_at\":null,\"why\":[]}",
                 o->key, o->fate == SERIES_CANCELS ? "cancelled" : "changed");
    }
}

static enum err answer(struct call *c, const struct edit *e)
{
    struct sbuf out;
    PGresult *rows;
    size_t written = 0;
    sbuf_init(&out);
    sbuf_char(&out, '[');
    for (size_t i = 0; i < e->count; i++) {
        if (e->all[i].fate != SERIES_OUTSIDE) {
            sbuf_text(&out, written++ ? "," : "");
            write_outcome(&out, &e->all[i]);
        }
    }
    sbuf_char(&out, ']');
    const char *report = series_plan_text(c, &out);
    call_set(c, "report", report);
    TRY(report ? call_query(c, &series_answer, &rows) : E_NOMEM);
    return call_answer(c, rows);
}

/* ---- cancelling ---- */

static enum err series_cancel(struct call *c)
{
    struct edit e = { .change = SERIES_CANCEL };
    const struct visit_step *s = visit_step("cancel", VISIT_STAFF);
    TRY(load(c, &e));
    call_set(c, "from_states", s->from);
    call_set(c, "to_state", s->to);
    call_set(c, "frees", s->time == VISIT_FREES ? "t" : "f");
    call_set(c, "why", call_get(c, "reason")->text);
    for (size_t i = 0; i < e.count; i++) {
        if (is_affected(&e.all[i])) {
            call_set(c, "id", e.all[i].id);
            TRY(call_post_unversioned(c, &appointment_step));
        }
    }
    TRY(call_post(c, &series_touch));
    return answer(c, &e);
}

/* ---- moving ---- */

static bool moves(struct call *c)
{
    return call_get(c, "time_of_day")->present || call_get(c, "staff_id")->present ||
           call_get(c, "duration_min")->present;
}

static enum err ask_change(struct call *c)
{
    const char *t = call_get(c, "time_of_day")->text;
    int hour, minute;
    char again[40] = "";
    if (!moves(c) && !call_get(c, "notes")->present) {
        return call_refuse_field(c, "/time_of_day", "required",
                                 "Indique time_of_day, staff_id, duration_min o notes",
                                 "Say time_of_day, staff_id, duration_min or notes");
    }
    if (t && sscanf(t, "%2d:%2d", &hour, &minute) == 2 && hour >= 0 && hour < 24 && minute >= 0 &&
        minute < 60) {
        snprintf(again, sizeof(again), "%02d:%02d", hour, minute);
    }
    if (t && strcmp(t, again) != 0) {
        return call_refuse_field(c, "/time_of_day", "invalid_time", "Debe ser como 09:30",
                                 "It must be like 09:30");
    }
    return OK;
}

/* Where an occurrence is to be: what is not asked for stays as it is. */
static enum err wish_for(struct call *c, const struct occurrence *o, struct series_wish *w)
{
    const char *time = call_get(c, "time_of_day")->text, *staff = call_get(c, "staff_id")->text;
    const struct value *minutes = call_get(c, "duration_min");
    char local[40];
    snprintf(local, sizeof(local), "%.10sT%s", o->local, time ? time : o->local + 11);
    *w = (struct series_wish){
        .key = o->key,
        .id = o->id,
        .local = arena_text(c->arena, slice_of(local)),
        .staff = staff ? staff : o->staff,
        .minutes = minutes->present ? minutes->number : o->seconds / 60,
        .before = o->before,
        .after = o->after,
        .old_start = o->start,
        .old_seconds = o->seconds,
        .stays = time == NULL,
    };
    return w->local ? OK : E_NOMEM;
}

static enum err make_plan(struct call *c, struct edit *e, struct series_plan *p)
{
    *p = (struct series_plan){
        .policy = series_plan_policy(call_get(c, "on_conflict")->text),
        .override = call_get(c, "override")->text != NULL,
        .wishes = arena_take(c->arena, e->affected * sizeof(*p->wishes)),
    };
    for (size_t i = 0; p->wishes && i < e->count; i++) {
        if (is_affected(&e->all[i])) {
            struct series_wish *w = &p->wishes[p->count++];
            TRY(wish_for(c, &e->all[i], w));
            e->all[i].wish = w;
        }
    }
    return p->wishes ? OK : E_NOMEM;
}

struct agendas {
    const char *client, *staff; /* staff NULL: nobody new */
    const struct edit *edit;
};

static const char *nth_agenda(const void *of, size_t i)
{
    const struct agendas *a = of;
    return i == 0 ? a->client : i == 1 ? a->staff : a->edit->all[i - 2].staff;
}

static enum err lock(struct call *c, const struct edit *e)
{
    const struct agendas a = { call_cell(e->series, 0, "client_id"), call_get(c, "staff_id")->text,
                               e };
    const char *ids = series_plan_array(c, &a, e->count + 2, nth_agenda);
    call_set(c, "lock_ids", ids);
    TRY(ids ? call_post(c, &series_lock) : E_NOMEM);
    return call_post(c, &series_sweep);
}

static const char *nth_all(const void *of, size_t i)
{
    return ((const struct series_wish *)of)[i].id;
}

static const char *nth_kept(const void *of, size_t i)
{
    const struct series_wish *w = (const struct series_wish *)of + i;
    return w->taken ? NULL : w->id;
}

static const char *nth_moved(const void *of, size_t i)
{
    const struct series_wish *w = (const struct series_wish *)of + i;
    return w->taken ? w->id : NULL;
}

static enum err set_ids(struct call *c, const struct series_plan *p,
                        const char *(*nth)(const void *of, size_t i))
{
    const char *ids = series_plan_array(c, p->wishes, p->count, nth);
    call_set(c, "ids", ids);
    return ids ? OK : E_NOMEM;
}

static enum err shift(struct call *c, int days)
{
    call_set_int(c, "shift", days);
    return call_post(c, &series_aside);
}

/* All have one, but for an occurrence that was changed by itself. */
static const char *service_of(const struct edit *e)
{
    size_t i = 0;
    while (!is_affected(&e->all[i])) {
        i++;
    }
    return e->all[i].service;
}

/* Judges the new places while the old ones are free, then takes them. */
static enum err move(struct call *c, struct edit *e)
{
    struct series_plan p;
    call_set(c, "to_client", call_cell(e->series, 0, "client_id"));
    call_set(c, "to_service", service_of(e));
    call_set(c, "to_staff", call_get(c, "staff_id")->text);
    call_set(c, "note_given", call_get(c, "notes")->present ? "t" : "f");
    call_set(c, "to_notes", call_get(c, "notes")->text);
    TRY(make_plan(c, e, &p));
    TRY(lock(c, e));
    TRY(series_plan_check(c, &p,
                          (struct appointment_ask){ .staff = call_get(c, "staff_id")->text }));
    TRY(set_ids(c, &p, nth_all));
    TRY(call_post(c, &series_groups));
    TRY(shift(c, -AWAY_DAYS));
    TRY(series_plan_judge(c, &p));
    if (p.impossible == p.count || (p.impossible > 0 && p.policy == SERIES_REJECT)) {
        return series_plan_refuse(c, &p);
    }
    TRY(set_ids(c, &p, nth_kept));
    TRY(shift(c, AWAY_DAYS));
    for (size_t i = 0; i < p.count; i++) {
        if (p.wishes[i].taken) {
            call_set(c, "id", p.wishes[i].id);
            TRY(call_renew_id(c)); /* of its time */
            TRY(series_plan_place(c, &p.wishes[i]));
            TRY(call_post_unversioned(c, &appointment_place));
        }
    }
    return set_ids(c, &p, nth_moved);
}

static const char *nth_noted(const void *of, size_t i)
{
    const struct occurrence *o = (const struct occurrence *)of + i;
    return is_affected(o) ? o->id : NULL;
}

static enum err note(struct call *c, const struct edit *e)
{
    const char *ids = series_plan_array(c, e->all, e->count, nth_noted);
    for (size_t i = 0; i < e->count; i++) {
        if (is_affected(&e->all[i])) {
            call_set(c, "id", e->all[i].id);
            TRY(call_post_unversioned(c, &appointment_note));
        }
    }
    call_set(c, "ids", ids);
    return ids ? OK : E_NOMEM;
}

/* ---- the series itself ---- */

/* What is before from stays what it was and gets a new end; the rest is a series of its own. Nothing before it: it is the same as all. */
static enum err split(struct call *c, const struct edit *e)
{
    struct rrule rule;
    struct rrule_dates *dates = arena_take(c->arena, sizeof(*dates));
    char head[RRULE_TEXT_MAX + 1], rest[RRULE_TEXT_MAX + 1], id_text[UUID_TEXT];
    size_t before = 0;
    if (!dates) {
        return E_NOMEM;
    }
    if (rrule_read(slice_of(call_cell(e->series, 0, "rrule")), &rule) ||
        rrule_expand(&rule, call_cell(e->series, 0, "starts_at"), dates)) {
        return E_INTERNAL;
    }
    while (before < dates->count && strcmp(dates->keys[before], e->from) < 0) {
        before++;
    }
    if (before == dates->count || strcmp(dates->keys[before], e->from) != 0) {
        return refuse_from(c, "not_found", "La serie no tiene esa cita",
                           "The series has no such occurrence");
    }
    if (before == 0) {
        return OK;
    }
    rule.until[0] = '\0';
    rule.count = (int)before;
    rrule_write(&rule, head);
    rule.count = (int)(dates->count - before);
    rrule_write(&rule, rest);
    struct uuid id = uuid_v7();
    uuid_format(&id, id_text);
    call_set(c, "rule", head);
    call_set(c, "rule_rest", rest);
    call_set(c, "shown", id_text);
    return call_post(c, &series_split);
}

static enum err series_patch(struct call *c)
{
    struct edit e = { 0 };
    e.change = moves(c) ? SERIES_MOVE : SERIES_NOTE;
    TRY(ask_change(c));
    TRY(load(c, &e));
    TRY(e.scope == SERIES_FOLLOWING ? split(c, &e) : OK);
    TRY(e.change == SERIES_MOVE ? move(c, &e) : note(c, &e));
    if (e.scope == SERIES_ONE) {
        TRY(call_post(c, &series_touch));
    } else {
        TRY(call_post(c, &series_settle));
        TRY(call_post(c, &series_revise));
    }
    return answer(c, &e);
}

const struct route series_change_routes[] = {
    {
        .method = M_PATCH,
        .path = "/api/v1/series/{series_id}",
        .summary = "Change a series: one occurrence, it and what follows, or all to come",
        .need = PERM_APPOINTMENT_CHANGE,
        .cost = COST_FAST,
        .params = series_change_params,
        .vars = series_change_vars,
        .columns = series_done_columns,
        .stmts = series_change_stmts,
        .handler = series_patch,
        .shape = SHAPE_ONE,
        .success = 200,
        .if_match = true,
    },
    {
        .method = M_POST,
        .path = "/api/v1/series/{series_id}/cancel",
        .summary = "Cancel of a series: one occurrence, it and what follows, or all to come",
        .need = PERM_APPOINTMENT_CANCEL,
        .cost = COST_FAST,
        .params = series_cancel_params,
        .vars = series_cancel_vars,
        .columns = series_done_columns,
        .stmts = series_cancel_stmts,
        .handler = series_cancel,
        .shape = SHAPE_ONE,
        .success = 200,
        .if_match = true,
    },
    { 0 },
};
