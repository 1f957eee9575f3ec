/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Joins the modules and owns them all. Boot is a list of steps, each of which fails with an error; the end frees what
 * is there, in the opposite order. */
#include "router/process.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/proc.h"
#include "common/sandbox.h"
#include "router/directory_sync.h"
#include "router/exporter.h"
#include "router/flow.h"
#include "router/tls.h"
#include "router/upstream.h"

#define TICK_MS 20
#define OPEN_BY_US \
    INT64_C(1000000) /* not ready by then: clients shall learn it, unless another serves them */
#define REVOKED_MAX  100000 /* ended sessions remembered */
#define RATE_SOURCES 16384  /* practices and addresses whose rate is remembered */
#define ROUTER_LOGIN "gremio_router"

struct process {
    struct settings settings;
    const struct conf_source *source;
    char name[32];
    struct event_base *base;
    struct event *term, *hup, *retire, *tick;
    struct revoked *revoked;
    struct directory_sync *sync;
    struct upstream *upstream;
    struct upstream_callbacks upstream_callbacks;
    struct http_callbacks http_callbacks;
    struct http_server *http;
    struct exporter *exporter;
    SSL_CTX *tls;
    struct flow flow;
    struct process_share *share;
    int64_t open_by_us;
    bool ready;    /* as last logged */
    bool retiring; /* a successor took over: no new connections, the old ones in their own time */
    bool draining;
    int64_t drain_until_us;
    int exit_code;
};

/* ---- what modules ask of each other ---- */

static enum err link_send(void *channel, const struct frame_request *r)
{
    return upstream_send(channel, r);
}

static void link_cancel(void *channel, uint64_t id)
{
    upstream_cancel(channel, id);
}

static void *on_slot_up(struct channel *c, const char *name, const struct frame_hello *hello,
                        void *arg)
{
    struct process *p = arg;
    log_event(LOG_LEVEL_INFO, "slot_up", "slot", name, "kind", slot_kind_name(hello->kind), NULL);
    void *slot = dispatch_slot_up(p->flow.dispatch, c, name, hello);
    if (slot && routes_learn(p->flow.routes, slot, hello->kind, hello->map) != OK) {
        log_seldom(LOG_LEVEL_ERROR, "routes_not_learned", name);
    }
    return slot;
}

static void on_slot_started(void *slot, uint64_t id, void *arg)
{
    struct process *p = arg;
    dispatch_on_started(p->flow.dispatch, slot, id);
}

static void on_slot_reply(void *slot, const struct frame_reply *reply, void *arg)
{
    struct process *p = arg;
    dispatch_on_reply(p->flow.dispatch, slot, reply);
}

static void on_slot_dying(void *slot, uint64_t id, void *arg)
{
    struct process *p = arg;
    dispatch_on_dying(p->flow.dispatch, slot, id);
}

static void on_slot_drain(void *slot, void *arg)
{
    struct process *p = arg;
    routes_forget(p->flow.routes, slot);
    dispatch_slot_drain(p->flow.dispatch, slot);
}

static void on_slot_down(void *slot, void *arg)
{
    struct process *p = arg;
    routes_forget(p->flow.routes, slot);
    dispatch_slot_down(p->flow.dispatch, slot);
}

static void on_directory_changed(bool keys, void *arg)
{
    struct process *p = arg;
    if (keys) {
        token_cache_clear(p->flow.tokens);
    }
    dispatch_set_pools(p->flow.dispatch, directory_pools(p->flow.directory));
}

static void get_health(struct health *out, void *arg)
{
    const struct process *p = arg;
    struct directory_sync_stats sync = directory_sync_stats(p->sync);
    struct dispatch_stats stats;
    dispatch_get_stats(p->flow.dispatch, &stats);
    *out = (struct health){
        .draining = p->draining || p->retiring,
        .directory_loaded = directory_loaded(p->flow.directory),
        .directory_connected = sync.connected,
        .directory_age_ms = sync.age_ms,
        .tenants = directory_count(p->flow.directory),
        .keys = directory_keys(p->flow.directory)->count,
    };
    memcpy(out->slots, stats.slots, sizeof(out->slots));
    const struct route_map *map = routes_map(p->flow.routes);
    for (size_t i = 0; i < map->count; i++) {
        out->needed[map->rows[i].kind] = true;
    }
}

static void render_metrics(struct sbuf *out, void *arg)
{
    const struct process *p = arg;
    const struct flow *f = &p->flow;
    struct directory_sync_stats sync = directory_sync_stats(p->sync);
    struct metrics_view v = {
        .connections = http_connections(p->http),
        .inflight = admit_count(f->admit),
        .inflight_tenants = admit_sources(f->admit),
        .tenants = directory_count(f->directory),
        .keys = directory_keys(f->directory)->count,
        .revoked = revoked_count(p->revoked),
        .directory_connected = sync.connected,
        .draining = p->draining || p->retiring,
        .directory_age_ms = sync.age_ms,
        .directory_connects = sync.connects,
        .directory_notifications = sync.notifications,
        .log_dropped = log_dropped() + access_log_dropped(f->access_log),
        .tokens = token_cache_stats(f->tokens),
    };
    dispatch_get_stats(f->dispatch, &v.dispatch);
    upstream_states(p->upstream, v.channels);
    metrics_render(&f->metrics, &v, out);
}

