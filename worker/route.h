/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The rows an endpoint is made of. Adding an endpoint means adding a struct route to a file of worker/api/:
 * from it come routing, permission, validation, SQL parameters, JSON out, OpenAPI and the all-roles test.
 * Rows are const and live for ever; arrays end with a zeroed row. */
#ifndef GREMIO_ROUTE_H
#define GREMIO_ROUTE_H

#include "common/route_map.h"

/* Types of parameters in and columns out. */
enum type {
    T_TEXT =
        1, /* UTF-8 without control characters but newline and tab; min and max in characters */
    T_INT, /* within [min, max] */
    T_BOOL,
    T_UUID,
    T_DATE, /* RFC 3339 full-date */
    T_TIME, /* RFC 3339 date-time with offset, or local wall time without one: kept as text for PostgreSQL */
    T_MOMENT, /* T_DATE or T_TIME, kept as text: a range's end (ext.moment makes the instant) */
    T_LOCALE, /* BCP 47 language or language-REGION: "es", "es-MX" */
    T_EMAIL,  /* one address, lower-cased, at most 254 */
    T_PHONE,  /* E.164 after blanks, dots, dashes and brackets are dropped: + and 8 to 15 digits */
    T_CURRENCY, /* ISO 4217, three capitals */
    T_COLOR,    /* #rrggbb */
    T_ZONE, /* an IANA zone name PostgreSQL knows (shape checked here, existence by the statement) */
    T_CHOICE,   /* one of .choices, words separated by a blank */
    T_CURSOR,   /* opaque, made by the list itself */
    T_PASSWORD, /* 1 to 256 bytes, any UTF-8 */
    T_FILE,     /* text of a file, any UTF-8: min and max in bytes */
    T_WORDS,    /* a list of words of .choices, none twice: '{see,cancel}' */
    T_SPANS, /* a list of times of one day, in order, none over another: '{09:00-14:00,16:00-02:00}' (the next day). With .choices (the days'
                names) of a week, in any order, none twice: '{monday 09:00-14:00,monday 11:00-11:15 odd break}'. At most .max of them */
    T_IDS, /* a list of ids, none twice, each perhaps with a number from .min to .max behind a colon: '{ID,ID:45}' */
    T_DOCUMENT, /* a JSON array or object, kept as its text: min and max in bytes of that; the handler looks inside */
    /* columns only */
    T_INSTANT, /* timestamptz -> "2026-07-01T15:00:00Z" */
    T_ZONED,   /* TWO SQL columns, timestamptz and local timestamp -> "2026-07-01T09:00:00-06:00" */
    T_JSON,    /* copied as it came */
    T_ADDED, /* a text that the handler adds (call_answer_once): last, and no output of the statement */
};

enum where { IN_PATH = 1, IN_QUERY, IN_BODY };

struct param {
    const char *name;
    enum where in;
    enum type type;
    int64_t min, max; /* characters or value; 0, 0: the type's own bounds (text: 1 to 200) */
    bool required;
    bool nullable;        /* body: null is a value (clears the column) */
    const char *fallback; /* value when absent; NULL: SQL null */
    const char *choices;
    const char *doc;
};

/* Columns stand in the order of the statement's output: the first row is its first column, T_ZONED takes two.
 * Further outputs behind them are not shown (a list's sort key). Members of one nested object stand together; an
 * object whose members are all null is still written. In a list every output needs a name of its own. */
struct column {
    const char *name; /* a dot nests: "client.name" */
    enum type type;
    const char *doc;
};

/* One order of a list. The list's SQL must have key and id among its output names; key is never null. */
struct sort {
    const char *name; /* as in ?sort=; "-created_at" is descending */
    const char *key;  /* output name of the list's SQL */
    const char *
        type; /* PostgreSQL type of key, for the cursor: "text", "timestamptz", "date", "bigint", "uuid" */
    bool desc;
};

