/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Many addresses guess at everything that lets somebody in: nothing is hit, the owner still gets in, and what it leaves behind is
 * bounded. Each kind is a row. SOAK_GUESSES says how many the long form tries. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/api.h"
#include "tests/support/authenticator.h"
#include "tests/support/db.h"
#include "tests/support/guest.h"
#include "tests/support/stack.h"

#define GUESSES     1600
#define GUESSERS    8
#define PER_ADDRESS 20
#define ANY_TOKEN   "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define OWNER_PLACE "127.0.0.77"
#define RSS_GROWTH  (64L * 1024) /* KiB, router and slots together */

TestSuite(guesses, .timeout = 3600);

/* Where a secret is tried. like: a good one, of which the last `secret` characters are guessed; empty: a word. */
struct kind {
    const char *name, *path, *body; /* body: %s is the guess; NULL: GET with it as access token */
    const char *like;
    size_t secret;
    bool digits; /* it is made of these alone */
    bool day;    /* it is a date */
    atomic_uint tried, hit, broken;
};

static struct kind kinds[] = {
    { .name = "password",
      .path = "/api/v1/auth/login",
      .body = "{\"email\":\"" OWNER_A "\",\"password\":\"%s\"}" },
    { .name = "refresh token",
      .path = "/api/v1/auth/refresh",
      .body = "{\"refresh_token\":\"%s\"}",
      .secret = 20 },
    { .name = "access token", .path = "/api/v1/me", .secret = 80 },
    /* By who has the password already. */
    { .name = "code of the second factor",
      .path = "/api/v1/auth/login",
      .like = "000000",
      .secret = 6,
      .digits = true },
    { .name = "key for integrations",
      .path = "/api/v1/auth/token",
      .body = "{\"api_key\":\"%s\"}",
      .secret = 43 },
    { .name = "invitation",
      .path = "/api/v1/invitations/accept",
      .body = "{\"token\":\"%s\",\"password\":\"a password nobody has\"}",
      .like = ANY_TOKEN,
      .secret = 43 },
    { .name = "link to choose a password",
      .path = "/api/v1/auth/password/reset",
      .body = "{\"token\":\"%s\",\"new_password\":\"a password nobody has\"}",
      .like = ANY_TOKEN,
      .secret = 43 },
    { .name = "link of a client",
      .path = "/api/v1/links/open",
      .body = "{\"token\":\"%s\"}",
      .secret = 32 },
    /* By who has the link already. */
    { .name = "code of a client's link",
      .path = "/api/v1/links/open",
      .like = "000000",
      .secret = 6,
      .digits = true },
    { .name = "date of birth of a client",
      .path = "/api/v1/links/open",
      .like = "19",
      .day = true },
};

enum {
    PASSWORD,
    REFRESH,
    ACCESS,
    FACTOR,
    KEY,
    INVITATION,
    RESET,
    LINK,
    LINK_CODE,
    BIRTH,
};

struct guesser {
    pthread_t thread;
    unsigned seed;
    int turns;
};

static void make_guess(const struct kind *k, unsigned *seed, char *out, size_t cap)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    if (k->day) {
        unsigned any = (unsigned)rand_r(seed);
        snprintf(out, cap, "19%02u-%02u-%02u", 30 + any % 70, 1 + any / 70 % 12,
                 1 + any / 840 % 28);
        return;
    }
    snprintf(out, cap, "%s", k->like && k->like[0] ? k->like : "guess-xxxxxxxx");
    size_t n = strlen(out), secret = k->secret ? k->secret : 8;
    for (size_t i = n - secret; i < n; i++) {
        unsigned any = (unsigned)rand_r(seed);
        out[i] = k->digits ? "0123456789"[any % 10] : letters[any % (sizeof letters - 1)];
    }
}

static void guess_once(struct api *a, struct kind *k, unsigned *seed)
{
    char guess[4200];
    make_guess(k, seed, guess, sizeof guess);
    a->token[0] = '\0';
    if (!k->body) {
        snprintf(a->token, sizeof a->token, "%s", guess);
    }
    const char *body = NULL;
    if (k->body) {
        const char *hole = strstr(k->body, "%s");
        body = api_text("%.*s%s%s", (int)(hole - k->body), k->body, guess, hole + 2);
    }
    struct answer *r = api_send(a, body ? "POST" : "GET", k->path, body, NULL);
    atomic_fetch_add(&k->tried, 1);
    atomic_fetch_add(&k->hit, r->status >= 200 && r->status < 300);
    atomic_fetch_add(&k->broken, r->status == 0 || r->status == 500);
}

static void *guess_on(void *arg)
{
    struct guesser *g = arg;
    for (int turn = 0; turn < g->turns; turn++) {
        char from[32];
        struct api a = api_anonymous();
        snprintf(from, sizeof from, "127.%d.%d.%d", 1 + rand_r(&g->seed) % 200,
                 rand_r(&g->seed) % 250, 1 + rand_r(&g->seed) % 250);
        a.from = from;
        for (int i = 0; i < PER_ADDRESS; i++) {
            guess_once(&a, &kinds[(size_t)(turn + i) % ARRAY_LEN(kinds)], &g->seed);
        }
        api_close(&a);
        api_release();
    }
    return NULL;
}

