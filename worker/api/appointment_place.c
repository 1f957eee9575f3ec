/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Where and when: what is asked for, checked before it is written, so that a refusal says what is wrong. */
#include "worker/api/appointment.h"

#include "common/clock.h"
#include "common/str.h"
#include "common/uuid.h"
#include "worker/api/openings.h"

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
static enum err take_instant(struct call *c, const PGresult *check, bool new_time)
{
    if (!call_cell(check, 0, "first")) {
        return call_refuse(c, E_TIME_NONEXISTENT, NULL, NULL);
    }
    if (call_cell(check, 0, "second")) {
        return refuse_ambiguous(c, check);
    }
    if (new_time && !call_true(check, 0, "in_range")) {
        return call_refuse_field(c, "/starts_at", "out_of_range",
                                 "Debe estar entre hace un año y dentro de dos",
                                 "It must be between a year ago and two years ahead");
    }
    call_set(c, "instant", call_cell(check, 0, "first"));
    return OK;
}

enum err appointment_check_there(struct call *c, const PGresult *check, struct appointment_ask ask)
{
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
    const char *to_state = call_get(c, "to_state")->text;
    if (to_state && strcmp(to_state, "awaiting_payment") == 0 && !call_true(check, 0, "pays")) {
        return call_refuse_field(c, "/ask_payment", "not_offered",
                                 "La política de citas no dice cuánto se espera el pago (pay_min)",
                                 "The booking policy says no time for paying (pay_min)");
    }
    return OK;
}

/* The statements travel together. */
enum err appointment_check_place(struct call *c, struct appointment_ask ask)
{
    PGresult *check;
    TRY(call_post(c, &appointment_lock));
    TRY(call_post(c, &appointment_sweep));
    TRY(call_query(c, &appointment_check, &check));
    TRY(appointment_check_there(c, check, ask));
    return take_instant(c, check, ask.time);
}

void appointment_ask_new(struct call *c, const char *client, const char *state)
{
    struct uuid id = uuid_v7();
    char text[UUID_TEXT];
    uuid_format(&id, text);
    call_set(c, "allocation_id", text);
    call_set(c, "to_client", client);
    call_set(c, "to_state", state);
}

void appointment_ask_book(struct call *c)
{
    appointment_ask_new(c, call_get(c, "client_id")->text,
                        call_get(c, "ask_client")->number ? "awaiting_client" : "confirmed");
}

