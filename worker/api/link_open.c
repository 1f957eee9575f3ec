/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Opening a link: for a short access token of role guest, whose session is the link and whose member is its client. Runs in auth slots as
 * gremio_auth; the practice's own rows are read and written by ext.link_open, which judges as well. Reading the link's page opens nothing: a mail
 * scanner that fetches it uses nothing up. Who guesses secrets is counted by address, who guesses dates or codes by link. */
#include <sodium.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/str.h"
#include "worker/api/auth_grant.h"
#include "worker/api/link.h"
#include "worker/api/login_guard.h"
#include "worker/api/one_time.h"
#include "worker/perms.h"
#include "worker/slot_env.h"

#define SESSION_S    1800 /* at most; the link's own end may be nearer */
#define WINDOW       "15 minutes"
#define ADDRESS_FREE "60" /* wrong ones of one address in that time: a waiting room shares one */
#define IN_WINDOW    "f.since > now() - interval '" WINDOW "'"
#define CODE_DIGITS  6

/* ---- rows ---- */

#define TOKEN_PARAM                                                                         \
    .name = "token", .in = IN_BODY, .type = T_TEXT, .min = 1, .max = 200, .required = true, \
    .doc = "What stands behind /i/ in the link"

static const struct param token_params[] = { { TOKEN_PARAM }, { 0 } };

#define PROOF_PARAMS                                                                  \
    { .name = "birth_date",                                                           \
      .in = IN_BODY,                                                                  \
      .type = T_DATE,                                                                 \
      .doc = "The client's, where the link asks for it" },                            \
    {                                                                                 \
        .name = "code", .in = IN_BODY, .type = T_TEXT, .min = CODE_DIGITS, .max = 20, \
        .doc = "The six digits of the message, where the link asks for them"          \
    }

static const struct param open_params[] = { { TOKEN_PARAM }, PROOF_PARAMS, { 0 } };

/* The same by the address of the link's page. */
#define TOKEN_IN_PATH                                  \
    {                                                  \
        .name = "token", .in = IN_PATH, .type = T_TEXT \
    }
static const struct param page_params[] = { TOKEN_IN_PATH, PROOF_PARAMS, { 0 } };
static const struct param page_code_params[] = { TOKEN_IN_PATH, { 0 } };

#define LINK_VARS                                                               \
    { .name = "practice", .type = T_UUID }, { .name = "hash", .type = T_TEXT }, \
    {                                                                           \
        .name = "mac", .type = T_TEXT                                           \
    }

static const struct param look_vars[] = { LINK_VARS, { .name = "peer", .type = T_TEXT }, { 0 } };

static const struct param open_vars[] = {
    LINK_VARS,
    { .name = "peer", .type = T_TEXT },
    { .name = "kid", .type = T_TEXT },
    { 0 },
};

static const struct param code_vars[] = { LINK_VARS, ONE_TIME_VARS, { 0 } };

static const struct column look_columns[] = {
    { "step_up", T_TEXT, "What opening asks for besides: none, birth_date or code" },
    { "practice.name", T_TEXT, NULL },
    { "practice.phone", T_TEXT, NULL },
    { "language", T_TEXT, "The client's, BCP 47" },
    { 0 },
};

static const struct column open_columns[] = {
    { "access_token", T_TEXT, "Bearer token for the routes under /api/v1/guest" },
    { "token_type", T_TEXT, "Bearer" },
    { "expires_in", T_INT, "Seconds it lives" },
    { "scopes", T_JSON, "What the link allows" },
    { "appointment_id", T_UUID, "The only visit it opens; null: all of the client's" },
    { 0 },
};

/* ---- statements ---- */

static const struct stmt link_look = {
    "look",
    "SELECT l.step, l.practice_name, l.practice_phone, l.language, l.said, l.known, l.wait"
    " FROM ext.link_look(:practice, :hash::bytea) l",
};

static const struct stmt link_open = {
    "open",
    "SELECT l.said, l.known, l.wait, l.step, l.practice_name, l.practice_phone, l.link, l.client,"
    " l.appointment, to_jsonb(l.scopes) AS scopes, l.left_s, " AUTH_GRANT_KID
    " FROM ext.link_open(:practice, :hash::bytea, :birth_date, :mac::bytea) l",
};

static const struct stmt link_code = {
    "code",
    "SELECT ext.link_code(:practice, :hash::bytea, :mac::bytea, :message, :topic, :language,"
    " :sealed::bytea, :wanted) AS said",
};