/* Resident memory of all router processes and slots. */
static long memory_kb(void)
{
    pid_t found[32];
    pid_t parents[] = { stack_router(), stack_worker() };
    long sum = 0;
    for (size_t p = 0; p < ARRAY_LEN(parents); p++) {
        size_t n = stack_children(parents[p], "", found, ARRAY_LEN(found));
        for (size_t i = 0; i < n; i++) {
            sum += stack_rss_kb(found[i]);
        }
    }
    return sum;
}

static int login_from(const char *from)
{
    struct api a = api_anonymous();
    a.from = from;
    struct answer *r = api_post(&a, "/api/v1/auth/login", "{\"email\":\"%s\",\"password\":\"%s\"}",
                                OWNER_A, stack_password());
    api_close(&a);
    return r->status;
}

/* The other owner sets up a second factor; its code is guessed with the right password. */
static void enrol_other(struct api *other)
{
    struct answer *r = api_post(other, "/api/v1/auth/second-factor", "{\"password\":\"%s\"}",
                                stack_password());
    struct authenticator app = authenticator_with(answer_text(r, "secret"));
    r = api_post(other, "/api/v1/auth/second-factor/confirm", "{\"code\":\"%s\"}",
                 authenticator_code(&app, 0));
    cr_assert_eq(r->status, 200, "%d %s", r->status, r->http.body);
    kinds[FACTOR].body = api_text(
        "{\"email\":\"" OWNER_B "\",\"password\":\"%s\",\"code\":\"%%s\"}", stack_password());
}

/* A key, and a client with two links whose second question is guessed at. */
static void make_links(struct api *owner)
{
    struct answer *r = api_post(owner, "/api/v1/api-keys",
                                "{\"name\":\"Guess\",\"permissions\":\"client.read\"}");
    kinds[KEY].like = answer_text(r, "key");
    r = api_post(owner, "/api/v1/clients",
                 "{\"given_name\":\"Ana\",\"email\":\"ana@example.com\","
                 "\"birth_date\":\"2001-02-03\"}");
    const char *client = api_text("clients/%s", answer_text(r, "id"));
    struct guest_link coded = guest_link_to(owner, client, "\"step_up\":\"code\""),
                      born = guest_link_to(owner, client, "\"step_up\":\"birth_date\"");
    kinds[LINK].like = guest_link_to(owner, client, "").token;
    kinds[LINK_CODE].body = api_text("{\"token\":\"%s\",\"code\":\"%%s\"}", coded.token);
    kinds[BIRTH].body = api_text("{\"token\":\"%s\",\"birth_date\":\"%%s\"}", born.token);
    struct api nobody = api_anonymous();
    r = api_post(&nobody, "/api/v1/links/code", "{\"token\":\"%s\"}", coded.token);
    cr_assert_eq(r->status, 202, "%s", r->http.body);
    api_close(&nobody);
}

static void guess_all(struct guesser *g, int guesses)
{
    for (size_t i = 0; i < GUESSERS; i++) {
        g[i].seed += (unsigned)i + 1;
        g[i].turns = guesses / GUESSERS / PER_ADDRESS;
        cr_assert_eq(pthread_create(&g[i].thread, NULL, guess_on, &g[i]), 0);
    }
    for (size_t i = 0; i < GUESSERS; i++) {
        pthread_join(g[i].thread, NULL);
    }
}

static void judge(void)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct kind *k = &kinds[i];
        printf("guesses: %u at a %s, %u right\n", k->tried, k->name, k->hit);
        cr_expect_gt(k->tried, 0);
        cr_expect_eq(k->hit, 0, "a %s was guessed", k->name);
        cr_expect_eq(k->broken, 0, "%u without an answer or 500: %s", k->broken, k->name);
    }
}

Test(guesses, nothing_is_hit_and_the_owner_gets_in)
{
    static struct guesser guessers[GUESSERS];
    const char *soak = getenv("SOAK_GUESSES");
    struct api owner = api_login(OWNER_A);
    kinds[REFRESH].like = owner.refresh;
    kinds[ACCESS].like = owner.token;
    make_links(&owner);
    struct api other = api_login(OWNER_B);
    enrol_other(&other);
    cr_assert_eq(login_from(OWNER_PLACE), 200);
    int all = soak ? (int)strtol(soak, NULL, 10) : GUESSES;
    guess_all(guessers, all / 4);
    long before = memory_kb();
    guess_all(guessers, all - all / 4);
    long grown = memory_kb() - before;
    judge();
    cr_expect_eq(login_from(OWNER_PLACE), 200, "the owner is locked out");
    cr_expect_eq(api_get(&owner, "/api/v1/me")->status, 200, "the owner's session ended");
    cr_expect_leq(grown, RSS_GROWTH, "%ld KiB more", grown);
    cr_expect_eq(api_get(&other, "/api/v1/me")->status, 200, "the other owner's session ended");
    printf("guesses: the owner got in; router and slots grew by %ld KiB\n", grown);
    api_close(&owner);
    api_close(&other);
    api_release();
}
