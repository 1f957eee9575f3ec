/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Visits for other programs' calendars: one as a file, or a feed that is subscribed to. A feed shows what its owner may see, nothing of the practice's notes, and keeps
 * cancelled visits for a while, so that subscribers take them off. */
#include "worker/api/calendar.h"

#include <sodium.h>
#include <stdio.h>

#include "common/str.h"
#include "worker/ical.h"
#include "worker/slot_env.h"

#define FEEDS_MAX  "5"
#define EVENTS_MAX "2000"
#define URL_MAX    400
#define NAME_MAX_  400

const struct column calendar_columns[] = {
    { "calendar", T_TEXT, "text/calendar (RFC 5545)" },
    { 0 },
};

const struct column calendar_feed_columns[] = {
    { "id", T_UUID, NULL },
    { "created_at", T_INSTANT, NULL },
    { "url", T_ADDED,
      "To subscribe to; whoever has it sees the visits. Shown only when it is made" },
    { 0 },
};

static const struct param one_params[] = { { .name = "id", .in = IN_PATH, .type = T_UUID }, { 0 } };

static const struct param feed_params[] = {
    { .name = "token", .in = IN_PATH, .type = T_TEXT, .max = 100 },
    { 0 },
};

static const struct param hash_vars[] = { { .name = "secret_hash", .type = T_TEXT },
                                          { .name = "feed", .type = T_UUID },
                                          { 0 } };

/* ---- statements ---- */

static const struct stmt visit_read = {
    "visit",
    "SELECT " CALENDAR_EVENT " FROM appointment a CROSS JOIN business b WHERE a.id = :id"
    " AND :scope(appointment a)",
};

/* A member's own, whatever else they reach. */
static const struct stmt feed_insert = {
    "insert",
    "INSERT INTO calendar_feed AS f(id, secret_hash, staff_id) SELECT :new_id,"
    " :secret_hash::bytea, t.id FROM staff t WHERE t.id = :me_member AND :scope(staff t)"
    " AND (SELECT count(*) FROM calendar_feed o WHERE o.staff_id = t.id"
    " AND o.revoked_at IS NULL) < " FEEDS_MAX " RETURNING f.id, f.created_at",
};

static const char feed_list_sql[] =
    "SELECT f.id, f.created_at FROM calendar_feed f JOIN staff t ON t.id = f.staff_id"
    " AND :scope(staff t) WHERE f.staff_id = :me_member AND f.revoked_at IS NULL"
    " ORDER BY f.created_at, f.id";

static const char feed_revoke_sql[] =
    "UPDATE calendar_feed f SET revoked_at = now() FROM staff t WHERE f.id = :id"
    " AND t.id = f.staff_id AND :scope(staff t) AND f.staff_id = :me_member"
    " AND f.revoked_at IS NULL RETURNING f.id";

/* Whoever it is of works here, or has a link that is alive. */
static const struct stmt feed_find = {
    "find",
    "SELECT f.id, f.link_id IS NOT NULL AS for_client, b.name AS practice, t.name AS staff_name"
    " FROM calendar_feed f CROSS JOIN business b LEFT JOIN staff t ON t.id = f.staff_id"
    " LEFT JOIN access_link l ON l.id = f.link_id WHERE f.secret_hash = :secret_hash::bytea"
    " AND f.revoked_at IS NULL AND CASE WHEN f.link_id IS NULL THEN t.archived_at IS NULL"
    " AND t.suspended_at IS NULL ELSE 'see' = ANY (l.scopes) AND " LINK_ALIVE " END",
};

#define NEAR " a.starts_at BETWEEN now() - interval '30 days' AND now() + interval '365 days'"

static const struct stmt feed_of_staff = {
    "of_staff",
    "SELECT " CALENDAR_EVENT " FROM calendar_feed f JOIN appointment a ON a.staff_id = f.staff_id"
    " CROSS JOIN business b WHERE f.id = :feed AND" NEAR " ORDER BY a.starts_at, a.id"
    " LIMIT " EVENTS_MAX,
};

