/* SPDX-License-Identifier: LicenseRef-Gremio */
/* A batch is up to batch_max requests in the order they came, taken from the channels in turn; the first one that cannot
 * share a pipeline (a handler, an Idempotency-Key) ends it and runs behind it, so that the sockets are looked at
 * again, cancellations included, before the next of its kind. */
#include "worker/serve.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/sandbox.h"
#include "worker/answer.h"
#include "worker/channel.h"
#include "worker/gate.h"
#include "worker/jobs.h"
#include "worker/last_words.h"
#include "worker/role_cache.h"
#include "worker/run.h"

#define CHANNELS_MAX      128               /* router processes */
#define ARENA_MAX         ((size_t)8 << 20) /* of one request */
#define BODY_KEEP         ((size_t)64 << 10)
#define SINGLY_MOST       4 /* requests of a batch whose answers leave one by one */
#define IDLE_TICK_MS      5000
#define REACH_TICK_MS     200                    /* while the database was not reached yet */
#define REACH_PATIENCE_US (3 * INT64_C(1000000)) /* then a slot serves without one */
#define DRAIN_QUIET_MS    300 /* after DRAIN: so long without a request means that routers know */

/* One request from frame to reply. */
struct job {
    struct frame_request req;
    struct call call;
    struct unit unit;
    struct arena arena;
    struct sbuf body;
    struct channel *from;
    bool queued; /* its unit is in a pipeline */
    bool again;  /* to be run once more, alone */
};

struct serve {
    const struct slot_env *env;
    int listen_fd, signal_fd;
    struct score *score;
    struct db db;
    struct jobs work; /* of a jobs slot */
    bool more_work;   /* look again at once */
    struct channel channels[CHANNELS_MAX];
    size_t channel_count, turn; /* turn: the channel whose requests go first */
    struct job *jobs;           /* batch_max of them */
    size_t job_count, job_max;
    struct sbuf hello;
    bool ready; /* the database has let us in */
    int64_t begun_us;
    bool draining;
    int64_t drain_end_us;
};

/* ---- one job ---- */

static void job_begin(struct serve *s, struct job *j, struct channel *from)
{
    j->from = from;
    j->queued = j->again = false;
    memset(&j->call, 0, sizeof(j->call));
    j->call.req = &j->req;
    j->call.arena = &j->arena;
    j->call.body = &j->body;
    j->call.env = s->env;
    j->call.unit = &j->unit;
    unit_init(&j->unit, &s->db, &j->call);
}

static void job_reply(struct job *j, int64_t begun_us)
{
    struct frame_reply *r = &j->call.reply;
    if (j->from->broken) {
        return;
    }
    r->id = j->req.id;
    r->queue_us = begun_us > j->req.sent_us ? (uint32_t)(begun_us - j->req.sent_us) : 0;
    r->route = slice_of(j->call.route ? j->call.route->path : NULL);
    if (frame_put_reply(&j->from->out, r) != OK) {
        j->from->broken = "bad_reply";
    }
}

static void job_end(struct job *j)
{
    unit_end(&j->unit);
    arena_reset(&j->arena);
    sbuf_reset(&j->body, BODY_KEEP);
}

/* ---- batches ---- */

static void write_channels(struct serve *s)
{
    for (size_t i = 0; i < s->channel_count; i++) {
        if (s->channels[i].out.len) {
            channel_write(&s->channels[i]);
        }
    }
}

/* A router that was not told sends the request to another slot: what follows runs only where this could be written. */
static void started(struct job *j)
{
    if (!method_is_safe(j->req.method)) {
        frame_put_id(&j->from->out, FRAME_STARTED, j->req.id);
    }
}

/* A role that its practice made is read before the gate asks what it may. No pipeline is open yet. */
static enum err know_role(struct serve *s, struct job *j)
{
    bool asks = s->env->kind != KIND_AUTH && j->req.principal.present && !role_cache_find(&j->req);
    enum err e = asks ? role_cache_read(&j->call, &s->db) : OK;
    j->call.problem.err = e;
    return e;
}

