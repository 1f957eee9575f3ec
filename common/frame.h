/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What router and slots say to each other over Unix sockets: length-prefixed frames, every field written and read
 * one by one (big-endian, lengths checked before use). No HTTP text crosses, so the two can never disagree about
 * where a message ends. An unknown type or a bad length means: drop the channel. Pure. */
#ifndef GREMIO_FRAME_H
#define GREMIO_FRAME_H

#include "common/route_map.h"
#include "common/sbuf.h"
#include "common/tenant.h"

#define FRAME_MAGIC   0x47524d32u /* "GRM2": another layout, another number */
#define FRAME_HEAD    12 /* magic u32, type u8, 3 reserved zero bytes, length of the rest u32 */
#define FRAME_MAX     (24u << 20)      /* bytes of one frame */
#define FRAME_ID_MAX  64               /* request id text */
#define FRAME_ID_SIZE (FRAME_HEAD + 8) /* bytes of a frame that holds an id and nothing else */
#define ROLE_CODE_MAX 33

enum frame_type {
    FRAME_HELLO = 1,   /* slot -> router, first on every channel */
    FRAME_REQUEST = 2, /* router -> slot */
    FRAME_STARTED = 3, /* slot -> router: an unsafe request is about to touch the database */
    FRAME_REPLY = 4,   /* slot -> router */
    FRAME_CANCEL =
        5, /* router -> slot: nobody waits any more; a request not yet started is dropped, but answered: every
            * REQUEST gets one REPLY, for the router counts what a slot holds */
    FRAME_DRAIN = 6, /* slot -> router: send nothing more, what was sent will be answered */
    FRAME_DYING =
        7, /* slot -> router, its last words, one for each: it crashes while it runs this request */
};

/* Who a verified token speaks for. All zero for an open route. */
struct principal {
    bool present;
    struct uuid account; /* sub */
    struct uuid tenant;
    struct uuid member; /* staff row in the tenant */
    struct uuid session;
    char role[ROLE_CODE_MAX];
    uint32_t epoch;    /* permission epoch */
    uint64_t proved_s; /* seconds since 1970: when the session last proved who it is */
    bool enrol;        /* may do nothing but set up a second factor */
};

struct frame_hello {
    enum slot_kind kind;
    uint16_t slot; /* index among all slots of this worker */
    uint32_t pid;
    uint16_t
        batch_max; /* requests it takes into one batch: the router keeps at most twice that in flight here */
    struct route_map *map; /* filled by decode into the caller's storage; borrowed by encode */
};

/* Slices are borrowed: from the caller when encoding, from the frame's bytes when decoding. */
struct frame_request {
    uint64_t id;         /* unique per router process */
    int64_t deadline_us; /* CLOCK_MONOTONIC of this machine */
    int64_t sent_us;     /* CLOCK_MONOTONIC when it was queued for the slot */
    enum method method;
    enum lang lang;
    bool alone;           /* nothing else is to be under way in the slot: slots died of its like */
    bool has_tenant;      /* false for open routes, and for a link of no practice that is known */
    struct tenant tenant; /* the directory's row: code, pool, state, version, id, slug */
    struct principal principal;
    struct slice request_id; /* at most FRAME_ID_MAX */
    struct slice path;       /* percent-decoded, normalised */
    struct slice query;      /* raw, without '?' */
    struct slice peer;       /* client's address as text */
    struct slice user_agent;
    struct slice content_type;
    struct slice if_match;
    struct slice if_none_match;
    struct slice idempotency_key;
    struct slice body;
};

enum frame_content {
    CONTENT_NONE,
    CONTENT_JSON,
    CONTENT_PROBLEM,
    CONTENT_TEXT,
    CONTENT_HTML,
    CONTENT_SVG,
    CONTENT_CALENDAR,
    CONTENT_COUNT
};

struct frame_reply {
    uint64_t id;
    uint16_t status;
    enum frame_content content;
    uint16_t retry_after; /* seconds; 0: no field */
    uint32_t queue_us;    /* waited in the slot before its batch */
    uint32_t db_us;       /* in the database's hands */
    bool replayed;        /* Idempotency-Replayed: true */
    bool no_store;        /* Cache-Control: no-store */
    enum lang lang;       /* of CONTENT_HTML */
    bool sets_cookie;     /* the guest's: cookie is its value, empty to take it away */
    uint32_t cookie_age_s;
    struct slice route; /* pattern of the route, for log and metrics; empty if none matched */
    struct slice code;  /* problem code; empty on success */
    struct slice etag;  /* whole field value, quotes included */
    struct slice location;
    struct slice allow;
    struct slice cookie;
    struct slice style; /* of CONTENT_HTML: SHA-256 of its one style element, in Base64 */
    struct slice body;
};

/* Encoders append one whole frame; out of memory shows in sbuf_failed. E_BAD_REQUEST when a field is over its limit. */
MUST_USE enum err frame_put_hello(struct sbuf *out, const struct frame_hello *h);
MUST_USE enum err frame_put_request(struct sbuf *out, const struct frame_request *r);
MUST_USE enum err frame_put_reply(struct sbuf *out, const struct frame_reply *r);
/* STARTED, CANCEL, DYING and DRAIN (id 0). */
void frame_put_id(struct sbuf *out, enum frame_type type, uint64_t id);
/* The same into plain memory; safe in a signal handler. */
void frame_write_id(char out[FRAME_ID_SIZE], enum frame_type type, uint64_t id);

/* Looks at buffered bytes: OK with *type and *total (whole frame, header included) once the header is there and sane
 * (the frame itself may still be incomplete: total > in.n); E_AGAIN when fewer than FRAME_HEAD bytes; E_BAD_REQUEST: drop the channel. */
MUST_USE enum err frame_peek(struct slice in, enum frame_type *type, size_t *total);
/* Decoders take exactly one whole frame (as peeked); E_BAD_REQUEST on any inconsistency, trailing bytes included. */
MUST_USE enum err frame_get_hello(struct slice frame, struct frame_hello *out);
MUST_USE enum err frame_get_request(struct slice frame, struct frame_request *out);
MUST_USE enum err frame_get_reply(struct slice frame, struct frame_reply *out);
MUST_USE enum err frame_get_id(struct slice frame, uint64_t *id);

#endif
