/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Where the values come from: the path's segments, the query's words, the body's members. Every fault is added to the
 * problem and reading goes on, so that one answer names them all. What a type accepts is in params_types.c. */
#include "worker/params.h"

#include <json-c/json.h>

#include "common/json.h"
#include "common/media.h"
#include "common/str.h"

#define PAIRS_MAX 64 /* of one form: none has as many fields */

/* ---- boot ---- */

static int pattern_index(const char *pattern, const char *name)
{
    struct slice rest = slice_of(pattern);
    int index = 0;
    while (rest.p) {
        struct slice part = str_cut(&rest, '/');
        if (part.n < 3 || part.p[0] != '{') {
            continue;
        }
        if (slice_eq((struct slice){ .p = part.p + 1, .n = part.n - 2 }, slice_of(name))) {
            return index;
        }
        index++;
    }
    return -1;
}

static size_t pattern_names(const char *pattern)
{
    size_t n = 0;
    for (const char *p = pattern; *p; p++) {
        n += *p == '{';
    }
    return n;
}

static bool type_is_input(enum type t)
{
    return t >= T_TEXT && t <= T_DOCUMENT;
}

static bool type_is_list(enum type t)
{
    return t == T_WORDS || t == T_SPANS || t == T_IDS;
}

static bool choices_fit(const struct param *row)
{
    bool asked = row->type == T_CHOICE || row->type == T_WORDS;
    return row->type == T_SPANS || asked == (row->choices != NULL);
}

static enum err compile_fallback(const struct param *row, struct value *out, struct sbuf *why)
{
    static struct arena forever; /* fallbacks live as long as the table */
    *out = (struct value){ .null = true };
    if (!row->fallback) {
        return OK;
    }
    if (row->required || params_text(row, slice_of(row->fallback), &forever, out)) {
        sbuf_fmt(why, "parameter \"%s\": its fallback does not fit its own row", row->name);
        return E_CONFIG;
    }
    out->null = false;
    return OK;
}

static enum err compile_row(const struct route *r, struct params_plan *out, const struct param *row,
                            struct sbuf *why)
{
    for (size_t i = 0; i < out->count; i++) {
        if (strcmp(out->rows[i].name, row->name) == 0) {
            sbuf_fmt(why, "parameter \"%s\" is there twice", row->name);
            return E_CONFIG;
        }
    }
    int index = row->in == IN_PATH ? pattern_index(r->path, row->name) : 0;
    if (out->count == ROUTE_PARAMS_LIMIT || index < 0 || !row->in || !type_is_input(row->type) ||
        !choices_fit(row) || (type_is_list(row->type) && row->in != IN_BODY) ||
        (row->type == T_DOCUMENT && (row->in != IN_BODY || r->form))) {
        sbuf_fmt(why, "parameter \"%s\": %s", row->name,
                 out->count == ROUTE_PARAMS_LIMIT ? "too many parameters"
                 : index < 0                      ? "the path has no such {name}"
                 : !row->in                       ? "it has no place (.in)"
                 : !type_is_input(row->type)
                     ? "its type is not one of parameters"
                     : "choices belong to T_CHOICE, T_WORDS and T_SPANS, lists into the body, "
                       "documents into a body of JSON");
        return E_CONFIG;
    }
    out->has_query |= row->in == IN_QUERY;
    out->has_body |= row->in == IN_BODY;
    out->path_index[out->count] = (uint8_t)index;
    out->rows[out->count] = *row;
    TRY(compile_fallback(row, &out->fallback[out->count], why));
    out->count++;
    return OK;
}

enum err params_compile(const struct route *r, const struct param *builtin, struct params_plan *out,
                        struct sbuf *why)
{
    *out = (struct params_plan){ 0 };
    size_t in_path = 0;
    for (const struct param *p = r->params; p && p->name; p++) {
        TRY(compile_row(r, out, p, why));
        in_path += p->in == IN_PATH;
    }
    for (const struct param *p = builtin; p && p->name; p++) {
        TRY(compile_row(r, out, p, why));
    }
    out->reads_body = out->has_body || method_has_body(r->method);
    out->form = r->form;
    out->page = r->page;
    if (r->form && !out->has_body) {
        sbuf_text(why, "takes a form and has no IN_BODY parameter");
        return E_CONFIG;
    }
    if (in_path != pattern_names(r->path)) {
        sbuf_text(why, "every {name} of the path needs one IN_PATH parameter");
        return E_CONFIG;
    }
    return OK;
}