/* Gates one request. True: it may run. Otherwise its refusal is already in the channel. */
static bool admit(struct serve *s, struct job *j, int64_t now)
{
    score_add(s->score, j->from->fd, &j->req);
    if (know_role(s, j) == OK && gate_check(&j->call, now) == OK) {
        score_route(s->score, j->call.plan->index);
        return true;
    }
    answer_problem(&j->call);
    job_reply(j, now);
    job_end(j);
    score_drop(s->score);
    return false;
}

/* The next waiting request of any channel, in turn. */
static bool take_request(struct serve *s, struct job *j)
{
    for (size_t i = 0; i < s->channel_count; i++) {
        struct channel *c = &s->channels[(s->turn + i) % s->channel_count];
        if (channel_take(c, &j->req)) {
            s->turn = (s->turn + i + 1) % s->channel_count;
            job_begin(s, j, c);
            return true;
        }
    }
    return false;
}

/* Fills jobs with what can share a pipeline; *alone is the one that cannot and stands behind them, or NULL. */
static void fill_batch(struct serve *s, int64_t now, struct job **alone)
{
    *alone = NULL;
    s->job_count = 0;
    while (s->job_count < s->job_max && !*alone) {
        struct job *j = &s->jobs[s->job_count];
        if (!take_request(s, j)) {
            return;
        }
        if (!admit(s, j, now)) {
            continue;
        }
        if (run_is_batched(&j->call) && !j->req.alone) {
            started(j);
            s->job_count++;
        } else {
            *alone = j;
        }
    }
}

static void run_again(struct serve *s, int64_t now)
{
    for (size_t i = 0; i < s->job_count; i++) {
        struct job *j = &s->jobs[i];
        if (j->again) {
            run_alone(&j->call, &s->db);
            job_reply(j, now);
            db_settle(&s->db);
        }
        job_end(j);
    }
}

/* While few come, what is slow holds up nobody who stood before it: each answer leaves as soon as the server has it. Where
 * many come, one write for all is worth more. */
static bool answers_singly(const struct serve *s)
{
    return s->job_count > 1 && s->job_count <= SINGLY_MOST;
}

/* Those that share a Sync (shared) stand behind those with one of their own: a batch's requests are concurrent, so no
 * client can tell their order. */
static void send_jobs(struct serve *s, bool shared)
{
    for (size_t i = 0; i < s->job_count; i++) {
        struct job *j = &s->jobs[i];
        if (unit_is_shared(&j->call) == shared) {
            j->queued = !j->from->broken && run_send(&j->call, shared && answers_singly(s)) == OK;
        }
    }
}

static void collect_jobs(struct serve *s, bool shared, int64_t now)
{
    for (size_t i = 0; i < s->job_count; i++) {
        struct job *j = &s->jobs[i];
        if (unit_is_shared(&j->call) != shared) {
            continue;
        }
        j->again = j->queued && run_collect(&j->call) == E_AGAIN;
        if (!j->again) {
            job_reply(j, now);
        }
        if (answers_singly(s)) {
            write_channels(s);
        }
    }
}

static void run_batch(struct serve *s, int64_t now)
{
    if (s->job_count == 0) {
        return;
    }
    write_channels(s); /* STARTED must be out before anything changes */
    send_jobs(s, false);
    send_jobs(s, true);
    db_sync_groups(&s->db);
    db_flush(&s->db);
    collect_jobs(s, false, now);
    collect_jobs(s, true, now);
    db_end_groups(&s->db);
    db_settle(&s->db);
    write_channels(s);
    run_again(s, now);
}

static void run_job_alone(struct serve *s, struct job *j, int64_t now)
{
    started(j);
    if (j->from->out.len) {
        channel_write(j->from);
    }
    if (!j->from->broken) {
        run_alone(&j->call, &s->db);
        job_reply(j, now);
    }
    job_end(j);
    db_settle(&s->db);
}