#define GUESSER "sha256(convert_to('link ' || ext.address_block(:peer), 'UTF8'))"

static const struct stmt link_guard_look = {
    "guard_look",
    "SELECT ceil(extract(epoch FROM f.since + interval '" WINDOW "' - now()))::int AS wait"
    " FROM public.login_failure f WHERE f.key = " GUESSER " AND f.failures >= " ADDRESS_FREE
    " AND " IN_WINDOW,
};

static const struct stmt link_guard_note = {
    "guard_note",
    "INSERT INTO public.login_failure AS f(key, failures, since, latest)"
    " VALUES (" GUESSER ", 1, now(), now()) ON CONFLICT (key) DO UPDATE SET latest = now(),"
    " failures = CASE WHEN " IN_WINDOW " THEN f.failures + 1 ELSE 1 END,"
    " since = CASE WHEN " IN_WINDOW " THEN f.since ELSE now() END",
};

#define GUARD_STMTS &link_guard_look, &link_guard_note, &login_guard_purge
static const struct stmt *const look_stmts[] = { &link_look, GUARD_STMTS, NULL };
static const struct stmt *const open_stmts[] = { &link_open, &auth_grant_secret_stmt, GUARD_STMTS,
                                                 NULL };
static const struct stmt *const code_stmts[] = {
    &link_look, &link_code, &one_time_asked, &one_time_forget, GUARD_STMTS, NULL,
};

/* ---- the token, and who guesses ---- */

static enum err over(struct call *c)
{
    return call_refuse(c, E_LINK_EXPIRED, NULL, NULL);
}

static enum err too_many(struct call *c, const char *wait)
{
    c->problem.retry_after_s = (unsigned)strtoul(wait, NULL, 10);
    return call_refuse(c, E_TOO_MANY_ATTEMPTS, NULL, NULL);
}

/* Sets :practice and :hash from the request's token; E_TOO_MANY_ATTEMPTS when its address has guessed too often. */
static enum err read_token(struct call *c)
{
    struct link_token t;
    char id[UUID_TEXT];
    PGresult *rows;
    call_set(c, "peer", arena_text(c->arena, c->req->peer));
    TRY(call_query(c, &link_guard_look, &rows));
    if (PQntuples(rows) > 0) {
        log_seldom(LOG_LEVEL_WARN, "link_guesses", arena_text(c->arena, c->req->peer));
        return too_many(c, call_cell(rows, 0, "wait"));
    }
    TRY(link_token_parse(slice_of(call_get(c, "token")->text), &t) == OK ? OK : over(c));
    struct uuid practice = link_token_tenant(&t);
    uuid_format(&practice, id);
    link_set_hash(c, "hash", &t);
    sodium_memzero(&t, sizeof(t));
    call_set(c, "practice", id);
    return OK;
}

static enum err note_guess(struct call *c)
{
    TRY(call_post(c, &link_guard_note));
    TRY(call_post(c, &login_guard_purge));
    c->keep = true;
    return OK;
}

/* Who has a link that is over learns whom to ask; status and code are a guesser's. */
static enum err refuse_over(struct call *c, const PGresult *rows)
{
    const char *name = call_cell(rows, 0, "practice_name");
    const char *phone = call_cell(rows, 0, "practice_phone");
    TRY(note_guess(c));
    if (call_cell(rows, 0, "known")[0] != 't' || !name) {
        return over(c);
    }
    struct sbuf es, en;
    sbuf_init(&es);
    sbuf_init(&en);
    sbuf_fmt(&es, "Pida otro enlace a %s%s%s", name, phone ? ", " : "", phone ? phone : "");
    sbuf_fmt(&en, "Ask %s for another link%s%s", name, phone ? ", " : "", phone ? phone : "");
    enum err e = call_refuse(c, E_LINK_EXPIRED, arena_text(c->arena, sbuf_slice(&es)),
                             arena_text(c->arena, sbuf_slice(&en)));
    sbuf_fini(&es);
    sbuf_fini(&en);
    return e;
}

/* 403 with what is asked for in "step_up". */
static enum err ask(struct call *c, const char *step)
{
    bool birth = strcmp(step, "birth_date") == 0;
    c->problem.extra = birth ? SLICE("\"step_up\":\"birth_date\"") : SLICE("\"step_up\":\"code\"");
    return call_refuse(c, E_STEP_UP, birth ? "Falta la fecha de nacimiento" : "Falta el código",
                       birth ? "The date of birth is missing" : "The code is missing");
}