/* ---- signals and time ---- */

static void stop(struct process *p)
{
    p->exit_code = admit_count(p->flow.admit) > 0 ? PROCESS_CUT_OFF : PROCESS_OK;
    event_base_loopbreak(p->base);
}

static void on_term(evutil_socket_t signo, short what, void *arg)
{
    struct process *p = arg;
    UNUSED(signo);
    UNUSED(what);
    if (p->draining) {
        log_event(LOG_LEVEL_WARN, "stopping", "reason", "second signal", NULL);
        stop(p);
        return;
    }
    log_event(LOG_LEVEL_INFO, "draining", NULL);
    p->draining = true;
    p->drain_until_us = clock_mono_us() + p->settings.drain_timeout * 1000;
    http_drain(p->http);
}

/* Connections that clients have are kept until they are used once more or have been idle for as long as they may: closing
 * them sooner would meet some request on its way. */
static void on_retire(evutil_socket_t signo, short what, void *arg)
{
    struct process *p = arg;
    UNUSED(signo);
    UNUSED(what);
    if (p->draining || p->retiring) {
        return;
    }
    log_event(LOG_LEVEL_INFO, "retiring", NULL);
    p->retiring = true;
    p->drain_until_us = clock_mono_us() +
                        (p->settings.drain_timeout + p->settings.limits.idle_timeout) * 1000;
    http_retire(p->http);
    exporter_retire(p->exporter);
}

static void watch_readiness(struct process *p)
{
    struct health h;
    get_health(&h, p);
    if (health_ready(&h) != p->ready) {
        p->ready = !p->ready;
        log_event(p->ready ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, p->ready ? "ready" : "not_ready",
                  NULL);
    }
}

/* A client's connection waits in the kernel rather than for a 503 that says "just started". */
static void open_when_ready(struct process *p, int64_t now)
{
    if (p->ready || (p->share->alone && now >= p->open_by_us)) {
        http_accept(p->http, true);
        p->share->open = true;
    }
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct process *p = arg;
    int64_t now = clock_mono_us();
    UNUSED(fd);
    UNUSED(what);
    dispatch_tick(p->flow.dispatch, now);
    if (!p->draining && !p->retiring) {
        watch_readiness(p);
    }
    if (!p->share->open) {
        open_when_ready(p, now);
    }
    if ((p->draining || p->retiring) &&
        (http_connections(p->http) == 0 || now >= p->drain_until_us)) {
        log_event(LOG_LEVEL_INFO, "drained", NULL);
        stop(p);
    }
}

static enum err make_tls(const struct settings *s, SSL_CTX **out, struct sbuf *why)
{
    if (s->tls_certificate[0] == '\0') {
        *out = NULL;
        return OK;
    }
    return tls_new(s->tls_certificate, s->tls_key, out, why);
}

/* All or nothing: settings and certificate are both good, or everything stays as it was. */
static enum err reload(struct process *p, struct sbuf *why)
{
    struct settings next = p->settings;
    SSL_CTX *tls;
    TRY(settings_reload(p->source, &next, why));
    TRY(make_tls(&next, &tls, why));
    p->settings = next;
    log_init(p->name, settings_log_level(&p->settings), STDERR_FILENO);
    http_set_tls(p->http, tls);
    tls_free(p->tls);
    p->tls = tls;
    return OK;
}

static void on_hup(evutil_socket_t signo, short what, void *arg)
{
    struct process *p = arg;
    struct sbuf why;
    UNUSED(signo);
    UNUSED(what);
    sbuf_init(&why);
    enum err e = reload(p, &why);
    sbuf_char(&why, '\0');
    if (e == OK) {
        log_event(LOG_LEVEL_INFO, "reloaded", NULL);
    } else {
        log_event(LOG_LEVEL_ERROR, "reload_refused", "reason", why.data ? why.data : "", NULL);
    }
    sbuf_fini(&why);
}

/* ---- boot ---- */

static enum err boot_loop(struct process *p)
{
    struct timeval every = { .tv_usec = TICK_MS * 1000 };
    signal(SIGPIPE, SIG_IGN);
    signal(SIGINT, SIG_IGN); /* the terminal sends it to all: the master passes on what it means */
    p->base = event_base_new();
    if (!p->base) {
        return E_NOMEM;
    }
    p->term = evsignal_new(p->base, SIGTERM, on_term, p);
    p->hup = evsignal_new(p->base, SIGHUP, on_hup, p);
    p->retire = evsignal_new(p->base, SIGUSR2, on_retire, p);
    p->tick = event_new(p->base, -1, EV_PERSIST, on_tick, p);
    if (!p->term || !p->hup || !p->retire || !p->tick || evsignal_add(p->term, NULL) < 0 ||
        evsignal_add(p->hup, NULL) < 0 || evsignal_add(p->retire, NULL) < 0 ||
        event_add(p->tick, &every) < 0) {
        return E_NOMEM;
    }
    return OK;
}

