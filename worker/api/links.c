/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Links by which a client, or whoever has one, sees and changes visits without an account. The secret is made here and shown in this answer only: the
 * database has its hash, and neither a replay nor any other answer has it. Opening is link_open.c's. */
#include "worker/api/link.h"

#include <sodium.h>

#include "worker/link_text.h"
#include "worker/perms.h"
#include "worker/qr.h"
#include "worker/slot_env.h"

#define LIVE_MAX     "20" /* links of one client that open something */
#define DAYS_MAX     365  /* so far ahead may a link end */
#define DAYS_DEFAULT "30" /* of a link to all visits */
#define URL_MAX      (CONF_TEXT_MAX + LINK_TOKEN_TEXT + 4)

#define LINK_USED_UP "l.uses >= l.max_uses"
#define LINK_OUT                                                                              \
    "l.id, l.client_id, l.appointment_id, to_jsonb(l.scopes) AS scopes, l.step_up,"           \
    " CASE WHEN l.revoked_at IS NOT NULL THEN 'revoked' WHEN l.expires_at <= now() THEN"      \
    " 'expired' WHEN " LINK_USED_UP " THEN 'used_up' ELSE 'live' END AS state, l.expires_at," \
    " l.max_uses, l.uses, l.failures, l.locked_until, l.revoked_at, l.last_used_at,"          \
    " l.created_by, l.created_at, l.version"

#define LINK_COLUMNS                                                                               \
    { "id", T_UUID, NULL }, { "client_id", T_UUID, NULL },                                         \
        { "appointment_id", T_UUID, "The only visit it opens; null: all of the client's" },        \
        { "scopes", T_JSON, "What who has it may do: " LINK_SCOPES },                              \
        { "step_up", T_TEXT, "What else who opens it must know: none, birth_date or code" },       \
        { "state", T_TEXT, "live, used_up (whoever opened it may go on), expired or revoked" },    \
        { "expires_at", T_INSTANT, NULL },                                                         \
        { "max_uses", T_INT, "null: it may be opened as often as one likes until it expires" },    \
        { "uses", T_INT, "How often it was opened" },                                              \
        { "failures", T_INT, "Wrong dates of birth or codes since it was opened last" },           \
        { "locked_until", T_INSTANT, "After five wrong ones" }, { "revoked_at", T_INSTANT, NULL }, \
        { "last_used_at", T_INSTANT, NULL }, { "created_by", T_UUID, "Staff member" },             \
        { "created_at", T_INSTANT, NULL },                                                         \
    {                                                                                              \
        "version", T_INT, NULL                                                                     \
    }

static const struct column link_columns[] = { LINK_COLUMNS, { 0 } };

static const struct column link_made_columns[] = {
    LINK_COLUMNS,
    { "url", T_ADDED, "Shown only now: whoever has it has the link" },
    { "qr_svg", T_ADDED, "The same as a QR code (SVG)" },
    { "texts.es.text", T_ADDED, "Ready to be sent, in Spanish" },
    { "texts.es.whatsapp_url", T_ADDED, "Opens WhatsApp with that text" },
    { "texts.en.text", T_ADDED, "The same in English" },
    { "texts.en.whatsapp_url", T_ADDED, NULL },
    { 0 },
};

static const struct param link_one_params[] = {
    { .name = "id", .in = IN_PATH, .type = T_UUID },
    { 0 },
};

static const struct param link_create_params[] = {
    { .name = "id", .in = IN_PATH, .type = T_UUID },
    { .name = "scopes",
      .in = IN_BODY,
      .type = T_WORDS,
      .choices = LINK_SCOPES,
      .fallback = "see,confirm,cancel,reschedule",
      .doc = "profile: may read and propose contact data" },
    { .name = "expires_in_days", .in = IN_BODY, .type = T_INT, .min = 1, .max = DAYS_MAX },
    { .name = "expires_at",
      .in = IN_BODY,
      .type = T_TIME,
      .doc = "Instead of expires_in_days; at most a year ahead. Neither: a day after the visit, or "
             "in " DAYS_DEFAULT " days" },
    { .name = "max_uses",
      .in = IN_BODY,
      .type = T_INT,
      .min = 1,
      .max = 10000,
      .nullable = true,
      .doc = "How often it may be opened" },
    { .name = "step_up",
      .in = IN_BODY,
      .type = T_CHOICE,
      .choices = "none birth_date code",
      .fallback = "none",
      .doc = "code: six digits that go to the client's e-mail" },
    { 0 },
};

