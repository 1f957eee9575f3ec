/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Everybody wants the same few hours of the same two people and does everything there is to do with a visit: hold, book, override, move, propose, confirm, decline,
 * cancel, attend, reopen, as staff and as clients, and whole series of them. Afterwards the database is asked, by other means than its constraints, whether it all adds up. Longer and with more people:
 * SCRAMBLE_PEOPLE, SCRAMBLE_SECONDS (tests/soak/scramble). */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/sbuf.h"
#include "tests/support/db.h"
#include "tests/support/guest.h"
#include "tests/support/wait.h"

enum { KNOWN = 64, GUESTS = 10, SLOTS = 40, PEOPLE_MAX = 600, REQUESTS = 60 };

/* What was acknowledged: the history has it. */
struct ack {
    char id[40], state[20];
    long version;
};

struct ground {
    char token[4200], guests[GUESTS][4200];
    const char *service, *staff[2], *day, *day_before;
    int64_t end_ms; /* 0: REQUESTS of each */
    pthread_mutex_t lock;
    char known[KNOWN][40]; /* appointments that somebody made lately */
    unsigned known_count;
    char series[KNOWN][40]; /* the same of series */
    unsigned series_count;
};

struct person {
    pthread_t thread;
    unsigned seed;
    size_t place; /* in the line in which they come */
    struct ground *ground;
    char client[40], hold[80];
    struct ack *acks;
    size_t ack_count, asked, refused, shed, series;
    size_t by_status[600];
    char wrong[300];
};

static const char *const fair[] = { "slot_taken",      "client_conflict",  "state_conflict",
                                    "moves_exhausted", "cutoff_passed",    "limit_reached",
                                    "hold_expired",    "version_conflict", "series_conflict" };

static unsigned pick(struct person *p, unsigned below)
{
    return (unsigned)rand_r(&p->seed) % below;
}

/* ---- what an answer says ---- */

static void know(struct person *p, const char *id, const char *state, long version)
{
    struct ground *g = p->ground;
    p->acks = realloc(p->acks, (p->ack_count + 1) * sizeof *p->acks);
    struct ack *a = &p->acks[p->ack_count++];
    snprintf(a->id, sizeof a->id, "%s", id);
    snprintf(a->state, sizeof a->state, "%s", state);
    a->version = version;
    pthread_mutex_lock(&g->lock);
    snprintf(g->known[g->known_count++ % KNOWN], sizeof g->known[0], "%s", id);
    pthread_mutex_unlock(&g->lock);
}

static void remember(struct person *p, const struct answer *r)
{
    const char *id = answer_text(r, "id"), *state = answer_text(r, "state");
    if (id && state) {
        know(p, id, state, (long)answer_int(r, "version"));
    }
}

/* Each occurrence, as the answer says that it is now; the series too. */
static void remember_series(struct person *p, const struct answer *r)
{
    struct ground *g = p->ground;
    for (int i = 0; i < answer_count(r, "occurrences"); i++) {
        const char *at = api_text("occurrences.%d.", i);
        const char *id = answer_text(r, api_text("%sappointment_id", at));
        if (id && id[0]) {
            know(p, id, answer_text(r, api_text("%sstate", at)),
                 (long)answer_int(r, api_text("%sversion", at)));
        }
    }
    pthread_mutex_lock(&g->lock);
    snprintf(g->series[g->series_count++ % KNOWN], sizeof g->series[0], "%s", answer_text(r, "id"));
    pthread_mutex_unlock(&g->lock);
}

static bool is_fair(const char *code)
{
    for (size_t i = 0; i < ARRAY_LEN(fair); i++) {
        if (strcmp(fair[i], code) == 0) {
            return true;
        }
    }
    return false;
}

static atomic_size_t answered; /* by everybody */

/* changes: a success is a step of an appointment. */
static void judge(struct person *p, const char *what, const struct answer *r, bool changes)
{
    p->asked++;
    atomic_fetch_add(&answered, 1);
    p->by_status[r->status > 0 && r->status < 600 ? r->status : 0]++;
    if (r->status >= 200 && r->status < 300) {
        if (changes) {
            remember(p, r);
        }
        return;
    }
    bool shed = (r->status == 503 || r->status == 429) && answer_header(r, "retry-after");
    if (shed) { /* by the router, before anything was done */
        p->shed++;
        return;
    }
    p->refused++;
    bool own_time = r->status == 422 && strcmp(what, "reschedule") == 0 && /* is none to move to */
                    answer_blames(r, "/starts_at");
    bool ok = own_time || ((r->status == 409 || r->status == 410 || r->status == 412) &&
                           is_fair(answer_code(r)));
    if (!ok && !p->wrong[0]) {
        snprintf(p->wrong, sizeof p->wrong, "%s: %d %.200s", what, r->status,
                 r->http.body ? r->http.body : "");
    }
}

