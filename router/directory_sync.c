/* SPDX-License-Identifier: LicenseRef-Gremio */
/* One connection, one query at a time. The queries are rows: text, what to do with each row, what to do at the end. */
#include "router/directory_sync.h"

#include <arpa/inet.h>
#include <event2/dns.h>
#include <event2/util.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/sbuf.h"
#include "common/str.h"

#define TICK_MS        100
#define STUCK_US       INT64_C(5000000) /* a query or a connect without progress: start over */
#define PING_US        INT64_C(3000000) /* idle this long: ask whether it still lives */
#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 5000
#define CHANGED_MAX    512 /* tenants read again in one query; more are a full load */
#define ID_TEXT        37
#define TEXT_OF(x)     TEXT_OF_(x)
#define TEXT_OF_(x)    #x

enum sync_state {
    SYNC_WAITING, /* until the back-off is over */
    SYNC_RESOLVING,
    SYNC_CONNECTING,
    SYNC_ASKING, /* a query is out */
    SYNC_IDLE,
};

enum sync_query { Q_LISTEN, Q_TENANTS, Q_KEYS, Q_SESSIONS, Q_CHANGED, Q_PING, Q_COUNT };

struct directory_sync {
    struct directory_sync_config config;
    struct event_base *base;
    struct event *io, *tick;
    struct evdns_base *dns; /* made when a host name must be resolved */
    struct evdns_getaddrinfo_request *resolving;
    PGconn *conn;
    enum sync_state state;
    enum sync_query asked;
    bool query_failed;
    bool want_tenants; /* a full load */
    bool want_keys;
    int64_t contact_us; /* last sign of life; 0: never */
    int64_t progress_us;
    int64_t retry_us;
    int64_t backoff_ms;
    struct token_keys keys; /* being read */
    size_t changed_count, asked_count;
    struct uuid changed[CHANGED_MAX], asked_ids[CHANGED_MAX];
    bool asked_found[CHANGED_MAX];
    struct directory_sync_stats stats;
};

static void ask_next(struct directory_sync *s);
static void on_io(evutil_socket_t fd, short what, void *arg);

/* ---- rows ---- */

static struct slice cell(const PGresult *r, int column)
{
    return (struct slice){ PQgetvalue(r, 0, column), (size_t)PQgetlength(r, 0, column) };
}

static enum err read_tenant(const PGresult *r, struct tenant *t)
{
    int64_t pool, version;
    *t = (struct tenant){ 0 };
    TRY(uuid_parse(cell(r, 0), &t->id));
    TRY(str_copy(cell(r, 1), t->code, sizeof(t->code)));
    TRY(str_copy(cell(r, 2), t->slug, sizeof(t->slug)));
    TRY(str_int(cell(r, 3), 0, TENANT_POOLS_MAX - 1, &pool));
    TRY(tenant_state_parse(cell(r, 4), &t->state));
    TRY(str_int(cell(r, 5), 0, INT32_MAX, &version));
    t->pool = (uint16_t)pool;
    t->roles_version = (uint32_t)version;
    return tenant_code_valid(cell(r, 1)) ? OK : E_BAD_REQUEST;
}

static void row_tenant(struct directory_sync *s, const PGresult *r)
{
    struct tenant t;
    if (read_tenant(r, &t) != OK) {
        log_seldom(LOG_LEVEL_ERROR, "directory_row_refused", "tenant");
        return;
    }
    if (directory_stage(s->config.directory, &t) != OK) {
        s->query_failed = true;
    }
}

static void row_changed(struct directory_sync *s, const PGresult *r)
{
    struct tenant t;
    if (read_tenant(r, &t) != OK) {
        log_seldom(LOG_LEVEL_ERROR, "directory_row_refused", "tenant");
        return;
    }
    for (size_t i = 0; i < s->asked_count; i++) {
        s->asked_found[i] = s->asked_found[i] || uuid_eq(&s->asked_ids[i], &t.id);
    }
    if (directory_put(s->config.directory, &t) != OK) {
        s->query_failed = true;
    }
}