static const struct param link_create_vars[] = {
    { .name = "client", .type = T_UUID },
    { .name = "visit", .type = T_UUID },
    { .name = "until", .type = T_TEXT },
    { .name = "secret_hash", .type = T_TEXT },
    { 0 },
};

/* ---- statements ---- */

/* Whom it is for and when it ends. The client's row is locked, so that links of one client are counted one after another. */
#define REACHED                                                                 \
    " AND CASE WHEN l.appointment_id IS NULL THEN EXISTS (SELECT FROM client c" \
    " WHERE c.id = l.client_id AND :scope(client c)) ELSE EXISTS (SELECT FROM"  \
    " appointment a WHERE a.id = l.appointment_id AND :scope(appointment a)) END"
#define TARGET                                                                     \
    "c.id AS client, c.given_name, c.phone, c.email, c.birth_date, c.archived_at," \
    " b.name AS practice, u.until, u.until BETWEEN now() AND now() + interval '366 days' AS ok"
#define UNTIL                                                                      \
    "coalesce(ext.moment(:expires_at, b.time_zone, 0), now() + make_interval(days" \
    " => :expires_in_days::int), "

static const struct stmt link_to_client = {
    "to_client",
    "SELECT " TARGET ", NULL::uuid AS visit, NULL::text AS service, NULL::timestamp AS local_start"
    " FROM client c CROSS JOIN business b CROSS JOIN LATERAL (SELECT " UNTIL
    "now() + interval '" DAYS_DEFAULT " days') AS until) u"
    " WHERE c.id = :id AND :scope(client c) FOR NO KEY UPDATE OF c",
};

static const struct stmt link_to_visit = {
    "to_visit",
    "SELECT " TARGET ", a.id AS visit, a.service_name AS service, a.local_start"
    " FROM appointment a JOIN client c ON c.id = a.client_id CROSS JOIN business b"
    " CROSS JOIN LATERAL (SELECT " UNTIL "least(greatest(a.ends_at, now()) + interval '1 day',"
    " now() + interval '365 days')) AS until) u WHERE a.id = :id AND :scope(appointment a)"
    " FOR NO KEY UPDATE OF c",
};

static const struct stmt link_insert = {
    "insert",
    "INSERT INTO access_link AS l(id, client_id, appointment_id, secret_hash, scopes, step_up,"
    " expires_at, max_uses, created_by) SELECT :new_id, :client, :visit, :secret_hash::bytea,"
    " :scopes::text[], :step_up, :until::timestamptz, :max_uses::int, :me_member"
    " WHERE (SELECT count(*) FROM access_link o WHERE o.client_id = :client"
    " AND o.revoked_at IS NULL AND o.expires_at > now()"
    " AND (o.max_uses IS NULL OR o.uses < o.max_uses)) < " LIVE_MAX " RETURNING " LINK_OUT,
};

static const struct stmt link_client_known = {
    "known",
    "SELECT 1 FROM client WHERE id = :id AND :scope(client client)",
};

static const struct stmt link_visit_known = {
    "known",
    "SELECT 1 FROM appointment WHERE id = :id AND :scope(appointment appointment)",
};

/* Those that may still open something come first, so that no number of dead ones hides them. */
#define LINK_ORDER                                                                     \
    " ORDER BY l.revoked_at IS NULL AND l.expires_at > now() DESC, l.created_at DESC," \
    " l.id DESC LIMIT 200"

static const struct stmt link_of_client = {
    "of_client",
    "SELECT " LINK_OUT " FROM access_link l WHERE l.client_id = :id" REACHED LINK_ORDER,
};

static const struct stmt link_of_visit = {
    "of_visit",
    "SELECT " LINK_OUT " FROM access_link l WHERE l.appointment_id = :id" LINK_ORDER,
};

static const struct stmt *const link_to_client_stmts[] = { &link_to_client, &link_insert, NULL };
static const struct stmt *const link_to_visit_stmts[] = { &link_to_visit, &link_insert, NULL };
static const struct stmt *const link_of_client_stmts[] = { &link_client_known, &link_of_client,
                                                           NULL };
static const struct stmt *const link_of_visit_stmts[] = { &link_visit_known, &link_of_visit, NULL };

/* ---- making ---- */

/* Whoever makes a link has it: it opens nothing that its maker could not do. */
static enum err judge_scopes(struct call *c)
{
    static const struct {
        const char *scope;
        enum perm perm;
    } all[] = {
        { "see", PERM_APPOINTMENT_READ },      { "confirm", PERM_APPOINTMENT_CHANGE },
        { "cancel", PERM_APPOINTMENT_CANCEL }, { "reschedule", PERM_APPOINTMENT_CHANGE },
        { "profile", PERM_CLIENT_READ },
    };
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        bool asked = strstr(call_get(c, "scopes")->text, all[i].scope) != NULL;
        if (asked && c->perms.reach[all[i].perm] < c->reach) {
            return call_refuse(c, E_FORBIDDEN,
                               "Ese enlace permitiría más que su rol: quite alcances (scopes)",
                               "That link would allow more than your role does: leave out scopes");
        }
    }
    return OK;
}