/* ---- what they do ---- */

static const char *when(struct person *p)
{
    unsigned slot = pick(p, SLOTS);
    return api_text("%sT%02u:%02u", p->ground->day, 10 + slot / 4, slot % 4 * 15);
}

static const char *whom(struct person *p)
{
    return p->ground->staff[pick(p, 2)];
}

/* One of ids, of which count were made. */
static const char *any_of(struct person *p, char ids[KNOWN][40], const unsigned *count)
{
    struct ground *g = p->ground;
    const char *id = NULL;
    pthread_mutex_lock(&g->lock);
    if (*count > 0) {
        id = api_text("%s", ids[pick(p, *count < KNOWN ? *count : KNOWN)]);
    }
    pthread_mutex_unlock(&g->lock);
    return id;
}

static const char *any_visit(struct person *p)
{
    return any_of(p, p->ground->known, &p->ground->known_count);
}

static const char *policy(struct person *p)
{
    static const char *const all[] = { "reject", "skip", "nearest" };
    return all[pick(p, ARRAY_LEN(all))];
}

static void judge_series(struct person *p, const char *what, const struct answer *r)
{
    judge(p, what, r, false);
    if (r->status == 200 || r->status == 201) {
        p->series++;
        remember_series(p, r);
    }
}

/* Two days or three, the crowded one among them. */
static void make_series(struct person *p, struct api *a)
{
    const char *starts_at = when(p);
    bool before = pick(p, 2);
    judge_series(p, "make a series",
                 api_post(a, "/api/v1/series",
                          "{\"client_id\":\"%s\",\"service_id\":\"%s\",\"staff_id\":\"%s\","
                          "\"starts_at\":\"%s%s\",\"rrule\":\"FREQ=DAILY;COUNT=%u\","
                          "\"on_conflict\":\"%s\"}",
                          p->client, p->ground->service, whom(p),
                          before ? p->ground->day_before : p->ground->day, starts_at + 10,
                          2 + pick(p, 2), policy(p)));
}

/* Cancels what follows, or moves all or what follows. */
static void change_series(struct person *p, struct api *a, const char *id)
{
    struct answer *r = api_get(a, "/api/v1/series/%s", id);
    int n = answer_count(r, "occurrences");
    if (n < 1) { /* given to another by now */
        return;
    }
    char *match = api_text("If-Match: \"%d\"\r\n", (int)answer_int(r, "version"));
    char *path = api_text("/api/v1/series/%s", id);
    const char *key = answer_text(r, api_text("occurrences.%u.series_key", pick(p, (unsigned)n)));
    const char *scope = pick(p, 3) ? api_text("\"scope\":\"following\",\"from\":\"%s\"", key)
                                   : "\"scope\":\"all\"";
    if (pick(p, 2)) {
        judge_series(
            p, "cancel a series",
            api_send(a, "POST", api_text("%s/cancel", path), api_text("{%s}", scope), match));
        return;
    }
    judge_series(p, "change a series",
                 api_send(a, "PATCH", path,
                          api_text("{%s,\"time_of_day\":\"%.5s\",\"staff_id\":\"%s\","
                                   "\"on_conflict\":\"%s\"}",
                                   scope, when(p) + 11, whom(p), policy(p)),
                          match));
}

static void book(struct person *p, struct api *a, const char *more)
{
    judge(p, "book",
          api_post(a, "/api/v1/appointments",
                   "{\"client_id\":\"%s\",\"service_id\":\"%s\",\"staff_id\":\"%s\","
                   "\"starts_at\":\"%s\"%s}",
                   p->client, p->ground->service, whom(p), when(p), more),
          true);
}

static void hold(struct person *p, struct api *a)
{
    struct answer *r = api_post(a, "/api/v1/holds",
                                "{\"service_id\":\"%s\",\"staff_id\":\"%s\",\"starts_at\":\"%s\"}",
                                p->ground->service, whom(p), when(p));
    judge(p, "hold", r, false);
    if (r->status == 201) {
        snprintf(p->hold, sizeof p->hold, "%s", answer_text(r, "token"));
    }
}

/* Half of the holds are booked, half given up. */
static void end_hold(struct person *p, struct api *a)
{
    char *path = api_text("/api/v1/holds/%s", p->hold);
    if (pick(p, 2)) {
        judge(p, "book a hold",
              api_post(a, api_text("%s/book", path), "{\"client_id\":\"%s\"}", p->client), true);
    } else {
        judge(p, "give up", api_send(a, "DELETE", path, NULL, NULL), false);
    }
    p->hold[0] = '\0';
}

