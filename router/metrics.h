/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Counters of one process and their rendering as Prometheus text (exposition format 0.0.4). Pure: gauges are handed in
 * as a view when somebody asks. */
#ifndef GREMIO_METRICS_H
#define GREMIO_METRICS_H

#include "common/frame.h"
#include "router/dispatch.h"
#include "router/token_cache.h"
#include "router/upstream.h"

#define METRICS_CLASSES 5 /* 1xx .. 5xx */
#define METRICS_BUCKETS 14

/* Why a request was refused before any slot saw it. */
enum shed {
    SHED_RATE,
    SHED_TENANT,
    SHED_PROCESS,
    SHED_QUEUE,
    SHED_NO_SLOT,
    SHED_POISON,
    SHED_COUNT,
};

struct metrics {
    uint64_t requests[KIND_COUNT + 1][METRICS_CLASSES]; /* the last row: answered by the router */
    uint64_t shed[SHED_COUNT];
    uint64_t bytes;
    uint64_t latency[METRICS_BUCKETS + 1]; /* not cumulated; the last one is beyond all bounds */
    uint64_t latency_us;
};

struct metrics_view {
    size_t connections, inflight, inflight_tenants, tenants, keys, revoked;
    bool directory_connected, draining;
    int64_t directory_age_ms; /* -1: never read */
    uint64_t directory_connects, directory_notifications;
    uint64_t log_dropped;
    struct token_cache_stats tokens;
    struct dispatch_stats dispatch;
    unsigned channels[CHANNEL_STATE_COUNT];
};

/* kind KIND_COUNT: answered by the router itself. */
void metrics_count(struct metrics *m, unsigned kind, int status, size_t bytes, int64_t total_us);
void metrics_shed(struct metrics *m, enum shed why);
void metrics_render(const struct metrics *m, const struct metrics_view *v, struct sbuf *out);

#endif
