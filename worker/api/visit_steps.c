/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What staff do with a visit that stays where it is: one row of worker/visit.c each, and one statement. */
#include "worker/api/appointment.h"

#include "worker/api/current.h"

#define ID_PARAM .name = "id", .in = IN_PATH, .type = T_UUID

static const struct param plain_params[] = { { ID_PARAM }, { 0 } };

static const struct param reason_params[] = {
    { ID_PARAM },
    { .name = "reason", .in = IN_BODY, .type = T_TEXT, .max = 500, .nullable = true },
    { 0 },
};

static const struct param paid_params[] = {
    { ID_PARAM },
    { .name = "method",
      .in = IN_BODY,
      .type = T_CHOICE,
      .choices = "cash transfer card other",
      .required = true,
      .doc = "How it was paid to the practice: the history says so" },
    { .name = "reference", .in = IN_BODY, .type = T_TEXT, .max = 200, .nullable = true },
    { 0 },
};

static const struct param reopen_params[] = {
    { ID_PARAM },
    { .name = "reason", .in = IN_BODY, .type = T_TEXT, .max = 500, .required = true },
    { 0 },
};

static const struct param step_vars[] = {
    APPOINTMENT_STEP_VARS,
    { .name = "to_client", .type = T_UUID },
    { .name = "to_staff", .type = T_UUID },
    { .name = "to_service", .type = T_UUID },
    { 0 },
};

static const struct stmt *const step_stmts[] = { &appointment_step, &appointment_find, NULL };
static const struct stmt *const counted_stmts[] = { &appointment_count, &appointment_counted_step,
                                                    &appointment_find, NULL };
static const struct stmt *const reopen_stmts[] = { &appointment_count,  &appointment_find,
                                                   &appointment_lock,   &appointment_sweep,
                                                   &appointment_reopen, NULL };

static const struct visit_step *step_of(struct call *c)
{
    return visit_step(strrchr(c->route->path, '/') + 1, VISIT_STAFF);
}

static enum err take(struct call *c, const struct stmt *stmt, const char *why)
{
    const struct visit_step *s = step_of(c);
    PGresult *rows, *found;
    call_set(c, "from_states", s->from);
    call_set(c, "to_state", s->to);
    call_set(c, "frees", s->time == VISIT_FREES ? "t" : "f");
    call_set(c, "why", why);
    TRY(call_query(c, stmt, &rows));
    if (PQntuples(rows) == 1) {
        return call_answer(c, rows);
    }
    TRY(current_row(c, &appointment_find, &found));
    return appointment_refuse_state(c, found);
}

static enum err take_plain(struct call *c)
{
    return take(c, &appointment_step, NULL);
}

static enum err take_counted(struct call *c)
{
    TRY(call_post(c, &appointment_count));
    return take(c, &appointment_counted_step, NULL);
}

static enum err take_with_reason(struct call *c)
{
    return take(c, &appointment_step, call_get(c, "reason")->text);
}

/* Staff have the money: no provider is asked. */
static enum err take_payment(struct call *c)
{
    const char *reference = call_get(c, "reference")->text;
    struct sbuf how;
    sbuf_init(&how);
    sbuf_fmt(&how, "{\"method\":\"%s\",\"reference\":", call_get(c, "method")->text);
    if (reference) {
        sbuf_json(&how, slice_of(reference));
    } else {
        sbuf_text(&how, "null");
    }
    sbuf_text(&how, "}");
    const char *text = sbuf_failed(&how) ? NULL : arena_text(c->arena, sbuf_slice(&how));
    sbuf_fini(&how);
    call_set(c, "payment", text);
    return text ? take(c, &appointment_step, NULL) : E_NOMEM;
}

/* Its time may have been given up: it is taken as a booking takes it. */
static enum err reopen(struct call *c)
{
    PGresult *found;
    TRY(call_post(c, &appointment_count));
    TRY(current_row(c, &appointment_find, &found));
    if (!visit_may(step_of(c), call_cell(found, 0, "state"))) {
        return appointment_refuse_state(c, found);
    }
    call_set(c, "to_client", call_cell(found, 0, "client_id"));
    call_set(c, "to_staff", call_cell(found, 0, "staff_id"));
    call_set(c, "to_service", call_cell(found, 0, "service_id"));
    TRY(call_post(c, &appointment_lock));
    TRY(call_post(c, &appointment_sweep));
    return take(c, &appointment_reopen, call_get(c, "reason")->text);
}

#define STEP(verb, text, perm, its_params, its_stmts, its_handler)                    \
    {                                                                                 \
        .method = M_POST, .path = "/api/v1/appointments/{id}/" verb, .summary = text, \
        .need = perm, .cost = COST_FAST, .params = its_params, .vars = step_vars,     \
        .columns = appointment_columns, .stmts = its_stmts, .handler = its_handler,   \
        .shape = SHAPE_ONE, .success = 200, .etag = true, .if_match = true,           \
    }
#define PLAIN(verb, text, perm)   STEP(verb, text, perm, plain_params, step_stmts, take_plain)
#define COUNTED(verb, text, perm) STEP(verb, text, perm, plain_params, counted_stmts, take_counted)

const struct route visit_step_routes[] = {
    PLAIN("confirm", "Accept what was requested, or confirm for the client",
          PERM_APPOINTMENT_CHANGE),
    STEP("paid", "It is paid: what waited for that is confirmed", PERM_APPOINTMENT_CHANGE,
         paid_params, step_stmts, take_payment),
    STEP("decline", "Refuse what was requested: the time is free again", PERM_APPOINTMENT_CANCEL,
         reason_params, step_stmts, take_with_reason),
    STEP("cancel", "Cancel: the time is free again", PERM_APPOINTMENT_CANCEL, reason_params,
         step_stmts, take_with_reason),
    PLAIN("check-in", "The client has arrived", PERM_APPOINTMENT_ATTEND),
    PLAIN("start", "The visit begins", PERM_APPOINTMENT_ATTEND),
    COUNTED("complete", "The visit is over", PERM_APPOINTMENT_ATTEND),
    COUNTED("no-show", "The client did not come: the time is free again", PERM_APPOINTMENT_ATTEND),
    STEP("reopen", "What is over or was missed is confirmed again; its time must be free",
         PERM_APPOINTMENT_REOPEN, reopen_params, reopen_stmts, reopen),
    { 0 },
};