static const struct stmt feed_of_link = {
    "of_link",
    "SELECT " CALENDAR_EVENT " FROM calendar_feed f JOIN access_link l ON l.id = f.link_id"
    " JOIN appointment a ON a.client_id = l.client_id AND (l.appointment_id IS NULL"
    " OR l.appointment_id = a.id) CROSS JOIN business b WHERE f.id = :feed AND" NEAR
    " ORDER BY a.starts_at, a.id LIMIT " EVENTS_MAX,
};

static const struct stmt *const visit_stmts[] = { &visit_read, NULL };
static const struct stmt *const make_stmts[] = { &feed_insert, NULL };
static const struct stmt *const feed_stmts[] = { &feed_find, &feed_of_staff, &feed_of_link, NULL };

/* ---- writing ---- */

static int64_t number(const PGresult *rows, int row, const char *column)
{
    int64_t v = 0;
    return str_int(slice_of(call_cell(rows, row, column)), INT64_MIN, INT64_MAX, &v) == OK ? v : 0;
}

static const char *join(struct call *c, const char *one, const char *other)
{
    char text[NAME_MAX_ * 4];
    snprintf(text, sizeof(text), "%s · %s", one, other);
    struct slice s = slice_of(text);
    while (!str_utf8_valid(s) && s.n > 0) { /* cut within a character */
        s.n--;
    }
    return arena_text(c->arena, s);
}

static bool make_event(struct call *c, const PGresult *rows, int row, bool for_client,
                       struct ical_event *e)
{
    char uid[64];
    snprintf(uid, sizeof(uid), "%s@gremio", call_cell(rows, row, "id"));
    *e = (struct ical_event){
        .uid = arena_text(c->arena, slice_of(uid)),
        .state = call_cell(rows, row, "state"),
        .summary = join(c, call_cell(rows, row, "service_name"),
                        call_cell(rows, row, for_client ? "practice" : "client_name")),
        .location = call_cell(rows, row, "address"),
        .sequence = (int)number(rows, row, "version") - 1,
        .starts_s = number(rows, row, "starts"),
        .ends_s = number(rows, row, "ends"),
        .changed_s = number(rows, row, "changed"),
    };
    return e->uid && e->summary;
}

enum err calendar_answer(struct call *c, const PGresult *rows, const char *name, bool for_client)
{
    size_t n = (size_t)PQntuples(rows);
    struct ical_event *events = arena_take(c->arena, (n + 1) * sizeof(*events));
    struct sbuf text;
    for (size_t i = 0; events && i < n; i++) {
        if (!make_event(c, rows, (int)i, for_client, &events[i])) {
            return E_NOMEM;
        }
    }
    sbuf_init(&text);
    enum err e = events ? ical_write(name, events, n, &text) : E_NOMEM;
    e = e == OK ? call_answer_digested(c, CONTENT_CALENDAR, sbuf_slice(&text)) : e;
    sbuf_fini(&text);
    return e;
}

static enum err read_visit(struct call *c)
{
    PGresult *rows;
    TRY(call_query(c, &visit_read, &rows));
    return PQntuples(rows) ? calendar_answer(c, rows, call_cell(rows, 0, "practice"), false)
                           : call_refuse(c, E_NOT_FOUND, NULL, NULL);
}

/* ---- feeds ---- */

