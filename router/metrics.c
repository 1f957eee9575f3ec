/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Rendering is rows where it can be: name, help, value. */
#include "router/metrics.h"

#include <inttypes.h>

static const int64_t bucket_us[METRICS_BUCKETS] = {
    250,   500,    1000,   2500,   5000,    10000,   25000,
    50000, 100000, 250000, 500000, 1000000, 2500000, 10000000,
};

static const char *const shed_names[SHED_COUNT] = {
    [SHED_RATE] = "tenant_rate", [SHED_TENANT] = "tenant_limit", [SHED_PROCESS] = "process_limit",
    [SHED_QUEUE] = "queue_full", [SHED_NO_SLOT] = "no_slot",     [SHED_POISON] = "poison",
};

void metrics_count(struct metrics *m, unsigned kind, int status, size_t bytes, int64_t total_us)
{
    int class = status / 100;
    if (kind > KIND_COUNT || class < 1 || class > METRICS_CLASSES) {
        return; /* a connection that ended without an answer */
    }
    m->requests[kind][class - 1]++;
    m->bytes += bytes;
    m->latency_us += (uint64_t)(total_us > 0 ? total_us : 0);
    size_t i = 0;
    while (i < METRICS_BUCKETS && total_us > bucket_us[i]) {
        i++;
    }
    m->latency[i]++;
}

void metrics_shed(struct metrics *m, enum shed why)
{
    m->shed[why]++;
}

static void head(struct sbuf *out, const char *name, const char *type, const char *help)
{
    sbuf_fmt(out, "# HELP gremio_router_%s %s\n# TYPE gremio_router_%s %s\n", name, help, name,
             type);
}

static void one(struct sbuf *out, const char *name, const char *type, const char *help, double v)
{
    head(out, name, type, help);
    sbuf_fmt(out, "gremio_router_%s %.15g\n", name, v);
}

static const char *kind_name(unsigned kind)
{
    return kind < KIND_COUNT ? slot_kind_name((enum slot_kind)kind) : "router";
}

static void render_requests(const struct metrics *m, struct sbuf *out)
{
    head(out, "requests_total", "counter", "Answered requests by slot kind and status class.");
    for (unsigned k = 0; k <= KIND_COUNT; k++) {
        for (unsigned c = 0; c < METRICS_CLASSES; c++) {
            sbuf_fmt(out, "gremio_router_requests_total{kind=\"%s\",status=\"%uxx\"} %" PRIu64 "\n",
                     kind_name(k), c + 1, m->requests[k][c]);
        }
    }
    head(out, "shed_total", "counter", "Requests refused before any slot saw them.");
    for (unsigned i = 0; i < SHED_COUNT; i++) {
        sbuf_fmt(out, "gremio_router_shed_total{reason=\"%s\"} %" PRIu64 "\n", shed_names[i],
                 m->shed[i]);
    }
}

static void render_latency(const struct metrics *m, struct sbuf *out)
{
    uint64_t sum = 0;
    head(out, "request_seconds", "histogram", "From a request's first byte to its answer.");
    for (size_t i = 0; i < METRICS_BUCKETS; i++) {
        sum += m->latency[i];
        sbuf_fmt(out, "gremio_router_request_seconds_bucket{le=\"%.9g\"} %" PRIu64 "\n",
                 (double)bucket_us[i] / 1e6, sum);
    }
    sum += m->latency[METRICS_BUCKETS];
    sbuf_fmt(out,
             "gremio_router_request_seconds_bucket{le=\"+Inf\"} %" PRIu64 "\n"
             "gremio_router_request_seconds_sum %.6f\n"
             "gremio_router_request_seconds_count %" PRIu64 "\n",
             sum, (double)m->latency_us / 1e6, sum);
}

static void by_kind(struct sbuf *out, const char *name, const char *help,
                    const size_t values[KIND_COUNT])
{
    head(out, name, "gauge", help);
    for (unsigned k = 0; k < KIND_COUNT; k++) {
        sbuf_fmt(out, "gremio_router_%s{kind=\"%s\"} %zu\n", name, kind_name(k), values[k]);
    }
}

static void render_waits(const struct dispatch_stats *d, struct sbuf *out)
{
    head(out, "queue_wait_seconds", "summary", "From a request's arrival to its slot.");
    for (unsigned k = 0; k < KIND_COUNT; k++) {
        sbuf_fmt(out,
                 "gremio_router_queue_wait_seconds_sum{kind=\"%s\"} %.6f\n"
                 "gremio_router_queue_wait_seconds_count{kind=\"%s\"} %" PRIu64 "\n",
                 kind_name(k), (double)d->waited_us[k] / 1e6, kind_name(k), d->sent[k]);
    }
}

