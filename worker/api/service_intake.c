/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What a service asks who books it, and what was answered. */
#include "worker/call.h"

#include <stdio.h>

#include "worker/intake.h"

#define QUESTIONS_MAX 65536 /* bytes */

static const struct param one_params[] = { { .name = "id", .in = IN_PATH, .type = T_UUID }, { 0 } };

static const struct param set_params[] = {
    { .name = "id", .in = IN_PATH, .type = T_UUID },
    { .name = "questions",
      .in = IN_BODY,
      .type = T_DOC,
      .choices = "array",
      .max = QUESTIONS_MAX,
      .required = true,
      .doc = "All, at most 20: key, label (es, en), type (text, choice, bool, number), required, "
             "choices, max" },
    { 0 },
};

static const struct column intake_columns[] = {
    { "questions", T_JSON, NULL },
    { 0 },
};

static const struct column answer_columns[] = {
    { "questions", T_JSON, "As they were when it was booked" },
    { "answers", T_JSON, "By their keys" },
    { "created_at", T_INSTANT, NULL },
    { 0 },
};

static const struct stmt intake_set = {
    "set",
    "UPDATE service SET intake = :questions::jsonb, version = version + 1, updated_at = now()"
    " WHERE id = :id RETURNING intake",
};

static const struct stmt intake_known = {
    "known",
    "SELECT 1 FROM service WHERE id = :id FOR NO KEY UPDATE",
};

static const struct stmt *const set_stmts[] = { &intake_known, &intake_set, NULL };

static enum err set(struct call *c)
{
    struct intake_fault fault;
    struct json_object *list = json_tokener_parse(call_get(c, "questions")->text);
    char pointer[100];
    PGresult *rows;
    intake_check_questions(list, &fault);
    json_object_put(list);
    TRY(call_query(c, &intake_known, &rows));
    if (PQntuples(rows) == 0) {
        return call_refuse(c, E_NOT_FOUND, NULL, NULL);
    }
    if (fault.es) {
        snprintf(pointer, sizeof(pointer), "/questions%s", fault.pointer);
        return call_refuse_field(c, arena_text(c->arena, slice_of(pointer)), "invalid_question",
                                 fault.es, fault.en);
    }
    TRY(call_query(c, &intake_set, &rows));
    return call_answer(c, rows);
}

const struct route service_intake_routes[] = {
    {
        .method = M_GET,
        .path = "/api/v1/services/{id}/intake",
        .summary = "Read what a service asks who books it",
        .need = PERM_SERVICE_READ,
        .cost = COST_FAST,
        .params = one_params,
        .columns = intake_columns,
        .sql = "SELECT intake FROM service WHERE id = :id",
        .shape = SHAPE_ONE,
        .success = 200,
    },
    {
        .method = M_PUT,
        .path = "/api/v1/services/{id}/intake",
        .summary = "Set what a service asks who books it",
        .need = PERM_SERVICE_WRITE,
        .cost = COST_FAST,
        .params = set_params,
        .columns = intake_columns,
        .stmts = set_stmts,
        .handler = set,
        .shape = SHAPE_ONE,
        .success = 200,
        .any_version = true,
    },
    {
        .method = M_GET,
        .path = "/api/v1/appointments/{id}/intake",
        .summary = "Read what was answered when an appointment was booked",
        .need = PERM_APPOINTMENT_READ,
        .cost = COST_FAST,
        .params = one_params,
        .columns = answer_columns,
        .sql =
            "SELECT coalesce(i.questions, '[]') AS questions, coalesce(i.answers, '{}') AS answers,"
            " coalesce(i.created_at, a.created_at) AS created_at FROM appointment a"
            " LEFT JOIN appointment_intake i ON i.appointment_id = a.id WHERE a.id = :id"
            " AND :scope(appointment a)",
        .shape = SHAPE_ONE,
        .success = 200,
    },
    { 0 },
};
