/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Problem documents: members in both languages, and what is left out when there is nothing to say. */
#include "common/problem.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "common/json.h"

static struct sbuf out;

static void fini(void)
{
    sbuf_fini(&out);
}

TestSuite(problem, .fini = fini);

static const char *written(const struct problem *p, enum lang lang)
{
    sbuf_reset(&out, 1 << 16);
    problem_write(&out, p, lang, SLICE("req-1"));
    return out.data;
}

Test(problem, bare)
{
    struct problem p = { .err = E_NOT_FOUND };
    cr_expect_str_eq(written(&p, LANG_EN),
                     "{\"type\":\"urn:gremio:problem:not_found\",\"title\":\"Not found\","
                     "\"status\":404,\"code\":\"not_found\",\"request_id\":\"req-1\"}");
    cr_expect_str_eq(written(&p, LANG_ES),
                     "{\"type\":\"urn:gremio:problem:not_found\",\"title\":\"No existe\","
                     "\"status\":404,\"code\":\"not_found\",\"request_id\":\"req-1\"}");
}

Test(problem, whole)
{
    struct problem p = { .err = E_INVALID, .detail = { "Uno", "One" } };
    problem_add(&p, "/na\"me", "required", "Falta", "Missing");
    problem_add(&p, "limit", "out_of_range", NULL, NULL);
    cr_expect_str_eq(
        written(&p, LANG_EN),
        "{\"type\":\"urn:gremio:problem:validation_failed\",\"title\":\"Some data must be "
        "corrected\",\"status\":422,\"detail\":\"One\",\"code\":\"validation_failed\","
        "\"request_id\":\"req-1\",\"errors\":[{\"pointer\":\"/na\\\"me\",\"code\":\"required\","
        "\"detail\":\"Missing\"},{\"pointer\":\"limit\",\"code\":\"out_of_range\"}]}");
}

Test(problem, add_sets_the_error_only_when_there_is_none)
{
    struct problem p = { 0 };
    problem_add(&p, "/a", "required", "", "");
    cr_expect_eq(p.err, E_INVALID);
    p = (struct problem){ .err = E_BAD_PARAM };
    problem_add(&p, "a", "required", "", "");
    cr_expect_eq(p.err, E_BAD_PARAM);
}

Test(problem, keeps_the_first_fields)
{
    struct problem p = { 0 };
    char names[PROBLEM_FIELDS_MAX + 5][8];
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        snprintf(names[i], sizeof(names[i]), "/%zu", i);
        problem_add(&p, names[i], "required", "x", "x");
    }
    cr_expect_eq(p.field_count, PROBLEM_FIELDS_MAX);
    cr_expect_str_eq(p.fields[PROBLEM_FIELDS_MAX - 1].pointer, "/15");
}

Test(problem, every_error_is_valid_json)
{
    struct arena scratch;
    struct json_fault fault;
    arena_init(&scratch, 0);
    for (int e = OK; e < ERR_COUNT; e++) {
        struct problem p = { .err = (enum err)e, .detail = { "\"\n\\", "</" } };
        problem_add(&p, "/x", "y", "ñ", "n");
        for (int lang = LANG_ES; lang <= LANG_EN; lang++) {
            cr_expect_eq(json_check(slice_of(written(&p, (enum lang)lang)), &scratch, &fault), OK);
        }
    }
    arena_fini(&scratch);
}