enum err calendar_make_feed(struct call *c, const struct stmt *insert)
{
    char token[LINK_TOKEN_TEXT], member[URL_MAX];
    struct link_token t = link_token_make(&c->req->tenant.id);
    PGresult *rows;
    link_token_format(&t, token);
    link_set_hash(c, "secret_hash", &t);
    int n = snprintf(member, sizeof(member), "\"url\":\"%s/calendars/%s\"",
                     c->env->settings->public_url, token);
    enum err e = call_query(c, insert, &rows);
    if (e == OK && PQntuples(rows) == 0) {
        e = call_refuse(c, E_LIMIT, "A lo más " FEEDS_MAX " calendarios; revoque alguno",
                        "At most " FEEDS_MAX " calendars; revoke one");
    }
    e = e == OK ? call_answer(c, rows) : e;
    e = e == OK ? call_answer_once(c, (struct slice){ member, (size_t)n }) : e;
    sodium_memzero(&t, sizeof(t));
    sodium_memzero(token, sizeof(token));
    sodium_memzero(member, sizeof(member));
    return e;
}

static enum err make(struct call *c)
{
    return calendar_make_feed(c, &feed_insert);
}

static enum err read_feed(struct call *c)
{
    struct link_token t;
    PGresult *feed, *rows;
    if (link_token_parse(slice_of(call_get(c, "token")->text), &t) != OK) {
        return call_refuse(c, E_LINK_EXPIRED, NULL, NULL);
    }
    link_set_hash(c, "secret_hash", &t);
    sodium_memzero(&t, sizeof(t));
    TRY(call_query(c, &feed_find, &feed));
    if (PQntuples(feed) == 0) {
        return call_refuse(c, E_LINK_EXPIRED, NULL, NULL);
    }
    bool for_client = call_true(feed, 0, "for_client");
    const char *practice = call_cell(feed, 0, "practice");
    call_set(c, "feed", call_cell(feed, 0, "id"));
    TRY(call_query(c, for_client ? &feed_of_link : &feed_of_staff, &rows));
    const char *name = for_client ? practice : join(c, practice, call_cell(feed, 0, "staff_name"));
    return name ? calendar_answer(c, rows, name, for_client) : E_NOMEM;
}

const struct route calendar_routes[] = {
    {
        .method = M_GET,
        .path = "/api/v1/appointments/{id}/ics",
        .summary = "An appointment as an iCalendar file",
        .need = PERM_APPOINTMENT_READ,
        .cost = COST_FAST,
        .params = one_params,
        .columns = calendar_columns,
        .stmts = visit_stmts,
        .handler = read_visit,
        .shape = SHAPE_RAW,
        .success = 200,
        .etag = true,
    },
    {
        .method = M_GET,
        .path = "/api/v1/calendar-feeds",
        .summary = "List one's own calendars that are subscribed to",
        .need = PERM_APPOINTMENT_READ,
        .cost = COST_FAST,
        .columns = calendar_feed_columns,
        .sql = feed_list_sql,
        .shape = SHAPE_PAGE,
        .success = 200,
    },
    {
        .method = M_POST,
        .path = "/api/v1/calendar-feeds",
        .summary = "Make a calendar of one's own visits to subscribe to: its address is shown once",
        .need = PERM_APPOINTMENT_READ,
        .cost = COST_FAST,
        .vars = hash_vars,
        .columns = calendar_feed_columns,
        .stmts = make_stmts,
        .handler = make,
        .shape = SHAPE_ONE,
        .success = 201,
    },
    {
        .method = M_DELETE,
        .path = "/api/v1/calendar-feeds/{id}",
        .summary = "End a calendar at once",
        .need = PERM_APPOINTMENT_READ,
        .cost = COST_FAST,
        .params = one_params,
        .sql = feed_revoke_sql,
        .shape = SHAPE_NONE,
        .success = 204,
        .any_version = true,
    },
    {
        .method = M_GET,
        .path = "/calendars/{token}",
        .summary = "The visits of a calendar that is subscribed to, as iCalendar",
        .open = true,
        .by_link = true,
        .cost = COST_FAST,
        .params = feed_params,
        .vars = hash_vars,
        .columns = calendar_columns,
        .stmts = feed_stmts,
        .handler = read_feed,
        .shape = SHAPE_RAW,
        .success = 200,
        .etag = true,
    },
    { 0 },
};
