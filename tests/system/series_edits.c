/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What a change of a series does to each occurrence: every row of the product's own table, in every state, before and behind now, by itself or not; then what must
 * not happen, written by hand. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/db.h"
#include "tests/support/guest.h"
#include "tests/support/member.h"
#include "tests/support/series.h"
#include "tests/support/volley.h"
#include "worker/api/appointment.h"
#include "worker/series_rule.h"

#define DAILY(n) "FREQ=DAILY;COUNT=" #n

TestSuite(series_edits, .timeout = 240);

static const char *at(int day, const char *clock)
{
    return api_text("%sT%s", api_day(day), clock);
}

static void expect_refused(const struct answer *r, int status, const char *code)
{
    cr_expect(r->status == status && strcmp(answer_code(r), code) == 0, "%d %s", r->status,
              r->http.body);
}

/* A column of the occurrence; of a text that is SQL. */
static const char *column(struct series_desk *d, const char *id, const char *sql)
{
    char *text = db_value(d->db, api_text("SELECT %s FROM appointment WHERE id = $1::uuid", sql),
                          id, NULL);
    const char *kept = api_text("%s", text);
    free(text);
    return kept;
}

/* ---- the table ---- */

static const char *const states[] = { "requested", "awaiting_client", "awaiting_payment",
                                      "confirmed", "checked_in",      "in_progress",
                                      "completed", "cancelled",       "declined",
                                      "expired",   "no_show",         "held" };
enum { STATES = ARRAY_LEN(states), COMBOS = STATES * 2 * 2 };

/* One occurrence of each kind. */
struct combo {
    const char *key, *id, *before; /* before: how it was */
    struct series_occurrence o;
};

static const char *as_it_is(struct series_desk *d, const char *id)
{
    return column(d, id,
                  "concat_ws('|', state, version, starts_at, ends_at, local_start, staff_id, notes,"
                  " detached, cancel_reason)");
}

/* As if it had come there by itself. */
static void put_into(struct series_desk *d, struct combo *c)
{
    bool taken = !strstr(" cancelled declined expired no_show ", api_text(" %s ", c->o.state));
    db_do(d->db, api_text("UPDATE appointment SET state = '%s', detached = %s WHERE id = '%s'",
                          c->o.state, c->o.bond == SERIES_DETACHED ? "true" : "false", c->id));
    if (c->o.when == SERIES_PAST) {
        db_do(d->db, api_text("UPDATE appointment SET starts_at = starts_at - interval '364 days',"
                              " ends_at = ends_at - interval '364 days', local_start = local_start"
                              " - interval '364 days', local_end = local_end - interval '364 days'"
                              " WHERE id = '%s'",
                              c->id));
    }
    static const char *const tables[] = { "allocation", "client_busy" };
    for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
        db_do(d->db,
              taken && c->o.when == SERIES_PAST
                  ? api_text("UPDATE %s SET busy = tstzrange(lower(busy) - interval '364 days',"
                             " upper(busy) - interval '364 days') WHERE appointment_id = '%s'",
                             tables[i], c->id)
              : taken ? "SELECT 1"
                      : api_text("DELETE FROM %s WHERE appointment_id = '%s'", tables[i], c->id));
    }
    c->before = as_it_is(d, c->id);
}

/* A series of daily visits, of each combination one, from the nth on; skip occurrences before stay as they are. */
static const char *make_combos(struct series_desk *d, struct combo *combos, int before)
{
    d->client = api_new_client(&d->owner, api_unique("Ana"));
    d->staff = api_new_staff(&d->owner, api_unique("Beto"));
    const char *id = series_make(d, at(30, "10:00"),
                                 api_text("FREQ=DAILY;COUNT=%d", COMBOS + before),
                                 ",\"notes\":\"antes\"");
    struct answer *r = api_get(&d->owner, SERIES "/%s", id);
    for (int i = 0; i < COMBOS; i++) {
        const char *key = at(30 + before + i, "10:00");
        combos[i] = (struct combo){
            .key = key,
            .id = series_of(r, "occurrences", key, "appointment_id"),
            .o = { .where = SERIES_AT,
                   .when = i / STATES % 2 ? SERIES_PAST : SERIES_FUTURE,
                   .bond = i / STATES / 2 ? SERIES_DETACHED : SERIES_BOUND,
                   .state = states[i % STATES] },
        };
        put_into(d, &combos[i]);
    }
    return id;
}