static void row_key(struct directory_sync *s, const PGresult *r)
{
    struct token_key *key = &s->keys.rows[s->keys.count];
    bool good = s->keys.count < TOKEN_KEYS_MAX && slice_eq(cell(r, 1), SLICE("ES256")) &&
                cell(r, 0).n > 0 && str_copy(cell(r, 0), key->kid, sizeof(key->kid)) == OK &&
                str_copy(cell(r, 2), key->pem, sizeof(key->pem)) == OK &&
                token_key_usable(key->pem);
    if (good) {
        s->keys.count++;
    } else {
        log_seldom(LOG_LEVEL_ERROR, "directory_row_refused", "signing_key");
    }
}

static void row_session(struct directory_sync *s, const PGresult *r)
{
    struct uuid id;
    int64_t at;
    if (uuid_parse(cell(r, 0), &id) == OK && str_int(cell(r, 1), 0, INT64_MAX, &at) == OK) {
        revoked_add(s->config.revoked, &id, at);
    }
}

static void row_none(struct directory_sync *s, const PGresult *r)
{
    UNUSED(s);
    UNUSED(r);
}

/* ---- ends of queries ---- */

static void end_listen(struct directory_sync *s)
{
    s->want_tenants = s->want_keys = true;
}

static void end_tenants(struct directory_sync *s)
{
    directory_swap(s->config.directory);
    s->config.changed(false, s->config.arg);
}

static void end_keys(struct directory_sync *s)
{
    if (directory_set_keys(s->config.directory, &s->keys)) {
        s->config.changed(true, s->config.arg);
    }
}

static void end_sessions(struct directory_sync *s)
{
    directory_set_in_step(s->config.directory,
                          true); /* the first load of this connection is through */
    s->backoff_ms = BACKOFF_MIN_MS;
    log_event(LOG_LEVEL_INFO, "directory_loaded", NULL);
}

static void end_changed(struct directory_sync *s)
{
    for (size_t i = 0; i < s->asked_count; i++) {
        if (!s->asked_found[i]) {
            directory_remove(s->config.directory, &s->asked_ids[i]);
        }
    }
    s->asked_count = 0;
    s->config.changed(false, s->config.arg);
}

static void end_ping(struct directory_sync *s)
{
    UNUSED(s);
}

static const struct sync_row {
    const char *sql;
    void (*row)(struct directory_sync *s, const PGresult *r);
    void (*end)(struct directory_sync *s);
} sync_rows[Q_COUNT] = {
    [Q_LISTEN] = { "listen gremio_directory", row_none, end_listen },
    [Q_TENANTS] = { "select id, code, slug, pool, state, roles_version from public.tenant",
                    row_tenant, end_tenants },
    [Q_KEYS] = { "select kid, alg, public_pem from public.signing_key"
                 " where state in ('next', 'active', 'retiring') order by kid",
                 row_key, end_keys },
    [Q_SESSIONS] = { "select id, extract(epoch from revoked_at)::bigint from public.session"
                     " where revoked_at > now() - interval '" TEXT_OF(
                         TOKEN_LIFETIME_MAX_S) " seconds' - interval '1 minute' order by "
                                               "revoked_at",
                     row_session, end_sessions },
    [Q_CHANGED] = { "select id, code, slug, pool, state, roles_version from public.tenant"
                    " where id = any($1::uuid[])",
                    row_changed, end_changed },
    [Q_PING] = { "select 1", row_none, end_ping },
};

/* ---- the connection ---- */

static void wait_for(struct directory_sync *s, short what)
{
    event_del(s->io);
    event_assign(s->io, s->base, PQsocket(s->conn), (short)(what | EV_PERSIST), on_io, s);
    event_add(s->io, NULL);
}

