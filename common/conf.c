/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Settings from rows. A load fills a copy of the struct (defaults, file, environment, overrides, in this order) and
 * only a whole success replaces the caller's. Every refusal names where the value came from and what would do. */
#include "common/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/str.h"

#define FILE_MAX ((size_t)256 << 10)
#define ROWS_MAX 128 /* rows of one program */

/* Where one value comes from, for messages: "FILE:LINE" or the text alone. */
struct origin {
    const char *text;
    unsigned line; /* 0: none */
};

struct unit {
    const char *suffix;
    int64_t factor;
};

/* From the largest to the smallest: printing takes the first that divides. */
static const struct unit size_units[] = {
    { "g", INT64_C(1) << 30 }, { "m", 1 << 20 }, { "k", 1 << 10 }, { "", 1 }, { 0 },
};
static const struct unit time_units[] = {
    { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 }, { 0 },
};
static const struct unit int_units[] = { { "", 1 }, { 0 } };

static const struct unit *units_of(enum conf_type type)
{
    return type == CONF_SIZE ? size_units : type == CONF_TIME ? time_units : int_units;
}

/* ---- one value ---- */

static enum err parse_number(const struct conf_row *row, struct slice text, int64_t *out)
{
    for (const struct unit *u = units_of(row->type); u->suffix; u++) {
        struct slice suffix = slice_of(u->suffix);
        int64_t v;
        if (text.n <= suffix.n ||
            !str_ieq((struct slice){ text.p + text.n - suffix.n, suffix.n }, suffix)) {
            continue;
        }
        struct slice digits = { text.p, text.n - suffix.n };
        if (str_int(digits, INT64_MIN, INT64_MAX, &v) == OK &&
            !__builtin_mul_overflow(v, u->factor, &v) && v >= row->min && v <= row->max) {
            *out = v;
            return OK;
        }
    }
    return E_CONFIG;
}

static enum err parse_bool(struct slice text, bool *out)
{
    static const char *const words[] = { "no", "yes", "false", "true", "off", "on", "0", "1" };
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (str_ieq(text, slice_of(words[i]))) {
            *out = i % 2 == 1;
            return OK;
        }
    }
    return E_CONFIG;
}

static bool is_plain_text(struct slice text)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c < 0x20 || c == 0x7f) {
            return false;
        }
    }
    return text.n < CONF_TEXT_MAX && str_utf8_valid(text);
}

static enum err parse_text(struct slice text, char *out)
{
    if (!is_plain_text(text)) {
        return E_CONFIG;
    }
    memset(out, 0, CONF_TEXT_MAX);
    return str_copy(text, out, CONF_TEXT_MAX);
}

static enum err parse_value(const struct conf_row *row, struct slice text, void *settings)
{
    char *at = (char *)settings + row->offset;
    switch (row->type) {
    case CONF_BOOL:
        return parse_bool(text, (bool *)at);
    case CONF_INT:
    case CONF_SIZE:
    case CONF_TIME:
        return parse_number(row, text, (int64_t *)(void *)at);
    case CONF_TEXT:
        return parse_text(text, at);
    }
    return E_CONFIG;
}

static void add_number(const struct conf_row *row, int64_t v, struct sbuf *out)
{
    const struct unit *u = units_of(row->type);
    while (u->factor > 1 && (v == 0 || v % u->factor != 0)) {
        u++;
    }
    sbuf_int(out, v / u->factor);
    sbuf_text(out, u->suffix);
}

/* "a whole number from 1 to 64", for --help and refusals. */
static void add_accepted(const struct conf_row *row, struct sbuf *out)
{
    static const char *const what[] = {
        [CONF_BOOL] = "yes or no",
        [CONF_INT] = "a whole number",
        [CONF_SIZE] = "a size such as 64k or 1m",
        [CONF_TIME] = "a time such as 500ms, 10s, 5m or 1h",
        [CONF_TEXT] = "at most 255 bytes of text",
    };
    sbuf_text(out, what[row->type]);
    if (row->type != CONF_BOOL && row->type != CONF_TEXT) {
        sbuf_text(out, " from ");
        add_number(row, row->min, out);
        sbuf_text(out, " to ");
        add_number(row, row->max, out);
    }
}

static void add_value(const struct conf_row *row, const void *settings, struct sbuf *out)
{
    const char *at = (const char *)settings + row->offset;
    if (row->secret) {
        sbuf_text(out, "***");
        return;
    }
    switch (row->type) {
    case CONF_BOOL:
        sbuf_text(out, *(const bool *)at ? "yes" : "no");
        break;
    case CONF_INT:
    case CONF_SIZE:
    case CONF_TIME:
        add_number(row, *(const int64_t *)(const void *)at, out);
        break;
    case CONF_TEXT:
        sbuf_text(out, at);
        break;
    }
}