static const struct {
    enum series_change change;
    const char *members, *name;
} changes[] = {
    { SERIES_MOVE, ",\"time_of_day\":\"13:00\"", "move" },
    { SERIES_NOTE, ",\"notes\":\"despues\"", "note" },
    { SERIES_CANCEL, ",\"reason\":\"vacaciones\"", "cancel" },
};

static struct answer *apply(struct series_desk *d, const char *id, size_t change, const char *scope,
                            const char *from)
{
    const char *members = api_text("\"scope\":\"%s\"%s%s", scope,
                                   from ? api_text(",\"from\":\"%s\"", from) : "",
                                   changes[change].members);
    return changes[change].change == SERIES_CANCEL ? series_cancel(d, id, members)
                                                   : series_change(d, id, members);
}

/* What became of it is what the table says. */
static void expect_fate(struct series_desk *d, const struct combo *c, enum series_fate fate,
                        size_t change, const char *what)
{
    const char *now = as_it_is(d, c->id);
    bool moved = strcmp(column(d, c->id, "to_char(local_start, 'HH24:MI')"), "13:00") == 0;
    bool noted = strcmp(column(d, c->id, "notes"), "despues") == 0;
    bool detached = strcmp(column(d, c->id, "detached"), "t") == 0;
    bool ok = false;
    switch (fate) {
    case SERIES_OUTSIDE:
    case SERIES_IS_PAST:
    case SERIES_IS_OVER:
    case SERIES_IS_DETACHED:
        ok = strcmp(now, c->before) == 0;
        break;
    case SERIES_CHANGES:
    case SERIES_DETACHES:
        ok = (changes[change].change == SERIES_MOVE ? moved : noted) &&
             detached == (fate == SERIES_DETACHES) && strcmp(column(d, c->id, "version"), "2") == 0;
        break;
    case SERIES_CANCELS:
        ok = strcmp(column(d, c->id, "state || ' ' || cancel_reason"), "cancelled vacaciones") == 0;
        break;
    }
    cr_expect(ok, "%s of one that is %s, %s, %s: %s, was %s", what, c->o.state,
              c->o.when == SERIES_PAST ? "past" : "future",
              c->o.bond == SERIES_DETACHED ? "detached" : "bound", now, c->before);
}

/* All and following: one request changes all of them. Before what follows there are some that it is not about. */
static size_t run_many(enum series_scope scope, size_t change)
{
    struct series_desk d = series_desk_open(OWNER_A, "practice-a");
    static struct combo combos[COMBOS], first[COMBOS];
    bool following = scope == SERIES_FOLLOWING;
    size_t n = 0;
    const char *id = make_combos(&d, combos, following ? 3 : 0);
    const char *from = following ? combos[0].key : NULL, *name = following ? "following" : "all";
    memcpy(first, combos, sizeof first);
    const char *early = following ? series_of(api_get(&d.owner, SERIES "/%s", id), "occurrences",
                                              at(31, "10:00"), "appointment_id")
                                  : NULL;
    const char *was = early ? as_it_is(&d, early) : "";
    struct answer *r = apply(&d, id, change, name, from);
    cr_assert_eq(r->status, 200, "%s %s: %s", name, changes[change].name, r->http.body);
    for (int i = 0; i < COMBOS; i++, n++) {
        struct combo *c = &combos[i];
        c->o.where = i == 0 || !following ? SERIES_AT : SERIES_AFTER;
        enum series_fate fate = series_rule_fate(scope, changes[change].change, &c->o);
        expect_fate(&d, c, fate, change, api_text("%s %s", name, changes[change].name));
        const char *why = series_rule_why(fate),
                   *outcome = series_of(r, "outcomes", c->key, "outcome");
        cr_expect_str_eq(outcome, why                      ? "untouched"
                                  : fate == SERIES_CANCELS ? "cancelled"
                                                           : "changed");
        cr_expect(!why || strstr(series_of(r, "outcomes", c->key, "why"), why));
    }
    cr_expect(!early || strcmp(as_it_is(&d, early), was) == 0, "what is before was changed");
    cr_expect_eq(series_overlaps(&d), 0);
    series_desk_close(&d);
    return n;
}