/* True when something was done. */
static bool run_waiting(struct serve *s)
{
    struct job *alone;
    int64_t now = clock_mono_us();
    fill_batch(s, now, &alone);
    bool worked = s->job_count || alone;
    run_batch(s, now);
    if (alone) {
        score_clear(s->score);
        score_add(s->score, alone->from->fd, &alone->req);
        score_route(s->score, alone->call.plan->index);
        run_job_alone(s, alone, now);
    }
    write_channels(s);
    score_clear(s->score);
    return worked;
}

/* ---- sockets ---- */

static void drop_channel(struct serve *s, size_t i)
{
    if (strcmp(s->channels[i].broken, "closed") != 0) {
        log_event(LOG_LEVEL_WARN, "channel_dropped", "reason", s->channels[i].broken, NULL);
    }
    channel_fini(&s->channels[i]);
    s->channels[i] = s->channels[--s->channel_count];
    s->channels[s->channel_count].fd = -1;
    s->score->channels = (uint32_t)s->channel_count;
    s->turn = 0;
}

static void drop_broken(struct serve *s)
{
    for (size_t i = s->channel_count; i-- > 0;) {
        if (s->channels[i].broken) {
            drop_channel(s, i);
        }
    }
}

static void accept_router(struct serve *s)
{
    int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        return;
    }
    if (s->channel_count == CHANNELS_MAX) {
        close(fd);
        log_seldom(LOG_LEVEL_WARN, "too_many_channels", "");
        return;
    }
    struct channel *c = &s->channels[s->channel_count++];
    channel_init(c, fd);
    sbuf_add(&c->out, sbuf_slice(&s->hello));
    channel_write(c);
    s->score->channels = (uint32_t)s->channel_count;
}

static void begin_drain(struct serve *s)
{
    struct signalfd_siginfo info;
    if (read(s->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info) || s->draining) {
        return;
    }
    s->draining = true;
    s->drain_end_us = clock_mono_us() + s->env->settings->drain_timeout * 1000;
    for (size_t i = 0; i < s->channel_count; i++) {
        frame_put_id(&s->channels[i].out, FRAME_DRAIN, 0);
    }
    write_channels(s);
}

static bool has_waiting(const struct serve *s)
{
    for (size_t i = 0; i < s->channel_count; i++) {
        if (channel_has_waiting(&s->channels[i])) {
            return true;
        }
    }
    return false;
}

/* Beside others that serve, a slot without a database would only draw requests away from them: it refuses so fast. One that
 * goes on without, when nobody serves in its place, is better than silence. */
static bool takes_routers(const struct serve *s)
{
    bool patient = s->env->beside || clock_mono_us() < s->begun_us + REACH_PATIENCE_US;
    return !s->draining && (s->ready || !patient);
}

static int patience_ms(const struct serve *s)
{
    return s->draining ? DRAIN_QUIET_MS : s->ready ? IDLE_TICK_MS : REACH_TICK_MS;
}

/* Waits for something to do. False when a draining slot has nothing left. */
static bool wait_and_read(struct serve *s)
{
    struct pollfd fds[3 + CHANNELS_MAX + DB_LIVE_MAX];
    size_t channels = s->channel_count;
    bool busy = has_waiting(s) || (s->more_work && !s->draining);
    fds[0] = (struct pollfd){ .fd = takes_routers(s) ? s->listen_fd : -1, .events = POLLIN };
    fds[1] = (struct pollfd){ .fd = s->signal_fd, .events = POLLIN };
    for (size_t i = 0; i < channels; i++) {
        fds[2 + i] = (struct pollfd){ .fd = s->channels[i].fd, .events = POLLIN };
    }
    size_t db = db_poll_fds(&s->db, fds + 2 + channels, DB_LIVE_MAX);
    fds[2 + channels + db] = (struct pollfd){ .fd = jobs_fd(&s->work), .events = POLLIN };
    int n = poll(fds, 3 + channels + db, busy ? 0 : patience_ms(s));
    if (n < 0 && errno != EINTR) {
        return false;
    }
    if (n <= 0) {
        db_settle(&s->db);
        return !s->draining || busy;
    }
    db_poll_done(&s->db, fds + 2 + channels, db);
    for (size_t i = 0; i < channels; i++) {
        if (fds[2 + i].revents) {
            channel_read(&s->channels[i]);
        }
    }
    drop_broken(s);
    if (fds[1].revents) {
        begin_drain(s);
    }
    if (fds[0].revents) {
        accept_router(s);
    }
    return !s->draining || s->channel_count > 0;
}