/* ---- messages ---- */

static void add_origin(struct sbuf *why, struct origin o)
{
    sbuf_text(why, o.text);
    if (o.line > 0) {
        sbuf_char(why, ':');
        sbuf_int(why, o.line);
    }
    sbuf_text(why, ": ");
}

/* What somebody typed, fit for a terminal and not endless. */
static void add_given(struct sbuf *why, struct slice s)
{
    sbuf_char(why, '"');
    for (size_t i = 0; i < size_min(s.n, 80); i++) {
        unsigned char c = (unsigned char)s.p[i];
        sbuf_char(why, c < 0x20 || c == 0x7f ? '?' : s.p[i]);
    }
    sbuf_text(why, s.n > 80 ? "...\"" : "\"");
}

static enum err refuse(struct sbuf *why, struct origin o, const char *name, const char *text)
{
    add_origin(why, o);
    sbuf_text(why, name);
    sbuf_text(why, text);
    return E_CONFIG;
}

static enum err refuse_value(const struct conf_row *row, struct origin o, struct slice given,
                             struct sbuf *why)
{
    add_origin(why, o);
    sbuf_text(why, row->name);
    if (row->secret) {
        sbuf_text(why, ": the value given");
    } else {
        sbuf_text(why, ": ");
        add_given(why, given);
    }
    sbuf_text(why, " is not ");
    add_accepted(row, why);
    return E_CONFIG;
}

/* ---- sources ---- */

/* A load under way. */
struct load {
    const struct conf_row *rows;
    void *settings; /* the copy being filled */
    struct sbuf *why;
};

static enum err set_row(const struct load *l, const struct conf_row *row, struct slice text,
                        struct origin o)
{
    return parse_value(row, text, l->settings) == OK ? OK : refuse_value(row, o, text, l->why);
}

/* "name = value" or "name=value"; *index gets the row's place. */
static enum err set_pair(const struct load *l, struct slice pair, struct origin o, size_t *index)
{
    struct slice value = pair;
    struct slice name = str_trim(str_cut(&value, '='));
    if (!value.p) {
        add_origin(l->why, o);
        add_given(l->why, pair);
        sbuf_text(l->why, " is not of the form name = value");
        return E_CONFIG;
    }
    for (size_t i = 0; l->rows[i].name; i++) {
        if (slice_eq(name, slice_of(l->rows[i].name))) {
            *index = i;
            return set_row(l, &l->rows[i], str_trim(value), o);
        }
    }
    add_origin(l->why, o);
    add_given(l->why, name);
    sbuf_text(l->why, " is not a setting of this program (--help lists them)");
    return E_CONFIG;
}

static enum err load_defaults(const struct load *l)
{
    for (size_t i = 0; l->rows[i].name; i++) {
        if (i == ROWS_MAX) {
            return refuse(l->why, (struct origin){ "settings", 0 }, "", "too many rows");
        }
        struct slice text = slice_of(l->rows[i].fallback);
        TRY(set_row(l, &l->rows[i], text, (struct origin){ "default", 0 }));
    }
    return OK;
}

static enum err set_line(const struct load *l, struct slice line, struct origin o, bool *seen)
{
    size_t index = 0;
    if (line.n > 0 && line.p[line.n - 1] == '\r') {
        line.n--;
    }
    line = str_trim(line);
    if (line.n == 0 || line.p[0] == '#') {
        return OK;
    }
    TRY(set_pair(l, line, o, &index));
    if (seen[index]) {
        return refuse(l->why, o, l->rows[index].name, " is set a second time in this file");
    }
    seen[index] = true;
    return OK;
}

enum err conf_load_text(const struct conf_row *rows, struct slice text, const char *name,
                        void *settings, struct sbuf *why)
{
    const struct load l = { rows, settings, why };
    bool seen[ROWS_MAX] = { false };
    struct origin o = { name, 0 };
    while (text.p) {
        o.line++;
        TRY(set_line(&l, str_cut(&text, '\n'), o, seen));
    }
    return OK;
}