/* One: each by a request of its own, the others stay. */
static size_t run_one(size_t change)
{
    struct series_desk d = series_desk_open(OWNER_A, "practice-a");
    static struct combo combos[COMBOS];
    size_t n = 0;
    const char *id = make_combos(&d, combos, 0);
    for (int i = 0; i < COMBOS; i++, n++) {
        enum series_fate fate = series_rule_fate(SERIES_ONE, changes[change].change, &combos[i].o);
        struct answer *r = apply(&d, id, change, "one", combos[i].key);
        if (series_rule_why(fate)) {
            expect_refused(r, 409, "state_conflict");
        } else {
            cr_expect_eq(r->status, 200, "%s", r->http.body);
        }
        expect_fate(&d, &combos[i], fate, change, api_text("one %s", changes[change].name));
        if (i + 1 < COMBOS) {
            cr_expect_str_eq(as_it_is(&d, combos[i + 1].id), combos[i + 1].before,
                             "a neighbour was changed");
        }
    }
    series_desk_close(&d);
    return n;
}

Test(series_edits, every_row_of_the_table)
{
    size_t cases = 0;
    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        cases += run_one(i);
        cases += run_many(SERIES_FOLLOWING, i);
        cases += run_many(SERIES_ALL, i);
    }
    cr_expect_eq(cases, 9 * COMBOS);
    printf("series: %zu cases of scope, change and occurrence\n", cases);
}

/* ---- what must not happen ---- */

static struct answer *steps(struct series_desk *d, const char *id, const char *verb)
{
    struct answer *r = api_get(&d->owner, "/api/v1/appointments/%s", id);
    return api_send(&d->owner, "POST", api_text("/api/v1/appointments/%s/%s", id, verb), NULL,
                    api_text("If-Match: \"%d\"\r\n", (int)answer_int(r, "version")));
}

Test(series_edits, deleted_stays_deleted)
{
    struct series_desk d = series_desk_open(OWNER_A, "practice-a");
    series_block(&d, at(42, "10:00"));
    const char *id = series_make(&d, at(40, "10:00"), DAILY(6), ",\"on_conflict\":\"skip\"");
    struct answer *r = api_get(&d.owner, SERIES "/%s", id);
    const char *gone = series_of(r, "occurrences", at(41, "10:00"), "appointment_id");
    cr_assert_eq(steps(&d, gone, "cancel")->status, 200);
    const char *one = api_text("\"scope\":\"one\",\"from\":\"%s\"", at(43, "10:00"));
    cr_assert_eq(series_cancel(&d, id, one)->status, 200);
    static const char *const edits[] = {
        "\"scope\":\"all\",\"time_of_day\":\"11:00\"",
        "\"scope\":\"all\",\"notes\":\"x\"",
        "\"scope\":\"all\",\"duration_min\":20",
    };
    for (size_t i = 0; i < ARRAY_LEN(edits); i++) {
        r = series_change(&d, id, edits[i]);
        cr_assert_eq(r->status, 200, "%s", r->http.body);
        cr_expect_str_eq(series_of(r, "occurrences", at(41, "10:00"), "state"), "cancelled");
        cr_expect_str_eq(series_of(r, "occurrences", at(42, "10:00"), "state"), "skipped");
        cr_expect_str_eq(series_of(r, "occurrences", at(43, "10:00"), "state"), "cancelled");
        cr_expect_eq(answer_count(r, "occurrences"), 6);
    }
    /* the time that the skipped one would have is somebody else's now */
    r = series_change(&d, id,
                      api_text("\"scope\":\"following\",\"from\":\"%s\",\"time_of_day\":"
                               "\"12:00\"",
                               at(42, "10:00")));
    cr_assert_eq(r->status, 200, "%s", r->http.body);
    cr_expect_str_eq(series_of(r, "occurrences", at(42, "10:00"), "state"), "skipped");
    cr_expect_str_eq(series_of(r, "occurrences", at(43, "10:00"), "state"), "cancelled");
    cr_expect_str_eq(series_of(r, "occurrences", at(44, "10:00"), "starts_at"),
                     api_text("%sT12:00:00-06:00", api_day(44)));
    series_block(&d, at(41, "11:00"));
    series_block(&d, at(43, "12:00"));
    cr_expect_eq(db_number(d.db,
                           "SELECT count(*) FROM appointment WHERE client_id = $1::uuid AND state"
                           " <> 'cancelled'",
                           d.client, NULL),
                 3);
    expect_refused(series_cancel(&d, id, one), 422, "validation_failed"); /* it is the new one's */
    expect_refused(series_cancel(&d, answer_text(r, "id"), one), 409, "state_conflict");
    series_desk_close(&d);
}

