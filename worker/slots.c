/* SPDX-License-Identifier: LicenseRef-Gremio */
/* One row per kind. Only auth slots keep the sealing key and gremio_auth's password; they in turn lose the pool key. Only jobs slots keep
 * gremio_jobs' password. */
#include "worker/slots.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/proc.h"
#include "worker/serve.h"

#define SILENCE_MS 10000 /* beyond the longest wait */
#define HASHING_MS 60000 /* argon2id at its most expensive, on a busy machine */
enum { API_SLOTS_LEAST = 2, API_SLOTS_MOST = 64 };

static int64_t count_api(const struct worker_settings *s)
{
    cpu_set_t cores;
    if (s->api_slots) {
        return s->api_slots;
    }
    if (sched_getaffinity(0, sizeof(cores), &cores) != 0) {
        return API_SLOTS_LEAST;
    }
    int n = CPU_COUNT(&cores);
    return n < API_SLOTS_LEAST ? API_SLOTS_LEAST : n > API_SLOTS_MOST ? API_SLOTS_MOST : n;
}

static int64_t count_slow(const struct worker_settings *s)
{
    return s->slow_slots;
}

static int64_t count_auth(const struct worker_settings *s)
{
    return s->auth_slots;
}

static int64_t count_jobs(const struct worker_settings *s)
{
    return s->jobs_slots;
}

static void wipe_auth(struct worker_secrets *secrets)
{
    explicit_bzero(secrets->sealing_key, sizeof(secrets->sealing_key));
    explicit_bzero(secrets->auth_password, sizeof(secrets->auth_password));
}

static void wipe_jobs(struct worker_secrets *secrets)
{
    explicit_bzero(secrets->jobs_password, sizeof(secrets->jobs_password));
}

static void wipe_all_but_pools(struct worker_secrets *secrets)
{
    wipe_auth(secrets);
    wipe_jobs(secrets);
}

static void wipe_pools(struct worker_secrets *secrets)
{
    explicit_bzero(secrets->pool_key, sizeof(secrets->pool_key));
    explicit_bzero(secrets->proof_key, sizeof(secrets->proof_key));
    wipe_jobs(secrets);
}

const struct slots_row slots_rows[KIND_COUNT] = {
    [KIND_API] = { .kind = KIND_API, .count = count_api, .wipe = wipe_all_but_pools },
    [KIND_SLOW] = { .kind = KIND_SLOW, .count = count_slow, .wipe = wipe_all_but_pools },
    [KIND_AUTH] = { .kind = KIND_AUTH, .count = count_auth, .wipe = wipe_pools },
    [KIND_JOBS] = { .kind = KIND_JOBS, .count = count_jobs, .wipe = wipe_auth },
};

void slots_name(enum slot_kind kind, unsigned ordinal, char name[16])
{
    snprintf(name, 16, "%s-%02u", slot_kind_name(kind), ordinal % 100);
}

int64_t slots_silence_us(enum slot_kind kind, const struct worker_settings *s)
{
    bool fast = kind == KIND_API || kind == KIND_AUTH;
    int64_t ms = fast ? s->statement_timeout : s->slow_statement_timeout;
    return (ms + (kind == KIND_AUTH ? HASHING_MS : 0) + SILENCE_MS) * 1000;
}

void slots_main(struct slot_env *env, struct worker_secrets *secrets, int listen_fd,
                struct score *score, int parent)
{
    char title[32];
    sigset_t set;
    slots_rows[env->kind].wipe(secrets);
    proc_child_enter(parent, SIGTERM);
    if (env->kind == KIND_AUTH) {
        proc_give_way(); /* whoever hashes passwords without end slows requests least */
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGINT, SIG_IGN); /* Ctrl-C reaches the whole group; the supervisor decides */
    signal(SIGHUP, SIG_IGN);
    snprintf(title, sizeof(title), "worker/%s", env->name);
    log_rename(title);
    proc_title("gremio-worker: %s", env->name);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    int signal_fd = proc_signal_fd(&set);
    exit(signal_fd < 0 ? 1 : serve_run(env, listen_fd, signal_fd, score));
}
