/* SPDX-License-Identifier: LicenseRef-Gremio */
/* A settings file of any bytes: accepted values are within their bounds and printed so that they read back the same;
 * a refusal is one line. */
#include <string.h>

#include "common/conf.h"
#include "common/str.h"
#include "tests/fuzz/fuzz.h"

struct settings {
    bool flag;
    int64_t count, size, wait;
    char text[CONF_TEXT_MAX];
};

static const struct conf_row rows[] = {
    { "flag", NULL, CONF_BOOL, offsetof(struct settings, flag), 0, 0, "no", false, true, "" },
    { "n", NULL, CONF_INT, offsetof(struct settings, count), -9, 99, "4", false, true, "" },
    { "size", NULL, CONF_SIZE, offsetof(struct settings, size), 0, INT64_MAX, "8k", false, true,
      "" },
    { "wait", NULL, CONF_TIME, offsetof(struct settings, wait), -1, INT64_MAX, "1s", false, true,
      "" },
    { "text", NULL, CONF_TEXT, offsetof(struct settings, text), 0, 0, "", false, true, "" },
    { 0 },
};

static void check_values(const struct settings *s, struct sbuf *why)
{
    struct settings again = { 0 };
    struct sbuf printed;
    FUZZ_CHECK(s->count >= -9 && s->count <= 99 && s->size >= 0 && s->wait >= -1);
    FUZZ_CHECK(memchr(s->text, '\0', sizeof(s->text)) && str_utf8_valid(slice_of(s->text)));
    sbuf_init(&printed);
    conf_print(rows, s, &printed);
    FUZZ_CHECK(conf_load_text(rows, sbuf_slice(&printed), "printed", &again, why) == OK);
    FUZZ_CHECK(again.flag == s->flag && again.count == s->count && again.size == s->size &&
               again.wait == s->wait && strcmp(again.text, s->text) == 0);
    sbuf_fini(&printed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct settings s = { 0 };
    struct sbuf why;
    sbuf_init(&why);
    if (conf_load_text(rows, (struct slice){ (const char *)data, n }, "input", &s, &why) == OK) {
        check_values(&s, &why);
    } else {
        FUZZ_CHECK(why.len > 0 && !memchr(why.data, '\n', why.len));
    }
    sbuf_fini(&why);
    return 0;
}
