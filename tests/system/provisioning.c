/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Importing and migrating many practices: killed at any moment, with one that fails, with one that is locked, with a
 * file that changed; and what a failed creation leaves behind. One test, for the steps build on each other. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/api.h"
#include "tests/support/db.h"
#include "tests/support/stack.h"
#include "tests/support/wait.h"

TestSuite(provisioning, .timeout = 280);

#define PRACTICES 30
#define KILLS     6

/* A folder of SQL files of this test: links to the real ones, and more. */
static char sql_dir[300], sql_setting[320];
static PGconn *super;

static void write_file(int version, const char *name, const char *text)
{
    char *path = api_text("%s/tenant_template/%04d_%s.sql", sql_dir, version, name);
    FILE *f = fopen(path, "w");
    cr_assert_not_null(f, "%s", path);
    fputs(text, f);
    fclose(f);
}

static int ctl(const char *const *args, char **said)
{
    const char *all[24] = { "--set", sql_setting };
    size_t n = 2;
    while (*args) {
        cr_assert_lt(n, ARRAY_LEN(all) - 1);
        all[n++] = *args++;
    }
    return stack_ctl(all, said);
}

#define CTL(...) ctl((const char *const[]){ __VA_ARGS__, NULL }, NULL)

/* The sql_dir of the stack's settings, linked file by file; returns the newest version. */
static int link_files(void)
{
    char *said = NULL, from[300];
    int latest = 0;
    cr_assert_eq(stack_ctl((const char *const[]){ "--check-config", NULL }, &said), 0);
    const char *at = strstr(said, "sql_dir = ");
    cr_assert(at && sscanf(at, "sql_dir = %299[^\n]", from) == 1);
    free(said);
    snprintf(sql_dir, sizeof sql_dir, "%s/sql-test", stack_env("GREMIO_STATE"));
    snprintf(sql_setting, sizeof sql_setting, "sql_dir=%s", sql_dir);
    char *folder = api_text("%s/tenant_template", sql_dir);
    char *source = api_text("%s/tenant_template", from);
    cr_assert(mkdir(sql_dir, 0700) == 0 && mkdir(folder, 0700) == 0);
    DIR *d = opendir(source);
    cr_assert_not_null(d);
    for (struct dirent *e; (e = readdir(d));) {
        char *target = api_text("%s/%s", source, e->d_name);
        char *link = api_text("%s/%s", folder, e->d_name);
        if (e->d_name[0] != '.') {
            cr_assert_eq(symlink(target, link), 0);
            latest = atoi(e->d_name) > latest ? atoi(e->d_name) : latest;
        }
    }
    closedir(d);
    return latest;
}

static int create(const char *slug, const char *email)
{
    return CTL("tenant", "create", slug, "--name", "Práctica", "--owner-email", email, "--sector",
               "dentist", "--country", "MX", "--time-zone", "America/Mexico_City", "--locale",
               "es-MX", "--currency", "MXN");
}

static long at_version(int version)
{
    char text[16];
    snprintf(text, sizeof text, "%d", version);
    return db_number(super, "select count(*) from public.tenant where schema_version = $1::int",
                     text, NULL);
}

/* Practices whose recorded version and whose tables disagree. */
static long half_done(int version, const char *table)
{
    char text[16];
    snprintf(text, sizeof text, "%d", version);
    return db_number(super,
                     "select count(*) from public.tenant t where (t.schema_version >= $1::int)"
                     " <> exists(select from pg_class c join pg_namespace n"
                     " on n.oid = c.relnamespace where n.nspname = 't_' || t.code"
                     " and c.relname = $2)",
                     text, table, NULL);
}

/* Waits for so many practices at a version. */
struct goal {
    int version;
    long count;
};

static bool reached(void *arg)
{
    const struct goal *g = arg;
    return at_version(g->version) >= g->count;
}