/* Everything in the file at path, at most max bytes. secret: nobody but the owner may read it. */
static enum err read_file(const char *path, size_t max, bool secret, struct sbuf *out,
                          struct sbuf *why)
{
    struct stat st;
    struct origin o = { path, 0 };
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0) {
        refuse(why, o, "", strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return E_IO;
    }
    enum err e = OK;
    if (!S_ISREG(st.st_mode)) {
        e = refuse(why, o, "", "is not a regular file");
    } else if (secret && (st.st_mode & 077) != 0) {
        e = refuse(why, o, "", "others than its owner may use it; chmod 600 it");
    }
    while (e == OK) {
        char *to = sbuf_room(out, max + 1 - out->len);
        ssize_t n = to ? read(fd, to, max + 1 - out->len) : 0;
        if (n <= 0) {
            e = !to ? E_NOMEM : n < 0 ? E_IO : OK;
            break;
        }
        sbuf_added(out, (size_t)n);
        if (out->len > max) {
            e = refuse(why, o, "", "is too large");
        }
    }
    if (e == E_IO) {
        refuse(why, o, "", strerror(errno));
    }
    close(fd);
    return e;
}

static enum err load_file(const struct load *l, const char *path)
{
    struct sbuf text;
    sbuf_init(&text);
    enum err e = read_file(path, FILE_MAX, false, &text, l->why);
    if (e == OK) {
        e = conf_load_text(l->rows, sbuf_slice(&text), path, l->settings, l->why);
    }
    sbuf_fini(&text);
    return e == OK ? OK : E_CONFIG;
}

/* GREMIO_NAME in upper case. */
static bool env_name(const char *name, char *out, size_t cap)
{
    size_t n = strlen(name);
    const size_t prefix = sizeof("GREMIO_") - 1;
    if (prefix + n >= cap) {
        return false;
    }
    memcpy(out, "GREMIO_", prefix);
    for (size_t i = 0; i <= n; i++) {
        out[prefix + i] = name[i] >= 'a' && name[i] <= 'z' ? (char)(name[i] - 32) : name[i];
    }
    return true;
}

/* The well-known name first, then ours. An empty well-known variable counts as not set, as .env files leave them. */
static enum err load_environment(const struct load *l)
{
    for (const struct conf_row *row = l->rows; row->name; row++) {
        char name[128];
        const char *value = row->env ? getenv(row->env) : NULL;
        if (value && value[0]) {
            TRY(set_row(l, row, slice_of(value), (struct origin){ row->env, 0 }));
        }
        value = env_name(row->name, name, sizeof(name)) ? getenv(name) : NULL;
        if (value) {
            TRY(set_row(l, row, slice_of(value), (struct origin){ name, 0 }));
        }
    }
    return OK;
}

static enum err load_overrides(const struct load *l, const char *const *overrides)
{
    size_t index;
    for (; overrides && *overrides; overrides++) {
        TRY(set_pair(l, slice_of(*overrides), (struct origin){ "--set", 0 }, &index));
    }
    return OK;
}

static enum err load_all(const struct load *l, const struct conf_source *src)
{
    TRY(load_defaults(l));
    if (src->file) {
        TRY(load_file(l, src->file));
    }
    TRY(load_environment(l));
    return load_overrides(l, src->overrides);
}

/* A row's value takes so many bytes of the struct. */
static size_t value_size(const struct conf_row *row)
{
    return row->type == CONF_BOOL   ? sizeof(bool)
           : row->type == CONF_TEXT ? (size_t)CONF_TEXT_MAX
                                    : sizeof(int64_t);
}

static enum err check_fixed(const struct conf_row *rows, const void *old, const void *new,
                            struct sbuf *why)
{
    for (const struct conf_row *row = rows; row->name; row++) {
        const char *a = (const char *)old + row->offset;
        const char *b = (const char *)new + row->offset;
        if (!row->reload && memcmp(a, b, value_size(row)) != 0) {
            sbuf_text(why, row->name);
            sbuf_text(why, " cannot change while the program runs; restart it");
            return E_CONFIG;
        }
    }
    return OK;
}

static enum err load_into(const struct conf_row *rows, const struct conf_source *src,
                          void *settings, size_t size, bool reload, struct sbuf *why)
{
    struct load l = { rows, malloc(size), why };
    if (!l.settings) {
        sbuf_text(why, "out of memory");
        return E_NOMEM;
    }
    memcpy(l.settings, settings, size);
    enum err e = load_all(&l, src);
    if (e == OK && reload) {
        e = check_fixed(rows, settings, l.settings, why);
    }
    if (e == OK) {
        memcpy(settings, l.settings, size);
    }
    explicit_bzero(l.settings, size);
    free(l.settings);
    return e;
}

enum err conf_load(const struct conf_row *rows, const struct conf_source *src, void *settings,
                   size_t size, struct sbuf *why)
{
    return load_into(rows, src, settings, size, false, why);
}

