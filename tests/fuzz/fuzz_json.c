/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What the strict checker accepts, json-c must understand, print, and see accepted again; a refusal says why and
 * where within the text. */
#include <json-c/json.h>
#include <string.h>

#include "common/json.h"
#include "tests/fuzz/fuzz.h"

static void check_again(struct json_object *o, struct arena *scratch)
{
    struct json_fault fault;
    size_t n = 0;
    if (o) {
        const char *text = json_object_to_json_string_length(o, JSON_C_TO_STRING_PLAIN, &n);
        FUZZ_CHECK(json_check((struct slice){ text, n }, scratch, &fault) == OK);
    }
}

static void check_fault(const struct json_fault *fault, size_t n)
{
    FUZZ_CHECK(fault->why && fault->at <= n);
    FUZZ_CHECK(memchr(fault->pointer, '\0', sizeof(fault->pointer)));
    FUZZ_CHECK(fault->pointer[0] == '\0' || fault->pointer[0] == '/');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice text = { (const char *)data, n };
    struct json_object *o = NULL;
    struct json_fault fault = { 0 };
    struct arena scratch;
    arena_init(&scratch, 1 << 20);
    if (json_check(text, &scratch, &fault) == OK) {
        arena_reset(&scratch);
        FUZZ_CHECK(json_read(text, &scratch, &fault, &o) == OK);
        check_again(o, &scratch);
        json_object_put(o);
    } else {
        check_fault(&fault, n);
    }
    arena_fini(&scratch);
    return 0;
}
