/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The two outboxes have the same columns and the same three statements; one is reached through a practice's unit, the other through a
 * connection to the shared tables. A message that fails waits, longer each time, and is given up after ATTEMPTS_MAX. */
#include "worker/jobs_mail.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/pg.h"
#include "common/str.h"
#include "worker/mail_file.h"
#include "worker/mail_seal.h"
#include "worker/score.h"

enum { BATCH = 20, ATTEMPTS_MAX = 30 };

#define TAKE(table)                                                                    \
    "SELECT id, recipient, language, encode(sealed, 'hex') AS sealed,"                 \
    " extract(epoch FROM created_at)::bigint AS created, attempts FROM " table         \
    " WHERE state = 'queued' AND not_before <= now() ORDER BY not_before, id LIMIT 20" \
    " FOR UPDATE SKIP LOCKED"
#define NOTE(table)                                                                \
    "UPDATE " table " SET state = $2::text, attempts = attempts + 1,"              \
    " sealed = CASE WHEN $2::text = 'queued' THEN sealed END,"                     \
    " sent_at = CASE WHEN $2::text = 'sent' THEN now() END,"                       \
    " not_before = CASE WHEN $2::text = 'queued' THEN now()"                       \
    " + least(interval '1 hour', interval '1 second' * 2.0 ^ least(attempts, 12))" \
    " ELSE not_before END WHERE id = $1::uuid"
#define NEXT(table) "SELECT min(not_before) AS next FROM " table " WHERE state = 'queued'"

/* Messages kept as a record of what was sent. */
static const char forget_sql[] =
    "DELETE FROM public.outbox WHERE id IN (SELECT id FROM public.outbox WHERE state <> 'queued'"
    " AND created_at < now() - interval '30 days' ORDER BY created_at LIMIT 100"
    " FOR UPDATE SKIP LOCKED)";

/* Where the statements of one outbox run. */
struct outbox {
    const struct slot_env *env;
    enum err (*note)(struct outbox *o, const char *const *values);
    struct unit *unit;
    PGconn *pg;
    struct sbuf *why;
};

static void wipe(struct sbuf *text)
{
    if (text->data) {
        explicit_bzero(text->data, text->cap);
    }
    sbuf_fini(text);
}

static const char *cell(const PGresult *r, int row, const char *column)
{
    return PQgetvalue(r, row, PQfnumber(r, column));
}

/* OK, E_IO (later) or anything else (never). */
static enum err deliver(const struct slot_env *env, const PGresult *r, int row)
{
    struct sbuf text;
    struct mail m = { .from = env->settings->mail_from,
                      .to = cell(r, row, "recipient"),
                      .id = cell(r, row, "id"),
                      .language = cell(r, row, "language"),
                      .date_s = strtoll(cell(r, row, "created"), NULL, 10) };
    sbuf_init(&text);
    enum err e = mail_unseal(env->secrets->mail_key, slice_of(cell(r, row, "sealed")), &text,
                             &m.subject, &m.text);
    if (e == OK) {
        e = mail_file_deliver(env->settings->mail_dir, &m);
    }
    if (e != OK) {
        log_event(LOG_LEVEL_ERROR, "mail_not_delivered", "message", m.id, "reason",
                  e == E_IO ? strerror(errno) : err_info(e)->code, NULL);
    }
    wipe(&text);
    return e;
}

static const char *state_after(enum err e, const char *attempts)
{
    bool again = e == E_IO || e == E_NOMEM;
    if (e == OK) {
        return "sent";
    }
    return again && strtol(attempts, NULL, 10) + 1 < ATTEMPTS_MAX ? "queued" : "failed";
}

static enum err deliver_all(struct outbox *o, const PGresult *r)
{
    for (int i = 0; i < PQntuples(r); i++) {
        enum err e = deliver(o->env, r, i);
        const char *values[] = { cell(r, i, "id"), state_after(e, cell(r, i, "attempts")) };
        TRY(o->note(o, values));
        score_beat();
    }
    return OK;
}

/* ---- a practice's ---- */

static char take_text[] = TAKE("outbox"), note_text[] = NOTE("outbox"),
            next_text[] = NEXT("outbox");
static const struct stmt_plan take_plan = { .id = STMT_ID_MAIL_TAKE,
                                            .name = "take",
                                            .text = take_text };
static const struct stmt_plan note_plan = {
    .id = STMT_ID_MAIL_NOTE, .name = "note", .text = note_text, .count = 2
};
static const struct stmt_plan next_plan = { .id = STMT_ID_MAIL_NEXT,
                                            .name = "next",
                                            .text = next_text };

static enum err note_in_practice(struct outbox *o, const char *const *values)
{
    return unit_tell(o->unit, &note_plan, values);
}

enum err jobs_mail_practice(const struct slot_env *env, struct unit *u, char next[JOBS_TIME_MAX])
{
    struct outbox o = { .env = env, .note = note_in_practice, .unit = u };
    PGresult *r;
    TRY(unit_ask(u, &take_plan, NULL, &r));
    TRY(deliver_all(&o, r));
    TRY(unit_ask(u, &next_plan, NULL, &r));
    snprintf(next, JOBS_TIME_MAX, "%s", PQgetvalue(r, 0, 0));
    return OK;
}

/* ---- the accounts' ---- */

static enum err note_shared(struct outbox *o, const char *const *values)
{
    return pg_do(o->pg, NOTE("public.outbox"), 2, values, o->why);
}

static enum err work_shared(struct outbox *o, bool *more)
{
    PGresult *r;
    TRY(pg_do(o->pg, "BEGIN", 0, NULL, o->why));
    TRY(pg_ask(o->pg, TAKE("public.outbox"), 0, NULL, &r, o->why));
    *more = PQntuples(r) == BATCH;
    enum err e = deliver_all(o, r);
    bool some = PQntuples(r) > 0;
    PQclear(r);
    if (e == OK && some) {
        e = pg_do(o->pg, forget_sql, 0, NULL, o->why);
    }
    return e == OK ? pg_do(o->pg, "COMMIT", 0, NULL, o->why) : e;
}

enum err jobs_mail_accounts(const struct slot_env *env, PGconn *pg, bool *more, struct sbuf *why)
{
    struct outbox o = { .env = env, .note = note_shared, .pg = pg, .why = why };
    return work_shared(&o, more);
}