/* ---- requests ---- */

struct reader {
    const struct params_plan *plan;
    struct arena *arena;
    struct value *values;
    struct problem *problem;
    uint64_t seen; /* rows that a query or form named, by index */
    bool broken;   /* the coding of query or form itself: 400 */
};

_Static_assert(ROUTE_PARAMS_LIMIT <= 64, "one bit per row");

static void refuse(struct reader *r, const char *pointer, const char *code, const char *es,
                   const char *en)
{
    problem_add(r->problem, pointer, code, es, en);
}

/* "/name" with RFC 6901 escapes for body members, the bare name otherwise; cut at 100 bytes. */
static const char *pointer_to(struct reader *r, struct slice name, bool body)
{
    size_t n = size_min(name.n, 100);
    while (n < name.n && n > 0 && ((unsigned char)name.p[n] & 0xc0) == 0x80) {
        n--; /* never inside a character */
    }
    char *out = arena_take(r->arena, 2 * n + 2);
    if (!out) {
        return body ? "/" : "?";
    }
    char *p = out;
    if (body) {
        *p++ = '/';
    }
    for (size_t i = 0; i < n; i++) {
        bool escape = body && (name.p[i] == '~' || name.p[i] == '/');
        *p++ = escape ? '~' : name.p[i];
        if (escape) {
            *p++ = name.p[i] == '~' ? '0' : '1';
        }
    }
    *p = '\0';
    return out;
}

static void take_text(struct reader *r, size_t i, struct slice text)
{
    const struct param *row = &r->plan->rows[i];
    struct value *v = &r->values[i];
    const struct params_fault *fault = params_text(row, text, r->arena, v);
    v->present = true;
    v->null = fault != NULL;
    if (fault) {
        v->text = NULL;
        refuse(r, pointer_to(r, slice_of(row->name), row->in == IN_BODY), fault->code,
               fault->text[LANG_ES], fault->text[LANG_EN]);
    }
}

static int find_param(const struct params_plan *plan, enum where in, struct slice name)
{
    for (size_t i = 0; i < plan->count; i++) {
        if (plan->rows[i].in == in && slice_eq(slice_of(plan->rows[i].name), name)) {
            return (int)i;
        }
    }
    return -1;
}

/* No id, number or date looks like that segment: what it names does not exist. */
static enum err read_path(struct reader *r, const struct route_match *match)
{
    for (size_t i = 0; i < r->plan->count; i++) {
        const struct param *row = &r->plan->rows[i];
        if (row->in != IN_PATH) {
            continue;
        }
        struct slice segment = match->params[r->plan->path_index[i]];
        struct value *v = &r->values[i];
        if (r->plan->path_index[i] >= match->param_count ||
            params_text(row, segment, r->arena, v)) {
            r->problem->err = E_NOT_FOUND;
            return E_NOT_FOUND;
        }
        v->present = true;
        v->null = false;
    }
    return OK;
}

char *params_percent(struct slice s, struct arena *arena, size_t *n)
{
    char *out = arena_take(arena, s.n + 1);
    size_t len = 0;
    for (size_t i = 0; out && i < s.n; i++) {
        char c = s.p[i] == '+' ? ' ' : s.p[i];
        if (c == '%') {
            int high = i + 2 < s.n ? str_hex_digit(s.p[i + 1]) : -1;
            int low = high >= 0 ? str_hex_digit(s.p[i + 2]) : -1;
            if (low < 0) {
                return NULL;
            }
            c = (char)(high * 16 + low);
            i += 2;
        }
        if (c == '\0') {
            return NULL;
        }
        out[len++] = c;
    }
    *n = len;
    return out && str_utf8_valid((struct slice){ .p = out, .n = len }) ? out : NULL;
}

static void refuse_coding(struct reader *r, struct slice name, bool body)
{
    r->broken = true;
    const char *pointer = name.p ? pointer_to(r, name, body) : body ? "" : "?";
    refuse(r, pointer, "invalid_encoding", "La codificación con % no es válida",
           "The percent coding is not valid");
}

static void refuse_unknown(struct reader *r, struct slice name, bool body)
{
    if (body) {
        refuse(r, pointer_to(r, name, true), "unknown_field", "No se conoce este dato",
               "This field is not known");
    } else {
        refuse(r, pointer_to(r, name, false), "unknown_parameter", "No se conoce este parámetro",
               "This parameter is not known");
    }
}