static void step(struct person *p, struct api *a, const char *id)
{
    static const char *const verbs[] = { "confirm",  "decline", "cancel", "check-in", "start",
                                         "complete", "no-show", "reopen", "propose",  "" };
    const char *verb = verbs[pick(p, ARRAY_LEN(verbs))];
    struct answer *r = api_get(a, "/api/v1/appointments/%s", id);
    char *match = api_text("If-Match: \"%d\"\r\n", (int)answer_int(r, "version"));
    char *path = api_text("/api/v1/appointments/%s%s%s", id, verb[0] ? "/" : "", verb);
    const char *body = strcmp(verb, "reopen") == 0 ? "{\"reason\":\"once more\"}" : NULL;
    if (!verb[0] || strcmp(verb, "propose") == 0) {
        body = api_text("{\"starts_at\":\"%s\",\"staff_id\":\"%s\"%s}", when(p), whom(p),
                        pick(p, 4) ? "" : ",\"override\":\"urgent\",\"overbook\":true");
    }
    judge(p, verb[0] ? verb : "move", api_send(a, verb[0] ? "POST" : "PATCH", path, body, match),
          true);
}

static void as_guest(struct person *p, struct api *a)
{
    static const char *const verbs[] = { "confirm", "cancel", "reschedule" };
    const char *verb = verbs[pick(p, ARRAY_LEN(verbs))];
    struct api guest = api_anonymous();
    snprintf(guest.token, sizeof guest.token, "%s", p->ground->guests[p->seed % GUESTS]);
    struct answer *r = api_get(&guest, "/api/v1/guest/appointments");
    int n = answer_count(r, "data");
    UNUSED(a);
    if (n > 0) {
        const char *id = answer_text(r, api_text("data.%u.id", pick(p, (unsigned)n)));
        judge(p, verb,
              api_post(&guest, api_text("/api/v1/guest/appointments/%s/%s", id, verb),
                       strcmp(verb, "reschedule") ? "{}" : "{\"starts_at\":\"%s\"}", when(p)),
              false); /* confirming twice is no step: its successes are counted by the history */
    }
    api_close(&guest);
}

/* They come one after the other, as a router that has seen nothing yet lets few wait: each once those before have had some answers. */
static void arrive(const struct person *p)
{
    int64_t end = p->ground->end_ms;
    while (atomic_load(&answered) < 4 * p->place && (!end || wait_now_ms() < end)) {
        wait_pause();
    }
}

static void *live(void *arg)
{
    struct person *p = arg;
    struct ground *g = p->ground;
    struct api a = api_anonymous();
    snprintf(a.token, sizeof a.token, "%s", g->token);
    arrive(p);
    for (int i = 0; g->end_ms ? wait_now_ms() < g->end_ms : i < REQUESTS; i++) {
        const char *id = any_visit(p);
        const char *series = any_of(p, g->series, &g->series_count);
        unsigned what = pick(p, 12);
        if (p->hold[0]) {
            end_hold(p, &a);
        } else if (what == 0) {
            hold(p, &a);
        } else if (what == 1 || !id) {
            book(p, &a, pick(p, 3) ? "" : ",\"ask_client\":true");
        } else if (what == 2) {
            book(p, &a, ",\"override\":\"urgent\",\"overbook\":true");
        } else if (what == 3) {
            as_guest(p, &a);
        } else if (what == 4 || (what == 5 && !series)) {
            make_series(p, &a);
        } else if (what == 5) {
            change_series(p, &a, series);
        } else {
            step(p, &a, id);
        }
        api_release();
    }
    if (p->hold[0]) {
        end_hold(p, &a);
    }
    api_close(&a);
    api_release();
    return NULL;
}

/* ---- whether it adds up ---- */

/* One statement a thousand acknowledgements. */
static long unknown_to_history(PGconn *db, const struct person *p)
{
    long missing = 0;
    for (size_t i = 0; i < p->ack_count; i += 1000) {
        struct sbuf sql;
        sbuf_init(&sql);
        sbuf_text(&sql, "SELECT count(*) FROM (VALUES ");
        for (size_t k = i; k < p->ack_count && k < i + 1000; k++) {
            sbuf_fmt(&sql, "%s('%s'::uuid, %ld, '%s')", k > i ? "," : "", p->acks[k].id,
                     p->acks[k].version, p->acks[k].state);
        }
        sbuf_text(&sql,
                  ") a(id, seq, state) WHERE NOT EXISTS (SELECT FROM appointment_event e"
                  " WHERE e.appointment_id = a.id AND e.seq = a.seq AND e.to_state = a.state)");
        sbuf_char(&sql, '\0');
        missing += db_number(db, sql.data, NULL);
        sbuf_fini(&sql);
    }
    return missing;
}

