/* SPDX-License-Identifier: LicenseRef-Gremio */
/* An origin is compared whole: scheme, host and port as the browser writes them, which leaves out a port that is the
 * scheme's own in Origin and in Host alike. */
#include "router/origin.h"

#include "common/str.h"

static bool is_this_host(struct slice origin, struct slice scheme, struct slice host)
{
    return host.n > 0 && origin.n == scheme.n + host.n && str_starts(origin, scheme) &&
           str_ieq((struct slice){ origin.p + scheme.n, host.n }, host);
}

/* scheme://host[:port] of a URL. */
static struct slice origin_part(struct slice url)
{
    const char *mark = url.n ? memmem(url.p, url.n, "://", 3) : NULL;
    size_t n = mark ? (size_t)(mark - url.p) + 3 : url.n;
    while (n < url.n && url.p[n] != '/') {
        n++;
    }
    return (struct slice){ url.p, n };
}

enum origin origin_of(const struct exchange *x, bool secure, struct slice public_url)
{
    if (x->origin.n > 0 && !slice_eq(x->origin, SLICE("null"))) {
        bool own = is_this_host(x->origin, secure ? SLICE("https://") : SLICE("http://"),
                                x->host) ||
                   str_ieq(x->origin, origin_part(public_url));
        return own ? ORIGIN_OWN : ORIGIN_FOREIGN;
    }
    if (x->fetch_site.n > 0) {
        return slice_eq(x->fetch_site, SLICE("same-origin")) ? ORIGIN_OWN : ORIGIN_FOREIGN;
    }
    return ORIGIN_UNKNOWN;
}
