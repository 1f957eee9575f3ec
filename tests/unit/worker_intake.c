/* SPDX-License-Identifier: LicenseRef-Gremio */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "worker/intake.h"

static struct intake_fault judge_questions(const char *json)
{
    struct intake_fault f;
    struct json_object *list = json_tokener_parse(json);
    cr_assert_not_null(list, "%s", json);
    intake_check_questions(list, &f);
    json_object_put(list);
    return f;
}

Test(intake, questions_that_are_fine)
{
    static const char *const good[] = {
        "[]",
        "[{\"key\":\"a\",\"label\":{\"es\":\"¿Sí?\"},\"type\":\"bool\"}]",
        "[{\"key\":\"a_1\",\"label\":{\"en\":\"x\",\"es\":\"y\"},\"type\":\"text\",\"max\":2000,"
        "\"required\":true},{\"key\":\"b\",\"label\":{\"en\":\"x\"},\"type\":\"number\"},"
        "{\"key\":\"c\",\"label\":{\"en\":\"x\"},\"type\":\"choice\",\"choices\":[\"1\",\"2\"]}]",
    };
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct intake_fault f = judge_questions(good[i]);
        cr_expect_null(f.es, "%s: %s %s", good[i], f.pointer, f.en);
    }
}

Test(intake, questions_that_are_not)
{
    static const char *const bad[][2] = {
        { "/0", "[1]" },
        { "/0/key", "[{}]" },
        { "/0/key", "[{\"key\":\"A\",\"label\":{\"es\":\"x\"},\"type\":\"bool\"}]" },
        { "/0/key", "[{\"key\":\"\",\"label\":{\"es\":\"x\"},\"type\":\"bool\"}]" },
        { "/0/label", "[{\"key\":\"a\",\"type\":\"bool\"}]" },
        { "/0/label", "[{\"key\":\"a\",\"label\":\"x\",\"type\":\"bool\"}]" },
        { "/0/label", "[{\"key\":\"a\",\"label\":{},\"type\":\"bool\"}]" },
        { "/0/label", "[{\"key\":\"a\",\"label\":{\"fr\":\"x\"},\"type\":\"bool\"}]" },
        { "/0/label", "[{\"key\":\"a\",\"label\":{\"es\":\"\"},\"type\":\"bool\"}]" },
        { "/0", "[{\"key\":\"a\",\"label\":{\"es\":\"x\"},\"type\":\"date\"}]" },
        { "/0/choices", "[{\"key\":\"a\",\"label\":{\"es\":\"x\"},\"type\":\"choice\"}]" },
        { "/0/choices",
          "[{\"key\":\"a\",\"label\":{\"es\":\"x\"},\"type\":\"choice\",\"choices\":[]}]" },
        { "/0/choices",
          "[{\"key\":\"a\",\"label\":{\"es\":\"x\"},\"type\":\"choice\",\"choices\":[1]}]" },
        { "/0/choices",
          "[{\"key\":\"a\",\"label\":{\"es\":\"x\"},\"type\":\"text\",\"choices\":[\"x\"]}]" },
        { "/0/max", "[{\"key\":\"a\",\"label\":{\"es\":\"x\"},\"type\":\"text\",\"max\":2001}]" },
        { "/0/max", "[{\"key\":\"a\",\"label\":{\"es\":\"x\"},\"type\":\"bool\",\"max\":1}]" },
        { "/0/required",
          "[{\"key\":\"a\",\"label\":{\"es\":\"x\"},\"type\":\"bool\",\"required\":1}]" },
        { "/0/more", "[{\"key\":\"a\",\"label\":{\"es\":\"x\"},\"type\":\"bool\",\"more\":1}]" },
        { "/1/key", "[{\"key\":\"a\",\"label\":{\"es\":\"x\"},\"type\":\"bool\"},"
                    "{\"key\":\"a\",\"label\":{\"es\":\"x\"},\"type\":\"text\"}]" },
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct intake_fault f = judge_questions(bad[i][1]);
        cr_expect_not_null(f.es, "%s", bad[i][1]);
        cr_expect(strncmp(f.pointer, bad[i][0], strlen(bad[i][0])) == 0, "%s: %s", bad[i][1],
                  f.pointer);
    }
    char many[3000] = "[";
    for (int i = 0; i < 21; i++) {
        size_t n = strlen(many);
        snprintf(many + n, sizeof many - n,
                 "%s{\"key\":\"k%d\",\"label\":{\"es\":\"x\"},\"type\":\"bool\"}", i ? "," : "", i);
    }
    strncat(many, "]", sizeof many - strlen(many) - 1);
    cr_expect_not_null(judge_questions(many).es);
}

static const char questions[] =
    "[{\"key\":\"name\",\"label\":{\"es\":\"x\"},\"type\":\"text\",\"max\":5,\"required\":true},"
    "{\"key\":\"sure\",\"label\":{\"es\":\"x\"},\"type\":\"bool\"},"
    "{\"key\":\"age\",\"label\":{\"es\":\"x\"},\"type\":\"number\"},"
    "{\"key\":\"side\",\"label\":{\"es\":\"x\"},\"type\":\"choice\",\"choices\":[\"left\","
    "\"right\"]}]";

static struct intake_fault judge(const char *answers)
{
    struct intake_fault f;
    struct json_object *q = json_tokener_parse(questions);
    struct json_object *a = answers ? json_tokener_parse(answers) : NULL;
    intake_check_answers(q, a, &f);
    json_object_put(q);
    json_object_put(a);
    return f;
}

Test(intake, answers)
{
    cr_expect_null(judge("{\"name\":\"ñandú\"}").es, "five characters");
    cr_expect_null(judge("{\"name\":\"a\",\"sure\":false,\"age\":1.5,\"side\":\"left\"}").es);
    static const char *const bad[][2] = {
        { "/name", NULL },
        { "/name", "{}" },
        { "/name", "{\"name\":\"\"}" },
        { "/name", "{\"name\":\"123456\"}" },
        { "/name", "{\"name\":1}" },
        { "/sure", "{\"name\":\"a\",\"sure\":\"yes\"}" },
        { "/age", "{\"name\":\"a\",\"age\":\"1\"}" },
        { "/side", "{\"name\":\"a\",\"side\":\"up\"}" },
        { "/side", "{\"name\":\"a\",\"side\":null}" },
        { "/other", "{\"name\":\"a\",\"other\":1}" },
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct intake_fault f = judge(bad[i][1]);
        cr_expect_not_null(f.es, "%s", bad[i][1] ? bad[i][1] : "nothing");
        cr_expect_str_eq(f.pointer, bad[i][0]);
    }
}