Test(series_edits, an_occurrence_that_was_changed_by_itself_keeps_that)
{
    struct series_desk d = series_desk_open(OWNER_A, "practice-a");
    const char *id = series_make(&d, at(50, "10:00"), DAILY(5), "");
    struct answer *r = api_get(&d.owner, SERIES "/%s", id);
    const char *moved = series_of(r, "occurrences", at(51, "10:00"), "appointment_id");
    const char *noted = series_of(r, "occurrences", at(52, "10:00"), "appointment_id");
    const char *guests = series_of(r, "occurrences", at(53, "10:00"), "appointment_id");
    cr_assert_eq(api_patch(&d.owner, api_text("/api/v1/appointments/%s", moved), 1,
                           "{\"starts_at\":\"%s\"}", at(60, "17:00"))
                     ->status,
                 200);
    r = api_patch(&d.owner, api_text("/api/v1/appointments/%s", noted), 1, "{\"notes\":\"suya\"}");
    cr_expect_str_eq(answer_text(r, "detached"), "true");
    struct api guest = guest_of(&d.owner, api_text("clients/%s", d.client), GUEST_ALL_SCOPES);
    struct answer *slots = api_get(&guest, "/api/v1/guest/appointments/%s/slots?day=%s", guests,
                                   api_day(53));
    const char *slot = answer_text(slots, "days.0.starts.0");
    slot = slot && slot[0] != '{' ? slot : answer_text(slots, "days.0.starts.0.at");
    cr_assert_not_null(slot, "%s", slots->http.body);
    r = api_post(&guest, api_text("/api/v1/guest/appointments/%s/reschedule", guests),
                 "{\"starts_at\":\"%s\"}", slot);
    cr_assert_eq(r->status, 200, "%s", r->http.body);
    const char *was[] = { as_it_is(&d, moved), as_it_is(&d, noted), as_it_is(&d, guests) };
    r = series_change(&d, id, "\"scope\":\"all\",\"time_of_day\":\"08:15\",\"notes\":\"todas\"");
    cr_assert_eq(r->status, 200, "%s", r->http.body);
    cr_expect_str_eq(as_it_is(&d, moved), was[0]);
    cr_expect_str_eq(as_it_is(&d, noted), was[1]);
    cr_expect_str_eq(as_it_is(&d, guests), was[2], "the client chose that");
    cr_expect_str_eq(series_of(r, "outcomes", at(51, "10:00"), "outcome"), "untouched");
    cr_expect_str_eq(series_of(r, "occurrences", at(50, "10:00"), "starts_at"),
                     api_text("%sT08:15:00-06:00", api_day(50)));
    cr_expect_str_eq(series_of(r, "occurrences", at(51, "10:00"), "detached"), "true");
    r = series_cancel(&d, id, "\"scope\":\"all\",\"reason\":\"adios\"");
    cr_assert_eq(r->status, 200, "%s", r->http.body);
    cr_expect_eq(db_number(d.db,
                           "SELECT count(*) FROM appointment WHERE series_id = $1::uuid AND state ="
                           " 'cancelled' AND cancel_reason = 'adios'",
                           id, NULL),
                 5, "cancelled they all are");
    api_close(&guest);
    series_desk_close(&d);
}

/* ---- all or nothing, by the policy ---- */

