/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Walks the tokens and refuses what is JSON but not for us. Member names of all open objects lie on one stack in the
 * arena: an object's own are those above its base, and sorting them at its end finds a twin in n log n whatever
 * names an attacker picks. */
#include "common/json.h"

#include <json-c/json.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>

#include "common/str.h"

#define INTEGER_MAX ((INT64_C(1) << 53) - 1)
#define LINEAR_MAX  8        /* names compared each with each */
#define NO_INDEX    SIZE_MAX /* of a level without an element or member yet */

#define REASON(name, code_text, es, en) \
    static const struct json_reason name = { code_text, { es, en } }

REASON(duplicate, "duplicate_name", "el nombre está repetido", "duplicate name");
REASON(nul, "nul_character", "el carácter NUL no se admite", "NUL character");
REASON(surrogate, "lone_surrogate", "medio par sustituto de UTF-16", "lone surrogate");
REASON(range, "number_out_of_range", "número fuera de rango", "number beyond range");
REASON(long_number, "number_too_long", "número demasiado largo", "number too long");
REASON(deep, "too_deep", "demasiados niveles anidados", "nested too deeply");
REASON(many, "too_many_members", "demasiados nombres en un objeto", "too many members");
REASON(large, "too_large", "demasiado grande para leerlo", "too large to be read");

struct name {
    struct slice text; /* unescaped */
    const char *at;    /* where it stands in the document */
};

/* One open array or object. */
struct level {
    bool is_array;
    size_t index; /* element, or position on the stack of names: for the pointer of a fault */
    size_t base;  /* names on the stack before it */
};

struct checker {
    struct json_scan scan;
    struct arena *scratch;
    struct name *names;
    size_t name_count, name_cap;
    struct level levels[JSON_DEPTH_MAX];
    size_t depth;
    const struct json_reason *why;
    const char *at;
    struct name first_names[32];
};

static bool refuse(struct checker *c, const char *at, const struct json_reason *why)
{
    c->why = why;
    c->at = at;
    return false;
}

/* ---- strings ---- */

/* The UTF-16 unit of the four hex digits at p, which the scanner has seen. */
static uint32_t unit_at(const char *p)
{
    uint8_t b[2] = { 0 };
    bool good = str_unhex((struct slice){ p, 4 }, b, 2) == OK;
    return good ? (uint32_t)b[0] << 8 | b[1] : 0;
}

