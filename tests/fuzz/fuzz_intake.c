/* SPDX-License-Identifier: LicenseRef-Gremio */
/* A service's questions and the answers to them: no memory fault on any JSON, what is taken is taken again as it went out, and a refusal says where and why.
 * Input is the questions, a newline, the answers. */
#include "common/json.h"
#include "common/str.h"
#include "tests/fuzz/fuzz.h"
#include "worker/intake.h"

/* As params.c hands them over: JSON that was read strictly. NULL: it is none. */
static const char *read_strictly(struct slice s, struct arena *arena)
{
    struct json_fault fault;
    return json_check(s, arena, &fault) == OK ? arena_text(arena, s) : NULL;
}

static void check_fault(const struct intake_fault *fault)
{
    FUZZ_CHECK(fault->pointer && fault->code && fault->es && fault->en);
    FUZZ_CHECK(fault->pointer[0] == '\0' || fault->pointer[0] == '/');
    FUZZ_CHECK(str_utf8_valid(slice_of(fault->pointer)));
}

static void answer(const char *questions, const char *answers, struct arena *arena)
{
    struct intake_fault fault = { 0 };
    const char *out = NULL;
    enum err e = intake_answers(questions, answers, arena, &out, &fault);
    if (e == OK) {
        FUZZ_CHECK(json_scan_all(slice_of(out), arena) == OK && out[0] == '[');
    } else {
        FUZZ_CHECK(e == E_INVALID);
        check_fault(&fault);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct slice rest = { (const char *)data, size }, first = str_cut(&rest, '\n');
    struct intake_fault fault = { 0 };
    const char *out, *again;
    arena_init(&arena, 4 << 20);
    const char *questions = size ? read_strictly(first, &arena) : NULL;
    const char *answers = rest.p ? read_strictly(rest, &arena) : NULL;
    enum err e = questions ? intake_questions(questions, &arena, &out, &fault) : E_NOT_FOUND;
    if (e == OK) {
        FUZZ_CHECK(intake_questions(out, &arena, &again, &fault) == OK && strcmp(out, again) == 0);
        answer(out, answers, &arena);
        answer(out, NULL, &arena);
    } else if (questions) {
        FUZZ_CHECK(e == E_INVALID);
        check_fault(&fault);
    }
    arena_fini(&arena);
    return 0;
}
