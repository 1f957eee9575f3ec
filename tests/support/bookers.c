/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Every name a practice stores carries its mark, "mark-NUMBER-end": answers are searched for marks with another
 * number. A booking that is under way when they are stopped is finished first. */
#include "tests/support/bookers.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/api.h"
#include "tests/support/db.h"
#include "tests/support/stack.h"
#include "tests/support/wait.h"

#define PEOPLE_MAX 256
#define PER_DAY    28 /* half hours from six */
#define ID_MAX     40

struct booker {
    pthread_t thread;
    size_t number, practice;
    char email[60], token[4200];
    char client[ID_MAX], service[ID_MAX], staff[ID_MAX];
    char (*acked)[ID_MAX]; /* ids of 201 answers in order */
    size_t count, room;
    struct bookers_sum sum;
    size_t foreign;
    char wrong[300];
};

static struct {
    struct booker all[PEOPLE_MAX];
    size_t count;
    atomic_bool stopping;
    atomic_size_t acknowledged;
    atomic_llong last_ms, gap_ms;
} self;

size_t bookers_acknowledged(void)
{
    return atomic_load(&self.acknowledged);
}

const char *bookers_wrong(void)
{
    for (size_t i = 0; i < self.count; i++) {
        if (self.all[i].wrong[0]) {
            return self.all[i].wrong;
        }
    }
    return NULL;
}

static void complain(struct booker *b, const char *what, const struct answer *r)
{
    if (!b->wrong[0]) {
        snprintf(b->wrong, sizeof b->wrong, "%s: %d %.200s", what, r->status,
                 r->http.body ? r->http.body : "");
    }
}

/* Marks in an answer: the own ones are counted, another practice's is what must never be. */
static void scan(struct booker *b, const struct answer *r)
{
    const char *at = r->http.body;
    while (at && (at = strstr(at, "mark-"))) {
        at += 5;
        bool own = strtoul(at, NULL, 10) == b->practice;
        b->sum.own_marks += own;
        b->foreign += !own;
        if (!own) {
            complain(b, "a foreign mark", r);
        }
    }
}

static bool is_convicted(const struct answer *r)
{
    return strcmp(answer_code(r), "request_refused") == 0;
}

/* Passes by itself or by being sent again. */
static bool passes(const struct answer *r)
{
    return r->status == 0 || r->status >= 502 || is_convicted(r) ||
           strcmp(answer_code(r), "idempotency_in_progress") == 0 ||
           strcmp(answer_code(r), "token_expired") == 0;
}

static void judge(struct booker *b, const char *what, const struct answer *r)
{
    scan(b, r);
    b->sum.unanswered += r->status == 0;
    b->sum.refused += r->status >= 400;
    b->sum.convicted += is_convicted(r);
    if (r->status >= 300 && !passes(r)) {
        complain(b, what, r);
    }
}

static void renew(struct booker *b, struct api *a)
{
    int status;
    struct api fresh = api_try_login(b->email, stack_password(), &status);
    if (status == 200) {
        api_close(a);
        *a = fresh;
    } else {
        api_close(&fresh);
    }
}

static void note_success(struct booker *b, const char *id)
{
    if (b->count == b->room) {
        b->room = b->room ? b->room * 2 : 256;
        b->acked = realloc(b->acked, b->room * sizeof b->acked[0]);
    }
    snprintf(b->acked[b->count++], sizeof b->acked[0], "%s", id);
    atomic_fetch_add(&self.acknowledged, 1);
    long long now = wait_now_ms(), gap = now - atomic_exchange(&self.last_ms, now);
    long long worst = atomic_load(&self.gap_ms);
    while (gap > worst && !atomic_compare_exchange_weak(&self.gap_ms, &worst, gap)) {
    }
}

/* A visit, or a series of two. */
struct wanted {
    const char *path, *body, *key;
};

static bool note_answer(struct booker *b, const struct answer *r)
{
    const char *id = answer_text(r, "id");
    int n = answer_count(r, "occurrences");
    if (r->status != 201 || !id) {
        return false;
    }
    if (n < 0) {
        note_success(b, id);
    }
    for (int i = 0; i < n; i++) {
        note_success(b, answer_text(r, api_text("occurrences.%d.appointment_id", i)));
    }
    return true;
}

/* One try with this booking's own key. True when it was acknowledged. */
static bool try_once(struct booker *b, struct api *a, const struct wanted *w)
{
    b->sum.tries++;
    struct answer *r = api_send(a, "POST", w->path, w->body, w->key);
    judge(b, "booking", r);
    if (note_answer(b, r)) {
        return true;
    }
    if (strcmp(answer_code(r), "token_expired") == 0) {
        renew(b, a);
    }
    return false;
}

static void read_back(struct booker *b, struct api *a)
{
    const char *id = b->acked[b->count - 1];
    struct answer *r = api_get(a, "/api/v1/appointments/%s", id);
    judge(b, "reading back", r);
    if (r->status == 200 && strcmp(answer_text(r, "id"), id) != 0) {
        complain(b, "another appointment", r);
    }
    if (b->count % 4 == 0) {
        judge(b, "list", api_get(a, "/api/v1/clients?limit=20"));
    }
}

