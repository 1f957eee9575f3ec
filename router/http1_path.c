/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Decoding a path once and for all: behind this point there are no escapes, dot segments or doubled slashes left to
 * read differently. */
#include "common/str.h"
#include "router/http1.h"
#include "router/http1_bytes.h"

/* One decoded byte of an escape; what would change the path's structure or hide in a text is refused. */
static enum err read_escape(struct slice rest, char *out)
{
    if (rest.n < 3 || !http1_is((unsigned char)rest.p[1], HTTP1_HEX) ||
        !http1_is((unsigned char)rest.p[2], HTTP1_HEX)) {
        return E_BAD_REQUEST;
    }
    int byte = str_hex_digit(rest.p[1]) * 16 + str_hex_digit(rest.p[2]);
    if (byte < 0x20 || byte == 0x7f || byte == '/' || byte == '\\') {
        return E_BAD_REQUEST;
    }
    *out = (char)byte;
    return OK;
}

/* Every segment but the last has a name, and none is "." or "..". */
static bool segments_valid(struct slice path)
{
    struct slice rest = { path.p + 1, path.n - 1 };
    while (rest.p != NULL) {
        struct slice segment = str_cut(&rest, '/');
        if ((segment.n == 0 && rest.p != NULL) || slice_eq(segment, SLICE(".")) ||
            slice_eq(segment, SLICE(".."))) {
            return false;
        }
    }
    return true;
}

enum err http1_path(struct slice raw, char *out, size_t *n)
{
    size_t len = 0;
    for (size_t i = 0; i < raw.n; i++) {
        if (!http1_is((unsigned char)raw.p[i], HTTP1_PATH)) {
            return E_BAD_REQUEST;
        }
        if (raw.p[i] != '%') {
            out[len++] = raw.p[i];
            continue;
        }
        TRY(read_escape((struct slice){ raw.p + i, raw.n - i }, &out[len]));
        len++;
        i += 2;
    }
    struct slice path = { out, len };
    if (len == 0 || out[0] != '/' || !segments_valid(path) || !str_utf8_valid(path)) {
        return E_BAD_REQUEST;
    }
    *n = len;
    return OK;
}