static void take_pair(struct reader *r, enum where in, struct slice raw_name,
                      struct slice raw_value)
{
    struct slice name, value;
    bool body = in == IN_BODY;
    name.p = params_percent(raw_name, r->arena, &name.n);
    value.p = name.p ? params_percent(raw_value, r->arena, &value.n) : NULL;
    if (!value.p) {
        refuse_coding(r, name, body);
        return;
    }
    int i = find_param(r->plan, in, name);
    if (i < 0 && (body || !r->plan->page)) {
        refuse_unknown(r, name, body);
    } else if (i < 0) {
        return;
    } else if (r->seen >> i & 1) {
        refuse(r, pointer_to(r, name, body), body ? "duplicate_field" : "duplicate_parameter",
               "Está repetido", "It is there twice");
    } else {
        r->seen |= UINT64_C(1) << i;
        if (value.n > 0 || !body) { /* a browser sends every field: what is empty is not there */
            take_text(r, (size_t)i, value);
        }
    }
}

/* "a=1&b=2", of a query or of a form (WHATWG URL 5.1); how many there were. */
static size_t read_pairs(struct reader *r, enum where in, struct slice text, size_t max)
{
    struct slice rest = text;
    size_t count = 0;
    while (rest.p && rest.n && count < max) {
        struct slice pair = str_cut(&rest, '&');
        struct slice value = pair;
        struct slice name = str_cut(&value, '=');
        if (pair.n == 0) {
            continue;
        }
        count++;
        take_pair(r, in, name, value.p ? value : (struct slice){ .p = "", .n = 0 });
    }
    return rest.p && rest.n ? count + 1 : count;
}

static void wrong_type(struct reader *r, const struct param *row)
{
    static const struct {
        enum type type;
        const char *es, *en;
    } texts[] = {
        { T_INT, "Debe ser un número entero", "It must be an integer" },
        { T_BOOL, "Debe ser true o false", "It must be true or false" },
        { T_TEXT, "Debe ser un texto", "It must be a string" },
        { T_WORDS, "Debe ser una lista de textos", "It must be a list of strings" },
        { T_DOCUMENT, "Debe ser una lista o un objeto", "It must be a list or an object" },
    };
    size_t i = row->type == T_INT        ? 0
               : row->type == T_BOOL     ? 1
               : row->type == T_DOCUMENT ? 4
               : type_is_list(row->type) ? 3
                                         : 2;
    refuse(r, pointer_to(r, slice_of(row->name), true), "wrong_type", texts[i].es, texts[i].en);
}

/* The items behind one another, with a comma between them: no item holds one. */
static void take_list(struct reader *r, size_t i, struct json_object *list)
{
    size_t n = json_object_array_length(list), at = 0, room = 1;
    for (size_t k = 0; k < n; k++) {
        struct json_object *item = json_object_array_get_idx(list, k);
        if (!json_object_is_type(item, json_type_string) ||
            strchr(json_object_get_string(item), ',')) {
            wrong_type(r, &r->plan->rows[i]);
            return;
        }
        room += (size_t)json_object_get_string_len(item) + 1;
    }
    char *text = arena_take(r->arena, room);
    for (size_t k = 0; text && k < n; k++) {
        struct json_object *item = json_object_array_get_idx(list, k);
        size_t len = (size_t)json_object_get_string_len(item);
        if (k > 0) {
            text[at++] = ',';
        }
        memcpy(text + at, json_object_get_string(item), len);
        at += len;
    }
    if (text && n == 1 && at == 0) {
        wrong_type(r, &r->plan->rows[i]); /* one empty text is not an empty list */
    } else {
        take_text(r, i, (struct slice){ .p = text, .n = text ? at : 0 });
    }
}

static void take_document(struct reader *r, size_t i, struct json_object *o)
{
    const int plain = JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE;
    if (json_object_is_type(o, json_type_array) || json_object_is_type(o, json_type_object)) {
        take_text(r, i, slice_of(json_object_to_json_string_ext(o, plain)));
    } else {
        wrong_type(r, &r->plan->rows[i]);
    }
}

