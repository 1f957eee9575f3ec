/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The disk under PostgreSQL's tables is full: writes say 507 storage_full, reads go on, nothing is half there, and when
 * space returns writes go on without a restart. The disk is a tmpfs in a private mount namespace, made by
 * tests/support/private-mounts; where that is not allowed the test says skipped. And gremioctl's words that find no room. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/api.h"
#include "tests/support/db.h"
#include "tests/support/stack.h"
#include "tests/support/wait.h"

TestSuite(disk_full, .timeout = 180);

#define TRIES_MAX  3000 /* writes until the last free page is used */
#define LAST_BYTES (256 << 10)

/* Mounts a small disk and moves every table and index of the practices there. False when mounting is not allowed. */
static bool move_to_small_disk(PGconn *super, const char *disk)
{
    struct stat owner;
    cr_assert_eq(mkdir(disk, 0700), 0);
    if (!getenv("PRIVATE_MOUNTS") || mount("small", disk, "tmpfs", 0, "size=48m") != 0) {
        return false;
    }
    cr_assert_eq(stat(stack_env("GREMIO_PGDATA"), &owner), 0);
    cr_assert(chown(disk, owner.st_uid, owner.st_gid) == 0 && chmod(disk, 0700) == 0);
    db_do(super, api_text("CREATE TABLESPACE small LOCATION '%s'", disk));
    db_do(super,
          "ALTER TABLE ALL IN TABLESPACE pg_default OWNED BY gremio_owner SET TABLESPACE small");
    db_do(super,
          "ALTER INDEX ALL IN TABLESPACE pg_default OWNED BY gremio_owner SET TABLESPACE small");
    db_do(super, "GRANT CREATE ON TABLESPACE small TO gremio_owner");
    return true;
}

/* A file that leaves little room; its path lives until api_release. */
static const char *fill(const char *disk)
{
    const char *path = api_text("%s/ballast", disk);
    static const char block[4096];
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    cr_assert_geq(fd, 0);
    off_t size = 0;
    while (write(fd, block, sizeof block) == (ssize_t)sizeof block) {
        size += (off_t)sizeof block;
    }
    cr_assert_eq(ftruncate(fd, size - LAST_BYTES), 0);
    close(fd);
    return path;
}

static struct answer *create(struct api *a, int i, const char *notes)
{
    return api_send(a, "POST", "/api/v1/clients",
                    api_text("{\"given_name\":\"Full %d\",\"notes\":\"%s\"}", i, notes),
                    api_text("Idempotency-Key: full-%d\r\n", i));
}

static long count(PGconn *super, const char *what)
{
    char *code = db_code(super, "practice-a");
    char *sql = api_text("SELECT count(*) FROM t_%s.%s", code, what);
    free(code);
    return db_number(super, sql, NULL);
}

Test(disk_full, writes_say_so_and_reads_go_on)
{
    char notes[3001];
    int good = 0, refused = 0, tried = 0;
    char *disk = api_text("%s/small", stack_env("GREMIO_STATE"));
    PGconn *super = db_super();
    struct api a = api_login(OWNER_A), english = api_login(OWNER_A);
    english.headers = "Accept-Language: en\r\n";
    if (!move_to_small_disk(super, disk)) {
        printf("disk_full: skipped: no private mount namespace\n");
        return;
    }
    for (size_t i = 0; i < sizeof notes - 1; i++) { /* not to be compressed away */
        notes[i] = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[rand() % 62];
    }
    notes[sizeof notes - 1] = '\0';
    long clients = count(super, "client"), keys = count(super, "idempotency");
    const char *known = api_new_client(&a, "Known");
    const char *ballast = fill(disk);
    clients++;
    struct answer *r;
    for (; tried < TRIES_MAX && refused < 5; tried++) {
        r = create(&a, tried, notes);
        good += r->status == 201;
        refused += r->status == 507;
        cr_assert(r->status == 201 || r->status == 507, "%d %s", r->status, r->http.body);
    }
    cr_assert_geq(refused, 5, "the disk does not get full");
    cr_expect_str_eq(answer_code(r), "storage_full");
    cr_expect(answer_header(r, "retry-after") != NULL);
    cr_expect(strstr(r->http.body, "espacio") != NULL, "%s", r->http.body);
    cr_expect(strstr(create(&english, TRIES_MAX, notes)->http.body, "space") != NULL);
    /* What failed left nothing, not even its key. */
    cr_expect_eq(count(super, "client"), clients + good);
    cr_expect_eq(count(super, "idempotency"), keys + good);
    for (int i = 0; i < 20; i++) {
        cr_expect_eq(api_get(&a, "/api/v1/clients/%s", known)->status, 200);
        cr_expect_eq(api_get(&a, "/api/v1/clients?limit=50")->status, 200);
    }
    cr_expect_eq(api_get(&a, "/readyz")->status, 200, "reads go on, so it is ready");
    pid_t postmaster = stack_postmaster();
    cr_assert_eq(unlink(ballast), 0);
    for (int i = 0; i < tried; i++) {
        r = create(&a, i, notes);
        cr_assert_eq(r->status, 201, "%d %s", r->status, r->http.body);
    }
    cr_expect_eq(count(super, "client"), clients + tried);
    cr_expect_eq(stack_postmaster(), postmaster);
    printf("disk_full: %d writes stored, %d refused with 507 storage_full, reads went on; after "
           "space returned all %d keys are there once, without a restart\n",
           good, refused, tried);
    umount2(disk, MNT_DETACH); /* or the folder could not be removed */
    PQfinish(super);
    api_close(&english);
    api_close(&a);
    api_release();
}

Test(disk_full, gremioctl_says_when_its_words_are_lost)
{
    static const char *const commands[] = { "tenant list", "--json tenant list", "--help" };
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        char *run = api_text("'%s/gremioctl' --config '%s/conf/gremioctl.conf' %s >",
                             stack_env("GREMIO_BIN"), stack_env("GREMIO_STATE"), commands[i]);
        int taken = system(api_text("%s/dev/null", run));
        int lost = system(api_text("%s/dev/full 2>/dev/null", run));
        cr_expect(WIFEXITED(taken) && WEXITSTATUS(taken) == 0, "%s: %d", commands[i], taken);
        cr_expect(WIFEXITED(lost) && WEXITSTATUS(lost) == 8, "%s: %d", commands[i], lost);
    }
    api_release();
}