static enum err refuse_wrong(struct call *c, const char *step)
{
    bool birth = strcmp(step, "birth_date") == 0;
    c->keep = true;
    return call_refuse(c, E_BAD_CODE,
                       birth ? "La fecha de nacimiento no es la que conoce la práctica" : NULL,
                       birth ? "The date of birth is not the one the practice knows" : NULL);
}

/* What the functions say, but for "open". */
static enum err judge(struct call *c, const PGresult *rows)
{
    const char *said = call_cell(rows, 0, "said");
    if (strcmp(said, "open") == 0) {
        return OK;
    }
    if (strcmp(said, "ask") == 0) {
        return ask(c, call_cell(rows, 0, "step"));
    }
    if (strcmp(said, "wrong") == 0) {
        return refuse_wrong(c, call_cell(rows, 0, "step"));
    }
    if (strcmp(said, "locked") == 0) {
        return too_many(c, call_cell(rows, 0, "wait"));
    }
    if (strcmp(said, "closed") == 0) {
        return call_refuse(c, E_TENANT_SUSPENDED, NULL, NULL);
    }
    if (strcmp(said, "busy") == 0) {
        return call_refuse(c, E_TENANT_BUSY, NULL, NULL);
    }
    return refuse_over(c, rows);
}

/* ---- codes ---- */

/* Sets :mac from the digits of a code: so few that only the key's holder may check a guess. */
static enum err set_mac(struct call *c, const char *code)
{
    uint8_t mac[32];
    char hex[2 * sizeof(mac) + 3] = "\\x", text[160];
    size_t n = (size_t)snprintf(text, sizeof(text), "link %s ", call_get(c, "hash")->text);
    for (; *code && n < sizeof(text); code++) {
        if (*code >= '0' && *code <= '9') {
            text[n++] = *code;
        }
    }
    TRY(secret_mac(c->env->secrets->sealing_key, (struct slice){ text, n }, mac));
    str_hex(mac, sizeof(mac), hex + 2);
    call_set(c, "mac", hex);
    sodium_memzero(text, sizeof(text));
    return OK;
}

/* A fresh code, and the message that carries it. */
static enum err make_code(struct call *c, const PGresult *look)
{
    char code[CODE_DIGITS + 1];
    snprintf(code, sizeof(code), "%06u", (unsigned)randombytes_uniform(1000000));
    const struct mail_values values = { .code = code,
                                        .practice = call_cell(look, 0, "practice_name") };
    enum err e = set_mac(c, code);
    if (e == OK) {
        e = one_time_compose(c, MAIL_LINK_CODE, mail_text_lang(call_cell(look, 0, "language")),
                             &values);
    }
    sodium_memzero(code, sizeof(code));
    return e;
}

static enum err ask_code(struct call *c)
{
    PGresult *look, *rows;
    bool enough;
    TRY(read_token(c));
    TRY(call_query(c, &link_look, &look));
    TRY(judge(c, look));
    TRY(one_time_limit(c, call_get(c, "hash")->text, &enough));
    TRY(make_code(c, look));
    call_set(c, "wanted", enough ? "f" : "t");
    TRY(call_query(c, &link_code, &rows));
    if (strcmp(call_cell(rows, 0, "said"), "open") != 0) {
        return call_refuse(c, E_STATE_CONFLICT, "A este enlace no se le envía ningún código",
                           "No code is sent for this link");
    }
    return one_time_accepted(c);
}

/* ---- opening ---- */

static enum err look(struct call *c)
{
    PGresult *rows;
    TRY(read_token(c));
    TRY(call_query(c, &link_look, &rows));
    TRY(judge(c, rows));
    c->reply.no_store = true;
    return call_answer(c, rows);
}

static enum err take_guest(struct call *c, const PGresult *rows, struct grant *g)
{
    if (uuid_parse(slice_of(call_get(c, "practice")->text), &g->tenant) != OK ||
        uuid_parse(slice_of(call_cell(rows, 0, "client")), &g->member) != OK ||
        uuid_parse(slice_of(call_cell(rows, 0, "link")), &g->session) != OK) {
        return E_INTERNAL;
    }
    g->account = g->member; /* there is none: the subject is the client */
    g->role = PERMS_GUEST;
    g->epoch = "0";
    g->kid = call_cell(rows, 0, "kid");
    g->proved_s = clock_wall_s();
    return OK;
}

static int64_t session_s(const PGresult *rows)
{
    int64_t left = strtoll(call_cell(rows, 0, "left_s"), NULL, 10);
    return left < 1 ? 1 : left < SESSION_S ? left : SESSION_S;
}

