/* SPDX-License-Identifier: LicenseRef-Gremio */
/* For an address that is no account everything is done that is done for one: a token that is nobody's and a message that nobody gets are written,
 * so that neither the answer nor its time tells which addresses are accounts. */
#include "worker/api/one_time.h"

#include <sodium.h>

#include "common/log.h"
#include "common/str.h"
#include "worker/mail_seal.h"
#include "worker/slot_env.h"

#define WINDOW         "15 minutes"
#define RECIPIENT_FREE "3"
#define ADDRESS_FREE   "20"
#define IN_WINDOW      "a.since > now() - interval '" WINDOW "'"

enum { SECRET_BYTES = 32 };

const struct column one_time_accepted_columns[] = {
    { "status", T_TEXT, "accepted: a message goes out if there is somebody to write to" },
    { 0 },
};

/* ---- statements ---- */

/* In the order of keys, so that two do not wait for each other. */
const struct stmt one_time_asked = {
    "asked",
    "WITH keys AS (SELECT sha256(convert_to(k.name, 'UTF8')) AS key, k.address, k.free FROM (VALUES"
    " ('recipient ' || :recipient, false, " RECIPIENT_FREE "),"
    " ('address ' || ext.address_block(:peer), true, " ADDRESS_FREE ")) k(name, address, free)),"
    " counted AS (INSERT INTO public.mail_asked AS a(key, asked, since)"
    " SELECT key, 1, now() FROM keys ORDER BY key ON CONFLICT (key) DO UPDATE SET"
    " asked = CASE WHEN " IN_WINDOW " THEN least(a.asked + 1, 1000000) ELSE 1 END,"
    " since = CASE WHEN " IN_WINDOW
    " THEN a.since ELSE now() END RETURNING a.key, a.asked, a.since)"
    " SELECT bool_or(n.asked > k.free AND NOT k.address) AS enough, coalesce(max(CASE WHEN"
    " n.asked > k.free AND k.address THEN greatest(1, ceil(extract(epoch FROM"
    " n.since + interval '" WINDOW "' - now()))) END), 0)::int AS wait"
    " FROM keys k JOIN counted n ON n.key = k.key",
};

/* More than one request adds, so that the table holds a window's requests and no more. */
const struct stmt one_time_forget = {
    "forget",
    "DELETE FROM public.mail_asked WHERE key IN (SELECT key FROM public.mail_asked"
    " WHERE since < now() - interval '" WINDOW "' ORDER BY since LIMIT 10 FOR UPDATE SKIP LOCKED)",
};

const struct stmt one_time_dead = {
    "dead",
    "UPDATE public.one_time_token t SET superseded_at = now() WHERE t.kind = :kind"
    " AND t.tenant_id IS NULL AND t.consumed_at IS NULL AND t.superseded_at IS NULL"
    " AND CASE WHEN :owner::uuid IS NULL THEN t.account_id IS NULL AND t.bound_email = :recipient"
    " ELSE t.account_id = :owner END",
};

/* Two for an address that is no account may meet here: either will do. */
const struct stmt one_time_make = {
    "make",
    "INSERT INTO public.one_time_token(id, kind, secret_hash, account_id, bound_email, expires_at)"
    " VALUES (:new_id, :kind, :secret_hash::bytea, :owner, :recipient,"
    " now() + :ttl_s * interval '1 second') ON CONFLICT DO NOTHING",
};

const struct stmt one_time_purge = {
    "purge",
    "DELETE FROM public.one_time_token WHERE id IN (SELECT id FROM public.one_time_token"
    " WHERE expires_at < now() - interval '7 days' ORDER BY expires_at LIMIT 10"
    " FOR UPDATE SKIP LOCKED)",
};

const struct stmt one_time_mail = {
    "mail",
    "SELECT ext.account_mail(:message, :topic, :recipient, :language, :sealed::bytea,"
    " :message::text, :wanted)",
};

const struct stmt one_time_consume = {
    "consume",
    "UPDATE public.one_time_token t SET consumed_at = now()"
    " WHERE t.secret_hash = :secret_hash::bytea AND " ONE_TIME_ALIVE " RETURNING t.id",
};

/* After a new password or address no link that went out before is good any more. */
const struct stmt one_time_dead_all = {
    "dead_all",
    "UPDATE public.one_time_token t SET superseded_at = now() WHERE t.account_id = :owner"
    " AND t.consumed_at IS NULL AND t.superseded_at IS NULL",
};

/* ---- sending ---- */