static const struct {
    const char *what, *sql; /* 0 when it adds up */
} sums[] = {
    { "overlaps in a lane",
      "SELECT count(*) FROM allocation x JOIN allocation y ON x.resource_id = y.resource_id"
      " AND x.lane = y.lane AND x.id < y.id AND x.busy && y.busy" },
    { "clients in two places",
      "SELECT count(*) FROM client_busy x JOIN client_busy y ON x.client_id = y.client_id"
      " AND x.appointment_id < y.appointment_id AND x.busy && y.busy" },
    { "visits without their time, or with another",
      "SELECT count(*) FROM appointment a LEFT JOIN allocation l ON l.appointment_id = a.id"
      " LEFT JOIN client_busy c ON c.appointment_id = a.id WHERE a.state NOT IN ('cancelled',"
      " 'declined', 'expired', 'no_show') AND (l.resource_id IS DISTINCT FROM a.staff_id"
      " OR l.lane IS DISTINCT FROM a.lane OR l.busy IS DISTINCT FROM tstzrange(a.starts_at"
      " - make_interval(mins => a.buffer_before_min), a.ends_at"
      " + make_interval(mins => a.buffer_after_min)) OR c.client_id IS DISTINCT FROM a.client_id"
      " OR c.busy IS DISTINCT FROM tstzrange(a.starts_at, a.ends_at))" },
    { "time of visits that are over",
      "SELECT count(*) FROM appointment a WHERE a.state IN ('cancelled', 'declined', 'expired',"
      " 'no_show') AND (EXISTS (SELECT FROM allocation l WHERE l.appointment_id = a.id)"
      " OR EXISTS (SELECT FROM client_busy c WHERE c.appointment_id = a.id))" },
    { "visits with two times",
      "SELECT count(*) FROM (SELECT FROM allocation WHERE appointment_id IS NOT NULL"
      " GROUP BY appointment_id HAVING count(*) > 1) twice" },
    { "histories with a hole, or behind their visit",
      "SELECT count(*) FROM appointment a WHERE a.version <> (SELECT count(*) FROM"
      " appointment_event e WHERE e.appointment_id = a.id) OR a.state <> (SELECT e.to_state FROM"
      " appointment_event e WHERE e.appointment_id = a.id ORDER BY e.seq DESC LIMIT 1)" },
    { "steps that lead from where the visit was not",
      "SELECT count(*) FROM appointment_event e JOIN appointment_event f"
      " ON f.appointment_id = e.appointment_id AND f.seq = e.seq + 1"
      " WHERE f.from_state IS DISTINCT FROM e.to_state" },
    { "clients who came, or did not, another number of times than they are told",
      "SELECT count(*) FROM client c CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE a.state ="
      " 'completed') AS visits, max(a.starts_at) FILTER (WHERE a.state = 'completed') AS "
      "last_visit,"
      " count(*) FILTER (WHERE a.state = 'no_show') AS no_shows, max(a.starts_at) FILTER (WHERE"
      " a.state = 'no_show') AS last_no_show FROM appointment a WHERE a.client_id = c.id) n"
      " WHERE (c.visits, c.no_shows) <> (n.visits, n.no_shows) OR c.last_visit_at IS DISTINCT FROM"
      " n.last_visit OR c.last_no_show_at IS DISTINCT FROM n.last_no_show" },
    { "series with more or less than their rule, or its parts",
      "SELECT count(*) FROM series s WHERE (SELECT count(*) FROM appointment a"
      " WHERE a.series_id = s.id) + (SELECT count(*) FROM series_exception e"
      " WHERE e.series_id = s.id) <> substring(s.rrule FROM 'COUNT=([0-9]+)')::int" },
    { "skipped and booked", "SELECT count(*) FROM series_exception e JOIN appointment a"
                            " ON a.series_id = e.series_id AND a.series_key = e.series_key" },
    { "time that was left out of the way",
      "SELECT count(*) FROM allocation WHERE lower(busy) < '2000-01-01'" },
    { "deadlocks", "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()" },
};

