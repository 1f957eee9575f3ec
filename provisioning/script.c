/* SPDX-License-Identifier: LicenseRef-Gremio */
/* A lexer for PostgreSQL's quoting rules (manual 4.1) and the two passes made with it. */
#include "provisioning/script.h"

#include "common/str.h"

static bool is_word_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_word(char c)
{
    return is_word_start(c) || (c >= '0' && c <= '9') || c == '$';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

/* Length of the quoted piece at s (first byte is the quote), 0 when it never ends. */
static size_t quoted_length(struct slice s, bool backslash)
{
    char quote = s.p[0];
    for (size_t i = 1; i < s.n; i++) {
        if (backslash && s.p[i] == '\\') {
            i++;
        } else if (s.p[i] == quote && i + 1 < s.n && s.p[i + 1] == quote) {
            i++;
        } else if (s.p[i] == quote) {
            return i + 1;
        }
    }
    return 0;
}

/* Length of "$tag$" at s, 0 when this is no dollar quote. */
static size_t dollar_tag(struct slice s)
{
    for (size_t i = 1; i < s.n; i++) {
        if (s.p[i] == '$') {
            return i + 1;
        }
        bool fits = i == 1 ? is_word_start(s.p[i]) : is_word(s.p[i]);
        if (!fits) {
            return 0;
        }
    }
    return 0;
}

static size_t dollar_length(struct slice s, size_t tag)
{
    const char *end = tag < s.n ? memmem(s.p + tag, s.n - tag, s.p, tag) : NULL;
    return end ? (size_t)(end - s.p) + tag : 0;
}

/* Block comments nest in PostgreSQL. */
static size_t block_comment_length(struct slice s)
{
    size_t depth = 0;
    for (size_t i = 0; i + 1 < s.n; i++) {
        if (s.p[i] == '/' && s.p[i + 1] == '*') {
            depth++;
            i++;
        } else if (s.p[i] == '*' && s.p[i + 1] == '/') {
            depth--;
            i++;
            if (depth == 0) {
                return i + 1;
            }
        }
    }
    return 0;
}

static size_t line_comment_length(struct slice s)
{
    const char *end = memchr(s.p, '\n', s.n);
    return end ? (size_t)(end - s.p) : s.n;
}

static size_t run_length(struct slice s, bool (*fits)(char))
{
    size_t n = 1;
    while (n < s.n && fits(s.p[n])) {
        n++;
    }
    return n;
}

static size_t other_length(struct slice s)
{
    bool pair = s.n > 1 && s.p[0] == ':' && (s.p[1] == ':' || s.p[1] == '=');
    return pair ? 2 : 1;
}

/* What the next piece is and how long; 0 when it never ends. */
static size_t measure(struct slice s, enum script_kind *kind)
{
    char c = s.p[0];
    char next = s.n > 1 ? s.p[1] : '\0';
    *kind = SCRIPT_QUOTED;
    if (c == '\'' || c == '"') {
        return quoted_length(s, false);
    }
    if ((c == 'e' || c == 'E') && next == '\'') {
        size_t n = quoted_length((struct slice){ s.p + 1, s.n - 1 }, true);
        return n ? n + 1 : 0;
    }
    if (c == '$') {
        size_t tag = dollar_tag(s);
        if (tag) {
            return dollar_length(s, tag);
        }
    }
    *kind = SCRIPT_BLANK;
    if (c == '-' && next == '-') {
        return line_comment_length(s);
    }
    if (c == '/' && next == '*') {
        return block_comment_length(s);
    }
    if (is_blank(c)) {
        return run_length(s, is_blank);
    }
    *kind = is_word_start(c) ? SCRIPT_WORD : SCRIPT_OTHER;
    return *kind == SCRIPT_WORD ? run_length(s, is_word) : other_length(s);
}

enum err script_next(struct slice *rest, struct script_piece *out)
{
    if (rest->n == 0) {
        return E_CLOSED;
    }
    enum script_kind kind;
    size_t n = measure(*rest, &kind);
    if (n == 0) {
        return E_BAD_REQUEST;
    }
    *out = (struct script_piece){ .kind = kind, .text = { rest->p, n } };
    rest->p += n;
    rest->n -= n;
    return OK;
}

static const char *token_value(const struct script_token *tokens, struct slice name)
{
    for (; tokens->name; tokens++) {
        if (slice_eq(slice_of(tokens->name), name)) {
            return tokens->value;
        }
    }
    return NULL;
}

enum err script_fill(struct slice sql, const struct script_token *tokens, struct sbuf *out)
{
    struct script_piece piece;
    bool colon = false; /* a ':' waits for its name */
    enum err e;
    while ((e = script_next(&sql, &piece)) == OK) {
        const char *value = colon && piece.kind == SCRIPT_WORD ? token_value(tokens, piece.text)
                                                               : NULL;
        if (colon && !value) {
            sbuf_char(out, ':');
        }
        colon = slice_eq(piece.text, SLICE(":"));
        if (value) {
            sbuf_text(out, value);
        } else if (!colon) {
            sbuf_add(out, piece.text);
        }
    }
    if (colon) {
        sbuf_char(out, ':');
    }
    if (e != E_CLOSED) {
        return e;
    }
    return sbuf_failed(out) ? E_NOMEM : OK;
}

static const char *const refused_words[] = {
    "begin",   "start",    "commit", "end",    "rollback",   "abort", "savepoint",
    "release", "prepare",  "set",    "reset",  "discard",    "copy",  "listen",
    "vacuum",  "unlisten", "load",   "notify", "checkpoint",
};

static bool word_is(struct slice word, const char *text)
{
    return str_ieq(word, slice_of(text));
}

static bool word_refused(struct slice word)
{
    for (size_t i = 0; i < ARRAY_LEN(refused_words); i++) {
        if (word_is(word, refused_words[i])) {
            return true;
        }
    }
    return false;
}

/* Walks statement by statement; the body of a "BEGIN ATOMIC ... END" function belongs to its statement. */
static enum err check_statements(struct slice sql, struct sbuf *why)
{
    struct script_piece piece;
    bool first = true, atomic = false, begin = false;
    enum err e;
    while ((e = script_next(&sql, &piece)) == OK) {
        if (piece.kind == SCRIPT_BLANK) {
            continue;
        }
        bool word = piece.kind == SCRIPT_WORD;
        if (first && word && !atomic && word_refused(piece.text)) {
            sbuf_fmt(why, "a statement begins with %.*s, which a migration may not use",
                     (int)piece.text.n, piece.text.p);
            return E_BAD_REQUEST;
        }
        if (slice_eq(piece.text, SLICE("\\"))) {
            sbuf_text(why, "psql commands (a backslash) are not SQL");
            return E_BAD_REQUEST;
        }
        if (first && atomic && word && word_is(piece.text, "end")) {
            atomic = false;
        } else if (begin && word && word_is(piece.text, "atomic")) {
            atomic = true;
        }
        begin = word && word_is(piece.text, "begin");
        first = slice_eq(piece.text, SLICE(";"));
    }
    if (e != E_CLOSED) {
        sbuf_text(why, "a quote or comment never ends");
        return e;
    }
    return OK;
}

enum err script_check(struct slice sql, struct sbuf *why)
{
    if (!str_utf8_valid(sql) || memchr(sql.p, '\0', sql.n)) {
        sbuf_text(why, "the text is not valid UTF-8 or holds a NUL byte");
        return E_BAD_REQUEST;
    }
    return check_statements(sql, why);
}