static enum err judge_target(struct call *c, const PGresult *target)
{
    const char *step_up = call_get(c, "step_up")->text;
    if (PQntuples(target) == 0) {
        return call_refuse(c, E_NOT_FOUND, NULL, NULL);
    }
    if (call_cell(target, 0, "archived_at")) {
        return call_refuse(c, E_STATE_CONFLICT, "El cliente está archivado",
                           "The client is archived");
    }
    if (call_cell(target, 0, "ok")[0] != 't') {
        return call_refuse_field(c, "/expires_at", "out_of_range",
                                 "Debe estar entre ahora y dentro de un año",
                                 "It must be between now and a year ahead");
    }
    if (strcmp(step_up, "code") == 0 && !call_cell(target, 0, "email")) {
        return call_refuse_field(c, "/step_up", "no_email", "El cliente no tiene correo",
                                 "The client has no e-mail address");
    }
    if (strcmp(step_up, "birth_date") == 0 && !call_cell(target, 0, "birth_date")) {
        return call_refuse_field(c, "/step_up", "no_birth_date",
                                 "No se conoce la fecha de nacimiento del cliente",
                                 "The client's date of birth is not known");
    }
    return OK;
}

static void wipe(struct sbuf *b)
{
    if (b->data) {
        sodium_memzero(b->data, b->cap);
    }
    sbuf_fini(b);
}

static void add_texts(struct sbuf *out, enum lang lang, const struct link_words *w,
                      const char *phone)
{
    struct sbuf text, whatsapp;
    sbuf_init(&text);
    sbuf_init(&whatsapp);
    link_text_write(&text, lang, w);
    link_text_whatsapp(&whatsapp, phone, sbuf_slice(&text));
    sbuf_fmt(out, "\"%s\":{\"text\":", lang == LANG_ES ? "es" : "en");
    sbuf_json(out, sbuf_slice(&text));
    sbuf_text(out, ",\"whatsapp_url\":");
    sbuf_json(out, sbuf_slice(&whatsapp));
    sbuf_char(out, '}');
    out->failed |= sbuf_failed(&text) || sbuf_failed(&whatsapp);
    wipe(&text);
    wipe(&whatsapp);
}

/* url, qr_svg and texts: everything that has the secret. */
static enum err add_secret(struct sbuf *out, const char *url, const PGresult *target)
{
    const struct link_words words = {
        .given_name = call_cell(target, 0, "given_name"),
        .practice = call_cell(target, 0, "practice"),
        .url = url,
        .service = call_cell(target, 0, "service"),
        .local_start = call_cell(target, 0, "local_start"),
    };
    struct sbuf svg;
    sbuf_init(&svg);
    enum err e = qr_svg(url, words.practice, &svg);
    sbuf_text(out, "\"url\":");
    sbuf_json(out, slice_of(url));
    sbuf_text(out, ",\"qr_svg\":");
    sbuf_json(out, sbuf_slice(&svg));
    sbuf_text(out, ",\"texts\":{");
    add_texts(out, LANG_ES, &words, call_cell(target, 0, "phone"));
    sbuf_char(out, ',');
    add_texts(out, LANG_EN, &words, call_cell(target, 0, "phone"));
    sbuf_char(out, '}');
    out->failed |= sbuf_failed(&svg);
    wipe(&svg);
    return e;
}

static enum err insert(struct call *c, const PGresult *target, const char *url)
{
    PGresult *rows;
    struct sbuf members;
    TRY(call_query(c, &link_insert, &rows));
    if (PQntuples(rows) == 0) {
        return call_refuse(c, E_TOO_MANY_LINKS, NULL, NULL);
    }
    TRY(call_answer(c, rows));
    sbuf_init(&members);
    enum err e = add_secret(&members, url, target);
    if (e == OK) {
        e = sbuf_failed(&members) ? E_NOMEM : call_answer_once(c, sbuf_slice(&members));
    }
    wipe(&members);
    return e;
}

