/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What the strict checker accepts, json-c must understand, print, and see accepted again; a refusal says why and
 * where within the text, and calls malformed exactly what the grammar alone refuses. */
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

/* A text may be malformed behind what is refused for another reason, never the other way round. */
static void check_fault(const struct json_fault *fault, size_t n, bool grammatical)
{
    FUZZ_CHECK(fault->why && fault->at <= n);
    FUZZ_CHECK(!grammatical || strcmp(fault->why->code, "malformed_json") != 0);
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
    bool grammatical = json_scan_all(text, &scratch) == OK;
    arena_reset(&scratch);
    if (json_check(text, &scratch, &fault) == OK) {
        FUZZ_CHECK(grammatical);
        arena_reset(&scratch);
        FUZZ_CHECK(json_read(text, &scratch, &fault, &o) == OK);
        check_again(o, &scratch);
        json_object_put(o);
    } else {
        check_fault(&fault, n, grammatical);
    }
    arena_fini(&scratch);
    return 0;
}
