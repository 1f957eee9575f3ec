/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Strict names, no gap, no double, no surprise in the folder. */
#include "provisioning/migrations.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

Test(provisioning_migrations, names)
{
    static const char *const refused[] = {
        "",
        "0001.sql",
        "0001_.sql",
        "001_core.sql",
        "00001_core.sql",
        "0000_a.sql",
        "0001_Core.sql",
        "0001_1a.sql",
        "0001_a.SQL",
        "0001_a.sql~",
        "0001-a.sql",
        "0001_a b.sql",
        "0001_a/b.sql",
        "+001_a.sql",
        " 001_a.sql",
        "0001_a.sqlx",
        "0001_\xc3\xa1.sql",
        "0001_a..sql",
    };
    int version = -1;
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        cr_expect_eq(migrations_name(slice_of(refused[i]), &version), E_BAD_REQUEST, "%s",
                     refused[i]);
    }
    cr_expect_eq(version, -1);
    cr_expect_eq(migrations_name(slice_of("0001_core.sql"), &version), OK);
    cr_expect_eq(version, 1);
    cr_expect_eq(migrations_name(slice_of("9999_a_2b.sql"), &version), OK);
    cr_expect_eq(version, 9999);
    cr_expect_eq(migrations_name((struct slice){ "0001_a\0.sql", 11 }, &version), E_BAD_REQUEST);
    char name[120];
    snprintf(name, sizeof(name), "0001_%080d.sql", 0);
    cr_expect_eq(migrations_name(slice_of(name), &version), E_BAD_REQUEST);
}

/* A folder for one test. */
struct folder {
    char path[64];
    struct migrations m;
    struct sbuf why;
};

static void folder_init(struct folder *f)
{
    *f = (struct folder){ .path = "/tmp/gremio-migrations-XXXXXX" };
    cr_assert_not_null(mkdtemp(f->path));
    sbuf_init(&f->why);
}

static void folder_put(struct folder *f, const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", f->path, name);
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    fputs(text, file);
    fclose(file);
}

static void folder_drop(struct folder *f, const char *name)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", f->path, name);
    cr_assert_eq(unlink(path), 0);
}

static enum err folder_load(struct folder *f)
{
    sbuf_reset(&f->why, SIZE_MAX);
    return migrations_load(f->path, &f->m, &f->why);
}

static void expect_refused(struct folder *f, const char *part)
{
    enum err e = folder_load(f);
    cr_assert(e == E_CONFIG || e == E_IO);
    sbuf_char(&f->why, '\0');
    cr_expect_not_null(strstr(f->why.data, part), "%s", f->why.data);
}

Test(provisioning_migrations, folder)
{
    struct folder f;
    folder_init(&f);
    expect_refused(&f, "no migration files");
    folder_put(&f, "0002_b.sql", "SELECT 2;");
    expect_refused(&f, "0001");
    folder_put(&f, "0001_a.sql", "SELECT 1;");
    folder_put(&f, ".hidden", "COMMIT");
    cr_assert_eq(folder_load(&f), OK);
    cr_expect_eq(migrations_latest(&f.m), 2);
    cr_expect_str_eq(f.m.rows[0].file, "0001_a.sql");
    cr_expect_str_eq(f.m.rows[1].sql, "SELECT 2;");
    cr_expect_str_eq(f.m.rows[0].checksum,
                     "17db4fd369edb9244b9f91d9aeed145c3d04ad8ba6e95d06247f07a63527d11a");
    migrations_free(&f.m);
    folder_put(&f, "0002_c.sql", "SELECT 3;");
    expect_refused(&f, "two files numbered 0002");
    folder_drop(&f, "0002_c.sql");
    folder_put(&f, "notes.txt", "");
    expect_refused(&f, "notes.txt");
    folder_drop(&f, "notes.txt");
    folder_put(&f, "0003_c.sql", "COMMIT;");
    expect_refused(&f, "0003_c.sql");
    folder_drop(&f, "0003_c.sql");
    folder_drop(&f, "0002_b.sql");
    folder_drop(&f, "0001_a.sql");
    folder_drop(&f, ".hidden");
    cr_expect_eq(rmdir(f.path), 0);
    expect_refused(&f, "Cannot open");
    sbuf_fini(&f.why);
}

Test(provisioning_migrations, a_file_over_one_mebibyte_is_refused)
{
    struct folder f;
    folder_init(&f);
    char *text = malloc(MIGRATIONS_TEXT_MAX + 2);
    cr_assert_not_null(text);
    memset(text, ' ', MIGRATIONS_TEXT_MAX + 1);
    text[MIGRATIONS_TEXT_MAX + 1] = '\0';
    folder_put(&f, "0001_a.sql", text);
    expect_refused(&f, "larger than 1 MiB");
    text[MIGRATIONS_TEXT_MAX] = '\0';
    folder_put(&f, "0001_a.sql", text);
    cr_expect_eq(folder_load(&f), OK);
    migrations_free(&f.m);
    free(text);
    folder_drop(&f, "0001_a.sql");
    rmdir(f.path);
    sbuf_fini(&f.why);
}
