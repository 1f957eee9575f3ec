/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What a service may ask, what may be answered, and where each fault is said to be. */
#include <criterion/criterion.h>

#include "common/sbuf.h"
#include "common/str.h"
#include "worker/intake.h"

static struct arena arena;
static struct intake_fault fault;
static const char *out;

static void setup(void)
{
    arena_init(&arena, 1 << 20);
}

static void teardown(void)
{
    arena_fini(&arena);
}

TestSuite(intake, .init = setup, .fini = teardown);

#define ES "\"label\":{\"es\":\"Motivo\"}"

struct sample {
    const char *json, *pointer, *code; /* pointer NULL: taken */
};

static void expect(enum err e, const struct sample *s)
{
    cr_expect_eq(e, s->pointer ? E_INVALID : OK, "%s", s->json);
    if (s->pointer && e == E_INVALID) {
        cr_expect_str_eq(fault.pointer, s->pointer, "%s: %s", s->json, fault.pointer);
        cr_expect_str_eq(fault.code, s->code, "%s: %s", s->json, fault.code);
        cr_expect(fault.es && fault.en);
    }
}

Test(intake, questions)
{
    static const struct sample samples[] = {
        { "[]", NULL, NULL },
        { "[{\"key\":\"a\"," ES ",\"type\":\"text\"}]", NULL, NULL },
        { "[{\"key\":\"a_1\"," ES ",\"type\":\"bool\",\"required\":true}]", NULL, NULL },
        { "{}", "", "wrong_type" },
        { "[1]", "/0", "wrong_type" },
        { "[null]", "/0", "wrong_type" },
        { "[{}]", "/0/key", "required" },
        { "[{\"key\":\"a\"}]", "/0/type", "required" },
        { "[{\"key\":\"a\",\"type\":\"text\"}]", "/0/label", "required" },
        { "[{\"key\":\"a\",\"type\":\"text\",\"label\":\"x\"}]", "/0/label", "wrong_type" },
        { "[{\"key\":\"a\",\"type\":\"text\",\"label\":{}}]", "/0/label/es", "required" },
        { "[{\"key\":\"a\",\"type\":\"text\",\"label\":{\"es\":\" \"}}]", "/0/label/es",
          "too_short" },
        { "[{\"key\":\"a\",\"type\":\"text\",\"label\":{\"es\":\"a\\u0007\"}}]", "/0/label/es",
          "invalid_character" },
        { "[{\"key\":\"a\",\"type\":\"text\",\"label\":{\"es\":\"x\",\"fr\":\"x\"}}]", "/0/label",
          "unknown_field" },
        { "[{\"key\":\"A\"," ES ",\"type\":\"text\"}]", "/0/key", "invalid_key" },
        { "[{\"key\":\"1\"," ES ",\"type\":\"text\"}]", "/0/key", "invalid_key" },
        { "[{\"key\":\"\"," ES ",\"type\":\"text\"}]", "/0/key", "invalid_key" },
        { "[{\"key\":\"a/b\"," ES ",\"type\":\"text\"}]", "/0/key", "invalid_key" },
        { "[{\"key\":\"abcdefghijklmnopqrstuvwxyzabcdefghijklmno\"," ES ",\"type\":\"text\"}]",
          "/0/key", "invalid_key" },
        { "[{\"key\":1," ES ",\"type\":\"text\"}]", "/0/key", "invalid_key" },
        { "[{\"key\":\"a\"," ES ",\"type\":\"file\"}]", "/0/type", "invalid_choice" },
        { "[{\"key\":\"a\"," ES ",\"type\":\"text\",\"required\":1}]", "/0/required",
          "wrong_type" },
        { "[{\"key\":\"a\"," ES ",\"type\":\"text\",\"hidden\":1}]", "/0", "unknown_field" },
        { "[{\"key\":\"a\"," ES ",\"type\":\"text\",\"max\":0}]", "/0/max", "out_of_range" },
        { "[{\"key\":\"a\"," ES ",\"type\":\"text\",\"max\":2001}]", "/0/max", "out_of_range" },
        { "[{\"key\":\"a\"," ES ",\"type\":\"text\",\"max\":1.5}]", "/0/max", "wrong_type" },
        { "[{\"key\":\"a\"," ES ",\"type\":\"bool\",\"max\":1}]", "/0/max", "conflict" },
        { "[{\"key\":\"a\"," ES ",\"type\":\"text\",\"choices\":[]}]", "/0/choices", "conflict" },
        { "[{\"key\":\"a\"," ES ",\"type\":\"choice\"}]", "/0/choices", "required" },
        { "[{\"key\":\"a\"," ES ",\"type\":\"choice\",\"choices\":[]}]", "/0/choices",
          "out_of_range" },
        { "[{\"key\":\"a\"," ES ",\"type\":\"choice\",\"choices\":{}}]", "/0/choices",
          "wrong_type" },
        { "[{\"key\":\"a\"," ES ",\"type\":\"choice\",\"choices\":[\"x\",1]}]", "/0/choices/1",
          "wrong_type" },
        { "[{\"key\":\"a\"," ES ",\"type\":\"choice\",\"choices\":[\"x\",\"x\"]}]", "/0/choices/1",
          "duplicate_value" },
        { "[{\"key\":\"a\"," ES ",\"type\":\"text\"},{\"key\":\"a\"," ES ",\"type\":\"bool\"}]",
          "/1/key", "duplicate_value" },
    };
    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        expect(intake_questions(samples[i].json, &arena, &out, &fault), &samples[i]);
    }
}