static enum err make(struct call *c, const struct stmt *find)
{
    PGresult *target;
    TRY(judge_scopes(c));
    TRY(call_query(c, find, &target));
    TRY(judge_target(c, target));
    call_set(c, "client", call_cell(target, 0, "client"));
    call_set(c, "visit", call_cell(target, 0, "visit"));
    call_set(c, "until", call_cell(target, 0, "until"));
    char token[LINK_TOKEN_TEXT], url[URL_MAX];
    struct link_token t = link_token_make(&c->req->tenant.id);
    link_token_format(&t, token);
    link_set_hash(c, "secret_hash", &t);
    snprintf(url, sizeof(url), "%s/i/%s", c->env->settings->public_url, token);
    enum err e = insert(c, target, url);
    sodium_memzero(&t, sizeof(t));
    sodium_memzero(token, sizeof(token));
    sodium_memzero(url, sizeof(url));
    return e;
}

/* Such a link shows visits to others as well, and whoever makes it has it. */
static enum err make_for_client(struct call *c)
{
    if (c->reach != REACH_ALL) {
        return call_refuse(c, E_FORBIDDEN,
                           "Su rol alcanza citas sueltas: haga un enlace a una de ellas",
                           "Your role reaches single appointments: make a link to one of them");
    }
    return make(c, &link_to_client);
}

static enum err make_for_visit(struct call *c)
{
    return make(c, &link_to_visit);
}

/* ---- reading ---- */

/* A list without rows would not say that there is no such client. */
static enum err list(struct call *c, const struct stmt *known, const struct stmt *of)
{
    PGresult *rows;
    TRY(call_query(c, known, &rows));
    if (PQntuples(rows) == 0) {
        return call_refuse(c, E_NOT_FOUND, NULL, NULL);
    }
    TRY(call_query(c, of, &rows));
    return call_answer(c, rows);
}

static enum err list_of_client(struct call *c)
{
    return list(c, &link_client_known, &link_of_client);
}

static enum err list_of_visit(struct call *c)
{
    return list(c, &link_visit_known, &link_of_visit);
}

#define LIST_ROUTE(of, text, list_stmts, list_handler)                         \
    {                                                                          \
        .method = M_GET, .path = "/api/v1/" of "/{id}/links", .summary = text, \
        .need = PERM_LINK_READ, .cost = COST_FAST, .params = link_one_params,  \
        .columns = link_columns, .stmts = list_stmts, .handler = list_handler, \
        .shape = SHAPE_PAGE, .success = 200,                                   \
    }

#define MAKE_ROUTE(of, text, make_stmts, make_handler)                               \
    {                                                                                \
        .method = M_POST, .path = "/api/v1/" of "/{id}/links", .summary = text,      \
        .need = PERM_LINK_WRITE, .cost = COST_FAST, .params = link_create_params,    \
        .vars = link_create_vars, .columns = link_made_columns, .stmts = make_stmts, \
        .handler = make_handler, .shape = SHAPE_ONE, .success = 201, .etag = true,   \
        .location = "/api/v1/links/{id}",                                            \
    }

const struct route link_routes[] = {
    LIST_ROUTE("clients",
               "List a client's links: those that are good, then the others, the newest first",
               link_of_client_stmts, list_of_client),
    MAKE_ROUTE("clients", "Make a link to all of a client's visits: its secret is shown once",
               link_to_client_stmts, make_for_client),
    LIST_ROUTE(
        "appointments",
        "List the links to an appointment: those that are good, then the others, the newest first",
        link_of_visit_stmts, list_of_visit),
    MAKE_ROUTE("appointments", "Make a link to an appointment: its secret is shown once",
               link_to_visit_stmts, make_for_visit),
    {
        .method = M_GET,
        .path = "/api/v1/links/{id}",
        .summary = "Read a link; its secret is nowhere",
        .need = PERM_LINK_READ,
        .cost = COST_FAST,
        .params = link_one_params,
        .columns = link_columns,
        .sql = "SELECT " LINK_OUT " FROM access_link l WHERE l.id = :id" REACHED,
        .shape = SHAPE_ONE,
        .success = 200,
        .etag = true,
    },
    {
        .method = M_POST,
        .path = "/api/v1/links/{id}/revoke",
        .summary = "Revoke a link: it ends at once, also for who has it open",
        .need = PERM_LINK_WRITE,
        .cost = COST_FAST,
        .params = link_one_params,
        .columns = link_columns,
        .sql = "UPDATE access_link l SET revoked_at = coalesce(l.revoked_at, now()),"
               " version = l.version + (l.revoked_at IS NULL)::int WHERE l.id = :id" REACHED
               " RETURNING " LINK_OUT,
        .shape = SHAPE_ONE,
        .success = 200,
        .etag = true,
    },
    { 0 },
};