enum err appointment_ask_payment(struct call *c)
{
    if (!call_get(c, "ask_payment")->number) {
        return OK;
    }
    call_set(c, "to_state", "awaiting_payment");
    return call_get(c, "ask_client")->number
               ? call_refuse_field(c, "/ask_payment", "conflict",
                                   "Pida la confirmación o el pago, no ambos",
                                   "Ask for the confirmation or the payment, not both")
               : OK;
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

/* ---- the practice's rules ---- */

#define NO_ASSET ((unsigned)(AVAIL_ROOM | AVAIL_CHAIR | AVAIL_DEVICE))
#define HOURS    ((unsigned)(AVAIL_CLOSED | AVAIL_EXCEPTION | AVAIL_BREAK))

static const char *keep(struct call *c, struct sbuf *text)
{
    const char *kept = sbuf_failed(text) ? NULL : arena_text(c->arena, sbuf_slice(text));
    sbuf_fini(text);
    return kept;
}

/* What is asked of the rules: the day, and the visit as long as it will be. */
static enum err load_day(struct call *c, const PGresult *own, struct openings *o)
{
    const char *minutes = call_get(c, "to_minutes")->text;
    bool same = own &&
                strcmp(call_get(c, "to_service")->text, call_cell(own, 0, "service_id")) == 0;
    int64_t n = 0;
    call_set(c, "w_service", call_get(c, "to_service")->text);
    call_set(c, "w_staff", call_get(c, "to_staff")->text);
    call_set(c, "w_at", call_get(c, "instant")->text);
    call_set_int(c, "w_step", APPOINTMENT_GRID_STAFF);
    if (minutes) {
        TRY(str_int(slice_of(minutes), 1, INT32_MAX, &n));
        call_set_int(c, "w_seconds", n * 60);
    } else if (same) {
        call_set(c, "w_seconds", call_cell(own, 0, "seconds"));
    }
    if (same) {
        call_set(c, "w_before", call_cell(own, 0, "buffer_before_min"));
        call_set(c, "w_after", call_cell(own, 0, "buffer_after_min"));
    }
    TRY(openings_load(c, o));
    if (!minutes && !same && o->person_count > 0) {
        call_set_int(c, "to_minutes",
                     o->people[0].visit.length / 60); /* as long as it takes them */
    }
    return OK;
}

static enum err refuse_why(struct call *c, unsigned why)
{
    struct sbuf extra;
    sbuf_init(&extra);
    sbuf_text(&extra, "\"why\":");
    avail_write_why(&extra, why);
    const char *text = keep(c, &extra);
    if (!text) {
        return E_NOMEM;
    }
    c->problem.extra = slice_of(text);
    return call_refuse(
        c,
        why & HOURS      ? E_OUTSIDE_HOURS
        : why & NO_ASSET ? E_NO_ASSET
                         : E_LIMIT,
        "Con permiso se da de todos modos: indique override con el motivo",
        "Who has the permission books it all the same: say override with the reason");
}

static enum err refuse_rules(struct call *c, const struct openings *o, unsigned why)
{
    if (o->person_count > 0) {
        return refuse_why(c, why);
    }
    return call_refuse_field(c, "/staff_id", "not_offered", "Esa persona no ofrece ese servicio",
                             "That person does not offer that service");
}

/* For the history: why, and against which rules. */
static enum err tell_override(struct call *c, const struct openings *o, unsigned why)
{
    struct sbuf told;
    sbuf_init(&told);
    sbuf_text(&told, "{\"override\":{\"reason\":");
    sbuf_json(&told, slice_of(call_get(c, "excuse")->text));
    sbuf_text(&told, ",\"rules\":");
    if (o->person_count == 0) {
        sbuf_text(&told, "[\"not_offered\"]");
    } else {
        avail_write_why(&told, why);
    }
    sbuf_text(&told, "}}");
    const char *text = keep(c, &told);
    call_set(c, "told", text);
    return text ? OK : E_NOMEM;
}

/* Even who overrides needs assets that nobody has then, unless it is to be beside others. */
static enum err choose_assets(struct call *c, const struct openings *o, int64_t start, bool beside)
{
    const struct openings_person *p = o->person_count ? &o->people[0] : NULL;
    unsigned why = openings_assign(c, o, p, start, beside ? OPENINGS_BESIDE : OPENINGS_ANY_HOUR);
    return why ? refuse_why(c, why) : OK;
}

enum err appointment_judge(struct call *c, const PGresult *own)
{
    struct openings o;
    int64_t us;
    const char *lane = call_get(c, "beside")->text;
    bool beside = lane && lane[0] == 't';
    TRY(clock_parse_pg(slice_of(call_get(c, "instant")->text), &us));
    TRY(load_day(c, own, &o));
    int64_t start = us / 1000000;
    unsigned why = o.person_count
                       ? openings_judge(&o, &o.people[0], start) & APPOINTMENT_STAFF_RULES
                       : 0;
    if (why == 0 && o.person_count > 0 && !beside) {
        return choose_assets(c, &o, start, false);
    }
    if (!call_get(c, "excuse")->text) {
        return beside ? call_refuse_field(c, "/override", "required", "Indique el motivo",
                                          "Say the reason")
                      : refuse_rules(c, &o, why);
    }
    if (c->perms.reach[PERM_APPOINTMENT_OVERRIDE] < c->reach) {
        return call_refuse(c, E_FORBIDDEN, "Falta el permiso appointment.override",
                           "The permission appointment.override is missing");
    }
    TRY(choose_assets(c, &o, start, beside));
    return tell_override(c, &o, why);
}

enum err appointment_refuse_state(struct call *c, const PGresult *found)
{
    const char *state = call_cell(found, 0, "state");
    struct sbuf es, en, extra;
    sbuf_init(&es);
    sbuf_init(&en);
    sbuf_init(&extra);
    sbuf_fmt(&es, "La cita está en el estado %s", state);
    sbuf_fmt(&en, "The appointment is in state %s", state);
    sbuf_fmt(&extra, "\"state\":\"%s\",\"legal\":", state);
    visit_legal(&extra, state, VISIT_STAFF);
    const char *more = keep(c, &extra), *text_es = keep(c, &es), *text_en = keep(c, &en);
    if (!more) {
        return E_NOMEM;
    }
    c->problem.extra = slice_of(more);
    return call_refuse(c, E_STATE_CONFLICT, text_es, text_en);
}