enum shape {
    SHAPE_NONE = 1, /* no body (204) */
    SHAPE_ONE,      /* one row as an object; no row: 404 */
    /* {"data": [...], "next_cursor": ...}. With sorts: the query parameters limit (1 to 200, default 50), cursor
     * and, when there is more than one sort, sort are built in, and ordering, limit and cursor are added around the
     * row's sql (no ORDER BY or LIMIT there). Without sorts: a short list in the statement's own order, cut at 200. */
    SHAPE_PAGE,
    SHAPE_RAW, /* the handler wrote the body */
};

enum cost { COST_FAST = 1, COST_SLOW, COST_AUTH };

enum perm {
    PERM_NONE = 0, /* boot refuses a row with it unless .open */
    PERM_SELF,     /* any member: own profile */
    PERM_BUSINESS_READ,
    PERM_BUSINESS_WRITE,
    PERM_STAFF_READ,
    PERM_STAFF_WRITE, /* members and invitations */
    PERM_ROLE_WRITE,
    PERM_KEY_WRITE, /* keys for integrations */
    PERM_SERVICE_READ,
    PERM_SERVICE_WRITE,
    PERM_CLIENT_READ,
    PERM_CLIENT_WRITE,
    PERM_APPOINTMENT_READ,
    PERM_APPOINTMENT_BOOK,
    PERM_APPOINTMENT_CHANGE, /* move, and what takes no time */
    PERM_APPOINTMENT_CANCEL,
    PERM_APPOINTMENT_ATTEND,   /* the steps of a visit: arrived, begun, over, not come */
    PERM_APPOINTMENT_OVERRIDE, /* book and move outside of hours, or beside others, with a reason */
    PERM_APPOINTMENT_REOPEN,   /* what is over */
    PERM_LINK_READ,
    PERM_LINK_WRITE,
    PERM_GUEST, /* a client who came by a link: only what the link covers; no role of a member has it */
    PERM_COUNT,
};

/* Whose rows a permission reaches. Permissions about clients and appointments have a reach, the others all or none. */
enum reach {
    REACH_NONE = 0,
    REACH_OWN,  /* my appointments, clients that are mine or come to me */
    REACH_TEAM, /* and those of whoever is in the same team */
    REACH_ALL,
};

struct perm_set {
    uint8_t reach[PERM_COUNT]; /* enum reach */
};

/* One SQL statement with :name placeholders. Names are the route's params, its vars, or the built-in ones:
 *   :new_id (a fresh UUIDv7 per request), :me_member, :me_account, :me_session, :me_role, :tenant_id, :if_version.
 * ":name?" is a boolean: was the body field present. "::" is a cast as usual. ":scope(client c)" is the condition that row c
 * of table client is within the caller's reach (worker/scope.h): a row's statement about clients, appointments or their
 * staff has one, or the worker does not start. */
struct stmt {
    const char *name; /* unique within the route: for logs */
    const char *sql;
};

struct call; /* worker/call.h */
typedef enum err (*route_handler_fn)(struct call *c);