Test(intake, twenty_questions_of_twenty_choices_at_most)
{
    for (int n = 20; n <= 21; n++) {
        struct sbuf many, choices;
        sbuf_init(&many);
        sbuf_init(&choices);
        for (int i = 0; i < n; i++) {
            sbuf_fmt(&many, "%s{\"key\":\"k%d\"," ES ",\"type\":\"text\"}", i ? "," : "[", i);
            sbuf_fmt(&choices, "%s\"c%d\"", i ? "," : "", i);
        }
        sbuf_text(&many, "]");
        sbuf_char(&many, '\0');
        sbuf_char(&choices, '\0');
        cr_expect_eq(intake_questions(many.data, &arena, &out, &fault), n > 20 ? E_INVALID : OK);
        sbuf_reset(&many, SIZE_MAX);
        sbuf_fmt(&many, "[{\"key\":\"a\"," ES ",\"type\":\"choice\",\"choices\":[%s]}]",
                 choices.data);
        sbuf_char(&many, '\0');
        cr_expect_eq(intake_questions(many.data, &arena, &out, &fault), n > 20 ? E_INVALID : OK);
        sbuf_fini(&many);
        sbuf_fini(&choices);
    }
}

Test(intake, every_default_is_said)
{
    cr_assert_eq(
        intake_questions("[{\"type\":\"text\",\"key\":\"a\"," ES "}]", &arena, &out, &fault), OK);
    cr_expect_str_eq(out, "[{\"key\":\"a\",\"label\":{\"es\":\"Motivo\",\"en\":\"Motivo\"},"
                          "\"type\":\"text\",\"required\":false,\"max\":500}]");
}

#define ASKED                                                                                 \
    "[{\"key\":\"why\"," ES ",\"type\":\"text\",\"required\":true,\"max\":5},"                \
    "{\"key\":\"new\"," ES ",\"type\":\"bool\"},{\"key\":\"age\"," ES ",\"type\":\"number\"," \
    "\"max\":120},{\"key\":\"how\"," ES ",\"type\":\"choice\",\"choices\":[\"Solo\",\"Dos\"]}]"

Test(intake, answers)
{
    static const struct sample samples[] = {
        { "{\"why\":\"Dolor\"}", NULL, NULL },
        { "{\"why\":\"\xc3\xa1\xc3\xa9\xc3\xad\xc3\xb3\xc3\xba\",\"new\":false,\"age\":0,"
          "\"how\":\"Dos\"}",
          NULL, NULL },
        { "{\"why\":\"a\",\"age\":120}", NULL, NULL },
        { "{\"why\":\"a\",\"new\":null}", NULL, NULL },
        { "{}", "/why", "required" },
        { "{\"why\":null}", "/why", "required" },
        { "{\"why\":\"\"}", "/why", "too_short" },
        { "{\"why\":\"Dolore\"}", "/why", "too_long" },
        { "{\"why\":1}", "/why", "wrong_type" },
        { "{\"why\":[\"a\"]}", "/why", "wrong_type" },
        { "{\"why\":\"a\\u001b[\"}", "/why", "invalid_character" },
        { "{\"why\":\"a\",\"new\":\"true\"}", "/new", "wrong_type" },
        { "{\"why\":\"a\",\"age\":121}", "/age", "out_of_range" },
        { "{\"why\":\"a\",\"age\":-1}", "/age", "out_of_range" },
        { "{\"why\":\"a\",\"age\":1e1}", "/age", "wrong_type" },
        { "{\"why\":\"a\",\"age\":\"1\"}", "/age", "wrong_type" },
        { "{\"why\":\"a\",\"how\":\"dos\"}", "/how", "invalid_choice" },
        { "{\"why\":\"a\",\"how\":2}", "/how", "wrong_type" },
        { "{\"why\":\"a\",\"more\":2}", "/more", "unknown_field" },
        { "{\"why\":\"a\",\"~/\":2}", "", "unknown_field" },
        { "{\"why\":\"a\",\"__proto__\":2}", "", "unknown_field" },
        { "[]", "", "wrong_type" },
        { NULL, "/why", "required" },
    };
    const char *asked;
    cr_assert_eq(intake_questions(ASKED, &arena, &asked, &fault), OK, "%s", fault.code);
    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        expect(intake_answers(asked, samples[i].json, &arena, &out, &fault), &samples[i]);
    }
}

Test(intake, answers_stand_with_what_was_asked)
{
    const char *asked;
    cr_assert_eq(intake_questions(ASKED, &arena, &asked, &fault), OK);
    cr_assert_eq(intake_answers(asked, "{\"new\":true,\"why\":\"<b>\"}", &arena, &out, &fault), OK);
    cr_expect_str_eq(out, "[{\"key\":\"why\",\"label\":{\"es\":\"Motivo\",\"en\":\"Motivo\"},"
                          "\"type\":\"text\",\"answer\":\"<b>\"},{\"key\":\"new\",\"label\":"
                          "{\"es\":\"Motivo\",\"en\":\"Motivo\"},\"type\":\"bool\",\"answer\":"
                          "true}]");
    cr_assert_eq(intake_answers("[]", NULL, &arena, &out, &fault), OK);
    cr_expect_str_eq(out, "[]");
}