/* The connection is no good: close it and try again after the back-off. The directory stays as it is. */
static void lose(struct directory_sync *s, const char *reason)
{
    log_seldom(LOG_LEVEL_WARN, "directory_lost", reason);
    event_del(s->io);
    PQfinish(s->conn);
    s->conn = NULL;
    s->state = SYNC_WAITING;
    directory_set_in_step(s->config.directory, false);
    s->asked_count = s->changed_count = 0;
    directory_begin(s->config.directory);
    s->retry_us = clock_mono_us() + s->backoff_ms * 1000;
    s->backoff_ms = s->backoff_ms * 2 < BACKOFF_MAX_MS ? s->backoff_ms * 2 : BACKOFF_MAX_MS;
}

static void flush(struct directory_sync *s)
{
    int left = PQflush(s->conn);
    if (left < 0) {
        lose(s, "write failed");
        return;
    }
    wait_for(s, left ? EV_READ | EV_WRITE : EV_READ);
}

static void ask(struct directory_sync *s, enum sync_query q, const char *value)
{
    s->asked = q;
    s->query_failed = false;
    s->state = SYNC_ASKING;
    s->progress_us = clock_mono_us();
    if (!PQsendQueryParams(s->conn, sync_rows[q].sql, value ? 1 : 0, NULL, value ? &value : NULL,
                           NULL, NULL, 0) ||
        !PQsetSingleRowMode(s->conn)) {
        lose(s, "query not sent");
        return;
    }
    flush(s);
}

static void ask_changed(struct directory_sync *s)
{
    char ids[CHANGED_MAX * ID_TEXT + 3];
    size_t at = 0;
    ids[at++] = '{';
    for (size_t i = 0; i < s->changed_count; i++) {
        uuid_format(&s->changed[i], ids + at);
        at += ID_TEXT - 1;
        ids[at++] = ',';
    }
    ids[at - 1] = '}';
    ids[at] = '\0';
    memcpy(s->asked_ids, s->changed, s->changed_count * sizeof(s->changed[0]));
    memset(s->asked_found, 0, sizeof(s->asked_found));
    s->asked_count = s->changed_count;
    s->changed_count = 0;
    ask(s, Q_CHANGED, ids);
}

/* What is to be read next, the most urgent first. */
static void ask_next(struct directory_sync *s)
{
    s->state = SYNC_IDLE;
    if (s->want_keys) {
        s->want_keys = false;
        s->keys.count = 0;
        ask(s, Q_KEYS, NULL);
    } else if (s->want_tenants) {
        s->want_tenants = false;
        directory_begin(s->config.directory);
        ask(s, Q_TENANTS, NULL);
    } else if (!directory_in_step(s->config.directory)) {
        ask(s, Q_SESSIONS, NULL);
    } else if (s->changed_count > 0) {
        ask_changed(s);
    }
}

/* ---- notifications ---- */

static void note_tenant(struct directory_sync *s, const struct uuid *id)
{
    for (size_t i = 0; i < s->changed_count; i++) {
        if (uuid_eq(&s->changed[i], id)) {
            return;
        }
    }
    if (s->changed_count == CHANGED_MAX) {
        s->want_tenants = true;
        return;
    }
    s->changed[s->changed_count++] = *id;
}

static void on_notice(struct directory_sync *s, struct slice payload)
{
    struct slice rest = payload;
    struct slice what = str_cut(&rest, ' ');
    struct uuid id;
    s->stats.notifications++;
    if (slice_eq(what, SLICE("keys"))) {
        s->want_keys = true;
    } else if (uuid_parse(rest, &id) != OK) {
        log_seldom(LOG_LEVEL_WARN, "directory_notice_unknown", "");
    } else if (slice_eq(what, SLICE("tenant"))) {
        note_tenant(s, &id);
    } else if (slice_eq(what, SLICE("session"))) {
        revoked_add(s->config.revoked, &id, clock_wall_s());
    }
}

