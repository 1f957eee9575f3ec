/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What a service asks of whoever books it, and what was answered with a visit. */
#include "worker/api/service_intake.h"

static const struct column service_intake_columns[] = {
    { "questions", T_JSON,
      "Each: key, label (es, en), type (text, choice, bool, number), required, choices, max" },
    { 0 },
};

static const struct column appointment_intake_columns[] = {
    { "answers", T_JSON, "Each: key, label and type as it was asked, answer" },
    { 0 },
};

static const struct param service_intake_one_params[] = {
    { .name = "id", .in = IN_PATH, .type = T_UUID },
    { 0 },
};

static const struct param service_intake_set_params[] = {
    { .name = "id", .in = IN_PATH, .type = T_UUID },
    { .name = "questions",
      .in = IN_BODY,
      .type = T_DOCUMENT,
      .max = INTAKE_JSON_MAX,
      .required = true,
      .doc = "At most 20, of key, label (es, en), type (text, choice, bool, number), required, "
             "choices (of choice), max (characters of text, largest value of number)" },
    { 0 },
};

static const struct param service_intake_vars[] = { { .name = "kept", .type = T_TEXT }, { 0 } };

static const struct stmt service_intake_write = {
    "write",
    "UPDATE service SET intake = :kept::jsonb, updated_at = now() WHERE id = :id"
    " RETURNING intake AS questions",
};
static const struct stmt *const service_intake_stmts[] = { &service_intake_write, NULL };

enum err service_intake_refuse(struct call *c, const char *member, enum err e,
                               const struct intake_fault *fault)
{
    char text[200];
    if (e != E_INVALID) {
        return e;
    }
    snprintf(text, sizeof(text), "%s%s", member, fault->pointer);
    const char *pointer = arena_text(c->arena, slice_of(text));
    return pointer ? call_refuse_field(c, pointer, fault->code, fault->es, fault->en) : E_NOMEM;
}

static enum err set(struct call *c)
{
    struct intake_fault fault;
    const char *kept;
    PGresult *rows;
    enum err e = intake_questions(call_get(c, "questions")->text, c->arena, &kept, &fault);
    TRY(e == OK ? OK : service_intake_refuse(c, "/questions", e, &fault));
    call_set(c, "kept", kept);
    TRY(call_query(c, &service_intake_write, &rows));
    return PQntuples(rows) ? call_answer(c, rows) : call_refuse(c, E_NOT_FOUND, NULL, NULL);
}

const struct route service_intake_routes[] = {
    {
        .method = M_GET,
        .path = "/api/v1/services/{id}/intake",
        .summary = "Read what a service asks of whoever books it without an account",
        .need = PERM_SERVICE_READ,
        .cost = COST_FAST,
        .params = service_intake_one_params,
        .columns = service_intake_columns,
        .sql = "SELECT intake AS questions FROM service WHERE id = :id",
        .shape = SHAPE_ONE,
        .success = 200,
    },
    {
        .method = M_PUT,
        .path = "/api/v1/services/{id}/intake",
        .summary = "Set what a service asks, all of it; answers that were given stay",
        .need = PERM_SERVICE_WRITE,
        .cost = COST_FAST,
        .params = service_intake_set_params,
        .vars = service_intake_vars,
        .columns = service_intake_columns,
        .stmts = service_intake_stmts,
        .handler = set,
        .shape = SHAPE_ONE,
        .success = 200,
        .any_version = true,
    },
    {
        .method = M_GET,
        .path = "/api/v1/appointments/{id}/intake",
        .summary = "Read what was asked and answered when an appointment was booked",
        .need = PERM_APPOINTMENT_READ,
        .cost = COST_FAST,
        .params = service_intake_one_params,
        .columns = appointment_intake_columns,
        .sql = "SELECT coalesce(i.answers, '[]') AS answers FROM appointment a"
               " LEFT JOIN appointment_intake i ON i.appointment_id = a.id"
               " WHERE a.id = :id AND :scope(appointment a)",
        .shape = SHAPE_ONE,
        .success = 200,
    },
    { 0 },
};