static void take_member(struct reader *r, size_t i, struct json_object *o)
{
    const struct param *row = &r->plan->rows[i];
    struct value *v = &r->values[i];
    v->present = true;
    if (!o && row->nullable) {
        *v = (struct value){ .present = true, .null = true };
        return;
    }
    if (!o) {
        refuse(r, pointer_to(r, slice_of(row->name), true), "not_null", "No puede ser null",
               "It must not be null");
        return;
    }
    if (row->type == T_DOCUMENT) {
        take_document(r, i, o);
        return;
    }
    enum json_type want = row->type == T_INT        ? json_type_int
                          : row->type == T_BOOL     ? json_type_boolean
                          : type_is_list(row->type) ? json_type_array
                                                    : json_type_string;
    if (json_object_get_type(o) != want) {
        wrong_type(r, row);
        return;
    }
    if (want == json_type_array) {
        take_list(r, i, o);
    } else if (want == json_type_string) {
        take_text(r, i,
                  (struct slice){ .p = json_object_get_string(o),
                                  .n = (size_t)json_object_get_string_len(o) });
    } else {
        take_text(r, i, slice_of(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN)));
    }
}

static void take_object(struct reader *r, struct json_object *body)
{
    json_object_object_foreach(body, name, member)
    {
        int i = find_param(r->plan, IN_BODY, slice_of(name));
        if (i < 0) {
            refuse(r, pointer_to(r, slice_of(name), true), "unknown_field",
                   "No se conoce este dato", "This field is not known");
        } else {
            take_member(r, (size_t)i, member);
        }
    }
}

static enum err bad_json(struct reader *r, const struct json_fault *fault)
{
    const char *pointer = arena_text(r->arena, slice_of(fault->pointer));
    struct sbuf b;
    sbuf_init(&b);
    for (enum lang lang = LANG_ES; lang <= LANG_EN; lang++) {
        sbuf_reset(&b, SIZE_MAX);
        sbuf_fmt(&b, "byte %zu%s%s: %s", fault->at, fault->pointer[0] ? ", " : "", fault->pointer,
                 fault->why->text[lang]);
        r->problem->detail[lang] = sbuf_failed(&b) ? NULL : arena_text(r->arena, sbuf_slice(&b));
    }
    sbuf_fini(&b);
    if (pointer) {
        refuse(r, pointer, fault->why->code, fault->why->text[LANG_ES], fault->why->text[LANG_EN]);
    }
    r->problem->err = E_BAD_JSON;
    return E_BAD_JSON;
}

static enum err read_form(struct reader *r, struct slice body)
{
    if (read_pairs(r, IN_BODY, body, PAIRS_MAX) > PAIRS_MAX) {
        r->broken = true;
        refuse(r, "", "too_many_members", "Tiene demasiados datos", "It has too many fields");
    }
    return OK;
}

static enum err read_json(struct reader *r, const struct frame_request *req)
{
    struct json_fault fault = { 0 };
    struct json_object *body = NULL;
    enum err e = json_read(req->body, r->arena, &fault, &body);
    if (e == E_BAD_JSON) {
        return bad_json(r, &fault);
    }
    if (e != OK) {
        r->problem->err = e;
        return e;
    }
    if (json_object_get_type(body) == json_type_object) {
        take_object(r, body);
    } else {
        refuse(r, "", "wrong_type", "El cuerpo debe ser un objeto", "The body must be an object");
    }
    json_object_put(body);
    return OK;
}

static enum err read_body(struct reader *r, const struct frame_request *req)
{
    if (!r->plan->reads_body || req->body.n == 0) {
        return OK; /* an absent body is an object without members */
    }
    if (media_is(req->content_type, MEDIA_JSON)) {
        return read_json(r, req);
    }
    if (r->plan->form && media_is(req->content_type, MEDIA_FORM)) {
        return read_form(r, req->body);
    }
    r->problem->err = E_UNSUPPORTED_MEDIA;
    return E_UNSUPPORTED_MEDIA;
}

static void check_required(struct reader *r)
{
    for (size_t i = 0; i < r->plan->count; i++) {
        const struct param *row = &r->plan->rows[i];
        if (row->required && !r->values[i].present) {
            refuse(r, pointer_to(r, slice_of(row->name), row->in == IN_BODY), "required",
                   "Falta este dato", "It is required");
        }
    }
}

enum err params_read(const struct params_plan *plan, const struct frame_request *req,
                     const struct route_match *match, struct arena *arena, struct value *values,
                     struct problem *problem)
{
    struct reader r = { .plan = plan, .arena = arena, .values = values, .problem = problem };
    memcpy(values, plan->fallback, plan->count * sizeof(*values));
    TRY(read_path(&r, match));
    (void)read_pairs(&r, IN_QUERY, req->query, SIZE_MAX);
    TRY(read_body(&r, req));
    check_required(&r);
    if (r.broken) {
        problem->err = E_BAD_PARAM;
    }
    return problem->err;
}