static struct ground *ground_open(PGconn *db)
{
    static struct ground ground = { .lock = PTHREAD_MUTEX_INITIALIZER };
    struct ground *g = &ground;
    struct api owner = api_login(OWNER_A);
    const char *seconds = getenv("SCRAMBLE_SECONDS");
    int version = (int)answer_int(api_get(&owner, "/api/v1/booking-policy"), "version");
    cr_assert_eq(api_patch(&owner, "/api/v1/booking-policy", version,
                           "{\"max_reschedules\":100,\"approve_moves\":true,\"notice_min\":0}")
                     ->status,
                 200);
    snprintf(g->token, sizeof g->token, "%s", owner.token);
    g->service = strdup(api_new_service(&owner, "Scramble", 30));
    cr_assert_eq(
        api_patch(&owner, api_text("/api/v1/services/%s", g->service), 1, "{\"grid_min\":15}")
            ->status,
        200);
    g->staff[0] = strdup(api_new_staff(&owner, "Ana"));
    g->staff[1] = strdup(api_new_staff(&owner, "Beto"));
    g->day = strdup(api_day(20));
    g->day_before = strdup(api_day(19));
    g->end_ms = seconds ? wait_now_ms() + strtol(seconds, NULL, 10) * 1000 : 0;
    UNUSED(db);
    api_close(&owner);
    return g;
}

static void ground_close(struct ground *g)
{
    free((char *)g->service);
    free((char *)g->staff[0]);
    free((char *)g->staff[1]);
    free((char *)g->day);
    free((char *)g->day_before);
}

/* A guest comes for the client of every so manieth person. */
static void make_people(struct ground *g, struct person *people, size_t n)
{
    struct api owner = api_anonymous();
    snprintf(owner.token, sizeof owner.token, "%s", g->token);
    for (size_t i = 0; i < n; i++) {
        people[i] = (struct person){ .seed = (unsigned)i + 1, .place = i, .ground = g };
        snprintf(people[i].client, sizeof people[i].client, "%s",
                 api_new_client(&owner, api_unique("Eva")));
        if (i < GUESTS) {
            struct api guest = guest_of(&owner, api_text("clients/%s", people[i].client),
                                        GUEST_ALL_SCOPES);
            snprintf(g->guests[i], sizeof g->guests[i], "%s", guest.token);
            api_close(&guest);
        }
        api_release();
    }
    api_close(&owner);
}

Test(scramble, it_all_adds_up, .timeout = 3600)
{
    static struct person people[PEOPLE_MAX];
    const char *asked = getenv("SCRAMBLE_PEOPLE");
    size_t n = asked ? (size_t)strtol(asked, NULL, 10) : 40, requests = 0, acks = 0, refused = 0,
           shed = 0, series = 0;
    size_t by_status[600] = { 0 };
    cr_assert(n >= GUESTS && n <= PEOPLE_MAX);
    PGconn *db = db_super();
    char *code = db_code(db, "practice-a");
    db_do(db, api_text("SET search_path = t_%s, ext, public", code));
    struct ground *g = ground_open(db);
    make_people(g, people, n);
    for (size_t i = 0; i < n; i++) {
        cr_assert(pthread_create(&people[i].thread, NULL, live, &people[i]) == 0);
    }
    for (size_t i = 0; i < n; i++) {
        pthread_join(people[i].thread, NULL);
        cr_expect(people[i].wrong[0] == '\0', "%s", people[i].wrong);
        cr_expect_eq(unknown_to_history(db, &people[i]), 0, "acknowledged, and not there");
        requests += people[i].asked;
        acks += people[i].ack_count;
        refused += people[i].refused;
        shed += people[i].shed;
        series += people[i].series;
        for (size_t s = 0; s < ARRAY_LEN(by_status); s++) {
            by_status[s] += people[i].by_status[s];
        }
        free(people[i].acks);
    }
    for (size_t i = 0; i < ARRAY_LEN(sums); i++) {
        long wrong = db_number(db, sums[i].sql, NULL);
        cr_expect_eq(wrong, 0, "%s: %ld", sums[i].what, wrong);
    }
    cr_expect_gt(acks, n, "hardly anything happened");
    cr_expect_gt(series, n / 2, "hardly any series was made or changed");
    printf("scramble: %zu people, %zu requests, %zu steps of %ld visits acknowledged and in the "
           "history, %zu series made or changed, %zu refused with a reason, %zu turned away at the "
           "door;",
           n, requests, acks, db_number(db, "SELECT count(*) FROM appointment", NULL), series,
           refused, shed);
    for (size_t s = 0; s < ARRAY_LEN(by_status); s++) {
        if (by_status[s] > 0) {
            printf(" %zu x %zu", by_status[s], s);
        }
    }
    printf("; 0 overlaps, 0 deadlocks\n");
    free(code);
    ground_close(g);
    PQfinish(db);
    api_release();
}
