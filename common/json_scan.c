/* SPDX-License-Identifier: LicenseRef-Gremio */
/* A state machine over the bytes; the only stack is one bit per open array or object. A text of n bytes that is whole
 * is never nested deeper than n / 2, so that the stack has a bound. */
#include "common/json_scan.h"

#include "common/str.h"

#define REASON(name, es, en) static const struct json_reason name = { "malformed_json", { es, en } }

REASON(too_short, "el texto termina antes de tiempo", "the text ends too early");
REASON(no_value, "aquí debe haber un valor", "a value must stand here");
REASON(no_name, "aquí debe haber un nombre entre comillas dobles",
       "a name in double quotes must stand here");
REASON(no_colon, "aquí deben ir dos puntos", "a colon must stand here");
REASON(no_brace, "aquí debe haber una coma o una llave que cierre",
       "a comma or closing brace must stand here");
REASON(no_bracket, "aquí debe haber una coma o un corchete que cierre",
       "a comma or closing bracket must stand here");
REASON(behind, "hay algo después del valor", "something stands behind the value");
REASON(bad_word, "palabra desconocida", "unknown word");
REASON(bad_number, "número mal formado", "malformed number");
REASON(bad_string, "texto sin terminar", "unfinished string");
REASON(bad_control, "carácter de control en un texto", "control character in a string");
REASON(bad_escape, "secuencia de escape desconocida", "unknown escape");
REASON(bad_unicode, "secuencia \\u mal formada", "malformed \\u escape");
REASON(bad_utf8, "no es UTF-8 válido", "invalid UTF-8");
static const struct json_reason no_memory = {
    "too_large", { "demasiado grande para leerlo", "too large to be read" }
};

static enum err refuse(struct json_scan *s, const char *at, const struct json_reason *why)
{
    s->why = why;
    s->at = at;
    return E_BAD_JSON;
}

/* The byte at the cursor, or NUL at the end: no token starts with one. */
static char look(const struct json_scan *s)
{
    return s->p < s->end ? *s->p : '\0';
}

static void skip_blanks(struct json_scan *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r')) {
        s->p++;
    }
}

/* ---- strings, numbers, words ---- */

/* The cursor is behind a backslash. */
static enum err read_escape(struct json_scan *s)
{
    uint8_t unit[2];
    char kind = look(s);
    if (kind == '\0' || !strchr("\"\\/bfnrtu", kind)) {
        return refuse(s, s->p - 1, &bad_escape);
    }
    s->p++;
    if (kind != 'u') {
        return OK;
    }
    if (s->end - s->p < 4 || str_unhex((struct slice){ s->p, 4 }, unit, 2) != OK) {
        return refuse(s, s->p - 2, &bad_unicode);
    }
    s->p += 4;
    return OK;
}

/* The cursor is on the opening quote. */
static enum err read_string(struct json_scan *s)
{
    const char *start = ++s->p;
    s->escaped = false;
    while (s->p < s->end && *s->p != '"') {
        if ((unsigned char)*s->p < 0x20) {
            return refuse(s, s->p, &bad_control);
        }
        if (*s->p++ == '\\') {
            s->escaped = true;
            TRY(read_escape(s));
        }
    }
    if (s->p == s->end) {
        return refuse(s, start - 1, &bad_string);
    }
    s->text = (struct slice){ start, (size_t)(s->p - start) };
    s->p++;
    return str_utf8_valid(s->text) ? OK : refuse(s, start - 1, &bad_utf8);
}

static bool is_digit(char ch)
{
    return ch >= '0' && ch <= '9';
}

static bool skip_digits(struct json_scan *s)
{
    const char *start = s->p;
    while (is_digit(look(s))) {
        s->p++;
    }
    return s->p > start;
}

static enum err read_number(struct json_scan *s)
{
    const char *start = s->p;
    s->integer = true;
    s->p += look(s) == '-';
    if (look(s) == '0') {
        s->p++;
    } else if (!skip_digits(s)) {
        return refuse(s, start, &bad_number);
    }
    if (look(s) == '.') {
        s->integer = false;
        s->p++;
        if (!skip_digits(s)) {
            return refuse(s, start, &bad_number);
        }
    }
    if (look(s) == 'e' || look(s) == 'E') {
        s->integer = false;
        s->p++;
        s->p += look(s) == '+' || look(s) == '-';
        if (!skip_digits(s)) {
            return refuse(s, start, &bad_number);
        }
    }
    s->text = (struct slice){ start, (size_t)(s->p - start) };
    return OK;
}

