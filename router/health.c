/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Readiness as one document that names what is missing. */
#include "router/health.h"

bool health_ready(const struct health *h)
{
    bool slots = h->slots[KIND_API] > 0;
    for (unsigned k = 0; k < KIND_COUNT; k++) {
        slots = slots && (!h->needed[k] || h->slots[k] > 0);
    }
    return slots && !h->draining && h->directory_loaded && h->directory_connected && h->keys > 0;
}

void health_write(const struct health *h, struct sbuf *out)
{
    const char *directory = !h->directory_loaded     ? "empty"
                            : h->directory_connected ? "ok"
                                                     : "stale";
    sbuf_fmt(out, "{\"status\":\"%s\",\"draining\":%s,\"database\":\"%s\",",
             health_ready(h) ? "ready" : "not_ready", h->draining ? "true" : "false",
             h->directory_connected ? "ok" : "unavailable");
    sbuf_fmt(out,
             "\"directory\":{\"state\":\"%s\",\"age_ms\":%lld,\"tenants\":%zu,\"keys\":%zu},"
             "\"slots\":{",
             directory, (long long)h->directory_age_ms, h->tenants, h->keys);
    for (unsigned k = 0; k < KIND_COUNT; k++) {
        sbuf_fmt(out, "%s\"%s\":%u", k ? "," : "", slot_kind_name((enum slot_kind)k), h->slots[k]);
    }
    sbuf_text(out, "}}");
}
