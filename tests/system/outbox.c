/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Messages on their way out: none is lost and none is there twice, whatever happens to the slot that delivers them or to the folder they go to. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/conf.h"
#include "common/secret.h"
#include "common/str.h"
#include "common/uuid.h"
#include "tests/support/api.h"
#include "tests/support/db.h"
#include "tests/support/mail.h"
#include "tests/support/stack.h"
#include "tests/support/wait.h"

#define MESSAGES 300
#define KILLS    3

TestSuite(outbox, .timeout = 240);

/* Sealed as a slot seals it, in hexadecimal. */
static char *sealed(const char *text)
{
    char pool_key[SECRET_KEY_TEXT], mail_key[SECRET_KEY_TEXT];
    struct sbuf out, why;
    sbuf_init(&out);
    sbuf_init(&why);
    const char *path = api_text("%s/secrets/pool.key", stack_env("GREMIO_STATE"));
    cr_assert_eq(secret_init(), OK);
    cr_assert_eq(conf_secret(path, pool_key, sizeof pool_key, &why), OK);
    cr_assert_eq(secret_login_password(pool_key, "mail", mail_key), OK);
    cr_assert_eq(secret_seal(mail_key, slice_of(text), &out), OK);
    char *hex = calloc(1, 2 * out.len + 1);
    str_hex(out.data, out.len, hex);
    sbuf_fini(&out);
    sbuf_fini(&why);
    return hex;
}

/* One message for recipient from practice a, as its role writes it, or to an account. */
static void post(PGconn *db, const char *table, const char *recipient, const char *hex)
{
    char id[UUID_TEXT];
    struct uuid u = uuid_v7();
    uuid_format(&u, id);
    db_do(db, api_text("INSERT INTO %s(id, topic, recipient, language, sealed, dedupe_key) VALUES"
                       " ('%s', 'test', '%s', 'es', decode('%s', 'hex'), '%s')",
                       table, id, recipient, hex, id));
}

static void enter_practice(PGconn *db, const char *slug)
{
    char *code = db_code(db, slug), *role = db_role(db, slug);
    db_do(db, "BEGIN");
    db_do(db, api_text("SET LOCAL search_path = t_%s, pg_temp", code));
    db_do(db, api_text("SET LOCAL ROLE %s", role));
    free(code);
    free(role);
}

static void post_many(PGconn *db, const char *slug, const char *domain, const char *hex)
{
    enter_practice(db, slug);
    for (int i = 0; i < MESSAGES / 2; i++) {
        post(db, "outbox", api_text("n%d@%s", i, domain), hex);
    }
    db_do(db, "SELECT ext.work_due('outbox', now())");
    db_do(db, "COMMIT");
}

static long sent(PGconn *db, const char *slug)
{
    char *code = db_code(db, slug);
    long n = db_number(
        db,
        api_text("SELECT count(*) FROM t_%s.outbox WHERE topic = 'test' AND state = 'sent'", code),
        NULL);
    free(code);
    return n;
}

static long files(const char *ending)
{
    long n = 0;
    struct dirent *e;
    DIR *d = opendir(mail_folder());
    while (d && (e = readdir(d))) {
        size_t len = strlen(e->d_name);
        n += len > 4 && strcmp(e->d_name + len - 4, ending) == 0;
    }
    if (d) {
        closedir(d);
    }
    return n;
}

struct watch {
    PGconn *db;
    long before; /* files that are not the test's */
    long ahead;  /* files that no committed row knows of */
};

static bool is_ahead(void *arg)
{
    struct watch *w = arg;
    long known = sent(w->db, "practice-a") + sent(w->db, "practice-b");
    w->ahead = files(".eml") - w->before - known;
    return w->ahead > 0 || known == MESSAGES;
}

static bool has_slot(void *arg)
{
    return stack_children(stack_worker(), "jobs", arg, 1) == 1;
}

/* The slot dies between a file and its note, again and again. */
Test(outbox, a_slot_that_is_killed_loses_and_doubles_nothing)
{
    PGconn *db = db_super();
    char *hex = sealed("Asunto\nTexto\n");
    mail_settle();
    struct watch w = { .db = db, .before = files(".eml") };
    post_many(db, "practice-a", "a.example.com", hex);
    post_many(db, "practice-b", "b.example.com", hex);
    int between = 0;
    for (int i = 0; i < KILLS; i++) {
        pid_t slot = 0;
        cr_assert(wait_until(has_slot, &slot, WAIT_LONG_MS));
        cr_assert(wait_until(is_ahead, &w, WAIT_LONG_MS));
        kill(slot, SIGKILL);
        /* What it was about to commit it may still have committed. */
        is_ahead(&w);
        between += w.ahead > 0;
    }
    printf("outbox: %d of %d kills between a file and its note\n", between, KILLS);
    cr_expect_gt(between, 0);
    mail_settle();
    cr_expect_eq(sent(db, "practice-a"), MESSAGES / 2);
    cr_expect_eq(sent(db, "practice-b"), MESSAGES / 2);
    cr_expect_eq(files(".eml") - w.before, MESSAGES);
    cr_expect_eq(files(".tmp"), 0);
    for (int i = 0; i < MESSAGES / 2; i += 37) {
        cr_expect_eq(mail_count(api_text("n%d@a.example.com", i)), 1);
        cr_expect_eq(mail_count(api_text("n%d@b.example.com", i)), 1);
    }
    free(hex);
    PQfinish(db);
    api_release();
}

