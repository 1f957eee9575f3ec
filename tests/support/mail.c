/* SPDX-License-Identifier: LicenseRef-Gremio */
/* A decoder of its own, by RFC 2045 and 2047, so that the writer is not tested with itself. */
#include "tests/support/mail.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/api.h"
#include "tests/support/db.h"
#include "tests/support/stack.h"
#include "tests/support/wait.h"

const char *mail_folder(void)
{
    static char folder[300];
    snprintf(folder, sizeof folder, "%.250s/mail", stack_env("GREMIO_STATE"));
    return folder;
}

static char *read_file(const char *path)
{
    char *text = NULL;
    size_t n = 0;
    FILE *f = fopen(path, "re");
    if (f && getdelim(&text, &n, '\0', f) < 0) {
        free(text);
        text = NULL;
    }
    if (f) {
        fclose(f);
    }
    return text;
}

static bool is_to(const char *raw, const char *to)
{
    char field[320];
    snprintf(field, sizeof field, "\nTo: <%s>\r\n", to);
    const char *end = strstr(raw, "\r\n\r\n"), *found = strstr(raw, field);
    return found && end && found < end;
}

static int whole(const struct dirent *e)
{
    size_t n = strlen(e->d_name);
    return n > 4 && strcmp(e->d_name + n - 4, ".eml") == 0;
}

/* The n-th to the address, NULL without; *count is how many there are. Ids sort by the time they were made. */
static char *find(const char *to, int n, int *count, char **path)
{
    struct dirent **names;
    char *found = NULL;
    int files = scandir(mail_folder(), &names, whole, alphasort);
    *count = 0;
    for (int i = 0; i < files; i++) {
        char at[600];
        snprintf(at, sizeof at, "%s/%s", mail_folder(), names[i]->d_name);
        char *raw = read_file(at);
        bool mine = raw && is_to(raw, to) && ++*count == n;
        if (mine) {
            found = raw;
            *path = strdup(at);
        } else {
            free(raw);
        }
        free(names[i]);
    }
    if (files >= 0) {
        free(names);
    }
    return found;
}

int mail_count(const char *to)
{
    int count;
    char *path;
    free(find(to, -1, &count, &path));
    return count;
}

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Quoted-printable with CRLF to plain text. */
static char *decode_body(const char *p)
{
    char *out = malloc(strlen(p) + 1), *o = out;
    while (*p) {
        if (p[0] == '=' && p[1] == '\r' && p[2] == '\n') {
            p += 3;
        } else if (p[0] == '=') {
            cr_assert(hex(p[1]) >= 0 && hex(p[2]) >= 0, "not quoted-printable: %.10s", p);
            *o++ = (char)(hex(p[1]) * 16 + hex(p[2]));
            p += 3;
        } else if (p[0] == '\r' && p[1] == '\n') {
            *o++ = '\n';
            p += 2;
        } else {
            *o++ = *p++;
        }
    }
    *o = '\0';
    return out;
}

static size_t decode_base64(const char *p, size_t n, char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = 0;
    int have = 0;
    size_t len = 0;
    for (size_t i = 0; i < n && p[i] != '='; i++) {
        const char *d = strchr(digits, p[i]);
        cr_assert_not_null(d);
        bits = bits << 6 | (uint32_t)(d - digits);
        have += 6;
        if (have >= 8) {
            have -= 8;
            out[len++] = (char)(bits >> have & 0xff);
        }
    }
    return len;
}

static char *decode_subject(const char *raw)
{
    const char *p = strstr(raw, "\r\nSubject: ");
    cr_assert_not_null(p, "a message without a subject");
    p += strlen("\r\nSubject: ");
    char *out = malloc(strlen(p) + 1);
    size_t len = 0;
    while (!(p[0] == '\r' && p[2] != ' ')) {
        const char *word = strncmp(p, "=?UTF-8?B?", 10) == 0 ? p + 10 : NULL;
        const char *end = word ? strstr(word, "?=") : NULL;
        if (end) {
            len += decode_base64(word, (size_t)(end - word), out + len);
            p = end + 2;
            p += strncmp(p, "\r\n =?", 5) == 0 ? 3 : 0;
        } else {
            out[len++] = *p++;
        }
    }
    out[len] = '\0';
    return out;
}

/* The first line that is a link, and the first that is 43 characters of base64url. */
static void find_link(struct mail_read *m)
{
    for (char *line = m->text; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        size_t n = strcspn(line, "\n");
        bool code = n == 43 && strspn(line, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                            "0123456789-_") == 43;
        if (code && !m->code[0]) {
            snprintf(m->code, sizeof m->code, "%.43s", line);
        }
        if (strncmp(line, "http", 4) == 0 && !m->link[0]) {
            snprintf(m->link, sizeof m->link, "%.*s", (int)n, line);
        }
    }
}

struct awaited {
    const char *to;
    int n, count;
    char *raw, *path;
};

static bool is_there(void *arg)
{
    struct awaited *w = arg;
    w->raw = find(w->to, w->n, &w->count, &w->path);
    return w->raw != NULL;
}

struct mail_read mail_wait(const char *to, int n)
{
    struct awaited w = { .to = to, .n = n };
    cr_assert(wait_until(is_there, &w, WAIT_LONG_MS),
              "message %d to %s does not come: %d are there", n, to, w.count);
    struct mail_read m = { .raw = w.raw, .path = w.path };
    m.subject = decode_subject(m.raw);
    m.text = decode_body(strstr(m.raw, "\r\n\r\n") + 4);
    find_link(&m);
    return m;
}

void mail_free(struct mail_read *m)
{
    free(m->raw);
    free(m->subject);
    free(m->text);
    free(m->path);
    *m = (struct mail_read){ 0 };
}

static bool nothing_waits(void *arg)
{
    PGconn *db = arg;
    return db_number(db,
                     "SELECT (SELECT count(*) FROM public.outbox WHERE state = 'queued')"
                     " + (SELECT count(*) FROM public.due_work WHERE due_at < 'infinity')",
                     NULL) == 0;
}

void mail_settle(void)
{
    PGconn *db = db_super();
    cr_assert(wait_until(nothing_waits, db, WAIT_LONG_MS), "messages stay where they are");
    PQfinish(db);
}
