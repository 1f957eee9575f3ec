/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Permission words: what is read is written back as words that read the same, an owner has all of it, and what is refused names a word of the
 * text. */
#include <stdlib.h>

#include "tests/fuzz/fuzz.h"
#include "worker/perms.h"

static void write_and_read(const struct perm_set *set)
{
    struct sbuf words;
    struct perm_set again;
    struct slice bad;
    sbuf_init(&words);
    perms_write(set, &words);
    FUZZ_CHECK(!sbuf_failed(&words) && words.len <= PERMS_TEXT_MAX);
    FUZZ_CHECK(perms_parse(sbuf_slice(&words), &again, &bad) == OK);
    FUZZ_CHECK(memcmp(set, &again, sizeof(again)) == 0);
    sbuf_fini(&words);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice text = { (const char *)data, n }, bad = { 0 };
    struct perm_set set;
    if (perms_parse(text, &set, &bad) != OK) {
        FUZZ_CHECK(bad.n > 0 && bad.p >= text.p && bad.p + bad.n <= text.p + text.n);
        return 0;
    }
    FUZZ_CHECK(set.reach[PERM_SELF] == REACH_ALL && set.reach[PERM_NONE] == REACH_NONE);
    FUZZ_CHECK(perms_cover(perms_ready("owner"), &set));
    write_and_read(&set);
    return 0;
}