static void render_slots(const struct metrics_view *v, struct sbuf *out)
{
    const struct dispatch_stats *d = &v->dispatch;
    by_kind(out, "queue_depth", "Requests waiting for a slot.", d->queued);
    by_kind(out, "queue_sources", "Tenants and addresses they are from.", d->queued_sources);
    by_kind(out, "queue_room", "Requests that may wait at the present pace.", d->queue_room);
    by_kind(out, "slot_inflight", "Requests that slots have not answered.", d->inflight);
    head(out, "slots", "gauge", "Connected slots.");
    for (unsigned k = 0; k < KIND_COUNT; k++) {
        sbuf_fmt(out, "gremio_router_slots{kind=\"%s\"} %u\n", kind_name(k), d->slots[k]);
    }
    head(out, "channels", "gauge", "Sockets to slots by state.");
    for (unsigned s = 0; s < CHANNEL_STATE_COUNT; s++) {
        sbuf_fmt(out, "gremio_router_channels{state=\"%s\"} %u\n",
                 upstream_state_name((enum channel_state)s), v->channels[s]);
    }
}

static void render_dispatch(const struct dispatch_stats *d, struct sbuf *out)
{
    const struct {
        const char *name, *help;
        uint64_t value;
    } rows[] = {
        { "pushed_out_total", "Requests refused for one of a tenant with a shorter queue.",
          d->pushed_out },
        { "moved_total", "Safe requests sent to another slot because theirs stood still.",
          d->moved },
        { "retried_total", "Requests sent again because their slot died.", d->retried },
        { "poisoned_total", "Requests refused because slots died of them.", d->poisoned },
        { "outcome_unknown_total", "Unsafe requests lost with their slot.", d->unknown },
        { "deadline_total", "Requests without an answer in time.", d->expired },
        { "late_total", "Answers nobody waited for any more.", d->late },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        one(out, rows[i].name, "counter", rows[i].help, (double)rows[i].value);
    }
}

static void render_state(const struct metrics *m, const struct metrics_view *v, struct sbuf *out)
{
    const struct {
        const char *name, *type, *help;
        double value;
    } rows[] = {
        { "response_bytes_total", "counter", "Bytes of answers.", (double)m->bytes },
        { "connections", "gauge", "Open client connections.", (double)v->connections },
        { "inflight", "gauge", "Requests in flight.", (double)v->inflight },
        { "inflight_tenants", "gauge", "Tenants and addresses in flight.",
          (double)v->inflight_tenants },
        { "draining", "gauge", "1 after SIGTERM.", v->draining },
        { "directory_tenants", "gauge", "Known tenants.", (double)v->tenants },
        { "directory_keys", "gauge", "Known signing keys.", (double)v->keys },
        { "directory_connected", "gauge", "1: in step with the database.", v->directory_connected },
        { "directory_age_seconds", "gauge", "Since the database answered; -1: never.",
          v->directory_age_ms < 0 ? -1 : (double)v->directory_age_ms / 1e3 },
        { "directory_connects_total", "counter", "Connections made.",
          (double)v->directory_connects },
        { "directory_notifications_total", "counter", "Changes told by the database.",
          (double)v->directory_notifications },
        { "log_dropped_total", "counter", "Lines of the log that nobody took.",
          (double)v->log_dropped },
        { "revoked_sessions", "gauge", "Ended sessions remembered.", (double)v->revoked },
        { "token_cache_entries", "gauge", "Verified tokens.", (double)v->tokens.entries },
        { "token_cache_hits_total", "counter", "Tokens found verified.", (double)v->tokens.hits },
        { "token_cache_misses_total", "counter", "Tokens verified anew.",
          (double)v->tokens.misses },
        { "token_refused_total", "counter", "Tokens refused.", (double)v->tokens.refused },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        one(out, rows[i].name, rows[i].type, rows[i].help, rows[i].value);
    }
}

void metrics_render(const struct metrics *m, const struct metrics_view *v, struct sbuf *out)
{
    render_requests(m, out);
    render_latency(m, out);
    render_slots(v, out);
    render_waits(&v->dispatch, out);
    render_dispatch(&v->dispatch, out);
    render_state(m, v, out);
}
