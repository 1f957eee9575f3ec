/* SPDX-License-Identifier: LicenseRef-Gremio */
/* How often clients came and did not, held against the visits and their history whatever is done with them; and visits that time alone ends by the policy that was agreed,
 * each state of them by the product's own table. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/db.h"
#include "tests/support/guest.h"
#include "tests/support/wait.h"
#include "worker/api/appointment.h"

#define APPOINTMENTS "/api/v1/appointments"
#define POLICY       "/api/v1/booking-policy"

enum { VISITS = 8, THREADS = 5, STEPS = 80, MANY = 250, STATES = 12 };

TestSuite(no_shows, .timeout = 240);

struct desk {
    struct api owner;
    PGconn *db; /* in the practice's schema */
    const char *client, *service, *staff;
    int booked;
};

/* letter: of a practice that is no other test's: its policy and its work are. */
static struct desk desk_open(char letter)
{
    struct desk d = { .owner = api_login(api_text("owner-%c@example.com", letter)),
                      .db = db_super() };
    char *code = db_code(d.db, api_text("practice-%c", letter));
    db_do(d.db, api_text("SET search_path = t_%s, ext, public", code));
    free(code);
    d.client = api_new_client(&d.owner, api_unique("Ana"));
    d.service = api_new_service(&d.owner, api_unique("Corte"), 20);
    d.staff = api_new_staff(&d.owner, api_unique("Beto"));
    return d;
}

static void desk_close(struct desk *d)
{
    PQfinish(d->db);
    api_close(&d->owner);
    api_release();
}

static void set_policy(struct desk *d, const char *members)
{
    int version = (int)answer_int(api_get(&d->owner, POLICY), "version");
    struct answer *r = api_patch(&d->owner, POLICY, version, "{%s}", members);
    cr_assert_eq(r->status, 200, "%s", r->http.body);
}

static const char *book(struct desk *d)
{
    int n = d->booked++;
    struct answer *r = api_book(&d->owner, d->client, d->service, d->staff,
                                api_text("%sT%02d:00", api_day(5 + n / 20), n % 20));
    cr_assert_eq(r->status, 201, "%s", r->http.body);
    return answer_text(r, "id");
}

/* The step that is legal now, whatever the version. */
static int step(struct api *a, const char *id, const char *verb)
{
    int version = (int)answer_int(api_get(a, APPOINTMENTS "/%s", id), "version");
    return api_send(a, "POST", api_text(APPOINTMENTS "/%s/%s", id, verb),
                    strcmp(verb, "reopen") == 0 ? "{\"reason\":\"mistake\"}" : NULL,
                    api_text("If-Match: \"%d\"\r\n", version))
        ->status;
}

static void expect_step(struct desk *d, const char *id, const char *verb)
{
    int status = step(&d->owner, id, verb);
    cr_assert_eq(status, 200, "%s: %d", verb, status);
}

/* "visits no_shows last_visit last_no_show", null as "-". */
#define COUNTS(c)                                                                            \
    "concat_ws(' ', " c ".visits, " c ".no_shows, coalesce(" c ".last_visit_at::text, '-')," \
    " coalesce(" c ".last_no_show_at::text, '-'))"
/* The same of the states that the history ends with. */
#define BY_HISTORY                                                                      \
    "SELECT concat_ws(' ', count(*) FILTER (WHERE to_state = 'completed'),"             \
    " count(*) FILTER (WHERE to_state = 'no_show'),"                                    \
    " coalesce(max(starts_at) FILTER (WHERE to_state = 'completed')::text, '-'),"       \
    " coalesce(max(starts_at) FILTER (WHERE to_state = 'no_show')::text, '-'))"         \
    " FROM (SELECT DISTINCT ON (a.id) a.starts_at, e.to_state FROM appointment a"       \
    " JOIN appointment_event e ON e.appointment_id = a.id WHERE a.client_id = $1::uuid" \
    " ORDER BY a.id, e.seq DESC) l"

static void expect_counts(struct desk *d, const char *when)
{
    char *kept = db_value(d->db, "SELECT " COUNTS("c") " FROM client c WHERE c.id = $1::uuid",
                          d->client, NULL);
    char *told = db_value(d->db, BY_HISTORY, d->client, NULL);
    cr_expect_str_eq(kept, told, "%s: the client says %s, the history %s", when, kept, told);
    free(kept);
    free(told);
}

