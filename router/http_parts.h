/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The data that the files of http share: the server, its connections, the pool of exchanges. Nobody else includes this.
 * Upwards they are http_peer and http_exchange (ground), http_life (phases and ends), http_unsent (output that
 * waits), http_write (answers), http_conn (reading), http_timer (deadlines), http (listening). A connection holds at most one exchange at a time. */
#ifndef GREMIO_HTTP_PARTS_H
#define GREMIO_HTTP_PARTS_H

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/listener.h>
#include <openssl/ssl.h>
#include <sys/queue.h>

#include "router/http1.h"
#include "router/http_types.h"

#define HTTP_TICK_MS      100         /* grain of every deadline */
#define HTTP_LINGER_MS    2000        /* a closing connection reads on this long at the most */
#define HTTP_LINGER_BYTES (4u << 20)  /* ... and this much */
#define HTTP_UNSENT_MAX   (64u << 10) /* answers waiting to be sent before pipelined requests wait */
#define HTTP_INPUT_SLACK  (16u << 10) /* read ahead of a whole head */
#define HTTP_ARENA_MAX    (24u << 20) /* of one exchange */
#define HTTP_SPARE_MAX    4096        /* exchanges kept for reuse */
#define HTTP_BODY_KEEP    (64u << 10) /* body memory kept by a spare exchange */
#define HTTP_STATUS_GONE  499         /* for the log: the client left before the answer */
#define HTTP_PEER_BUCKETS 1024

/* Connections of one address (IPv6: of one /64). */
struct http_peer {
    struct http_peer *next;
    uint8_t key[16];
    unsigned count;
};

/* An exchange and what http alone knows of it. x comes first: the two are cast into each other. */
struct http_exchange {
    struct exchange x;
    struct http_server *server;
    struct http_exchange *next; /* in the pool */
    struct sbuf body;
};

enum http_phase {
    HTTP_HANDSHAKE, /* TLS is being agreed */
    HTTP_IDLE,      /* waits for a request */
    HTTP_HEAD,      /* part of a head has come */
    HTTP_DECIDE,    /* flow has seen the head and neither answered nor taken the body */
    HTTP_BODY,      /* the body is coming */
    HTTP_BUSY,      /* flow holds the exchange; nothing more is read than the buffer takes */
    HTTP_REST,      /* was refused for load: what comes before its Retry-After waits */
    HTTP_CLOSING,   /* the last answer is on its way out */
    HTTP_LINGER,    /* our side is shut; what the client still sends is thrown away */
    HTTP_DEAD,      /* freed as soon as the pump up the stack returns */
};

struct http_conn {
    LIST_ENTRY(http_conn) link;
    struct http_server *server;
    struct bufferevent *bev;
    struct http_peer *peer;
    struct http_exchange *hx; /* NULL between requests */
    enum http_phase phase;
    bool tls, pumping;
    bool paused;         /* not read: enough waits to be handled */
    bool eof;            /* the client will send no more */
    bool queued;         /* something went into the output buffer: watch it for stalls */
    bool body_begun;     /* limits of the body were checked */
    bool shared;         /* has brought requests of several practices: a proxy's, it never rests */
    unsigned refused;    /* times in a row, for load */
    struct uuid tenant;  /* of the last request that had one */
    int64_t deadline_us; /* of the phase; 0: none */
    int64_t start_us;    /* first byte of the present request */
    int64_t body_us;     /* body began */
    uint64_t body_max;   /* as flow said */
    uint64_t body_seen;  /* bytes on the wire, for the rate */
    uint64_t body_left;  /* of Content-Length */
    size_t lingered;     /* bytes thrown away */
    size_t unsent;       /* output buffer at the last look, counted in the server's sum */
    uint64_t taken;      /* bytes that left it in the present window of write_timeout */
    int64_t window_us;   /* begin of that window */
    int64_t queued_us;   /* the output buffer has not been empty since */
    int64_t requests;
    struct http1_head head;
    struct http1_chunk chunk;
    char address[INET6_ADDRSTRLEN];
};

LIST_HEAD(http_conns, http_conn);

struct http_server {
    struct event_base *base;
    const struct http_limits *limits;
    struct http_callbacks cb;
    SSL_CTX *tls;
    struct evconnlistener *listener;
    struct event *tick;   /* deadlines, while there are connections */
    struct event *resume; /* listens again after descriptors ran out */
    struct http_conns conns;
    size_t conn_count;
    size_t conn_cap; /* what the descriptor limit leaves */
    struct http_exchange *spare;
    size_t spare_count;
    size_t live;   /* exchanges in use */
    size_t unsent; /* bytes in all output buffers, at least */
    bool draining;
    bool freed; /* http_free was called; the last exchange frees the rest */
    struct sbuf out, doc;
    struct http_peer *peers[HTTP_PEER_BUCKETS];
};

#endif
