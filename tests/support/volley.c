/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Threads connect first and meet at a barrier, so that only the requests themselves race. */
#include "tests/support/volley.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>

#include "common/str.h"
#include "tests/support/api.h"
#include "tests/support/stack.h"
#include "tests/support/wait.h"

struct shooter {
    struct shot *shot;
    pthread_barrier_t *start;
};

static void keep(struct shot *s, const struct answer *r)
{
    s->status = r->status;
    snprintf(s->code, sizeof s->code, "%s", answer_code(r));
    const char *id = answer_text(r, "id");
    snprintf(s->id, sizeof s->id, "%s", id ? id : "");
    const char *replayed = answer_header(r, "idempotency-replayed");
    s->replayed = replayed && strcmp(replayed, "true") == 0;
    s->body_hash = str_hash((struct slice){ r->http.body ? r->http.body : "", r->http.body_len });
}

static void *shoot(void *arg)
{
    struct shooter *who = arg;
    struct shot *s = who->shot;
    struct api a = api_anonymous();
    bool connected = http_client_open_from(&a.http, s->from, stack_host(), stack_port());
    snprintf(a.token, sizeof a.token, "%s", s->token ? s->token : "");
    pthread_barrier_wait(who->start);
    int64_t begin = wait_now_ms();
    if (connected) {
        keep(s, api_send(&a, s->method, s->path, s->body, s->headers));
    }
    s->took_ms = wait_now_ms() - begin;
    api_close(&a);
    api_release();
    return NULL;
}

void volley_fire(struct shot *shots, size_t n)
{
    pthread_t threads[VOLLEY_MAX];
    struct shooter who[VOLLEY_MAX];
    pthread_barrier_t start;
    pthread_attr_t small;
    cr_assert_leq(n, VOLLEY_MAX);
    pthread_barrier_init(&start, NULL, (unsigned)n);
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 512u << 10);
    for (size_t i = 0; i < n; i++) {
        who[i] = (struct shooter){ .shot = &shots[i], .start = &start };
        cr_assert(pthread_create(&threads[i], &small, shoot, &who[i]) == 0);
    }
    for (size_t i = 0; i < n; i++) {
        pthread_join(threads[i], NULL);
    }
    pthread_attr_destroy(&small);
    pthread_barrier_destroy(&start);
}

size_t volley_count(const struct shot *shots, size_t n, int status, const char *code)
{
    size_t found = 0;
    for (size_t i = 0; i < n; i++) {
        found += shots[i].status == status && (!code || strcmp(shots[i].code, code) == 0);
    }
    return found;
}

/* True when an earlier shot ended the same way. */
static bool seen_before(const struct shot *shots, size_t i)
{
    for (size_t j = 0; j < i; j++) {
        if (shots[j].status == shots[i].status && strcmp(shots[j].code, shots[i].code) == 0) {
            return true;
        }
    }
    return false;
}

void volley_print(const char *what, const struct shot *shots, size_t n)
{
    int64_t slowest = 0;
    printf("%s: %zu at once:", what, n);
    for (size_t i = 0; i < n; i++) {
        slowest = shots[i].took_ms > slowest ? shots[i].took_ms : slowest;
        if (!seen_before(shots, i)) {
            printf(" %zu x %d %s,", volley_count(shots, n, shots[i].status, shots[i].code),
                   shots[i].status, shots[i].code);
        }
    }
    printf(" slowest %lld ms\n", (long long)slowest);
}