/* gremioctl with these words, not waited for. */
static pid_t start(const char *const *words)
{
    char *exe = api_text("%s/gremioctl", stack_env("GREMIO_BIN"));
    char *conf = api_text("%s/conf/gremioctl.conf", stack_env("GREMIO_STATE"));
    const char *args[16] = { exe, "--config", conf, "--set", sql_setting, "--json" };
    size_t n = 6;
    while (*words) {
        cr_assert_lt(n, ARRAY_LEN(args) - 1);
        args[n++] = *words++;
    }
    pid_t pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        execv(exe, (char *const *)(uintptr_t)args);
        _exit(127);
    }
    return pid;
}

#define START(...) start((const char *const[]){ __VA_ARGS__, NULL })

static void kill_hard(pid_t pid)
{
    kill(pid, SIGKILL);
    cr_assert_eq(waitpid(pid, NULL, 0), pid);
}

/* Practices fleet-1 ... as a CSV file; even ones bring a password. */
static char *write_rows(void)
{
    char *path = api_text("%s/fleet.csv", stack_env("GREMIO_STATE"));
    FILE *f = fopen(path, "w");
    cr_assert_not_null(f);
    fputs("slug,name,owner_email,sector,country,time_zone,locale,currency,password\r\n", f);
    for (int i = 1; i <= PRACTICES; i++) {
        fprintf(f, "fleet-%d,\"Práctica, %d\",Fleet-%d@example.com,dentist,MX,", i, i, i);
        fprintf(f, "America/Mexico_City,es-MX,MXN,%s\r\n", i % 2 ? "" : "correct-horse-battery");
    }
    fclose(f);
    return path;
}

/* The last line of a slug in the file of made passwords; malloc. */
static char *made_password(const char *path, const char *slug)
{
    char line[400], *found = NULL;
    FILE *f = fopen(path, "r");
    cr_assert_not_null(f);
    while (fgets(line, sizeof line, f)) {
        char *password = strrchr(line, ',');
        if (password && strncmp(line, slug, strlen(slug)) == 0 && line[strlen(slug)] == ',') {
            free(found);
            found = strndup(password + 1, strcspn(password + 1, "\n"));
        }
    }
    fclose(f);
    return found;
}

static bool imported(void *arg)
{
    return db_number(super, "select count(*) from public.tenant where slug ~ '^fleet-'", NULL) >=
           *(long *)arg;
}

static void check_refusals(const char *rows, const char *passwords)
{
    char *said = NULL;
    char *wrong = api_text("%s/wrong.csv", stack_env("GREMIO_STATE"));
    FILE *f = fopen(wrong, "w");
    fputs("slug,name,owner_email,password\nfleet-1,Ajena,other@example.com,correct-horse-battery\n",
          f);
    fclose(f);
    cr_expect_eq(CTL("tenant", "import", wrong), 2, "no sector, no country");
    cr_expect_eq(CTL("tenant", "import", rows), 2, "made passwords need a file");
    cr_expect_eq(ctl((const char *const[]){ "tenant", "import", wrong, "--sector", "dentist",
                                            "--country", "MX", "--time-zone", "UTC", "--locale",
                                            "es-MX", "--currency", "MXN", "--json", NULL },
                     &said),
                 5, "the slug belongs to somebody else");
    cr_expect_not_null(strstr(said, "other@example.com does not belong"), "%s", said);
    free(said);
    cr_expect_eq(CTL("tenant", "import", rows, "--passwords", passwords), 0, "all are there");
}