struct route {
    enum method method;
    const char *path;
    const char *summary; /* one line, English, for OpenAPI */
    bool open;           /* no token: need must be PERM_NONE */
    bool
        by_link; /* open, and runs as the practice that the path's first name says: {token} a link's token, {slug} the practice's public name. Of those who
                  * come by slug nothing is known: they reach all, and the handler shows what is public */
    bool form;   /* takes an HTML form (application/x-www-form-urlencoded) besides JSON */
    bool page;   /* for people: HTML, not in OpenAPI; a browser gets refusals as pages too */
    const char *
        back; /* a page: what a person can mend is said there, 303 to BACK?problem=CODE; {names} as in location */
    enum perm need;
    enum perm also; /* a second permission, of those without a reach; PERM_NONE: no other */
    bool step_up;   /* dangerous: the session must have proved itself within step_up_within */
    bool
        unowned; /* whatever the permission's reach, there is nobody's row in it yet: what it makes becomes the caller's */
    bool enrolment; /* also for who still has to set up a second factor before anything else */
    enum cost cost;
    uint32_t
        max_body; /* bytes; 0: 64 KiB for POST, PUT and PATCH and where there are body rows, none otherwise */
    const struct param *params;
    const struct param *vars;     /* further placeholders that the handler sets */
    const struct column *columns; /* of the answer */
    const struct sort *sorts;     /* lists: first is the default */
    const char *sql;              /* the row's one statement; NULL when a handler runs stmts */
    const char
        *probe; /* run after sql when it changed nothing: a row found means 412 or 409, none 404 */
    enum err probe_err;              /* what a probe hit means; OK: E_PRECONDITION_FAILED */
    const struct stmt *const *stmts; /* a handler's statements, NULL-terminated */
    route_handler_fn handler;
    enum shape shape;
    int success; /* 200, 201, 202, 204; raw: 303 too */
    bool
        etag; /* answer has a "version" column, or is raw and the handler says one: ETag; GET honours If-None-Match */
    bool if_match; /* 428 without If-Match; :if_version is its number */
    bool
        any_version; /* a PATCH, PUT or DELETE that needs no If-Match; boot refuses one with neither */
    const char *
        location; /* 201: "/api/v1/clients/{id}" filled from the answer's id column; 303: from the request's parameters */
};

#define ROUTE_PAGE_MAX      200 /* rows of one page */
#define ROUTE_PAGE_DEFAULT  50
#define ROUTE_PARAMS_LIMIT  48 /* rows of one route's params, built-in ones included */
#define ROUTE_VARS_LIMIT    48
#define ROUTE_COLUMNS_LIMIT 64

/* "given_name = CASE WHEN :given_name? THEN :given_name ELSE given_name END": one column of a PATCH. */
#define PATCH_COLUMN(name) name " = CASE WHEN :" name "? THEN :" name " ELSE " name " END"

/* ":archived" of a PATCH archives a row or brings it back. ARCHIVE_COLUMNS is what DELETE sets: done twice, nothing changes. */
#define PATCH_ARCHIVED                                        \
    "archived_at = CASE WHEN NOT :archived? THEN archived_at" \
    " WHEN :archived THEN coalesce(archived_at, now()) END"
#define ARCHIVE_COLUMNS                                                                           \
    "archived_at = coalesce(archived_at, now()), version = version + (archived_at IS NULL)::int," \
    " updated_at = CASE WHEN archived_at IS NULL THEN now() ELSE updated_at END"

/* Every resource's rows: worker/api.c lists them, one visible array, ended by NULL. */
extern const struct route *const route_tables[];
/* What no request asks for: kinds of work of the jobs slot that ask the same statements (worker/jobs.c). The path is "/" and the kind; var "raised"
 * is the word that asked for it, var "next" says when there will be more (worker/jobs_kind.h). */
extern const struct route *const work_tables[];

extern const struct route auth_routes[], keys_routes[], session_routes[], account_routes[],
    recovery_routes[], invitation_routes[], joining_routes[], email_routes[],
    second_factor_routes[], step_up_routes[], business_factor_routes[], me_routes[],
    business_routes[], staff_routes[], role_routes[], api_key_routes[], service_routes[],
    asset_routes[], block_routes[], waitlist_routes[], waitlist_offer_routes[],
    waitlist_work_routes[], client_routes[], appointment_routes[], series_routes[],
    series_change_routes[], visit_step_routes[], hold_routes[], agenda_routes[], calendar_routes[],
    holiday_routes[], link_routes[], link_open_routes[], guest_routes[], proposal_routes[],
    booking_policy_routes[], opening_hours_routes[], branding_routes[], schedule_routes[],
    schedule_exception_routes[], service_staff_routes[], availability_routes[],
    guest_landing_routes[], guest_session_routes[], guest_move_routes[], guest_cancel_routes[],
    guest_profile_routes[], guest_leave_routes[], service_intake_routes[], client_match_routes[],
    public_read_routes[], public_book_routes[], openapi_routes[];

#endif