static void take_notices(struct directory_sync *s)
{
    PGnotify *n;
    while ((n = PQnotifies(s->conn))) {
        on_notice(s, slice_of(n->extra));
        PQfreemem(n);
    }
}

/* ---- results ---- */

static void take_result(struct directory_sync *s, PGresult *r)
{
    switch (PQresultStatus(r)) {
    case PGRES_SINGLE_TUPLE:
        sync_rows[s->asked].row(s, r);
        break;
    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
        break;
    default:
        s->query_failed = true;
        log_seldom(LOG_LEVEL_ERROR, "directory_query_failed",
                   PQresultErrorField(r, PG_DIAG_SQLSTATE));
    }
    PQclear(r);
}

/* True when the query that was out has ended well. */
static bool take_results(struct directory_sync *s)
{
    while (!PQisBusy(s->conn)) {
        PGresult *r = PQgetResult(s->conn);
        if (!r) {
            return true;
        }
        take_result(s, r);
    }
    return false;
}

static void on_input(struct directory_sync *s)
{
    if (!PQconsumeInput(s->conn)) {
        lose(s, "connection closed");
        return;
    }
    s->progress_us = s->contact_us = clock_mono_us();
    bool ended = s->state == SYNC_ASKING && take_results(s);
    if (ended && s->query_failed) {
        lose(s, "query failed");
        return;
    }
    take_notices(s);
    if (ended) {
        sync_rows[s->asked].end(s);
    }
    if (ended || s->state == SYNC_IDLE) {
        ask_next(s);
    }
}

static void on_connected(struct directory_sync *s)
{
    PQsetnonblocking(s->conn, 1);
    s->stats.connects++;
    s->contact_us = clock_mono_us();
    ask(s, Q_LISTEN, NULL);
}

static void poll_connect(struct directory_sync *s)
{
    event_del(s->io); /* libpq may open another socket under the same number */
    switch (PQconnectPoll(s->conn)) {
    case PGRES_POLLING_READING:
        wait_for(s, EV_READ);
        break;
    case PGRES_POLLING_WRITING:
        wait_for(s, EV_WRITE);
        break;
    case PGRES_POLLING_OK:
        on_connected(s);
        break;
    case PGRES_POLLING_FAILED:
    case PGRES_POLLING_ACTIVE:
        lose(s, "connect failed");
        break;
    }
}

static void on_io(evutil_socket_t fd, short what, void *arg)
{
    struct directory_sync *s = arg;
    UNUSED(fd);
    if (s->state == SYNC_CONNECTING) {
        poll_connect(s);
        return;
    }
    if (what & EV_WRITE) {
        flush(s);
    }
    if (s->conn && (what & EV_READ)) {
        on_input(s);
    }
}

/* ---- connecting ---- */

static void start_connect(struct directory_sync *s, const char *address)
{
    const struct directory_sync_config *c = &s->config;
    const char *const names[] = {
        "host",     "hostaddr",         "port",    "dbname",     "user",
        "password", "application_name", "options", "gssencmode", "client_encoding",
        NULL
    };
    const char *const values[] = { c->host,
                                   address,
                                   c->port,
                                   c->dbname,
                                   c->user,
                                   c->password,
                                   "gremio-router",
                                   "-c search_path= -c TimeZone=UTC -c DateStyle=ISO",
                                   "disable",
                                   "UTF8",
                                   NULL };
    s->conn = PQconnectStartParams(names, values, 0);
    s->state = SYNC_CONNECTING;
    if (!s->conn || PQstatus(s->conn) == CONNECTION_BAD) {
        lose(s, "connect failed");
        return;
    }
    wait_for(s, EV_WRITE);
}

