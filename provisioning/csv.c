/* SPDX-License-Identifier: LicenseRef-Gremio */
/* A field never grows when its quotes go, so it is written back where it stood. */
#include "provisioning/csv.h"

#include <string.h>

void csv_init(struct csv *c, char *text)
{
    static const char mark[] = "\xef\xbb\xbf";
    bool marked = strncmp(text, mark, sizeof(mark) - 1) == 0;
    *c = (struct csv){ .at = marked ? text + sizeof(mark) - 1 : text, .line = 0, .next = 1 };
}

static enum err refuse(const struct csv *c, const char *what, struct sbuf *why)
{
    sbuf_fmt(why, "line %zu: %s", c->line, what);
    return E_INVALID;
}

/* Behind the opening quote: takes the quotes off, up to the closing one. */
static enum err take_quoted(struct csv *c, struct sbuf *why)
{
    char *from = c->at, *to = c->at;
    while (*from && (*from != '"' || from[1] == '"')) {
        from += *from == '"';
        c->next += *from == '\n';
        *to++ = *from++;
    }
    if (*from == '\0') {
        return refuse(c, "a quote does not end", why);
    }
    c->at = from + 1;
    *to = '\0';
    return strchr(",\r\n", *c->at) ? OK : refuse(c, "text stands behind a closing quote", why);
}

/* The end of a field: true when another one follows in this record. */
static bool take_separator(struct csv *c)
{
    char *p = c->at;
    bool more = *p == ',';
    bool crlf = p[0] == '\r' && p[1] == '\n';
    c->next += crlf || *p == '\n';
    c->at += *p == '\0' ? 0 : crlf ? 2 : 1;
    *p = '\0';
    return more;
}

static enum err take_field(struct csv *c, char **out, bool *more, struct sbuf *why)
{
    if (*c->at == '"') {
        *out = ++c->at;
        TRY(take_quoted(c, why));
    } else {
        *out = c->at;
        c->at += strcspn(c->at, ",\r\n");
    }
    *more = take_separator(c);
    return OK;
}

enum err csv_next(struct csv *c, char **fields, size_t max, size_t *n, struct sbuf *why)
{
    while (*c->at == '\n' || (*c->at == '\r' && c->at[1] == '\n')) {
        c->next++;
        c->at += *c->at == '\r' ? 2 : 1;
    }
    c->line = c->next;
    *n = 0;
    if (*c->at == '\0') {
        return E_CLOSED;
    }
    for (bool more = true; more;) {
        if (*n == max) {
            return refuse(c, "there are more fields than columns", why);
        }
        TRY(take_field(c, &fields[(*n)++], &more, why));
    }
    return OK;
}