/* Killed in the middle, an import goes on where it was; nobody's password is lost and nothing is there twice. */
static void check_import(void)
{
    char *rows = write_rows();
    char *passwords = api_text("%s/passwords.csv", stack_env("GREMIO_STATE"));
    for (long k = 1; k <= 2; k++) {
        long goal = k * PRACTICES / 3;
        pid_t pid = START("tenant", "import", rows, "--passwords", passwords);
        cr_assert(wait_until(imported, &goal, WAIT_LONG_MS));
        kill_hard(pid);
    }
    cr_assert_eq(CTL("tenant", "import", rows, "--passwords", passwords), 0);
    cr_expect_eq(db_number(super,
                           "select count(*) from public.tenant t join public.membership m"
                           " on m.tenant_id = t.id join public.account a on a.id = m.account_id"
                           " join pg_namespace n on n.nspname = 't_' || t.code"
                           " where a.email = t.slug || '@example.com'",
                           NULL),
                 PRACTICES);
    check_refusals(rows, passwords);
    for (int i = 1; i <= PRACTICES; i += PRACTICES - 1) {
        char *email = api_text("fleet-%d@example.com", i);
        char *slug = api_text("fleet-%d", i);
        char *made = made_password(passwords, slug);
        int status = 0;
        struct api a = api_try_login(email, made ? made : "correct-horse-battery", &status);
        cr_expect_eq(status, 200, "%s", email);
        cr_expect_eq(made != NULL, i % 2);
        api_close(&a);
        free(made);
    }
}

/* The run is killed each time a few more practices are through; nothing may be in between, and a last run ends it. */
static void check_kills(int version)
{
    long total = db_number(super, "select count(*) from public.tenant", NULL);
    write_file(version, "first",
               "CREATE TABLE first_table(id uuid PRIMARY KEY, a int);\n"
               "GRANT SELECT ON first_table TO :tenant;\n"
               "CREATE INDEX first_a ON first_table(a);\n");
    for (long k = 0; k < KILLS; k++) {
        struct goal goal = { version, (k + 1) * total / (KILLS + 2) };
        pid_t pid = START("migrate", "run");
        cr_assert(wait_until(reached, &goal, WAIT_LONG_MS));
        kill_hard(pid);
        cr_assert_eq(half_done(version, "first_table"), 0);
    }
    cr_assert_eq(CTL("migrate", "run"), 0);
    cr_expect_eq(at_version(version), total);
    cr_expect_eq(half_done(version, "first_table"), 0);
}

/* One practice cannot take the file: the others do, it stays whole at its version, and a repaired one follows. */
static void check_failure(int version)
{
    char *code = db_code(super, "fleet-7");
    char *plant = api_text("create table t_%s.second_table(i int)", code);
    char *repair = api_text("drop table t_%s.second_table", code);
    char *said = NULL;
    long total = db_number(super, "select count(*) from public.tenant", NULL);
    db_do(super, plant);
    write_file(version, "second",
               "ALTER TABLE first_table ADD COLUMN b int;\n"
               "CREATE TABLE second_table(i int PRIMARY KEY);\n");
    cr_expect_eq(CTL("migrate", "run", "--canary", "fleet-7"), 5, "a failing canary");
    cr_expect_eq(at_version(version), 0, "nothing but the canary was touched");
    cr_expect_eq(db_number(super,
                           "select count(*) from public.migration where scope = 'tenant'"
                           " and name like '%second%'",
                           NULL),
                 0, "a file nobody could run stays correctable");
    cr_expect_eq(CTL("migrate", "run", "--canary", "fleet-8"), 5);
    cr_expect_eq(at_version(version), total - 1);
    cr_expect_eq(db_number(super,
                           "select count(*) from information_schema.columns where"
                           " table_schema = 't_' || $1 and column_name = 'b'",
                           code, NULL),
                 0, "the failed practice keeps nothing of the file");
    cr_expect_eq(ctl((const char *const[]){ "migrate", "status", "--json", NULL }, &said), 0);
    cr_expect_not_null(strstr(said, "\"slug\": \"fleet-7\""), "%s", said);
    free(said);
    db_do(super, repair);
    cr_expect_eq(CTL("migrate", "run"), 0);
    cr_expect_eq(at_version(version), total);
    cr_expect_eq(db_number(super, "select count(*) from public.migration_failure", NULL), 0);
    free(code);
}

/* Counts the transactions in which gremioctl was seen waiting for a table. */
struct waiters {
    char last[64];
    int seen;
};

