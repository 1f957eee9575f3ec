/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Files to a checked, sorted list. */
#include "provisioning/migrations.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/secret.h"
#include "common/str.h"
#include "provisioning/script.h"

static bool name_char(char c, bool first)
{
    return (c >= 'a' && c <= 'z') || (!first && ((c >= '0' && c <= '9') || c == '_'));
}

enum err migrations_name(struct slice file, int *version)
{
    const size_t fixed = sizeof("0000_.sql") - 1;
    if (file.n <= fixed || file.n >= MIGRATIONS_FILE_MAX || file.p[4] != '_' ||
        memcmp(file.p + file.n - 4, ".sql", 4) != 0) {
        return E_BAD_REQUEST;
    }
    int value = 0;
    for (int i = 0; i < 4; i++) {
        if (file.p[i] < '0' || file.p[i] > '9') {
            return E_BAD_REQUEST;
        }
        value = value * 10 + (file.p[i] - '0');
    }
    for (size_t i = 5; i < file.n - 4; i++) {
        if (!name_char(file.p[i], i == 5)) {
            return E_BAD_REQUEST;
        }
    }
    if (value == 0) {
        return E_BAD_REQUEST;
    }
    *version = value;
    return OK;
}

/* Reads at most MIGRATIONS_TEXT_MAX bytes of path into m. */
static enum err read_text(const char *path, struct migration *m, struct sbuf *why)
{
    FILE *f = fopen(path, "re");
    char *text = malloc(MIGRATIONS_TEXT_MAX + 2);
    if (!f || !text) {
        sbuf_fmt(why, "Cannot read %s: %s.", path, strerror(errno));
        goto fail;
    }
    size_t n = fread(text, 1, MIGRATIONS_TEXT_MAX + 1, f);
    if (ferror(f) || n > MIGRATIONS_TEXT_MAX) {
        sbuf_fmt(why, "%s %s.", path, ferror(f) ? "cannot be read" : "is larger than 1 MiB");
        goto fail;
    }
    m->sql = malloc(n + 1);
    if (!m->sql) {
        goto fail;
    }
    memcpy(m->sql, text, n);
    m->sql[n] = '\0';
    m->length = n;
    free(text);
    fclose(f);
    return OK;
fail:
    if (f) {
        fclose(f);
    }
    free(text);
    return E_IO;
}

static enum err read_one(const char *dir, const char *file, struct migration *m, struct sbuf *why)
{
    char path[4200];
    if (migrations_name(slice_of(file), &m->version) != OK) {
        sbuf_fmt(why, "%s/%s is not named like 0001_name.sql.", dir, file);
        return E_CONFIG;
    }
    TRY(str_copy(slice_of(file), m->file, sizeof(m->file)));
    int n = snprintf(path, sizeof(path), "%s/%s", dir, file);
    if (n < 0 || (size_t)n >= sizeof(path)) {
        sbuf_fmt(why, "The path of %s is too long.", file);
        return E_CONFIG;
    }
    TRY(read_text(path, m, why));
    struct slice text = { m->sql, m->length };
    struct sbuf reason;
    sbuf_init(&reason);
    enum err e = script_check(text, &reason);
    if (e != OK) {
        struct slice r = sbuf_slice(&reason);
        sbuf_fmt(why, "%s: %.*s.", path, (int)r.n, r.p);
        sbuf_fini(&reason);
        return E_CONFIG;
    }
    sbuf_fini(&reason);
    uint8_t digest[32];
    secret_digest(text, digest);
    str_hex(digest, sizeof(digest), m->checksum);
    return OK;
}

static int by_version(const void *a, const void *b)
{
    return ((const struct migration *)a)->version - ((const struct migration *)b)->version;
}

static enum err check_order(const char *dir, const struct migrations *m, struct sbuf *why)
{
    for (size_t i = 0; i < m->count; i++) {
        int wanted = (int)i + 1;
        if (m->rows[i].version < wanted) {
            sbuf_fmt(why, "%s holds two files numbered %04d: %s and %s.", dir, m->rows[i].version,
                     m->rows[i - 1].file, m->rows[i].file);
            return E_CONFIG;
        }
        if (m->rows[i].version > wanted) {
            sbuf_fmt(why, "%s has no file numbered %04d, but %s.", dir, wanted, m->rows[i].file);
            return E_CONFIG;
        }
    }
    return OK;
}

static enum err add(struct migrations *m, const char *dir, const char *file, struct sbuf *why)
{
    if (m->count == MIGRATIONS_MAX) {
        sbuf_fmt(why, "%s holds more than %d files.", dir, MIGRATIONS_MAX);
        return E_CONFIG;
    }
    struct migration *rows = realloc(m->rows, (m->count + 1) * sizeof(*rows));
    if (!rows) {
        return E_NOMEM;
    }
    m->rows = rows;
    rows[m->count] = (struct migration){ 0 };
    m->count++;
    return read_one(dir, file, &rows[m->count - 1], why);
}

enum err migrations_load(const char *dir, struct migrations *out, struct sbuf *why)
{
    struct migrations m = { 0 };
    enum err e = OK;
    DIR *d = opendir(dir);
    if (!d) {
        sbuf_fmt(why, "Cannot open the folder %s: %s.", dir, strerror(errno));
        return E_IO;
    }
    for (struct dirent *entry; e == OK && (entry = readdir(d));) {
        if (entry->d_name[0] != '.') {
            e = add(&m, dir, entry->d_name, why);
        }
    }
    closedir(d);
    if (e == OK && m.count > 0) {
        qsort(m.rows, m.count, sizeof(*m.rows), by_version);
        e = check_order(dir, &m, why);
    }
    if (e == OK && m.count == 0) {
        sbuf_fmt(why, "The folder %s holds no migration files.", dir);
        e = E_CONFIG;
    }
    if (e != OK) {
        migrations_free(&m);
        return e;
    }
    *out = m;
    return OK;
}

int migrations_latest(const struct migrations *m)
{
    return (int)m->count;
}

void migrations_free(struct migrations *m)
{
    for (size_t i = 0; i < m->count; i++) {
        free(m->rows[i].sql);
    }
    free(m->rows);
    *m = (struct migrations){ 0 };
}
