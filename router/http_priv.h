/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What the files of http share: the server, its connections, the pool of exchanges. Nobody else includes this.
 * A connection moves between phases in http_conn_phase only; it holds at most one exchange at a time. */
#ifndef GREMIO_HTTP_PRIV_H
#define GREMIO_HTTP_PRIV_H

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/listener.h>
#include <openssl/ssl.h>
#include <sys/queue.h>

#include "router/http.h"
#include "router/http1.h"

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
    bool eof;            /* the client will send no more */
    bool queued;         /* something went into the output buffer: watch it for stalls */
    bool body_begun;     /* limits of the body were checked */
    int64_t deadline_us; /* of the phase; 0: none */
    int64_t start_us;    /* first byte of the present request */
    int64_t body_us;     /* body began */
    uint64_t body_max;   /* as flow said */
    uint64_t body_seen;  /* bytes on the wire, for the rate */
    uint64_t body_left;  /* of Content-Length */
    size_t lingered;     /* bytes thrown away */
    size_t unsent;       /* output at the last change, for write stalls */
    int64_t unsent_us;   /* time of that change */
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
    size_t live; /* exchanges in use */
    bool draining;
    bool freed; /* http_free was called; the last exchange frees the rest */
    struct sbuf out, doc;
    struct http_peer *peers[HTTP_PEER_BUCKETS];
};

/* http.c */
/* Frees the server's own memory once http_free was called and no exchange is left. */
void http_maybe_free(struct http_server *s);

/* http_peer.c: counts one more connection of the address; NULL when it has max already or memory is short. */
struct http_peer *http_peer_enter(struct http_server *s, const struct sockaddr *address,
                                  int64_t max);
void http_peer_leave(struct http_server *s, struct http_peer *peer);
/* The address without port as text. */
void http_peer_text(const struct sockaddr *address, char out[INET6_ADDRSTRLEN]);

/* http_exchange.c: one from the pool for the connection's present request; NULL when out of memory. */
struct http_exchange *http_exchange_take(struct http_conn *c);
/* Copies the head (its first c->head.line bytes at head) into the arena and points the fields into it. whole: the
 * head was accepted. E_BAD_REQUEST for what only shows after decoding. */
MUST_USE enum err http_exchange_fill(struct http_exchange *hx, const char *head, bool whole);
/* The last word (on_end), then back to the pool. */
void http_exchange_end(struct http_exchange *hx, int status, size_t bytes);

/* http_conn.c: takes over fd and peer; closes both on failure. */
void http_conn_new(struct http_server *s, int fd, const struct sockaddr *address,
                   struct http_peer *peer);
/* Handles whatever has arrived, request after request. */
void http_conn_pump(struct http_conn *c);
/* The same, later, from the event loop. */
void http_conn_pump_later(struct http_conn *c);
/* The only way from phase to phase; sets the phase's deadline. Not for HTTP_DEAD. */
void http_conn_phase(struct http_conn *c, enum http_phase next);
/* Answers the present request with a problem and closes. */
void http_conn_refuse(struct http_conn *c, enum err e);
/* Ends the connection at once; a held exchange is told (on_gone) or ended. */
void http_conn_kill(struct http_conn *c);

/* http_write.c: sends the answer and ends the exchange. */
void http_write_answer(struct http_exchange *hx, const struct http_answer *a);
/* Every answer is out: shuts our side and throws away what still comes. */
void http_write_linger(struct http_conn *c);
/* 503 on a bare socket over the cap, then closes it. */
void http_write_overload(struct http_server *s, int fd);

/* http_timer.c: looks at every connection once. */
void http_timer_tick(struct http_server *s);

#endif
