/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Two tabs of one browser refresh at once and answers get lost: nobody is logged out. A token that comes back later ends the
 * session. SOAK_ROUNDS says how many rounds the long form has. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/api.h"
#include "tests/support/db.h"
#include "tests/support/stack.h"
#include "tests/support/wait.h"

#define ROUNDS  60
#define REPLAYS 12
#define TABS    2

TestSuite(refresh, .timeout = 1200);

/* What the tabs share, as a browser's storage: a copy in, a copy out. */
struct store {
    pthread_mutex_t lock;
    char refresh[200], access[4200];
};

struct tab {
    pthread_t thread;
    struct store *store;
    pthread_barrier_t *start;
    unsigned seed;
    int rounds;
    unsigned lost, refused;
    char said[200]; /* of the first refusal */
};

static void read_store(struct store *s, char refresh[200])
{
    pthread_mutex_lock(&s->lock);
    snprintf(refresh, 200, "%s", s->refresh);
    pthread_mutex_unlock(&s->lock);
}

static void write_store(struct store *s, const struct answer *r)
{
    pthread_mutex_lock(&s->lock);
    snprintf(s->refresh, sizeof s->refresh, "%s", answer_text(r, "refresh_token"));
    snprintf(s->access, sizeof s->access, "%s", answer_text(r, "access_token"));
    pthread_mutex_unlock(&s->lock);
}

static struct answer *refresh_with(struct api *a, const char *token)
{
    return api_post(a, "/api/v1/auth/refresh", "{\"refresh_token\":\"%s\"}", token);
}

/* A third of the answers never reach the tab. */
static void refresh_once(struct tab *t, struct api *a)
{
    char token[200];
    read_store(t->store, token);
    struct answer *r = refresh_with(a, token);
    if (r->status != 200) {
        if (t->refused++ == 0) {
            snprintf(t->said, sizeof t->said, "%d %.150s", r->status,
                     r->http.body ? r->http.body : "");
        }
    } else if (rand_r(&t->seed) % 3 == 0) {
        t->lost++;
    } else {
        write_store(t->store, r);
    }
    api_release();
}

static void *run_tab(void *arg)
{
    struct tab *t = arg;
    struct api a = api_anonymous();
    for (int i = 0; i < t->rounds; i++) {
        pthread_barrier_wait(t->start);
        refresh_once(t, &a);
        pthread_barrier_wait(t->start); /* nobody is a round ahead */
    }
    api_close(&a);
    return NULL;
}

Test(refresh, two_tabs_and_lost_answers_log_nobody_out)
{
    static struct store store = { .lock = PTHREAD_MUTEX_INITIALIZER };
    pthread_barrier_t start;
    struct tab tabs[TABS];
    struct api a = api_login(OWNER_A);
    const char *soak = getenv("SOAK_ROUNDS");
    int rounds = soak ? (int)strtol(soak, NULL, 10) : ROUNDS;
    snprintf(store.refresh, sizeof store.refresh, "%s", a.refresh);
    snprintf(store.access, sizeof store.access, "%s", a.token);
    pthread_barrier_init(&start, NULL, TABS);
    for (size_t i = 0; i < TABS; i++) {
        tabs[i] = (struct tab){
            .store = &store, .start = &start, .seed = (unsigned)i + 1, .rounds = rounds
        };
        cr_assert_eq(pthread_create(&tabs[i].thread, NULL, run_tab, &tabs[i]), 0);
    }
    unsigned lost = 0;
    for (size_t i = 0; i < TABS; i++) {
        pthread_join(tabs[i].thread, NULL);
        lost += tabs[i].lost;
        cr_expect_eq(tabs[i].refused, 0, "tab %zu: %u refused, first %s", i, tabs[i].refused,
                     tabs[i].said);
    }
    pthread_barrier_destroy(&start);
    cr_expect_gt(lost, 0);
    snprintf(a.token, sizeof a.token, "%s", store.access);
    cr_expect_eq(api_get(&a, "/api/v1/me")->status, 200, "logged out");
    printf("refresh: %d rounds of two tabs, %u answers lost, nobody logged out\n", rounds, lost);
    api_close(&a);
    api_release();
}

static bool is_dead(void *arg)
{
    return api_get(arg, "/api/v1/me")->status == 401;
}

/* Which token comes back, and how old it is, in rotations. */
static void replay(int behind)
{
    struct api a = api_login(OWNER_A), nobody = api_anonymous();
    PGconn *db = db_super();
    char old[200];
    snprintf(old, sizeof old, "%s", a.refresh);
    for (int i = 0; i < behind; i++) {
        struct answer *r = refresh_with(&nobody, a.refresh);
        cr_assert_eq(r->status, 200);
        snprintf(a.refresh, sizeof a.refresh, "%s", answer_text(r, "refresh_token"));
        snprintf(a.token, sizeof a.token, "%s", answer_text(r, "access_token"));
    }
    db_number(
        db,
        "WITH aged AS (UPDATE public.session SET refreshed_at = refreshed_at - interval '11 s'"
        " WHERE account_id = (SELECT id FROM public.account WHERE email = $1)"
        " AND revoked_at IS NULL RETURNING 1) SELECT count(*) FROM aged",
        OWNER_A, NULL);
    cr_assert_eq(api_get(&a, "/api/v1/me")->status, 200);
    cr_expect_eq(refresh_with(&nobody, old)->status, 401, "%d behind", behind);
    cr_expect_eq(refresh_with(&nobody, a.refresh)->status, 401, "%d behind: the session goes on",
                 behind);
    cr_expect(wait_until(is_dead, &a, WAIT_LONG_MS), "%d behind: the access token lives", behind);
    PQfinish(db);
    api_close(&a);
    api_close(&nobody);
    api_release();
}

Test(refresh, every_replay_after_the_grace_ends_the_session)
{
    for (int i = 0; i < REPLAYS; i++) {
        replay(1 + i % 4);
    }
    cr_expect(stack_log_has("worker.log", "refresh_reuse"));
    printf("refresh: %d replays, each ended its session\n", REPLAYS);
}