/* Without a database the slot serves all the same, refusals that is, and goes on trying. */
static void get_ready(struct serve *s)
{
    if (!s->ready && !s->draining && db_reach(&s->db) == OK) {
        s->ready = true;
        s->score->ready = getpid();
    }
}

static void loop(struct serve *s)
{
    get_ready(s);
    while (wait_and_read(s)) {
        score_beat();
        get_ready(s);
        (void)run_waiting(s);
        drop_broken(s);
        if (s->env->kind == KIND_JOBS && !s->draining) {
            s->more_work = jobs_turn(&s->work);
        }
        if (s->draining && clock_mono_us() > s->drain_end_us) {
            log_event(LOG_LEVEL_WARN, "drain_cut_short", NULL);
            return;
        }
    }
}

static enum err serve_init(struct serve *s)
{
    s->job_max = (size_t)s->env->settings->batch_max;
    s->jobs = calloc(s->job_max, sizeof(*s->jobs));
    if (!s->jobs) {
        return E_NOMEM;
    }
    for (size_t i = 0; i < s->job_max; i++) {
        arena_init(&s->jobs[i].arena, ARENA_MAX);
        sbuf_init(&s->jobs[i].body);
    }
    for (size_t i = 0; i < CHANNELS_MAX; i++) {
        s->channels[i].fd = -1;
    }
    s->begun_us = clock_mono_us();
    s->more_work = s->env->kind == KIND_JOBS; /* what the one before left */
    db_init(&s->db, s->env);
    jobs_init(&s->work, s->env, &s->db);
    const struct frame_hello hello = {
        .kind = s->env->kind,
        .slot = (uint16_t)s->env->index,
        .pid = (uint32_t)getpid(),
        .batch_max = (uint16_t)s->job_max,
        .map = (struct route_map *)&s->env->routes->map,
    };
    sbuf_init(&s->hello);
    TRY(frame_put_hello(&s->hello, &hello));
    return sbuf_failed(&s->hello) ? E_NOMEM : OK;
}

static void serve_fini(struct serve *s)
{
    for (size_t i = 0; i < s->channel_count; i++) {
        channel_fini(&s->channels[i]);
    }
    for (size_t i = 0; s->jobs && i < s->job_max; i++) {
        arena_fini(&s->jobs[i].arena);
        sbuf_fini(&s->jobs[i].body);
    }
    free(s->jobs);
    sbuf_fini(&s->hello);
    jobs_fini(&s->work);
    db_fini(&s->db);
}

/* Everything that a start needs and the rest of its life does not is done. */
static enum err enter_sandbox(const struct slot_env *env)
{
    enum sandbox_mode mode;
    if (!sandbox_mode_parse(env->settings->sandbox, &mode)) {
        return E_CONFIG;
    }
    return env->kind == KIND_JOBS ? sandbox_enter_writing(mode) : sandbox_enter(mode);
}

int serve_run(const struct slot_env *env, int listen_fd, int signal_fd, struct score *score)
{
    static struct serve s; /* too big for the stack; one slot per process */
    memset(&s, 0, sizeof(s));
    s.env = env;
    s.listen_fd = listen_fd;
    s.signal_fd = signal_fd;
    s.score = score;
    enum err e = serve_init(&s);
    if (e == OK) {
        e = enter_sandbox(env);
    }
    if (e == OK) {
        score_own(score);
        last_words_init(score);
        score_beat();
        loop(&s);
    } else {
        log_event(LOG_LEVEL_ERROR, "slot_not_started", "error", err_info(e)->code, NULL);
    }
    serve_fini(&s);
    return e == OK ? 0 : 1;
}
