/* SPDX-License-Identifier: LicenseRef-Gremio */
/* How many connections each address has open. The table holds only addresses that have one, so the cap on connections
 * bounds it. */
#include "router/http_peer.h"

#include <netinet/in.h>
#include <stdlib.h>

#include "common/str.h"

/* One IPv4 address; one /64 of IPv6, since a single host owns that much. */
static void make_key(const struct sockaddr *address, uint8_t key[16])
{
    memset(key, 0, 16);
    if (address->sa_family == AF_INET) {
        memcpy(key, &((const struct sockaddr_in *)address)->sin_addr, 4);
    } else if (address->sa_family == AF_INET6) {
        key[15] = 6;
        memcpy(key, &((const struct sockaddr_in6 *)address)->sin6_addr, 8);
    }
}

static struct http_peer **bucket_of(struct http_server *s, const uint8_t key[16])
{
    uint64_t hash = str_hash((struct slice){ (const char *)key, 16 });
    return &s->peers[(hash ^ hash >> 32) % HTTP_PEER_BUCKETS];
}

struct http_peer *http_peer_enter(struct http_server *s, const struct sockaddr *address,
                                  int64_t max)
{
    uint8_t key[16];
    make_key(address, key);
    struct http_peer **bucket = bucket_of(s, key);
    struct http_peer *p = *bucket;
    while (p != NULL && memcmp(p->key, key, sizeof(key)) != 0) {
        p = p->next;
    }
    if (p == NULL) {
        p = calloc(1, sizeof(*p));
        if (p == NULL) {
            return NULL;
        }
        memcpy(p->key, key, sizeof(key));
        p->next = *bucket;
        *bucket = p;
    } else if (p->count >= max) {
        return NULL;
    }
    p->count++;
    return p;
}

void http_peer_leave(struct http_server *s, struct http_peer *peer)
{
    if (--peer->count > 0) {
        return;
    }
    struct http_peer **at = bucket_of(s, peer->key);
    while (*at != peer) {
        at = &(*at)->next;
    }
    *at = peer->next;
    free(peer);
}

void http_peer_text(const struct sockaddr *address, char out[INET6_ADDRSTRLEN])
{
    const void *raw = address->sa_family == AF_INET6
                          ? (const void *)&((const struct sockaddr_in6 *)address)->sin6_addr
                          : (const void *)&((const struct sockaddr_in *)address)->sin_addr;
    bool known = address->sa_family == AF_INET || address->sa_family == AF_INET6;
    if (!known || inet_ntop(address->sa_family, raw, out, INET6_ADDRSTRLEN) == NULL) {
        memcpy(out, "unix", sizeof("unix"));
    }
}