static enum err answer_open(struct call *c, const PGresult *rows)
{
    struct grant g = { 0 };
    struct sbuf body;
    int64_t ttl = session_s(rows);
    const char *visit = call_cell(rows, 0, "appointment");
    TRY(take_guest(c, rows, &g));
    sbuf_init(&body);
    sbuf_text(&body, "{\"access_token\":\"");
    enum err e = auth_grant_access(c, &g, ttl, &body);
    if (e == OK) {
        sbuf_fmt(&body, "\",\"token_type\":\"Bearer\",\"expires_in\":%lld,\"scopes\":%s",
                 (long long)ttl, call_cell(rows, 0, "scopes"));
        sbuf_text(&body, ",\"appointment_id\":");
        if (visit) {
            sbuf_json(&body, slice_of(visit));
        } else {
            sbuf_text(&body, "null");
        }
        sbuf_char(&body, '}');
        c->reply.no_store = true;
        e = sbuf_failed(&body) ? E_NOMEM : call_answer_raw(c, CONTENT_JSON, sbuf_slice(&body));
    }
    sbuf_fini(&body);
    return e;
}

/* The same for a browser: the token in a cookie, and on to the visits. */
static enum err answer_opened_page(struct call *c, const PGresult *rows)
{
    struct grant g = { 0 };
    struct sbuf token;
    TRY(take_guest(c, rows, &g));
    sbuf_init(&token);
    int64_t ttl = session_s(rows);
    enum err e = auth_grant_access(c, &g, ttl, &token);
    if (e == OK) {
        e = sbuf_failed(&token) ? E_NOMEM : call_set_cookie(c, sbuf_slice(&token), ttl);
    }
    sbuf_fini(&token);
    return e == OK ? call_answer_none(c) : e;
}

static enum err open_link(struct call *c)
{
    PGresult *rows;
    TRY(read_token(c));
    if (call_get(c, "code")->present) {
        TRY(set_mac(c, call_get(c, "code")->text));
    }
    TRY(call_query(c, &link_open, &rows));
    TRY(judge(c, rows));
    return c->route->page ? answer_opened_page(c, rows) : answer_open(c, rows);
}

const struct route link_open_routes[] = {
    {
        .method = M_POST,
        .path = "/api/v1/links/look",
        .summary = "What a client's link asks for, and of which practice it is; uses nothing up",
        .open = true,
        .cost = COST_AUTH,
        .max_body = 4096,
        .params = token_params,
        .vars = look_vars,
        .columns = look_columns,
        .stmts = look_stmts,
        .handler = look,
        .shape = SHAPE_ONE,
        .success = 200,
    },
    {
        .method = M_POST,
        .path = "/api/v1/links/open",
        .summary = "Open a client's link",
        .open = true,
        .cost = COST_AUTH,
        .max_body = 4096,
        .params = open_params,
        .vars = open_vars,
        .columns = open_columns,
        .stmts = open_stmts,
        .handler = open_link,
        .shape = SHAPE_RAW,
        .success = 200,
    },
    {
        .method = M_POST,
        .path = "/api/v1/links/code",
        .summary = "Send the code that a link asks for to the client's e-mail",
        .open = true,
        .cost = COST_AUTH,
        .max_body = 4096,
        .params = token_params,
        .vars = code_vars,
        .columns = one_time_accepted_columns,
        .stmts = code_stmts,
        .handler = ask_code,
        .shape = SHAPE_RAW,
        .success = 202,
    },
    {
        .method = M_POST,
        .path = "/i/{token}",
        .summary = "Open a client's link in a browser",
        .open = true,
        .by_link = true,
        .page = true,
        .form = true,
        .back = "/i/{token}",
        .cost = COST_AUTH,
        .max_body = 4096,
        .params = page_params,
        .vars = open_vars,
        .stmts = open_stmts,
        .handler = open_link,
        .shape = SHAPE_RAW,
        .success = 303,
        .location = "/i",
    },
    {
        .method = M_POST,
        .path = "/i/{token}/code",
        .summary = "Send the code that a link asks for",
        .open = true,
        .by_link = true,
        .page = true,
        .back = "/i/{token}",
        .cost = COST_AUTH,
        .params = page_code_params,
        .vars = code_vars,
        .stmts = code_stmts,
        .handler = ask_code,
        .shape = SHAPE_RAW,
        .success = 303,
        .location = "/i/{token}?done=code",
    },
    { 0 },
};