/* Every second day begins with a series of two late visits, which take two numbers. */
static struct wanted want(const struct booker *b, size_t n)
{
    bool series = n % (2 * PER_DAY) == 0;
    const char *clock = series ? "22:00"
                               : api_text("%02zu:%s", n % PER_DAY / 2 + 6, n % 2 ? "30" : "00");
    return (struct wanted){
        .path = series ? "/api/v1/series" : "/api/v1/appointments",
        .body = api_text("{\"client_id\":\"%s\",\"service_id\":\"%s\",\"staff_id\":\"%s\","
                         "\"starts_at\":\"%sT%s\"%s}",
                         b->client, b->service, b->staff, api_day(30 + (int)(n / PER_DAY)), clock,
                         series ? ",\"rrule\":\"FREQ=DAILY;COUNT=2\"" : ""),
        .key = api_text("Idempotency-Key: %s-%zu\r\n", b->staff, n),
    };
}

static void *book_on(void *arg)
{
    struct booker *b = arg;
    struct api a = api_anonymous();
    snprintf(a.token, sizeof a.token, "%s", b->token);
    while (!atomic_load(&self.stopping) && !b->wrong[0]) {
        struct wanted w = want(b, b->count);
        while (!try_once(b, &a, &w) && !b->wrong[0]) {
            wait_pause();
        }
        if (!b->wrong[0]) {
            read_back(b, &a);
        }
        api_release();
    }
    api_close(&a);
    api_release();
    return NULL;
}

static void make_booker(struct booker *b, size_t number, size_t practice)
{
    char mark[24];
    snprintf(mark, sizeof mark, "%zu", practice + 1);
    if (practice < 26) {
        snprintf(mark, sizeof mark, "%c", 'a' + (int)practice);
    }
    b->number = number;
    b->practice = practice;
    snprintf(b->email, sizeof b->email, "owner-%s@example.com", mark);
    struct api owner = api_login(b->email);
    const char *name = api_unique(api_text("mark-%zu-end", practice));
    snprintf(b->token, sizeof b->token, "%s", owner.token);
    snprintf(b->client, sizeof b->client, "%s", api_new_client(&owner, name));
    snprintf(b->service, sizeof b->service, "%s", api_new_service(&owner, name, 30));
    snprintf(b->staff, sizeof b->staff, "%s", api_new_staff(&owner, name));
    api_close(&owner);
    api_release();
}

void bookers_start(size_t people, size_t practices)
{
    cr_assert_leq(people, PEOPLE_MAX);
    self.count = people;
    for (size_t i = 0; i < people; i++) {
        make_booker(&self.all[i], i, i % practices);
    }
    atomic_store(&self.last_ms, wait_now_ms());
    for (size_t i = 0; i < people; i++) {
        cr_assert(pthread_create(&self.all[i].thread, NULL, book_on, &self.all[i]) == 0);
    }
}

/* What the database holds against what was acknowledged. */
static void check(PGconn *db, const struct booker *b)
{
    cr_expect(b->wrong[0] == '\0', "booker %zu was answered %s", b->number, b->wrong);
    cr_expect_eq(b->foreign, 0, "booker %zu saw %zu foreign marks", b->number, b->foreign);
    long rows = db_number(db, "SELECT count(*) FROM appointment WHERE staff_id = $1::uuid",
                          b->staff, NULL);
    cr_expect_eq((size_t)rows, b->count, "booker %zu: %ld rows, %zu acknowledged", b->number, rows,
                 b->count);
    for (size_t i = 0; i < b->count; i++) {
        long there = db_number(db,
                               "SELECT count(*) FROM appointment p JOIN allocation l ON "
                               "l.appointment_id = p.id AND l.resource_id = p.staff_id "
                               "WHERE p.id = $1::uuid",
                               b->acked[i], NULL);
        cr_expect_eq(there, 1, "booking %s was acknowledged and is there %ld times", b->acked[i],
                     there);
    }
}

static void enter_practice(PGconn *db, const char *email)
{
    char slug[60];
    snprintf(slug, sizeof slug, "practice-%.*s", (int)strcspn(email + 6, "@"), email + 6);
    char *code = db_code(db, slug);
    db_do(db, api_text("SET search_path = t_%s", code));
    free(code);
}

struct bookers_sum bookers_end(void)
{
    struct bookers_sum all = { 0 };
    atomic_store(&self.stopping, true);
    PGconn *db = NULL;
    for (size_t i = 0; i < self.count; i++) {
        struct booker *b = &self.all[i];
        pthread_join(b->thread, NULL);
        db = db ? db : db_super();
        enter_practice(db, b->email);
        check(db, b);
        all.acknowledged += b->count;
        all.tries += b->sum.tries;
        all.unanswered += b->sum.unanswered;
        all.refused += b->sum.refused;
        all.convicted += b->sum.convicted;
        all.own_marks += b->sum.own_marks;
        free(b->acked);
    }
    PQfinish(db);
    all.worst_gap_ms = atomic_load(&self.gap_ms);
    cr_expect_geq(all.own_marks, all.acknowledged / 2, "the answers were not looked at");
    return all;
}