Test(no_shows, counts_follow_each_step)
{
    struct desk d = desk_open('a');
    const char *first = book(&d), *second = book(&d), *third = book(&d);
    struct answer *r = api_get(&d.owner, "/api/v1/clients/%s", d.client);
    cr_expect_eq(answer_int(r, "visits"), 0);
    cr_expect_eq(answer_int(r, "no_shows"), 0);
    cr_expect_null(answer_text(r, "last_no_show_at"));
    const char *etag = answer_header(r, "etag");
    expect_step(&d, first, "no-show");
    r = api_send(&d.owner, "GET", api_text("/api/v1/clients/%s", d.client), NULL,
                 api_text("If-None-Match: %s\r\n", etag));
    cr_expect_eq(r->status, 200, "who has the client has it without the missed visit");
    cr_expect_eq(answer_int(r, "no_shows"), 1);
    expect_step(&d, second, "no-show");
    expect_step(&d, third, "check-in");
    expect_step(&d, third, "start");
    expect_counts(&d, "before it is over");
    expect_step(&d, third, "complete");
    r = api_get(&d.owner, "/api/v1/clients?q=%s", strrchr(answer_text(r, "name"), ' ') + 1);
    cr_assert_eq(answer_count(r, "data"), 1, "%s", r->http.body);
    cr_expect_eq(answer_int(r, "data.0.no_shows"), 2);
    cr_expect_eq(answer_int(r, "data.0.visits"), 1);
    cr_expect_str_eq(answer_text(r, "data.0.last_visit_at"), api_text("%sT08:00:00Z", api_day(5)));
    cr_expect_str_eq(answer_text(r, "data.0.last_no_show_at"),
                     api_text("%sT07:00:00Z", api_day(5)));
    expect_counts(&d, "over");
    expect_step(&d, second, "reopen");
    r = api_get(&d.owner, "/api/v1/clients/%s", d.client);
    cr_expect_str_eq(answer_text(r, "last_no_show_at"), api_text("%sT06:00:00Z", api_day(5)),
                     "the one before");
    expect_step(&d, third, "reopen");
    expect_step(&d, first, "reopen");
    expect_counts(&d, "all undone");
    r = api_get(&d.owner, "/api/v1/clients/%s", d.client);
    cr_expect_eq(answer_int(r, "visits") + answer_int(r, "no_shows"), 0);
    cr_expect_null(answer_text(r, "last_visit_at"));
    /* As a worker of the version before would leave it. */
    db_do(d.db, api_text("UPDATE client SET no_shows = 7, visits = 3 WHERE id = '%s'", d.client));
    expect_step(&d, first, "no-show");
    expect_counts(&d, "counted anew");
    desk_close(&d);
}

/* ---- many at once ---- */

struct hand {
    pthread_t thread;
    const char *token, *client;
    const char *const *visits;
    unsigned seed;
    long taken, refused;
    int wrong; /* a status that must not be */
};

static void rename_client(struct hand *h, struct api *a)
{
    struct answer *r = api_get(a, "/api/v1/clients/%s", h->client);
    r = api_patch(a, api_text("/api/v1/clients/%s", h->client), (int)answer_int(r, "version"),
                  "{\"given_name\":\"Ana %u\"}", h->seed);
    h->wrong = r->status == 200 || r->status == 412 ? h->wrong : r->status;
}

static void *take_steps(void *arg)
{
    static const char *const verbs[] = { "no-show", "reopen",   "check-in",
                                         "start",   "complete", "reopen" };
    struct hand *h = arg;
    struct api a = api_anonymous();
    snprintf(a.token, sizeof a.token, "%s", h->token);
    for (int i = 0; i < STEPS; i++) {
        const char *id = h->visits[rand_r(&h->seed) % VISITS];
        int status = step(&a, id, verbs[(unsigned)rand_r(&h->seed) % ARRAY_LEN(verbs)]);
        h->taken += status == 200;
        h->refused += status == 409 || status == 412;
        h->wrong = status == 200 || status == 409 || status == 412 ? h->wrong : status;
        if (i % 20 == 0) {
            rename_client(h, &a);
        }
        api_release();
    }
    api_close(&a);
    return NULL;
}