static enum err read_word(struct json_scan *s)
{
    static const struct slice words[] = { SLICE("true"), SLICE("false"), SLICE("null") };
    struct slice rest = { s->p, (size_t)(s->end - s->p) };
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (str_starts(rest, words[i])) {
            s->text = (struct slice){ s->p, words[i].n };
            s->p += words[i].n;
            return OK;
        }
    }
    return refuse(s, s->p, &bad_word);
}

/* ---- levels ---- */

static bool in_object(const struct json_scan *s)
{
    size_t top = s->depth - 1;
    return (s->objects[top / 64] >> (top % 64) & 1) != 0;
}

static enum err open_level(struct json_scan *s, bool object)
{
    size_t n = (size_t)(s->end - s->start);
    if (s->depth > n / 2) {
        return refuse(s, s->end, &too_short);
    }
    if (s->depth == 64 && s->objects == &s->first_objects) {
        s->objects = arena_take(s->scratch, n / 16 + 16);
        if (!s->objects) {
            return refuse(s, s->p, &no_memory);
        }
        s->objects[0] = s->first_objects;
    }
    uint64_t *word = &s->objects[s->depth / 64];
    uint64_t bit = UINT64_C(1) << s->depth % 64;
    *word = object ? *word | bit : *word & ~bit;
    s->depth++;
    s->state = object ? SCAN_FIRST_NAME : SCAN_FIRST_VALUE;
    s->p++;
    return OK;
}

static enum err close_level(struct json_scan *s, enum json_token *out)
{
    if (look(s) != (in_object(s) ? '}' : ']')) {
        return refuse(s, s->p, in_object(s) ? &no_brace : &no_bracket);
    }
    s->p++;
    s->depth--;
    s->state = SCAN_AFTER;
    *out = JSON_CLOSE;
    return OK;
}

/* ---- tokens ---- */

static enum err read_name(struct json_scan *s, enum json_token *out)
{
    if (look(s) != '"') {
        return refuse(s, s->p, &no_name);
    }
    TRY(read_string(s));
    skip_blanks(s);
    if (look(s) != ':') {
        return refuse(s, s->p, &no_colon);
    }
    s->p++;
    s->state = SCAN_VALUE;
    *out = JSON_NAME;
    return OK;
}

static enum err read_scalar(struct json_scan *s, enum json_token *out)
{
    char first = look(s);
    if (first == '"') {
        *out = JSON_STRING;
        TRY(read_string(s));
    } else if (first == '-' || is_digit(first)) {
        *out = JSON_NUMBER;
        TRY(read_number(s));
    } else if (first == 't' || first == 'f' || first == 'n') {
        *out = JSON_WORD;
        TRY(read_word(s));
    } else {
        return refuse(s, s->p, s->p == s->end ? &too_short : &no_value);
    }
    s->state = SCAN_AFTER;
    return OK;
}

static enum err read_value(struct json_scan *s, enum json_token *out)
{
    bool object = look(s) == '{';
    if (object || look(s) == '[') {
        *out = object ? JSON_OBJECT : JSON_ARRAY;
        return open_level(s, object);
    }
    return read_scalar(s, out);
}

static enum err read_end(struct json_scan *s, enum json_token *out)
{
    *out = JSON_END;
    return s->p == s->end ? OK : refuse(s, s->p, &behind);
}

void json_scan_init(struct json_scan *s, struct slice text, struct arena *scratch)
{
    *s = (struct json_scan){
        .p = text.p,
        .start = text.p,
        .end = text.p + text.n,
        .scratch = scratch,
        .objects = &s->first_objects,
    };
}

enum err json_scan_next(struct json_scan *s, enum json_token *out)
{
    skip_blanks(s);
    if (s->state == SCAN_AFTER) {
        if (s->depth == 0) {
            return read_end(s, out);
        }
        if (look(s) != ',') {
            return close_level(s, out);
        }
        s->p++;
        skip_blanks(s);
        s->state = in_object(s) ? SCAN_NAME : SCAN_VALUE;
    }
    bool object = s->state == SCAN_FIRST_NAME;
    if ((object && look(s) == '}') || (s->state == SCAN_FIRST_VALUE && look(s) == ']')) {
        return close_level(s, out);
    }
    return object || s->state == SCAN_NAME ? read_name(s, out) : read_value(s, out);
}

enum err json_scan_all(struct slice text, struct arena *scratch)
{
    struct json_scan s;
    enum json_token token = JSON_NAME;
    json_scan_init(&s, text, scratch);
    while (token != JSON_END) {
        TRY(json_scan_next(&s, &token));
    }
    return OK;
}
