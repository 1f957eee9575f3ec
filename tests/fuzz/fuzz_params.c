/* SPDX-License-Identifier: LicenseRef-Gremio */
/* One row of every type in path, query and body. The input is "SEGMENT\nQUERY\nBODY", and the body is read as JSON and as a
 * form. Whatever comes in, accepted values keep what their rows promise and refusals name at least one field or an error of
 * their own. */
#include <string.h>

#include "common/media.h"
#include "common/str.h"
#include "tests/fuzz/fuzz.h"
#include "worker/params.h"

#define ALL_TYPES(place, prefix)                                                          \
    { .name = prefix "text", .in = place, .type = T_TEXT },                               \
        { .name = prefix "int", .in = place, .type = T_INT, .min = -5, .max = 5 },        \
        { .name = prefix "bool", .in = place, .type = T_BOOL },                           \
        { .name = prefix "uuid", .in = place, .type = T_UUID },                           \
        { .name = prefix "date", .in = place, .type = T_DATE },                           \
        { .name = prefix "time", .in = place, .type = T_TIME },                           \
        { .name = prefix "moment", .in = place, .type = T_MOMENT },                       \
        { .name = prefix "locale", .in = place, .type = T_LOCALE },                       \
        { .name = prefix "email", .in = place, .type = T_EMAIL },                         \
        { .name = prefix "phone", .in = place, .type = T_PHONE },                         \
        { .name = prefix "currency", .in = place, .type = T_CURRENCY },                   \
        { .name = prefix "color", .in = place, .type = T_COLOR },                         \
        { .name = prefix "zone", .in = place, .type = T_ZONE },                           \
        { .name = prefix "choice", .in = place, .type = T_CHOICE, .choices = "one two" }, \
        { .name = prefix "cursor", .in = place, .type = T_CURSOR },                       \
    {                                                                                     \
        .name = prefix "password", .in = place, .type = T_PASSWORD                        \
    }

static const struct param rows[] = {
    { .name = "id", .in = IN_PATH, .type = T_UUID },
    ALL_TYPES(IN_QUERY, "q_"),
    ALL_TYPES(IN_BODY, "b_"),
    { .name = "b_null", .in = IN_BODY, .type = T_TEXT, .nullable = true },
    { .name = "b_words", .in = IN_BODY, .type = T_WORDS, .choices = "one two" },
    { .name = "b_day", .in = IN_BODY, .type = T_SPANS },
    { .name = "b_week", .in = IN_BODY, .type = T_SPANS, .choices = "monday sunday", .max = 5 },
    { .name = "b_ids", .in = IN_BODY, .type = T_IDS, .min = 1, .max = 9 },
    { 0 },
};
static const struct route route = {
    .method = M_POST, .path = "/x/{id}", .params = rows, .form = true
};

static void check_values(const struct params_plan *plan, const struct value *values)
{
    for (size_t i = 0; i < plan->count; i++) {
        const struct value *v = &values[i];
        FUZZ_CHECK(v->null == (v->text == NULL));
        if (!v->text) {
            continue;
        }
        struct slice s = slice_of(v->text);
        bool list = s.n >= 2 && s.p[0] == '{' && s.p[s.n - 1] == '}';
        FUZZ_CHECK(str_utf8_valid(s) && (list || s.n <= 4096));
        FUZZ_CHECK(list || plan->rows[i].type < T_WORDS);
        FUZZ_CHECK(plan->rows[i].type != T_INT || (v->number >= -5 && v->number <= 5));
        FUZZ_CHECK(plan->rows[i].type != T_TEXT || str_utf8_len(s) <= 200);
    }
}

static void read_as(struct slice type, struct slice rest)
{
    static struct params_plan plan;
    struct value values[ROUTE_PARAMS_LIMIT];
    struct problem problem = { 0 };
    struct sbuf why;
    struct arena arena;
    sbuf_init(&why);
    if (plan.count == 0) {
        FUZZ_CHECK(params_compile(&route, NULL, &plan, &why) == OK);
    }
    arena_init(&arena, 1 << 22);
    struct route_match match = { .param_count = 1, .params = { str_cut(&rest, '\n') } };
    struct frame_request req = { .content_type = type };
    req.query = str_cut(&rest, '\n');
    req.body = rest;
    enum err e = params_read(&plan, &req, &match, &arena, values, &problem);
    FUZZ_CHECK(e == problem.err && problem.field_count <= PROBLEM_FIELDS_MAX);
    FUZZ_CHECK(e != E_INVALID || problem.field_count > 0);
    if (e == OK) {
        check_values(&plan, values);
    } else {
        problem_write(&why, &problem, LANG_ES, SLICE("id"));
    }
    sbuf_fini(&why);
    arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice rest = { (const char *)data, n };
    read_as(MEDIA_JSON, rest);
    read_as(MEDIA_FORM, rest);
    return 0;
}