static bool waited_twice(void *arg)
{
    struct waiters *w = arg;
    char *now = db_value(super,
                         "select xact_start from pg_stat_activity where wait_event_type = 'Lock'"
                         " and wait_event = 'relation' and application_name = 'gremioctl'",
                         NULL);
    if (now[0] && strcmp(now, w->last) != 0) {
        snprintf(w->last, sizeof w->last, "%s", now);
        w->seen++;
    }
    free(now);
    return w->seen >= 2;
}

/* Somebody holds one practice's table: it is left for later and tried again within the run, the others do not wait. */
static void check_lock(int version)
{
    PGconn *holder = db_super();
    char *code = db_code(super, "fleet-9");
    char *lock = api_text("lock table t_%s.first_table", code);
    long total = db_number(super, "select count(*) from public.tenant", NULL);
    struct goal others = { version, total - 1 };
    struct waiters waiters = { .seen = 0 };
    write_file(version, "third", "ALTER TABLE first_table ADD COLUMN c int;\n");
    db_do(holder, "begin");
    db_do(holder, lock);
    pid_t pid = START("--set", "lock_timeout=500ms", "migrate", "run");
    cr_expect(wait_until(waited_twice, &waiters, WAIT_LONG_MS), "it was not tried again");
    cr_expect(wait_until(reached, &others, WAIT_LONG_MS));
    db_do(holder, "commit");
    int status = 0;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    cr_expect_eq(at_version(version), total);
    PQfinish(holder);
    free(code);
}

static void check_changed_file(int version)
{
    char *said = NULL;
    write_file(version, "third", "ALTER TABLE first_table ADD COLUMN d int;\n");
    cr_expect_eq(ctl((const char *const[]){ "migrate", "run", NULL }, &said), 6);
    cr_expect_not_null(strstr(said, "third.sql"), "%s", said);
    free(said);
    cr_expect_eq(create("fleet-late", "late@example.com"), 6);
    write_file(version, "third", "ALTER TABLE first_table ADD COLUMN c int;\n");
    cr_expect_eq(CTL("migrate", "run"), 0);
}

static long everything(void)
{
    return db_number(super,
                     "select (select count(*) from pg_roles) + (select count(*) from pg_namespace"
                     " where nspname ~ '^t_') + (select count(*) from public.tenant)"
                     " + (select count(*) from public.account)"
                     " + (select count(*) from public.membership)",
                     NULL);
}

/* The last file fails: of roles, schema, account and rows nothing is left. */
static void check_failed_creation(int version)
{
    long before = everything();
    write_file(version, "fourth", "CREATE TABLE fourth_table(i int);\nSELECT 1 / 0;\n");
    cr_expect_eq(create("fleet-broken", "broken@example.com"), 1);
    cr_expect_eq(everything(), before);
    write_file(version, "fourth", "CREATE TABLE fourth_table(i int PRIMARY KEY);\n");
    cr_expect_eq(create("fleet-new", "new@example.com"), 0);
    cr_expect_eq(half_done(version, "fourth_table"), 0);
    cr_expect_eq(create("fleet-new", "other@example.com"), 4);
}

static void check_drop(void)
{
    cr_expect_eq(CTL("tenant", "drop", "fleet-new"), 6, "no terminal, no --yes");
    long before = everything();
    cr_expect_eq(create("fleet-gone", "gone@example.com"), 0);
    cr_expect_eq(CTL("tenant", "drop", "fleet-gone", "--yes"), 0);
    cr_expect_eq(everything(), before);
    cr_expect_eq(CTL("tenant", "drop", "fleet-gone", "--yes"), 3);
}

Test(provisioning, many_practices)
{
    super = db_super();
    int latest = link_files();
    check_import();
    check_kills(latest + 1);
    check_failure(latest + 2);
    check_lock(latest + 3);
    check_changed_file(latest + 3);
    check_failed_creation(latest + 4);
    check_drop();
    PQfinish(super);
    api_release();
}
