/* SPDX-License-Identifier: LicenseRef-Gremio */
/* A strict JSON checker by recursive descent, at most JSON_DEPTH_MAX deep. Member names of all open objects lie on
 * one stack in the arena: an object's own are those above its base, and sorting them at its end finds a twin
 * in n log n whatever names an attacker picks. */
#include "common/json.h"

#include <json-c/json.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>

#include "common/str.h"

#define INTEGER_MAX ((INT64_C(1) << 53) - 1)
#define NUMBER_MAX  128 /* characters of one number */
#define LINEAR_MAX  8   /* names compared each with each */

struct name {
    struct slice text; /* unescaped */
    size_t at;         /* offset of its quote in the document */
};

/* One open array or object; for the pointer of a fault. */
struct level {
    bool is_array;
    size_t index; /* element, or position on the stack of names */
};

struct checker {
    const char *p, *end, *start;
    struct arena *scratch;
    struct name *names;
    size_t name_count, name_cap;
    struct level levels[JSON_DEPTH_MAX];
    size_t depth;
    const char *why;
    const char *at;
    struct name first_names[32];
};

static bool check_value(struct checker *c);

static bool refuse(struct checker *c, const char *at, const char *why)
{
    if (!c->why) {
        c->why = why;
        c->at = at;
    }
    return false;
}

/* The byte at the cursor, or NUL at the end: no token starts with one. */
static char look(const struct checker *c)
{
    return c->p < c->end ? *c->p : '\0';
}

static void skip_blanks(struct checker *c)
{
    while (c->p < c->end && (*c->p == ' ' || *c->p == '\t' || *c->p == '\n' || *c->p == '\r')) {
        c->p++;
    }
}

/* ---- strings ---- */

/* Four hex digits at p, or -1. */
static int hex4(const char *p, const char *end)
{
    uint8_t b[2];
    if (end - p < 4 || str_unhex((struct slice){ p, 4 }, b, 2) != OK) {
        return -1;
    }
    return b[0] << 8 | b[1];
}