static enum err boot_tables(struct process *p)
{
    struct flow *f = &p->flow;
    f->settings = &p->settings;
    f->get_health = get_health;
    f->health_arg = p;
    struct dispatch_config config = {
        .inflight_max = (size_t)p->settings.inflight_max,
        .queue_max = &p->settings.queue_max,
        .queue_wait = &p->settings.queue_wait,
        .slow_queue_wait = &p->settings.slow_queue_wait,
        .link = { .send = link_send, .cancel = link_cancel },
        .done = flow_on_done,
        .arg = f,
    };
    TRY(revoked_new(REVOKED_MAX, &p->revoked));
    TRY(routes_new(&f->routes));
    TRY(directory_new(&f->directory));
    TRY(token_cache_new((size_t)p->settings.token_cache, p->revoked, &f->tokens));
    TRY(admit_new((size_t)p->settings.inflight_max, &f->admit));
    TRY(rate_new(RATE_SOURCES, &f->rate));
    TRY(rate_new(RATE_SOURCES, &f->link_rate));
    TRY(access_log_new(p->base, log_fd(), p->name, &f->access_log));
    return dispatch_new(&config, &f->dispatch);
}

static enum err boot_peers(struct process *p)
{
    struct directory_sync_config config = {
        .host = p->settings.db_host,
        .port = p->settings.db_port,
        .dbname = p->settings.db_name,
        .user = ROUTER_LOGIN,
        .password = p->settings.db_password,
        .directory = p->flow.directory,
        .revoked = p->revoked,
        .changed = on_directory_changed,
        .arg = p,
    };
    p->upstream_callbacks = (struct upstream_callbacks){
        .up = on_slot_up,
        .started = on_slot_started,
        .reply = on_slot_reply,
        .dying = on_slot_dying,
        .drain = on_slot_drain,
        .down = on_slot_down,
        .arg = p,
    };
    TRY(directory_sync_new(p->base, &config, &p->sync));
    return upstream_new(p->base, p->settings.slots_dir, &p->upstream_callbacks, &p->upstream);
}

static enum err boot_servers(struct process *p, const struct process_start *start)
{
    struct sbuf why;
    sbuf_init(&why);
    enum err e = make_tls(&p->settings, &p->tls, &why);
    if (e != OK) {
        sbuf_char(&why, '\0');
        log_event(LOG_LEVEL_ERROR, "tls_refused", "reason", why.data ? why.data : "", NULL);
    }
    sbuf_fini(&why);
    TRY(e);
    p->http_callbacks = flow_callbacks(&p->flow);
    TRY(http_new(p->base, start->listen_fd, &p->settings.limits, &p->http_callbacks, p->tls,
                 &p->http));
    http_accept(p->http, false);
    if (start->metrics_fd < 0) {
        return OK;
    }
    return exporter_new(p->base, start->metrics_fd, render_metrics, p, &p->exporter);
}

static enum err boot(struct process *p, const struct process_start *start)
{
    enum sandbox_mode mode;
    TRY(boot_loop(p));
    TRY(boot_tables(p));
    TRY(boot_peers(p));
    TRY(boot_servers(p, start));
    return sandbox_mode_parse(p->settings.sandbox, &mode) ? sandbox_enter(mode) : E_CONFIG;
}

static void event_drop(struct event *e)
{
    if (e) {
        event_free(e);
    }
}

static void free_all(struct process *p)
{
    struct flow *f = &p->flow;
    exporter_free(p->exporter);
    http_free(p->http);
    upstream_free(p->upstream);
    directory_sync_free(p->sync);
    dispatch_free(f->dispatch);
    access_log_free(f->access_log);
    rate_free(f->rate);
    rate_free(f->link_rate);
    admit_free(f->admit);
    token_cache_free(f->tokens);
    directory_free(f->directory);
    routes_free(f->routes);
    revoked_free(p->revoked);
    tls_free(p->tls);
    event_drop(p->term);
    event_drop(p->hup);
    event_drop(p->retire);
    event_drop(p->tick);
    if (p->base) {
        event_base_free(p->base);
    }
    free(p);
}

int process_run(const struct process_start *start)
{
    struct process *p = calloc(1, sizeof(*p));
    if (!p) {
        return PROCESS_START;
    }
    proc_no_dump(p, sizeof(*p));
    p->settings = *start->settings;
    p->source = start->source;
    p->share = start->share;
    p->open_by_us = clock_mono_us() + OPEN_BY_US;
    snprintf(p->name, sizeof(p->name), "router/%u", start->index);
    log_rename(p->name);
    enum err e = boot(p, start);
    if (e == OK) {
        log_event(LOG_LEVEL_INFO, "process_started", NULL);
        event_base_dispatch(p->base);
    } else {
        log_event(LOG_LEVEL_ERROR, "start_failed", "reason", err_info(e)->title[LANG_EN], NULL);
        p->exit_code = PROCESS_START;
    }
    int code = p->exit_code;
    free_all(p);
    return code;
}