Test(series_edits, a_move_is_whole_or_by_the_policy)
{
    struct series_desk d = series_desk_open(OWNER_A, "practice-a");
    const char *id = series_make(&d, at(70, "10:00"), DAILY(4), "");
    series_block(&d, at(71, "12:00"));
    api_new_exception(&d.owner, d.staff, "closed", api_day(73));
    const char *before = series_stored(&d);
    struct answer *r = series_change(&d, id, "\"scope\":\"all\",\"time_of_day\":\"12:00\"");
    expect_refused(r, 409, "series_conflict");
    cr_expect_eq(answer_count(r, "conflicts"), 2, "%s", r->http.body);
    cr_expect_str_eq(series_of(r, "conflicts", at(71, "10:00"), "why"), "[ \"busy\" ]");
    cr_expect_str_eq(series_of(r, "conflicts", at(73, "10:00"), "why"), "[ \"exception\" ]");
    cr_expect_str_eq(series_stored(&d), before, "a part was moved");
    r = series_change(&d, id,
                      "\"scope\":\"all\",\"time_of_day\":\"12:00\",\"on_conflict\":\"skip\"");
    cr_assert_eq(r->status, 200, "%s", r->http.body);
    static const char *const kept[] = { "12:00", "10:00", "12:00", "10:00" };
    for (int i = 0; i < 4; i++) {
        cr_expect_str_eq(series_of(r, "occurrences", at(70 + i, "10:00"), "starts_at"),
                         api_text("%sT%s:00-06:00", api_day(70 + i), kept[i]));
        cr_expect_str_eq(series_of(r, "outcomes", at(70 + i, "10:00"), "outcome"),
                         i % 2 ? "kept" : "changed");
        cr_expect_str_eq(series_of(r, "occurrences", at(70 + i, "10:00"), "version"),
                         i % 2 ? "1" : "2", "what is kept was touched");
    }
    cr_expect_str_eq(answer_text(r, "time_of_day"), "12:00");
    r = series_change(&d, id,
                      "\"scope\":\"all\",\"time_of_day\":\"12:15\",\"on_conflict\":\"nearest\"");
    cr_assert_eq(r->status, 200, "%s", r->http.body);
    static const char *const near[] = { "12:15", "12:30", "12:15", "10:00" };
    for (int i = 0; i < 4; i++) {
        cr_expect_str_eq(series_of(r, "occurrences", at(70 + i, "10:00"), "starts_at"),
                         api_text("%sT%s:00-06:00", api_day(70 + i), near[i]));
    }
    cr_expect_str_eq(series_of(r, "outcomes", at(71, "10:00"), "outcome"), "moved");
    cr_expect_eq(series_overlaps(&d), 0);
    cr_expect_eq(
        db_number(d.db,
                  "SELECT count(*) FROM appointment a JOIN allocation l ON l.appointment_id"
                  " = a.id JOIN client_busy y ON y.appointment_id = a.id WHERE a.series_id"
                  " = $1::uuid AND lower(l.busy) = a.starts_at AND lower(y.busy) ="
                  " a.starts_at",
                  id, NULL),
        4, "what was taken out of the way is back");
    series_desk_close(&d);
}

/* Each new time overlaps the next one's old. */
Test(series_edits, a_series_does_not_stand_in_its_own_way)
{
    struct series_desk d = series_desk_open(OWNER_A, "practice-a");
    const char *id = series_make(&d, at(80, "10:00"), DAILY(6), ",\"duration_min\":1440");
    static const char *const times[] = { "16:00", "04:30", "10:00" };
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        struct answer *r = series_change(
            &d, id, api_text("\"scope\":\"all\",\"time_of_day\":\"%s\"", times[i]));
        cr_assert_eq(r->status, 200, "%s: %s", times[i], r->http.body);
    }
    struct answer *r = series_change(&d, id,
                                     api_text("\"scope\":\"one\",\"from\":\"%s\",\"time_of_day\":"
                                              "\"11:00\"",
                                              at(82, "10:00")));
    expect_refused(r, 409, "series_conflict");
    cr_expect_eq(series_overlaps(&d), 0);
    series_desk_close(&d);
}

