/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The writer of messages: to, a newline, subject, a newline, text. What it takes has ten fields, short lines, and CR and LF only together. */
#include <string.h>

#include "common/str.h"
#include "tests/fuzz/fuzz.h"
#include "worker/mail_message.h"

/* RFC 5322 2.1.1 wishes for 78 characters at most; an address is not cut, however long. */
static size_t longest(const char *line, size_t n, bool body)
{
    return !body && n > 5 && memcmp(line, "To: <", 5) == 0 ? 6 + MAIL_ADDRESS_MAX : 78;
}

static void check(const char *p, size_t n)
{
    size_t begun = 0, fields = 0;
    bool body = false;
    for (size_t i = 0; i < n; i++) {
        if (p[i] == '\r' && i + 1 < n && p[i + 1] == '\n') {
            body |= i == begun;
            fields += !body && p[begun] != ' ';
            i++;
            begun = i + 1;
        } else {
            FUZZ_CHECK((p[i] >= ' ' && p[i] < 0x7f) || p[i] == '\t');
            FUZZ_CHECK(i - begun < longest(p + begun, n - begun, body));
        }
    }
    FUZZ_CHECK(begun == n);
    FUZZ_CHECK(fields == 10);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char to[300];
    struct slice rest = { (const char *)data, size };
    struct slice address = str_cut(&rest, '\n');
    struct mail m = { .from = "no-reply@example.com", .id = "1", .language = "es", .to = to };
    m.subject = str_cut(&rest, '\n');
    m.text = rest;
    struct sbuf out;
    sbuf_init(&out);
    if (str_copy(address, to, sizeof(to)) == OK && mail_message_write(&out, &m) == OK) {
        check(out.data, out.len);
    } else {
        FUZZ_CHECK(out.len == 0);
    }
    sbuf_fini(&out);
    return 0;
}
