/* SPDX-License-Identifier: LicenseRef-Gremio */
/* One request inside a slot, as the files that check, bind and page it see it. What a handler may do with it is
 * call.h, which stands above them. */
#ifndef GREMIO_CALL_STATE_H
#define GREMIO_CALL_STATE_H

#include "common/arena.h"
#include "common/frame.h"
#include "common/problem.h"
#include "worker/route.h"

/* One parameter after validation. */
struct value {
    bool present;     /* was in the request (not the fallback) */
    bool null;        /* absent without fallback, or JSON null */
    const char *text; /* as PostgreSQL takes it; NUL-terminated; NULL when null */
    int64_t number;   /* T_INT and T_BOOL */
};

struct call {
    const struct frame_request *req;
    const struct route *route;
    struct arena *arena;
    struct value *params;          /* in the order of route->params */
    struct value *vars;            /* in the order of route->vars; null until set */
    struct value *builtins;        /* by enum stmt_builtin: new_id, me_member, ... */
    const struct route_plan *plan; /* what boot made of route: worker/routes.h */
    struct sbuf *body;             /* what reply.body is written to; kept from request to request */
    struct perm_set perms;         /* of the caller; nothing on open routes */
    enum reach reach;              /* of the route's permission */
    size_t
        kept; /* of an object in body: so much of it may be shown again, a brace behind; 0: all of it */
    struct problem problem; /* filled by whoever refuses; err is the answer's */
    bool keep; /* set by a handler that refuses: what it wrote is committed all the same */
    bool undo; /* set by a handler that answers: what it wrote is undone all the same */
    struct frame_reply reply;   /* SHAPE_RAW handlers and framework fill it; body in arena */
    const struct slot_env *env; /* what this slot kind owns (keys, limits): worker/slot_env.h */
    struct unit *unit;          /* the open unit of work: unit.c only */
};

#endif