Test(series_edits, what_follows_becomes_a_series_of_its_own)
{
    struct series_desk d = series_desk_open(OWNER_A, "practice-a");
    const char *carla = api_new_staff(&d.owner, api_unique("Carla"));
    const char *id = series_make(&d, at(90, "10:00"), "FREQ=DAILY;INTERVAL=2;COUNT=6", "");
    struct answer *r = series_change(
        &d, id,
        api_text("\"scope\":\"following\",\"from\":\"%s\",\"staff_id\":\"%s\",\"time_of_day\":"
                 "\"09:00\",\"duration_min\":60,\"notes\":\"nueva\"",
                 at(96, "10:00"), carla));
    cr_assert_eq(r->status, 200, "%s", r->http.body);
    const char *next = answer_text(r, "id");
    cr_expect_str_neq(next, id);
    cr_expect_str_eq(answer_text(r, "continues_id"), id);
    cr_expect_str_eq(answer_text(r, "rrule"), "FREQ=DAILY;INTERVAL=2;COUNT=3");
    cr_expect_str_eq(answer_text(r, "starts_at"), at(96, "10:00"));
    cr_expect_str_eq(answer_text(r, "time_of_day"), "09:00");
    cr_expect_str_eq(answer_text(r, "staff_id"), carla);
    cr_expect_eq(answer_count(r, "occurrences"), 3);
    for (int i = 0; i < 3; i++) {
        cr_expect_str_eq(answer_text(r, api_text("occurrences.%d.staff_id", i)), carla);
        cr_expect_str_eq(answer_text(r, api_text("occurrences.%d.starts_at", i)),
                         api_text("%sT09:00:00-06:00", api_day(96 + 2 * i)));
    }
    struct answer *old = api_get(&d.owner, SERIES "/%s", id);
    cr_expect_str_eq(answer_text(old, "rrule"), "FREQ=DAILY;INTERVAL=2;COUNT=3");
    cr_expect_eq(answer_count(old, "occurrences"), 3);
    cr_expect_eq(answer_int(old, "version"), 2);
    /* from its first on it is all of it */
    r = series_change(
        &d, next,
        api_text("\"scope\":\"following\",\"from\":\"%s\",\"notes\":\"otra\"", at(96, "10:00")));
    cr_expect_str_eq(answer_text(r, "id"), next);
    r = series_change(&d, id, "\"scope\":\"all\",\"time_of_day\":\"18:00\"");
    cr_assert_eq(r->status, 200, "%s", r->http.body);
    r = api_get(&d.owner, SERIES "/%s", next);
    cr_expect_str_eq(answer_text(r, "occurrences.0.starts_at"),
                     api_text("%sT09:00:00-06:00", api_day(96)));
    series_desk_close(&d);
}

/* Neither the split nor a part of the move is left. */
Test(series_edits, a_split_that_cannot_move_is_none)
{
    struct series_desk d = series_desk_open(OWNER_B, "practice-b");
    const char *id = series_make(&d, at(100, "10:00"), DAILY(4), "");
    series_block(&d, at(103, "12:00"));
    const char *before = series_stored(&d);
    struct answer *r = series_change(
        &d, id,
        api_text("\"scope\":\"following\",\"from\":\"%s\",\"time_of_day\":\"12:00\"",
                 at(102, "10:00")));
    expect_refused(r, 409, "series_conflict");
    cr_expect_str_eq(series_stored(&d), before);
    series_desk_close(&d);
}

/* Whoever reaches their own visits only sees and changes of a series what is theirs. */
Test(series_edits, within_reach)
{
    struct series_desk d = series_desk_open(OWNER_B, "practice-b");
    struct member m = member_join("practice-b", "professional", NULL);
    const char *theirs = series_make(&d, at(110, "10:00"), DAILY(3), ""), *colleague = d.staff;
    d.staff = m.staff;
    const char *mine = series_make(&d, at(110, "12:00"), DAILY(3), "");
    struct answer *r = api_get(&d.owner, SERIES "/%s", mine);
    const char *given = series_of(r, "occurrences", at(111, "12:00"), "appointment_id");
    cr_assert_eq(api_patch(&d.owner, api_text("/api/v1/appointments/%s", given), 1,
                           "{\"staff_id\":\"%s\"}", colleague)
                     ->status,
                 200);
    const char *all = "{\"scope\":\"all\",\"time_of_day\":\"15:00\"}";
    cr_expect_eq(api_get(&m.api, SERIES "/%s", theirs)->status, 404);
    expect_refused(api_patch(&m.api, api_text(SERIES "/%s", theirs), 1, "%s", all), 404,
                   "not_found");
    r = api_get(&m.api, SERIES "?client_id=%s", d.client);
    cr_expect(strstr(r->http.body, mine) && !strstr(r->http.body, theirs), "%s", r->http.body);
    cr_expect_eq(answer_count(api_get(&m.api, SERIES "/%s", mine), "occurrences"), 2);
    struct series_desk other = d;
    other.staff = colleague;
    r = api_post(&m.api, SERIES "/preview", "{%s}",
                 series_body(&other, at(120, "10:00"), DAILY(2)));
    cr_expect(r->status == 422 && answer_blames(r, "/staff_id"), "%s", r->http.body);
    r = api_patch(&m.api, api_text(SERIES "/%s", mine), 1,
                  "{\"scope\":\"all\",\"staff_id\":\"%s\"}", colleague);
    cr_expect(r->status == 422 && answer_blames(r, "/staff_id"), "%s", r->http.body);
    r = api_send(&m.api, "POST", api_text(SERIES "/%s/cancel", mine), "{\"scope\":\"all\"}",
                 "If-Match: \"1\"\r\n");
    cr_assert_eq(r->status, 200, "%s", r->http.body);
    cr_expect_str_eq(column(&d, given, "state"), "confirmed", "it is a colleague's");
    member_close(&m);
    series_desk_close(&d);
}

