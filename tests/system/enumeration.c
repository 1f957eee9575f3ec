/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Does an address have an account? Nothing that a stranger may ask tells: status, fields and length are the same for both, and the
 * long form (SOAK_SAMPLES) finds no difference in time that Welch's t-test would call one. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "tests/support/api.h"
#include "tests/support/db.h"

#define SAMPLES     24
#define PER_ADDRESS 10  /* of each sort: neither address nor account gets to its limit */
#define T_LIMIT     4.5 /* beyond it two sorts of answers take different times */

TestSuite(enumeration, .timeout = 3600);

/* What is asked; %s is the address. */
static const struct question {
    const char *name, *path, *body;
    int status;
} questions[] = {
    { "login", "/api/v1/auth/login", "{\"email\":\"%s\",\"password\":\"not-the-password-of-them\"}",
      401 },
    { "forgot", "/api/v1/auth/password/forgot", "{\"email\":\"%s\"}", 202 },
};

struct sums {
    double n, sum, squares;
};

static void add(struct sums *s, double x)
{
    s->n++;
    s->sum += x;
    s->squares += x * x;
}

static double mean(const struct sums *s)
{
    return s->sum / s->n;
}

static double variance_of_mean(const struct sums *s)
{
    return (s->squares / s->n - mean(s) * mean(s)) / (s->n - 1);
}

static double welch_t(const struct sums *a, const struct sums *b)
{
    return (mean(a) - mean(b)) / sqrt(variance_of_mean(a) + variance_of_mean(b));
}

/* Accounts as the owner's, one for each sample: known-QUESTION-N@example.com. */
static void make_accounts(const char *question, int samples)
{
    PGconn *db = db_super();
    db_do(db,
          api_text("INSERT INTO public.account(id, email, password_hash) SELECT"
                   " gen_random_uuid(), 'known-%s-' || n || '@example.com', a.password_hash"
                   " FROM public.account a, generate_series(1, %d) n WHERE a.email = '" OWNER_A "'",
                   question, samples));
    PQfinish(db);
}

/* What of an answer a stranger can compare, but for what differs every time. */
static const char *looks(const struct answer *r)
{
    const char *type = answer_header(r, "content-type"), *cache = answer_header(r, "cache-control");
    return api_text("%d %s %s %zu %s", r->status, type ? type : "", cache ? cache : "",
                    r->http.body_len, answer_code(r));
}

static const char *ask(struct api *a, const struct question *q, bool known, int n,
                       struct sums *times)
{
    const char *email = api_text("%s-%s-%d@example.com", known ? "known" : "wrong", q->name, n);
    const char *hole = strstr(q->body, "%s");
    const char *body = api_text("%.*s%s%s", (int)(hole - q->body), q->body, email, hole + 2);
    int64_t begun = clock_mono_us();
    struct answer *r = api_send(a, "POST", q->path, body, NULL);
    add(times, (double)(clock_mono_us() - begun));
    cr_expect_eq(r->status, q->status, "%s %s: %d", q->name, email, r->status);
    return looks(r);
}

static void compare(const struct question *q, int samples, bool judged)
{
    struct sums known = { 0 }, wrong = { 0 };
    unsigned seed = 1;
    make_accounts(q->name, samples);
    for (int n = 1; n <= samples;) {
        struct api a = api_anonymous();
        a.from = api_text("127.%d.%d.9", 1 + n / 2500, n / PER_ADDRESS % 250);
        (void)api_get(&a, "/healthz"); /* the connection is there */
        for (int i = 0; i < PER_ADDRESS && n <= samples; i++, n++) {
            bool first = rand_r(&seed) % 2;
            const char *one = ask(&a, q, first, n, first ? &known : &wrong);
            const char *other = ask(&a, q, !first, n, first ? &wrong : &known);
            cr_expect_str_eq(one, other, "%s: %s and %s", q->name, one, other);
        }
        api_close(&a);
        api_release();
    }
    double t = welch_t(&known, &wrong);
    printf("enumeration: %s, %d of each: means %.0f and %.0f us, Welch t %.2f\n", q->name, samples,
           mean(&known), mean(&wrong), t);
    cr_expect(!judged || fabs(t) < T_LIMIT, "%s tells who has an account: t %.2f", q->name, t);
}

Test(enumeration, an_address_with_an_account_looks_like_one_without)
{
    const char *soak = getenv("SOAK_SAMPLES");
    for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
        compare(&questions[i], soak ? (int)strtol(soak, NULL, 10) : SAMPLES, soak != NULL);
    }
}