/* The code point of the \u escape at p ('u' itself); *used gets its bytes. -1: malformed, -2: lone surrogate. */
static int32_t unicode_escape(const char *p, const char *end, size_t *used)
{
    int high = hex4(p + 1, end);
    *used = 5;
    if (high < 0xd800 || high > 0xdfff) {
        return high;
    }
    if (high > 0xdbff || end - p < 7 || p[5] != '\\' || p[6] != 'u') {
        return -2;
    }
    int low = hex4(p + 7, end);
    *used = 11;
    return low < 0xdc00 || low > 0xdfff ? -2 : 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

/* The cursor is behind a backslash. */
static bool check_escape(struct checker *c)
{
    const char *at = c->p - 1;
    char kind = look(c);
    if (kind == 'u') {
        size_t used;
        int32_t point = unicode_escape(c->p, c->end, &used);
        if (point <= 0) {
            return refuse(c, at,
                          point == -1   ? "malformed \\u escape"
                          : point == -2 ? "lone surrogate"
                                        : "NUL character");
        }
        c->p += used;
        return true;
    }
    if (kind == '\0' || !strchr("\"\\/bfnrt", kind)) {
        return refuse(c, at, "unknown escape");
    }
    c->p++;
    return true;
}

/* The cursor is on the opening quote. raw gets what stands between the quotes. */
static bool check_string(struct checker *c, struct slice *raw, bool *escaped)
{
    const char *start = ++c->p;
    *escaped = false;
    while (c->p < c->end && *c->p != '"') {
        if ((unsigned char)*c->p < 0x20) {
            return refuse(c, c->p, "control character in a string");
        }
        if (*c->p++ == '\\') {
            *escaped = true;
            if (!check_escape(c)) {
                return false;
            }
        }
    }
    if (c->p == c->end) {
        return refuse(c, start - 1, "unfinished string");
    }
    *raw = (struct slice){ start, (size_t)(c->p - start) };
    c->p++;
    return str_utf8_valid(*raw) || refuse(c, start - 1, "invalid UTF-8");
}

static size_t put_utf8(char *to, uint32_t point)
{
    if (point < 0x80) {
        to[0] = (char)point;
        return 1;
    }
    size_t n = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    static const unsigned char leads[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
    for (size_t i = n - 1; i > 0; i--, point >>= 6) {
        to[i] = (char)(0x80 | (point & 0x3f));
    }
    to[0] = (char)(leads[n] | point);
    return n;
}

/* A checked string without its escapes, in the arena; never longer than raw. */
static bool unescape(struct checker *c, struct slice raw, struct slice *out)
{
    static const char letters[128] = {
        ['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
        ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t',
    };
    char *text = arena_take(c->scratch, raw.n);
    if (!text) {
        return refuse(c, raw.p, "names too long together");
    }
    const char *p = raw.p;
    const char *end = raw.p + raw.n;
    size_t n = 0;
    while (p < end) {
        if (*p != '\\') {
            text[n++] = *p++;
        } else if (p[1] == 'u') {
            size_t used;
            n += put_utf8(text + n, (uint32_t)unicode_escape(p + 1, end, &used));
            p += 1 + used;
        } else {
            text[n++] = letters[(unsigned char)p[1] & 127];
            p += 2;
        }
    }
    *out = (struct slice){ text, n };
    return true;
}

/* ---- numbers ---- */

static bool is_digit(char ch)
{
    return ch >= '0' && ch <= '9';
}

static bool skip_digits(struct checker *c)
{
    const char *start = c->p;
    while (is_digit(look(c))) {
        c->p++;
    }
    return c->p > start;
}

static bool check_range(struct checker *c, struct slice number, bool integer)
{
    char text[NUMBER_MAX + 1];
    int64_t v;
    if (str_copy(number, text, sizeof(text)) != OK) {
        return refuse(c, number.p, "number too long");
    }
    bool fits = integer ? slice_eq(number, SLICE("-0")) ||
                              str_int(number, -INTEGER_MAX, INTEGER_MAX, &v) == OK
                        : isfinite(strtod(text, NULL)) != 0;
    return fits || refuse(c, number.p, "number beyond range");
}

static bool check_number(struct checker *c)
{
    const char *start = c->p;
    bool integer = true;
    c->p += look(c) == '-';
    if (look(c) == '0') {
        c->p++;
    } else if (!skip_digits(c)) {
        return refuse(c, start, "malformed number");
    }
    if (look(c) == '.') {
        integer = false;
        c->p++;
        if (!skip_digits(c)) {
            return refuse(c, start, "malformed number");
        }
    }
    if (look(c) == 'e' || look(c) == 'E') {
        integer = false;
        c->p++;
        c->p += look(c) == '+' || look(c) == '-';
        if (!skip_digits(c)) {
            return refuse(c, start, "malformed number");
        }
    }
    return check_range(c, (struct slice){ start, (size_t)(c->p - start) }, integer);
}

/* ---- names ---- */

static bool push_name(struct checker *c, struct slice text, const char *at)
{
    if (c->name_count == c->name_cap) {
        struct name *more = arena_take(c->scratch, c->name_cap * 2 * sizeof(*more));
        if (!more) {
            return refuse(c, at, "too many names");
        }
        memcpy(more, c->names, c->name_count * sizeof(*more));
        c->names = more;
        c->name_cap *= 2;
    }
    c->names[c->name_count++] = (struct name){ text, (size_t)(at - c->start) };
    return true;
}

static int compare_names(const void *left, const void *right)
{
    const struct name *a = left;
    const struct name *b = right;
    int order = memcmp(a->text.p, b->text.p, size_min(a->text.n, b->text.n));
    if (order == 0 && a->text.n != b->text.n) {
        order = a->text.n < b->text.n ? -1 : 1;
    }
    return order;
}

static bool refuse_twin(struct checker *c, const struct name *a, const struct name *b)
{
    const struct name *later = a->at > b->at ? a : b;
    size_t top = c->depth - 1;
    c->levels[top].index = (size_t)(later - c->names);
    return refuse(c, c->start + later->at, "duplicate name");
}

/* The names from base up belong to the object just closed: no two may be equal. */
static bool check_twins(struct checker *c, size_t base)
{
    struct name *own = c->names + base;
    size_t n = c->name_count - base;
    if (n > LINEAR_MAX) {
        qsort(own, n, sizeof(*own), compare_names);
    }
    for (size_t i = 1; i < n; i++) {
        size_t first = n > LINEAR_MAX ? i - 1 : 0;
        for (size_t k = first; k < i; k++) {
            if (slice_eq(own[i].text, own[k].text)) {
                return refuse_twin(c, &own[i], &own[k]);
            }
        }
    }
    c->name_count = base;
    return true;
}

/* ---- values ---- */

static bool enter(struct checker *c, bool is_array)
{
    if (c->depth == JSON_DEPTH_MAX) {
        return refuse(c, c->p, "nested too deeply");
    }
    c->levels[c->depth++] = (struct level){ .is_array = is_array, .index = SIZE_MAX };
    c->p++;
    skip_blanks(c);
    return true;
}

static void leave(struct checker *c)
{
    c->depth--;
    c->p++;
}

/* "name": value; the name stays on the stack until its object ends. */
static bool check_member(struct checker *c)
{
    const char *at = c->p;
    struct slice name;
    bool escaped;
    if (look(c) != '"') {
        return refuse(c, at, "a name in double quotes must stand here");
    }
    if (!check_string(c, &name, &escaped) || (escaped && !unescape(c, name, &name)) ||
        !push_name(c, name, at)) {
        return false;
    }
    c->levels[c->depth - 1].index = c->name_count - 1;
    skip_blanks(c);
    if (look(c) != ':') {
        return refuse(c, c->p, "a colon must stand here");
    }
    c->p++;
    return check_value(c);
}

static bool check_object(struct checker *c)
{
    size_t base = c->name_count;
    if (!enter(c, false)) {
        return false;
    }
    bool more = look(c) != '}';
    while (more) {
        if (c->name_count - base == JSON_NAMES_MAX) {
            return refuse(c, c->p, "too many members");
        }
        if (!check_member(c)) {
            return false;
        }
        skip_blanks(c);
        more = look(c) == ',';
        c->p += more;
        skip_blanks(c);
    }
    if (look(c) != '}') {
        return refuse(c, c->p, "a comma or closing brace must stand here");
    }
    if (!check_twins(c, base)) {
        return false;
    }
    leave(c);
    return true;
}

static bool check_array(struct checker *c)
{
    if (!enter(c, true)) {
        return false;
    }
    struct level *here = &c->levels[c->depth - 1];
    bool more = look(c) != ']';
    while (more) {
        here->index++; /* from SIZE_MAX to 0 */
        if (!check_value(c)) {
            return false;
        }
        skip_blanks(c);
        more = look(c) == ',';
        c->p += more;
    }
    if (look(c) != ']') {
        return refuse(c, c->p, "a comma or closing bracket must stand here");
    }
    leave(c);
    return true;
}

static bool check_word(struct checker *c, struct slice word)
{
    if (!str_starts((struct slice){ c->p, (size_t)(c->end - c->p) }, word)) {
        return refuse(c, c->p, "unknown word");
    }
    c->p += word.n;
    return true;
}

static bool check_value(struct checker *c)
{
    struct slice raw;
    bool escaped;
    skip_blanks(c);
    switch (look(c)) {
    case '{':
        return check_object(c);
    case '[':
        return check_array(c);
    case '"':
        return check_string(c, &raw, &escaped);
    case 't':
        return check_word(c, SLICE("true"));
    case 'f':
        return check_word(c, SLICE("false"));
    case 'n':
        return check_word(c, SLICE("null"));
    default:
        if (look(c) == '-' || is_digit(look(c))) {
            return check_number(c);
        }
        return refuse(c, c->p,
                      c->p == c->end ? "the text ends too early" : "a value must stand here");
    }
}

/* ---- faults ---- */

/* One reference token with ~ and / escaped (RFC 6901 3); false when it does not fit whole. */
static bool add_token(char *out, size_t cap, size_t *n, struct slice token)
{
    size_t at = *n;
    if (at + 1 >= cap) {
        return false;
    }
    out[at++] = '/';
    for (size_t i = 0; i < token.n; i++) {
        char ch = token.p[i];
        bool special = ch == '~' || ch == '/';
        if (at + 1 + special >= cap) {
            return false;
        }
        out[at++] = special ? '~' : ch;
        if (special) {
            out[at++] = ch == '~' ? '0' : '1';
        }
    }
    *n = at;
    return true;
}

static void write_pointer(const struct checker *c, char *out, size_t cap)
{
    size_t n = 0;
    bool fits = true;
    for (size_t i = 0; i < c->depth && fits; i++) {
        const struct level *l = &c->levels[i];
        char digits[24];
        if (l->index == SIZE_MAX) {
            break;
        }
        struct slice token = c->names[l->is_array ? 0 : l->index].text;
        if (l->is_array) {
            size_t at = sizeof(digits);
            size_t rest = l->index;
            do {
                digits[--at] = (char)('0' + rest % 10);
                rest /= 10;
            } while (rest > 0);
            token = (struct slice){ digits + at, sizeof(digits) - at };
        }
        fits = add_token(out, cap, &n, token);
    }
    out[n] = '\0';
}

enum err json_check(struct slice text, struct arena *scratch, struct json_fault *fault)
{
    struct checker c = {
        .p = text.p,
        .start = text.p,
        .end = text.p + text.n,
        .scratch = scratch,
        .name_cap = ARRAY_LEN(c.first_names),
    };
    c.names = c.first_names;
    bool good = check_value(&c);
    if (good) {
        skip_blanks(&c);
        good = c.p == c.end || refuse(&c, c.p, "something stands behind the value");
    }
    if (good) {
        return OK;
    }
    fault->why = c.why;
    fault->at = (size_t)(c.at - c.start);
    write_pointer(&c, fault->pointer, sizeof(fault->pointer));
    return E_BAD_JSON;
}

static enum err disagree(struct json_fault *fault, size_t at)
{
    *fault = (struct json_fault){ .why = "not understood", .at = at };
    return E_BAD_JSON;
}

enum err json_read(struct slice text, struct arena *scratch, struct json_fault *fault,
                   struct json_object **out)
{
    TRY(json_check(text, scratch, fault));
    if (text.n > INT_MAX) {
        return disagree(fault, INT_MAX);
    }
    struct json_tokener *tok = json_tokener_new_ex(JSON_DEPTH_MAX + 1);
    if (!tok) {
        return E_NOMEM;
    }
    struct json_object *o = json_tokener_parse_ex(tok, text.p, (int)text.n);
    size_t used = json_tokener_get_parse_end(tok);
    if (json_tokener_get_error(tok) == json_tokener_continue) {
        o = json_tokener_parse_ex(tok, " ", 1); /* a number alone ends only with the next byte */
        used = text.n;
    }
    enum json_tokener_error error = json_tokener_get_error(tok);
    json_tokener_free(tok);
    if (error != json_tokener_success || used > text.n) {
        json_object_put(o);
        return disagree(fault, used);
    }
    *out = o;
    return OK;
}

enum err json_get_text(struct json_object *o, const char *name, struct slice *out)
{
    struct json_object *v;
    if (!json_object_is_type(o, json_type_object) || !json_object_object_get_ex(o, name, &v) ||
        !json_object_is_type(v, json_type_string)) {
        return E_INVALID;
    }
    *out = (struct slice){ json_object_get_string(v), (size_t)json_object_get_string_len(v) };
    return OK;
}

enum err json_get_int(struct json_object *o, const char *name, int64_t *out)
{
    struct json_object *v;
    if (!json_object_is_type(o, json_type_object) || !json_object_object_get_ex(o, name, &v) ||
        !json_object_is_type(v, json_type_int)) {
        return E_INVALID;
    }
    *out = json_object_get_int64(v);
    return OK;
}
