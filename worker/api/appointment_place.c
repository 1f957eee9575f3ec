/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Where and when: what is asked for, checked before it is written, so that a refusal says what is wrong. */
#include "worker/api/appointment.h"

#include "common/clock.h"

static enum err refuse_missing(struct call *c, const char *pointer, const char *es, const char *en)
{
    return call_refuse_field(c, pointer, "not_found", es, en);
}

/* "Use 2026-11-01T01:30:00-05:00 or ...-06:00": both ways to say an ambiguous local time. */
static enum err refuse_ambiguous(struct call *c, const PGresult *check)
{
    int64_t first, second, local;
    if (clock_parse_pg(slice_of(call_cell(check, 0, "first")), &first) != OK ||
        clock_parse_pg(slice_of(call_cell(check, 0, "second")), &second) != OK ||
        clock_parse_pg(slice_of(call_cell(check, 0, "local")), &local) != OK) {
        return call_refuse(c, E_TIME_AMBIGUOUS, NULL, NULL);
    }
    char one[CLOCK_RFC3339_MAX], other[CLOCK_RFC3339_MAX];
    clock_format_offset(first, local, one);
    clock_format_offset(second, local, other);
    struct sbuf es, en;
    sbuf_init(&es);
    sbuf_init(&en);
    sbuf_fmt(&es, "Indique %s o %s", one, other);
    sbuf_fmt(&en, "Say %s or %s", one, other);
    enum err e = call_refuse(c, E_TIME_AMBIGUOUS, arena_text(c->arena, sbuf_slice(&es)),
                             arena_text(c->arena, sbuf_slice(&en)));
    sbuf_fini(&es);
    sbuf_fini(&en);
    return e;
}

/* Sets :instant from what the check found. */
static enum err take_instant(struct call *c, const PGresult *check)
{
    if (!call_cell(check, 0, "first")) {
        return call_refuse(c, E_TIME_NONEXISTENT, NULL, NULL);
    }
    if (call_cell(check, 0, "second")) {
        return refuse_ambiguous(c, check);
    }
    if (call_get(c, "starts_at")->present && !call_true(check, 0, "in_range")) {
        return call_refuse_field(c, "/starts_at", "out_of_range",
                                 "Debe estar entre hace un año y dentro de dos",
                                 "It must be between a year ago and two years ahead");
    }
    call_set(c, "instant", call_cell(check, 0, "first"));
    return OK;
}

/* The two statements travel together. */
enum err appointment_check_place(struct call *c, struct appointment_ask ask)
{
    PGresult *check;
    TRY(call_post(c, &appointment_lock));
    TRY(call_query(c, &appointment_check, &check));
    if (ask.client && !call_true(check, 0, "client_ok")) {
        return refuse_missing(c, "/client_id", "No existe ese cliente o está archivado",
                              "There is no such client, or it is archived");
    }
    if (ask.service && !call_true(check, 0, "service_ok")) {
        return refuse_missing(c, "/service_id", "No existe ese servicio o está archivado",
                              "There is no such service, or it is archived");
    }
    if (ask.staff && !call_true(check, 0, "staff_ok")) {
        return refuse_missing(c, "/staff_id", "Esa persona no existe, no da citas o está archivada",
                              "There is nobody of that id who takes appointments");
    }
    return take_instant(c, check);
}

enum err appointment_ask_time(struct call *c, const char *text)
{
    int64_t local;
    bool has_offset;
    int offset;
    TRY(clock_parse(slice_of(text), &local, &has_offset, &offset));
    call_set(c, "to_time", text);
    call_set(c, "has_offset", has_offset ? "t" : "f");
    return OK;
}

enum err appointment_refuse_state(struct call *c, const PGresult *found)
{
    const char *state = call_cell(found, 0, "state");
    struct sbuf es, en;
    sbuf_init(&es);
    sbuf_init(&en);
    sbuf_fmt(&es, "La cita está en el estado %s", state);
    sbuf_fmt(&en, "The appointment is in state %s", state);
    enum err e = call_refuse(c, E_STATE_CONFLICT, arena_text(c->arena, sbuf_slice(&es)),
                             arena_text(c->arena, sbuf_slice(&en)));
    sbuf_fini(&es);
    sbuf_fini(&en);
    return e;
}