static void on_resolved(int result, struct evutil_addrinfo *found, void *arg)
{
    struct directory_sync *s = arg;
    char address[INET6_ADDRSTRLEN] = "";
    s->resolving = NULL;
    if (result == EVUTIL_EAI_CANCEL) {
        return;
    }
    if (result == 0 && found->ai_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)found->ai_addr;
        evutil_inet_ntop(AF_INET, &in->sin_addr, address, sizeof(address));
    } else if (result == 0 && found->ai_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const void *)found->ai_addr;
        evutil_inet_ntop(AF_INET6, &in->sin6_addr, address, sizeof(address));
    }
    if (result == 0) {
        evutil_freeaddrinfo(found);
    }
    if (address[0] == '\0') {
        lose(s, "host name not found");
        return;
    }
    start_connect(s, address);
}

/* libpq would resolve a host name with a blocking call. */
static void resolve(struct directory_sync *s)
{
    struct evutil_addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
    s->state = SYNC_RESOLVING;
    if (!s->dns) {
        s->dns = evdns_base_new(s->base, EVDNS_BASE_INITIALIZE_NAMESERVERS |
                                             EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    }
    if (!s->dns) {
        lose(s, "no name server");
        return;
    }
    /* May call back before it returns, with a result or a failure. */
    struct evdns_getaddrinfo_request *r = evdns_getaddrinfo(s->dns, s->config.host, NULL, &hints,
                                                            on_resolved, s);
    if (s->state == SYNC_RESOLVING) {
        s->resolving = r;
    }
}

static bool is_address(const char *host)
{
    struct in6_addr any;
    return host[0] == '/' || host[0] == '\0' || inet_pton(AF_INET, host, &any) == 1 ||
           inet_pton(AF_INET6, host, &any) == 1;
}

static void start_over(struct directory_sync *s)
{
    s->progress_us = clock_mono_us();
    if (is_address(s->config.host)) {
        start_connect(s, NULL);
    } else {
        resolve(s);
    }
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct directory_sync *s = arg;
    int64_t now = clock_mono_us();
    UNUSED(fd);
    UNUSED(what);
    revoked_expire(s->config.revoked, clock_wall_s());
    switch (s->state) {
    case SYNC_WAITING:
        if (now >= s->retry_us) {
            start_over(s);
        }
        break;
    case SYNC_RESOLVING: /* evdns has time limits of its own */
        break;
    case SYNC_CONNECTING:
    case SYNC_ASKING:
        if (now - s->progress_us > STUCK_US) {
            lose(s, "no answer");
        }
        break;
    case SYNC_IDLE:
        if (now - s->contact_us > PING_US) {
            ask(s, Q_PING, NULL);
        }
        break;
    }
}

enum err directory_sync_new(struct event_base *base, const struct directory_sync_config *config,
                            struct directory_sync **out)
{
    struct timeval every = { .tv_usec = TICK_MS * 1000 };
    struct directory_sync *s = calloc(1, sizeof(*s));
    if (!s) {
        return E_NOMEM;
    }
    s->config = *config;
    s->base = base;
    s->backoff_ms = BACKOFF_MIN_MS;
    s->io = event_new(base, -1, 0, on_io, s);
    s->tick = event_new(base, -1, EV_PERSIST, on_tick, s);
    if (!s->io || !s->tick || event_add(s->tick, &every) < 0) {
        directory_sync_free(s);
        return E_NOMEM;
    }
    start_over(s);
    *out = s;
    return OK;
}

void directory_sync_free(struct directory_sync *s)
{
    if (!s) {
        return;
    }
    if (s->resolving) {
        evdns_getaddrinfo_cancel(s->resolving);
    }
    if (s->dns) {
        evdns_base_free(s->dns, 1);
    }
    if (s->io) {
        event_free(s->io);
    }
    if (s->tick) {
        event_free(s->tick);
    }
    PQfinish(s->conn);
    free(s);
}

struct directory_sync_stats directory_sync_stats(const struct directory_sync *s)
{
    struct directory_sync_stats out = s->stats;
    out.connected = s->conn && directory_in_step(s->config.directory);
    out.age_ms = s->contact_us ? (clock_mono_us() - s->contact_us) / 1000 : -1;
    return out;
}