enum err conf_reload(const struct conf_row *rows, const struct conf_source *src, void *settings,
                     size_t size, struct sbuf *why)
{
    return load_into(rows, src, settings, size, true, why);
}

/* ---- showing ---- */

void conf_help(const struct conf_row *rows, struct sbuf *out)
{
    for (const struct conf_row *row = rows; row->name; row++) {
        const char *fallback = row->fallback && row->fallback[0] ? row->fallback : "(empty)";
        sbuf_fmt(out, "  %-24s %s\n", row->name, row->doc ? row->doc : "");
        sbuf_fmt(out, "  %-24s default %s; ", "", row->secret ? "***" : fallback);
        add_accepted(row, out);
        if (row->env) {
            sbuf_fmt(out, "; also %s", row->env);
        }
        sbuf_text(out, row->reload ? "; SIGHUP re-reads it\n" : "\n");
    }
}

void conf_print(const struct conf_row *rows, const void *settings, struct sbuf *out)
{
    for (const struct conf_row *row = rows; row->name; row++) {
        sbuf_text(out, row->name);
        sbuf_text(out, " = ");
        add_value(row, settings, out);
        sbuf_char(out, '\n');
    }
}

/* ---- secrets and the command line ---- */

enum err conf_secret(const char *path, char *out, size_t cap, struct sbuf *why)
{
    struct sbuf text;
    sbuf_init(&text);
    enum err e = read_file(path, 4096, true, &text, why);
    struct slice rest = sbuf_slice(&text);
    struct slice line = str_cut(&rest, '\n');
    if (e == OK && line.n > 0 && line.p[line.n - 1] == '\r') {
        line.n--;
    }
    if (e == OK && line.n == 0) {
        e = refuse(why, (struct origin){ path, 0 }, "", "is empty");
    } else if (e == OK && str_copy(line, out, cap) != OK) {
        e = refuse(why, (struct origin){ path, 0 }, "", "its first line is too long");
    }
    if (text.data) {
        explicit_bzero(text.data, text.cap);
    }
    sbuf_fini(&text);
    return e;
}

/* "--name VALUE" or "--name=VALUE": moves *i on, NULL when there is no value. */
static const char *option_value(int argc, char **argv, int *i, const char *name)
{
    size_t n = strlen(name);
    if (argv[*i][n] == '=') {
        return argv[*i] + n + 1;
    }
    return *i + 1 < argc ? argv[++*i] : NULL;
}

static bool is_option(const char *arg, const char *name)
{
    size_t n = strlen(name);
    return strncmp(arg, name, n) == 0 && (arg[n] == '\0' || arg[n] == '=');
}

static enum err take_valued(int argc, char **argv, int *i, struct conf_args *out, struct sbuf *why)
{
    bool is_set = is_option(argv[*i], "--set");
    const char *name = is_set ? "--set" : "--config";
    const char *value = option_value(argc, argv, i, name);
    size_t n = 0;
    if (!value) {
        sbuf_fmt(why, "%s needs %s behind it", name, is_set ? "NAME=VALUE" : "a file name");
        return E_CONFIG;
    }
    if (!is_set) {
        out->file = value;
        return OK;
    }
    while (out->overrides[n]) {
        n++;
    }
    if (n + 1 == ARRAY_LEN(out->overrides)) {
        sbuf_fmt(why, "--set is given more than %zu times", n);
        return E_CONFIG;
    }
    out->overrides[n] = value;
    return OK;
}

/* An option that takes no value; false when it is none of ours. */
static bool take_flag(const char *arg, struct conf_args *out)
{
    bool *flag = strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0 ? &out->help
                 : strcmp(arg, "--version") == 0                      ? &out->version
                 : strcmp(arg, "--check-config") == 0                 ? &out->check
                 : strcmp(arg, "--check-upgrade") == 0                ? &out->check_upgrade
                                                                      : NULL;
    if (flag) {
        *flag = true;
    }
    return flag != NULL;
}

enum err conf_args(int argc, char **argv, struct conf_args *out, struct sbuf *why)
{
    int i = 1;
    *out = (struct conf_args){ 0 };
    for (; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
        if (strcmp(argv[i], "--") == 0) {
            i++;
            break;
        }
        if (is_option(argv[i], "--config") || is_option(argv[i], "--set")) {
            TRY(take_valued(argc, argv, &i, out, why));
        } else if (!take_flag(argv[i], out)) {
            sbuf_fmt(why, "unknown option %s (--help lists them)", argv[i]);
            return E_CONFIG;
        }
    }
    out->rest = i;
    return OK;
}