struct tries {
    PGconn *db;
    const char *recipient;
};

static bool was_tried(void *arg)
{
    struct tries *t = arg;
    return db_number(t->db,
                     "SELECT coalesce(max(attempts), 0) FROM public.outbox WHERE recipient = $1"
                     " AND state = 'queued'",
                     t->recipient, NULL) > 0;
}

Test(outbox, a_folder_that_is_gone_delays)
{
    PGconn *db = db_super();
    char *hex = sealed("Asunto\nTexto\n"), *away = api_text("%s.away", mail_folder());
    struct tries t = { db, "late@example.com" };
    cr_assert_eq(rename(mail_folder(), away), 0);
    post(db, "public.outbox", t.recipient, hex);
    db_do(db, "NOTIFY gremio_work");
    bool tried = wait_until(was_tried, &t, WAIT_LONG_MS);
    cr_assert_eq(rename(away, mail_folder()), 0);
    cr_expect(tried, "nobody tried");
    struct mail_read m = mail_wait(t.recipient, 1);
    cr_expect_str_eq(m.subject, "Asunto");
    cr_expect_str_eq(m.text, "Texto\n");
    struct stat s;
    cr_expect(stat(m.path, &s) == 0 && (s.st_mode & 077) == 0, "others may read it");
    mail_free(&m);
    free(hex);
    PQfinish(db);
    api_release();
}

static bool has_failed(void *arg)
{
    struct tries *t = arg;
    return db_number(t->db,
                     "SELECT count(*) FROM public.outbox WHERE recipient = $1 AND state ="
                     " 'failed' AND sealed IS NULL",
                     t->recipient, NULL) == 1;
}

/* What can never be written is given up, and stands in nobody's way. */
Test(outbox, what_cannot_be_written_is_given_up)
{
    PGconn *db = db_super();
    char *hex = sealed("Asunto\nTexto\n");
    struct tries evil = { db, "x@example.com>\r\nBcc: <y@example.com" },
                 torn = { db, "torn@example.com" };
    post(db, "public.outbox", evil.recipient, hex);
    post(db, "public.outbox", torn.recipient, "00ff00ff");
    post(db, "public.outbox", "behind@example.com", hex);
    db_do(db, "NOTIFY gremio_work");
    struct mail_read m = mail_wait("behind@example.com", 1);
    cr_expect(wait_until(has_failed, &evil, WAIT_LONG_MS));
    cr_expect(wait_until(has_failed, &torn, WAIT_LONG_MS));
    cr_expect_eq(mail_count("y@example.com"), 0);
    mail_free(&m);
    free(hex);
    PQfinish(db);
    api_release();
}

/* A message that is for later waits, and lets others pass. */
Test(outbox, what_is_for_later_waits)
{
    PGconn *db = db_super();
    char *hex = sealed("Asunto\nTexto\n");
    db_do(db, "BEGIN");
    post(db, "public.outbox", "later@example.com", hex);
    db_do(db, "UPDATE public.outbox SET not_before = now() + interval '1 hour' WHERE recipient ="
              " 'later@example.com' AND state = 'queued'");
    db_do(db, "COMMIT");
    post(db, "public.outbox", "sooner@example.com", hex);
    db_do(db, "NOTIFY gremio_work");
    struct mail_read m = mail_wait("sooner@example.com", 1);
    cr_expect_eq(mail_count("later@example.com"), 0);
    mail_free(&m);
    db_do(db, "UPDATE public.outbox SET not_before = now() WHERE recipient = 'later@example.com'");
    db_do(db, "NOTIFY gremio_work");
    m = mail_wait("later@example.com", 1);
    mail_free(&m);
    free(hex);
    PQfinish(db);
    api_release();
}

/* Nobody has to tell: a look every few seconds finds what was not told of. */
Test(outbox, is_found_without_word_of_it)
{
    PGconn *db = db_super();
    char *hex = sealed("Asunto\nTexto\n");
    post(db, "public.outbox", "silent@example.com", hex);
    struct mail_read m = mail_wait("silent@example.com", 1);
    mail_free(&m);
    free(hex);
    PQfinish(db);
    api_release();
}

/* A practice's message waits while the practice is suspended. */
Test(outbox, waits_while_the_practice_is_suspended)
{
    PGconn *db = db_super();
    char *hex = sealed("Asunto\nTexto\n");
    cr_assert_eq(stack_ctl((const char *const[]){ "tenant", "suspend", "practice-b", NULL }, NULL),
                 0);
    enter_practice(db, "practice-b");
    post(db, "outbox", "paused@example.com", hex);
    db_do(db, "SELECT ext.work_due('outbox', now())");
    db_do(db, "COMMIT");
    enter_practice(db, "practice-a");
    post(db, "outbox", "goes@example.com", hex);
    db_do(db, "SELECT ext.work_due('outbox', now())");
    db_do(db, "COMMIT");
    struct mail_read m = mail_wait("goes@example.com", 1);
    cr_expect_eq(mail_count("paused@example.com"), 0);
    mail_free(&m);
    cr_assert_eq(stack_ctl((const char *const[]){ "tenant", "resume", "practice-b", NULL }, NULL),
                 0);
    m = mail_wait("paused@example.com", 1);
    mail_free(&m);
    free(hex);
    PQfinish(db);
    api_release();
}