enum err one_time_limit(struct call *c, const char *recipient, bool *enough)
{
    PGresult *rows;
    call_set(c, "recipient", recipient);
    call_set(c, "peer", arena_text(c->arena, c->req->peer));
    TRY(call_query(c, &one_time_asked, &rows));
    TRY(call_post(c, &one_time_forget));
    *enough = call_cell(rows, 0, "enough")[0] == 't';
    long wait = strtol(call_cell(rows, 0, "wait"), NULL, 10);
    if (wait > 0) {
        log_seldom(LOG_LEVEL_WARN, "mail_requests", arena_text(c->arena, c->req->peer));
        c->problem.retry_after_s = (unsigned)wait;
        c->keep = true;
        return call_refuse(c, E_TOO_MANY_ATTEMPTS, NULL, NULL);
    }
    return OK;
}

enum err one_time_compose(struct call *c, enum mail_topic topic, enum lang lang,
                          const struct mail_values *v)
{
    char id[UUID_TEXT];
    struct uuid message = uuid_v7();
    struct sbuf sealed;
    sbuf_init(&sealed);
    enum err e = mail_seal(c->env->secrets->mail_key, topic, lang, v, &sealed);
    if (e == OK) {
        uuid_format(&message, id);
        call_set(c, "message", id);
        call_set(c, "topic", mail_text_name(topic));
        call_set(c, "language", lang == LANG_ES ? "es" : "en");
        call_set(c, "sealed", arena_text(c->arena, sbuf_slice(&sealed)));
    }
    sbuf_fini(&sealed);
    return e;
}

static enum lang choose_lang(const struct call *c, const char *locale)
{
    return locale ? mail_text_lang(locale) : c->req->lang;
}

enum err one_time_link(struct call *c, enum mail_topic topic, const char *locale,
                       const char *practice)
{
    uint8_t secret[SECRET_BYTES];
    char code[ONE_TIME_TEXT];
    _Static_assert(STR_BASE64_SIZE(SECRET_BYTES) <= ONE_TIME_TEXT + 1, "fits");
    randombytes_buf(secret, sizeof(secret));
    str_base64url(secret, sizeof(secret), code);
    call_set_digest(c, "secret_hash", (struct slice){ (const char *)secret, sizeof(secret) });
    const struct mail_values values = { .public_url = c->env->settings->public_url,
                                        .code = code,
                                        .practice = practice };
    enum err e = one_time_compose(c, topic, choose_lang(c, locale), &values);
    sodium_memzero(secret, sizeof(secret));
    sodium_memzero(code, sizeof(code));
    return e;
}

enum err one_time_send(struct call *c, const struct one_time *what)
{
    TRY(one_time_link(c, what->topic, what->locale, NULL));
    call_set(c, "kind", what->kind);
    call_set(c, "owner", what->wanted ? what->account : NULL);
    call_set(c, "recipient", what->recipient);
    call_set(c, "wanted", what->wanted && what->account ? "t" : "f");
    call_set_int(c, "ttl_s", what->ttl_s);
    TRY(call_post(c, &one_time_dead));
    TRY(call_post(c, &one_time_make));
    TRY(call_post(c, &one_time_purge));
    return call_post(c, &one_time_mail);
}

enum err one_time_tell(struct call *c, enum mail_topic topic, const char *recipient,
                       const char *locale, const char *value)
{
    const struct mail_values values = { .value = value };
    TRY(one_time_compose(c, topic, choose_lang(c, locale), &values));
    call_set(c, "recipient", recipient);
    call_set(c, "wanted", "t");
    return call_post(c, &one_time_mail);
}

/* ---- using ---- */

enum err one_time_over(struct call *c)
{
    return call_refuse(c, E_LINK_EXPIRED, NULL, NULL);
}

enum err one_time_read(struct call *c)
{
    uint8_t secret[SECRET_BYTES];
    size_t n = 0;
    struct slice text = slice_of(call_get(c, "token")->text);
    if (str_base64url_decode(text, secret, sizeof(secret), &n) != OK || n != sizeof(secret)) {
        return one_time_over(c);
    }
    call_set_digest(c, "secret_hash", (struct slice){ (const char *)secret, sizeof(secret) });
    sodium_memzero(secret, sizeof(secret));
    return OK;
}

enum err one_time_use(struct call *c)
{
    PGresult *rows;
    TRY(call_query(c, &one_time_consume, &rows));
    return PQntuples(rows) > 0 ? OK : one_time_over(c);
}

enum err one_time_accepted(struct call *c)
{
    c->reply.no_store = true;
    return call_answer_raw(c, CONTENT_JSON, SLICE("{\"status\":\"accepted\"}"));
}