/* The code point of the escape whose 'u' is at *p; *p goes behind it. NULL, or why there is none. */
static const struct json_reason *take_unicode(const char **p, const char *end, uint32_t *point)
{
    *point = unit_at(*p + 1);
    *p += 5;
    if (*point == 0) {
        return &nul;
    }
    if (*point < 0xd800 || *point > 0xdfff) {
        return NULL;
    }
    if (*point > 0xdbff || end - *p < 6 || (*p)[0] != '\\' || (*p)[1] != 'u') {
        return &surrogate;
    }
    uint32_t low = unit_at(*p + 2);
    *p += 6;
    *point = 0x10000 + ((*point - 0xd800) << 10) + (low - 0xdc00);
    return low < 0xdc00 || low > 0xdfff ? &surrogate : NULL;
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

/* The bytes of the escape at p (behind the backslash) into to; p goes behind it. */
static const struct json_reason *take_escape(const char **p, const char *end, char to[4], size_t *n)
{
    static const char letters[128] = {
        ['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
        ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t',
    };
    uint32_t point;
    if (**p != 'u') {
        to[0] = letters[(unsigned char)**p & 127];
        *n = 1;
        ++*p;
        return NULL;
    }
    const struct json_reason *why = take_unicode(p, end, &point);
    *n = why ? 0 : put_utf8(to, point);
    return why;
}

/* Checks the escapes of a scanned string. Without them in *out (never longer than raw) unless out is NULL. */
static bool unescape(struct checker *c, struct slice raw, struct slice *out)
{
    const char *p = raw.p;
    const char *end = raw.p + raw.n;
    char *text = out ? arena_take(c->scratch, raw.n) : NULL;
    size_t n = 0;
    if (out && !text) {
        return refuse(c, raw.p, &large);
    }
    while (p < end) {
        char bytes[4] = { *p };
        size_t used = 1;
        const char *at = p++;
        const struct json_reason *why = *at == '\\' ? take_escape(&p, end, bytes, &used) : NULL;
        if (why) {
            return refuse(c, at, why);
        }
        if (text) {
            memcpy(text + n, bytes, used);
        }
        n += used;
    }
    if (out) {
        *out = (struct slice){ text, n };
    }
    return true;
}

/* ---- numbers ---- */

static bool check_number(struct checker *c)
{
    struct slice number = c->scan.text;
    char text[JSON_NUMBER_MAX + 1];
    int64_t v;
    if (str_copy(number, text, sizeof(text)) != OK) {
        return refuse(c, number.p, &long_number);
    }
    bool fits = c->scan.integer ? slice_eq(number, SLICE("-0")) ||
                                      str_int(number, -INTEGER_MAX, INTEGER_MAX, &v) == OK
                                : isfinite(strtod(text, NULL)) != 0;
    return fits || refuse(c, number.p, &range);
}

/* ---- names ---- */

static bool push_name(struct checker *c, struct slice text, const char *at)
{
    if (c->name_count == c->name_cap) {
        struct name *more = arena_take(c->scratch, c->name_cap * 2 * sizeof(*more));
        if (!more) {
            return refuse(c, at, &large);
        }
        memcpy(more, c->names, c->name_count * sizeof(*more));
        c->names = more;
        c->name_cap *= 2;
    }
    c->names[c->name_count++] = (struct name){ text, at };
    return true;
}

static bool check_name(struct checker *c)
{
    struct level *here = &c->levels[c->depth - 1];
    struct slice text = c->scan.text;
    const char *at = text.p - 1; /* its quote */
    here->index = NO_INDEX;      /* a name that is refused is no member: its object is */
    if (c->name_count - here->base == JSON_NAMES_MAX) {
        return refuse(c, at, &many);
    }
    if ((c->scan.escaped && !unescape(c, text, &text)) || !push_name(c, text, at)) {
        return false;
    }
    here->index = c->name_count - 1;
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
    c->levels[c->depth - 1].index = (size_t)(later - c->names);
    return refuse(c, later->at, &duplicate);
}

/* The object just closed: no two of its names may be equal. */
static bool check_twins(struct checker *c)
{
    size_t base = c->levels[c->depth - 1].base;
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

/* ---- tokens ---- */

static bool enter(struct checker *c, bool is_array)
{
    if (c->depth == JSON_DEPTH_MAX) {
        return refuse(c, c->scan.p - 1, &deep);
    }
    c->levels[c->depth++] = (struct level){ is_array, NO_INDEX, c->name_count };
    return true;
}

static bool leave(struct checker *c)
{
    bool good = c->levels[c->depth - 1].is_array || check_twins(c);
    c->depth -= good;
    return good;
}

/* A value begins: in an array it is the next element. */
static void count_element(struct checker *c)
{
    if (c->depth > 0 && c->levels[c->depth - 1].is_array) {
        c->levels[c->depth - 1].index++; /* from NO_INDEX to 0 */
    }
}

static bool check_token(struct checker *c, enum json_token token)
{
    if (token != JSON_NAME && token != JSON_CLOSE) {
        count_element(c);
    }
    switch (token) {
    case JSON_OBJECT:
    case JSON_ARRAY:
        return enter(c, token == JSON_ARRAY);
    case JSON_CLOSE:
        return leave(c);
    case JSON_NAME:
        return check_name(c);
    case JSON_STRING:
        return !c->scan.escaped || unescape(c, c->scan.text, NULL);
    case JSON_NUMBER:
        return check_number(c);
    case JSON_WORD:
    case JSON_END:
        break;
    }
    return true;
}

/* Where the text stops being JSON: the element that should have begun, the object whose name is none. */
static void point_at_malformed(struct checker *c)
{
    enum json_scan_state state = c->scan.state;
    if (state == SCAN_VALUE || state == SCAN_FIRST_VALUE) {
        count_element(c);
    } else if (state == SCAN_NAME || state == SCAN_FIRST_NAME) {
        c->levels[c->depth - 1].index = NO_INDEX;
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
        if (l->index == NO_INDEX) {
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

static bool check_all(struct checker *c)
{
    enum json_token token = JSON_NAME;
    while (token != JSON_END) {
        if (json_scan_next(&c->scan, &token) != OK) {
            point_at_malformed(c);
            return refuse(c, c->scan.at, c->scan.why);
        }
        if (!check_token(c, token)) {
            return false;
        }
    }
    return true;
}

enum err json_check(struct slice text, struct arena *scratch, struct json_fault *fault)
{
    struct checker c;
    json_scan_init(&c.scan, text, scratch);
    c.scratch = scratch;
    c.names = c.first_names;
    c.name_cap = ARRAY_LEN(c.first_names);
    c.name_count = c.depth = 0;
    if (check_all(&c)) {
        return OK;
    }
    fault->why = c.why;
    fault->at = (size_t)(c.at - text.p);
    write_pointer(&c, fault->pointer, sizeof(fault->pointer));
    return E_BAD_JSON;
}

REASON(not_understood, "malformed_json", "no se entiende", "not understood");

/* json-c does not take what we would: never seen, never passed over. */
static enum err disagree(struct json_fault *fault, size_t at)
{
    *fault = (struct json_fault){ .why = &not_understood, .at = at };
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