Test(no_shows, counts_are_the_histories_however_many_hands)
{
    struct desk d = desk_open('a');
    const char *visits[VISITS];
    struct hand hands[THREADS];
    long taken = 0, refused = 0;
    for (int i = 0; i < VISITS; i++) {
        visits[i] = book(&d);
    }
    for (int i = 0; i < THREADS; i++) {
        hands[i] = (struct hand){ .token = d.owner.token,
                                  .client = d.client,
                                  .visits = visits,
                                  .seed = 7u * (unsigned)i + 1 };
        pthread_create(&hands[i].thread, NULL, take_steps, &hands[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(hands[i].thread, NULL);
        cr_expect_eq(hands[i].wrong, 0, "a step answered %d", hands[i].wrong);
        taken += hands[i].taken;
        refused += hands[i].refused;
    }
    printf("no-shows: %ld steps taken by %d hands at once, %ld refused\n", taken, THREADS, refused);
    cr_expect_geq(taken, 30);
    expect_counts(&d, "behind all of them");
    desk_close(&d);
}

struct late {
    const char *token, *id;
    int status;
};

static void *miss(void *arg)
{
    struct late *l = arg;
    struct api a = api_anonymous();
    snprintf(a.token, sizeof a.token, "%s", l->token);
    l->status = step(&a, l->id, "no-show");
    api_close(&a);
    api_release();
    return NULL;
}

static bool is_waiting(void *db)
{
    return db_number(db,
                     "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                     " AND query LIKE '%client%'",
                     NULL) > 0;
}

/* A step that waits for another of the same client's counts what that one did. */
Test(no_shows, the_second_of_two_counts_both)
{
    struct desk d = desk_open('b');
    const char *first = book(&d), *second = book(&d);
    struct late late = { .token = d.owner.token, .id = second };
    pthread_t thread;
    PGconn *other = db_super();
    char *schema = db_value(d.db, "SELECT current_schema()", NULL);
    db_do(other, api_text("SET search_path = %s", schema));
    db_do(other, "BEGIN");
    db_do(other, api_text("UPDATE client SET no_shows = 1 WHERE id = '%s'", d.client));
    db_do(other, api_text("UPDATE appointment SET state = 'no_show' WHERE id = '%s'", first));
    pthread_create(&thread, NULL, miss, &late);
    cr_expect(wait_until(is_waiting, d.db, WAIT_LONG_MS));
    db_do(other, "COMMIT");
    pthread_join(thread, NULL);
    cr_expect_eq(late.status, 200);
    cr_expect_eq(answer_int(api_get(&d.owner, "/api/v1/clients/%s", d.client), "no_shows"), 2);
    PQfinish(other);
    free(schema);
    desk_close(&d);
}

/* ---- by itself ---- */

/* As the product raises it. */
static void raise_work(struct desk *d)
{
    db_do(d->db,
          "UPDATE public.due_work SET due_at = now(), raised = raised + 1 WHERE kind = 'agenda'");
    db_do(d->db, "NOTIFY gremio_work");
}

/* It is so many minutes past its beginning, and of what is to happen the time has come. */
static void age(struct desk *d, const char *id, int minutes)
{
    db_do(d->db,
          api_text("UPDATE appointment SET starts_at = now() - interval '%d minutes', ends_at"
                   " = now() - interval '%d minutes' + (ends_at - starts_at), auto_at = CASE"
                   " WHEN auto_at IS NOT NULL THEN now() END WHERE id = '%s'",
                   minutes, minutes, id));
    raise_work(d);
}

struct waiting {
    struct desk *d;
    const char *id, *is;
};

static bool is_so(void *arg)
{
    struct waiting *w = arg;
    return db_number(
               w->d->db,
               api_text("SELECT count(*) FROM appointment WHERE id = '%s' AND %s", w->id, w->is),
               NULL) == 1;
}

static void expect_soon(struct desk *d, const char *id, const char *is)
{
    struct waiting w = { d, id, is };
    cr_expect(wait_until(is_so, &w, WAIT_LONG_MS), "never: %s", is);
}

static void expect_is(struct desk *d, const char *id, const char *is)
{
    struct waiting w = { d, id, is };
    cr_expect(is_so(&w), "not: %s", is);
}

static long rows_of_time(struct desk *d, const char *id)
{
    return db_number(d->db,
                     "SELECT (SELECT count(*) FROM allocation WHERE appointment_id = $1::uuid)"
                     " + (SELECT count(*) FROM client_busy WHERE appointment_id = $1::uuid)",
                     id, NULL);
}

static void expect_by_system(struct desk *d, const char *id, const char *from, const char *to)
{
    struct answer *r = api_get(&d->owner, APPOINTMENTS "/%s/history", id);
    int last = answer_count(r, "data") - 1;
    cr_expect_str_eq(answer_text(r, api_text("data.%d.actor.kind", last)), "system");
    cr_expect_null(answer_text(r, api_text("data.%d.actor.id", last)));
    cr_expect_str_eq(answer_text(r, api_text("data.%d.from_state", last)), from);
    cr_expect_str_eq(answer_text(r, api_text("data.%d.to_state", last)), to);
}

Test(no_shows, who_does_not_come_has_missed_it)
{
    struct desk d = desk_open('c');
    const char *before = book(&d);
    set_policy(&d, "\"auto_no_show_min\":15");
    expect_is(&d, before, "auto_at IS NULL");
    const char *id = book(&d), *arrived = book(&d), *moved = book(&d);
    expect_is(&d, id, "auto_at = starts_at + interval '15 minutes'");
    expect_soon(
        &d, id,
        "EXISTS (SELECT FROM public.due_work w JOIN public.tenant t ON t.id = w.tenant_id AND"
        " t.slug = 'practice-c' WHERE w.kind = 'agenda' AND w.due_at = auto_at)");
    set_policy(&d, "\"auto_no_show_min\":0");
    expect_step(&d, arrived, "check-in");
    expect_is(&d, arrived, "auto_at IS NULL");
    cr_expect_eq(api_patch(&d.owner, api_text(APPOINTMENTS "/%s", moved), 1,
                           "{\"starts_at\":\"%sT20:00\"}", api_day(9))
                     ->status,
                 200);
    expect_is(&d, moved, "auto_at = starts_at + interval '15 minutes'"); /* as agreed at booking */
    age(&d, before, 400);
    age(&d, arrived, 400);
    age(&d, id, 16);
    expect_soon(&d, id, "state = 'no_show' AND auto_at IS NULL AND version = 2");
    expect_by_system(&d, id, "confirmed", "no_show");
    cr_expect_eq(rows_of_time(&d, id), 0, "its time is free");
    cr_expect_eq(answer_int(api_get(&d.owner, "/api/v1/clients/%s", d.client), "no_shows"), 1);
    expect_counts(&d, "by the system");
    expect_is(&d, before, "state = 'confirmed'");
    expect_is(&d, arrived, "state = 'checked_in'");
    expect_step(&d, id, "reopen");
    expect_is(&d, id, "state = 'confirmed' AND auto_at IS NULL"); /* staff know now */
    /* Moved by a worker that knew of no such time: what is due is not what was written. */
    db_do(d.db, api_text("UPDATE appointment SET auto_at = now() WHERE id = '%s'", moved));
    raise_work(&d);
    expect_soon(&d, moved, "auto_at = starts_at + interval '15 minutes'");
    expect_is(&d, moved, "state = 'confirmed' AND version = 2");
    desk_close(&d);
}

Test(no_shows, what_is_in_progress_too_long_is_over)
{
    struct desk d = desk_open('d');
    set_policy(&d, "\"auto_complete_min\":30");
    const char *id = book(&d), *late = book(&d);
    expect_is(&d, id, "auto_at IS NULL");
    expect_step(&d, id, "check-in");
    expect_step(&d, id, "start");
    expect_is(&d, id, "auto_at = ends_at + interval '30 minutes'");
    age(&d, id, 51);
    expect_soon(&d, id, "state = 'completed' AND auto_at IS NULL");
    expect_by_system(&d, id, "in_progress", "completed");
    cr_expect_eq(rows_of_time(&d, id), 2);
    expect_counts(&d, "by the system");
    expect_step(&d, late, "check-in");
    age(&d, late, 500);
    expect_step(&d, late, "start"); /* it has half an hour all the same */
    expect_is(&d, late, "auto_at > now() + interval '25 minutes'");
    struct answer *r = api_book_anyway(&d.owner, d.client, d.service, d.staff,
                                       api_text("%sT09:00", api_day(-2)));
    cr_assert_eq(r->status, 201, "%s", r->http.body);
    static const char *const bad[] = { "\"auto_no_show_min\":-1", "\"auto_no_show_min\":1441",
                                       "\"auto_complete_min\":1441", "\"auto_complete_min\":null" };
    int version = (int)answer_int(api_get(&d.owner, POLICY), "version");
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        cr_expect_eq(api_patch(&d.owner, POLICY, version, "{%s}", bad[i])->status, 422, "%s",
                     bad[i]);
    }
    set_policy(&d, "\"auto_no_show_min\":5");
    r = api_book_anyway(&d.owner, d.client, d.service, d.staff, api_text("%sT09:00", api_day(-3)));
    expect_is(&d, answer_text(r, "id"), "auto_at IS NULL"); /* written down afterwards */
    desk_close(&d);
}

/* More than are taken at a time, and of a client whom somebody holds. */
Test(no_shows, many_at_once_and_who_is_busy_later)
{
    struct desk d = desk_open('e');
    set_policy(&d, "\"auto_no_show_min\":10");
    const char *id = book(&d), *held = d.client;
    PGconn *busy = db_super();
    char *schema = db_value(d.db, "SELECT current_schema()", NULL);
    db_do(busy, "BEGIN");
    db_do(busy, api_text("SELECT FROM %s.client WHERE id = '%s' FOR UPDATE", schema, held));
    for (int k = 0; k < 3; k++) {
        d.client = api_new_client(&d.owner, api_unique("Eva"));
        db_do(d.db,
              api_text("INSERT INTO appointment(id, client_id, client_name, service_id,"
                       " service_name, staff_id, staff_name, state, starts_at, ends_at,"
                       " local_start, local_end, time_zone, buffer_before_min,"
                       " buffer_after_min, price_minor, currency, policy, auto_at)"
                       " SELECT gen_random_uuid(), c.id, c.name, a.service_id, a.service_name,"
                       " a.staff_id, a.staff_name, 'confirmed', g, g + interval '1 minute', g,"
                       " g, 'UTC', 0, 0, 0, 'MXN', a.policy, now() FROM appointment a"
                       " CROSS JOIN client c CROSS JOIN generate_series(now() - interval"
                       " '%d minutes', now() - interval '11 minutes', interval '1 minute') g"
                       " WHERE a.id = '%s' AND c.id = '%s'",
                       MANY + 10, id, d.client));
    }
    age(&d, id, 11);
    struct waiting w = { &d, id,
                         "(SELECT count(*) FROM appointment WHERE state = 'no_show') = 750" };
    cr_expect(wait_until(is_so, &w, WAIT_LONG_MS));
    cr_expect_eq(answer_int(api_get(&d.owner, "/api/v1/clients/%s", d.client), "no_shows"), MANY);
    expect_is(&d, id, "state = 'confirmed'");
    db_do(busy, "COMMIT");
    raise_work(&d);
    expect_soon(&d, id, "state = 'no_show'");
    d.client = held;
    expect_counts(&d, "who was held");
    cr_expect_eq(db_number(d.db,
                           "SELECT count(*) FROM client c WHERE (c.visits, c.no_shows) <>"
                           " (SELECT (count(*) FILTER (WHERE a.state = 'completed'))::int,"
                           " (count(*) FILTER (WHERE a.state = 'no_show'))::int FROM appointment a"
                           " WHERE a.client_id = c.id)",
                           NULL),
                 0);
    PQfinish(busy);
    free(schema);
    desk_close(&d);
}

/* ---- the table ---- */

/* The step that time takes from there: what waits is over, what is agreed was missed, what goes on is over. */
static const char *ends_as(const char *state)
{
    for (const struct visit_step *s = visit_steps; s->verb; s++) {
        if ((s->who & VISIT_SYSTEM) && visit_may(s, state)) {
            return s->to;
        }
    }
    return state;
}

Test(no_shows, every_step_of_the_system_from_every_state)
{
    struct desk d = desk_open('f');
    const char *ids[STATES], *at[STATES];
    char states[] = APPOINTMENT_STATES, *rest = states, *state;
    int n = 0, changed = 0;
    set_policy(&d, "\"auto_no_show_min\":5,\"auto_complete_min\":5");
    while ((state = strsep(&rest, " "))) {
        at[n] = state;
        ids[n++] = book(&d);
    }
    for (int i = 0; i < n; i++) { /* its time is over, whatever it is */
        db_do(d.db, api_text("UPDATE appointment SET state = '%s', starts_at = now() - interval '2"
                             " hours', ends_at = now() - interval '1 hour', auto_at = now(),"
                             " expires_at = CASE WHEN '%s' = ANY ('" VISIT_WAITING
                             "') THEN now() END WHERE id = '%s'",
                             at[i], at[i], ids[i]));
    }
    raise_work(&d);
    for (int i = 0; i < n; i++) {
        bool stays = strcmp(ends_as(at[i]), at[i]) == 0;
        expect_soon(&d, ids[i],
                    api_text("state = '%s' AND expires_at IS NULL AND version = %d%s",
                             ends_as(at[i]), stays ? 1 : 2,
                             strcmp(ends_as(at[i]), "expired") ? " AND auto_at IS NULL" : ""));
        changed += !stays;
    }
    cr_expect_eq(n, STATES);
    cr_expect_eq(changed, 5, "three that wait, one missed, one over");
    desk_close(&d);
}