/* ---- bad requests ---- */

Test(series_edits, what_is_refused_changes_nothing)
{
    struct series_desk d = series_desk_open(OWNER_A, "practice-a");
    const char *id = series_make(&d, at(110, "10:00"), DAILY(3), ""), *before = series_stored(&d);
    const char *key = at(111, "10:00");
    const struct {
        const char *members, *pointer;
    } cases[] = {
        { "\"time_of_day\":\"11:00\"", "/scope" },
        { "\"scope\":\"some\",\"time_of_day\":\"11:00\"", "/scope" },
        { "\"scope\":\"one\",\"time_of_day\":\"11:00\"", "/from" },
        { "\"scope\":\"following\",\"time_of_day\":\"11:00\"", "/from" },
        { api_text("\"scope\":\"all\",\"from\":\"%s\",\"notes\":\"x\"", key), "/from" },
        { api_text("\"scope\":\"one\",\"from\":\"%s\",\"notes\":\"x\"", at(111, "10:01")),
          "/from" },
        { api_text("\"scope\":\"following\",\"from\":\"%s\",\"notes\":\"x\"", at(111, "09:00")),
          "/from" },
        { api_text("\"scope\":\"following\",\"from\":\"%s\",\"time_of_day\":\"11:00\"",
                   at(113, "10:00")),
          "/from" },
        { api_text("\"scope\":\"one\",\"from\":\"%s-06:00\",\"notes\":\"x\"", key), "/from" },
        { "\"scope\":\"one\",\"from\":\"tomorrow\",\"notes\":\"x\"", "/from" },
        { "\"scope\":\"all\"", "/time_of_day" },
        { "\"scope\":\"all\",\"time_of_day\":\"24:00\"", "/time_of_day" },
        { "\"scope\":\"all\",\"time_of_day\":\"1:000\"", "/time_of_day" },
        { "\"scope\":\"all\",\"time_of_day\":\"10:60\"", "/time_of_day" },
        { "\"scope\":\"all\",\"time_of_day\":\"-1:00\"", "/time_of_day" },
        { "\"scope\":\"all\",\"duration_min\":0", "/duration_min" },
        { "\"scope\":\"all\",\"staff_id\":\"01900000-0000-7000-8000-000000000000\"", "/staff_id" },
        { "\"scope\":\"all\",\"rrule\":\"FREQ=DAILY;COUNT=9\"", "/rrule" },
        { "\"scope\":\"all\",\"client_id\":\"01900000-0000-7000-8000-000000000000\"",
          "/client_id" },
        { "\"scope\":\"all\",\"notes\":\"x\",\"on_conflict\":\"maybe\"", "/on_conflict" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct answer *r = series_change(&d, id, cases[i].members);
        cr_expect(r->status == 422 && answer_blames(r, cases[i].pointer), "%s: %d %s",
                  cases[i].members, r->status, r->http.body);
    }
    const char *path = api_text(SERIES "/%s", id), *cancel = api_text("%s/cancel", path);
    expect_refused(api_send(&d.owner, "PATCH", path, "{\"scope\":\"all\",\"notes\":\"x\"}", NULL),
                   428, "precondition_required");
    expect_refused(api_patch(&d.owner, path, 9, "{\"scope\":\"all\",\"notes\":\"x\"}"), 412,
                   "version_conflict");
    expect_refused(api_send(&d.owner, "POST", cancel, "{\"scope\":\"all\"}", NULL), 428,
                   "precondition_required");
    expect_refused(api_send(&d.owner, "POST", cancel, "{\"scope\":\"all\"}", "If-Match: \"9\"\r\n"),
                   412, "version_conflict");
    cr_expect(answer_blames(series_cancel(&d, id, "\"scope\":\"one\""), "/from"));
    cr_expect(answer_blames(
        series_cancel(&d, id,
                      api_text("\"scope\":\"following\",\"from\":\"%s\"", at(113, "10:00"))),
        "/from"));
    struct answer *none = api_patch(&d.owner, SERIES "/01900000-0000-7000-8000-000000000000", 1,
                                    "{\"scope\":\"all\",\"notes\":\"x\"}");
    expect_refused(none, 404, "not_found");
    cr_expect_str_eq(series_stored(&d), before);
    series_desk_close(&d);
}

/* What is over as a whole cannot be changed at all. */
Test(series_edits, nothing_left_to_change_is_said)
{
    struct series_desk d = series_desk_open(OWNER_A, "practice-a");
    const char *id = series_make(&d, at(120, "10:00"), DAILY(2), "");
    cr_assert_eq(series_cancel(&d, id, "\"scope\":\"all\"")->status, 200);
    const char *before = series_stored(&d);
    struct answer *r = series_change(&d, id, "\"scope\":\"all\",\"time_of_day\":\"11:00\"");
    expect_refused(r, 409, "state_conflict");
    cr_expect_eq(answer_count(r, "untouched"), 2, "%s", r->http.body);
    expect_refused(series_cancel(&d, id, "\"scope\":\"all\""), 409, "state_conflict");
    cr_expect_str_eq(series_stored(&d), before);
    series_desk_close(&d);
}

/* ---- at once ---- */

/* Of changes of the same series one wins; moved visits and bookings of others never overlap. */
Test(series_edits, changes_at_once)
{
    enum { ROUNDS = 6, SHOTS = 12 };
    struct series_desk d = series_desk_open(OWNER_B, "practice-b");
    for (int round = 0; round < ROUNDS; round++) {
        struct shot shots[SHOTS];
        int day = 130 + 10 * round;
        d.client = api_new_client(&d.owner, api_unique("Ana"));
        const char *id = series_make(&d, at(day, "10:00"), DAILY(8), "");
        for (int i = 0; i < SHOTS; i++) {
            bool change = i < SHOTS / 2;
            const char *other = change ? "" : api_new_client(&d.owner, api_unique("Eva"));
            shots[i] = (struct shot){
                .token = d.owner.token,
                .method = change && i % 2 == 0 ? "PATCH" : "POST",
                .headers = change ? "If-Match: \"1\"\r\n" : NULL,
                .path = !change ? "/api/v1/appointments"
                        : i % 2 ? api_text(SERIES "/%s/cancel", id)
                                : api_text(SERIES "/%s", id),
                .body =
                    !change ? api_text("{\"client_id\":\"%s\",\"service_id\":\"%s\","
                                       "\"staff_id\":\"%s\",\"starts_at\":\"%s\"}",
                                       other, d.service, d.staff,
                                       at(day + i - SHOTS / 2, i % 2 ? "11:00" : "10:00"))
                    : i % 2
                        ? api_text("{\"scope\":\"following\",\"from\":\"%s\"}",
                                   at(day + 4, "10:00"))
                        : "{\"scope\":\"all\",\"time_of_day\":\"11:00\",\"on_conflict\":\"skip\"}",
            };
        }
        volley_fire(shots, SHOTS);
        volley_print("changes and bookings", shots, SHOTS);
        cr_expect_eq(volley_count(shots, SHOTS / 2, 200, NULL), 1);
        cr_expect_eq(volley_count(shots, SHOTS / 2, 412, "version_conflict"), SHOTS / 2 - 1);
        cr_expect_eq(volley_count(shots + SHOTS / 2, SHOTS / 2, 201, NULL) +
                         volley_count(shots + SHOTS / 2, SHOTS / 2, 409, "slot_taken"),
                     SHOTS / 2);
    }
    cr_expect_eq(series_overlaps(&d), 0);
    cr_expect_eq(
        db_number(d.db, "SELECT count(*) FROM allocation WHERE lower(busy) < '2000-01-01'", NULL),
        0, "time was left out of the way");
    series_desk_close(&d);
}
