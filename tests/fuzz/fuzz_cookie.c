/* SPDX-License-Identifier: LicenseRef-Gremio */
/* A Cookie field. What is found lies inside it, stands behind its name, and can be written as a cookie again. */
#include <string.h>

#include "router/cookie.h"
#include "tests/fuzz/fuzz.h"

static void check_found(struct slice field, struct slice name, struct slice value)
{
    FUZZ_CHECK(value.p > field.p + name.n && value.p + value.n <= field.p + field.n);
    FUZZ_CHECK(value.p[-1] == '=' && memcmp(value.p - 1 - name.n, name.p, name.n) == 0);
    bool quoted = value.n >= 2 && value.p[0] == '"';
    struct slice plain = quoted ? (struct slice){ value.p + 1, value.n - 2 } : value;
    struct sbuf out;
    sbuf_init(&out);
    FUZZ_CHECK(cookie_write(&out, true, plain, 1) == OK);
    FUZZ_CHECK(!memchr(out.data, '\r', out.len) && !memchr(out.data, '\n', out.len));
    sbuf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice field = { (const char *)data, n };
    for (int secure = 0; secure < 2; secure++) {
        struct slice name = cookie_name(secure == 1), value;
        if (cookie_find(field, name, &value) == OK) {
            check_found(field, name, value);
        }
    }
    return 0;
}
