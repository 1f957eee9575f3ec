/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Names are compared byte by byte: "__host-" is not "__Host-". */
#include "router/cookie.h"

#include "common/str.h"
#include "router/http1.h"

struct slice cookie_name(bool secure)
{
    return secure ? SLICE("__Host-gremio_guest") : SLICE("gremio_guest");
}

/* cookie-octet: visible ASCII without DQUOTE, comma, semicolon and backslash. */
static bool is_octets(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c <= ' ' || c > '~' || c == '"' || c == ',' || c == ';' || c == '\\') {
            return false;
        }
    }
    return true;
}

static bool is_value(struct slice s)
{
    if (s.n >= 2 && s.p[0] == '"' && s.p[s.n - 1] == '"') {
        s = (struct slice){ s.p + 1, s.n - 2 };
    }
    return is_octets(s);
}

static bool is_token(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (!http1_is_token((unsigned char)s.p[i])) {
            return false;
        }
    }
    return s.n > 0;
}

enum err cookie_find(struct slice field, struct slice name, struct slice *value)
{
    struct slice rest = field, found = { 0 };
    while (rest.p) {
        struct slice pair = str_cut(&rest, ';');
        struct slice text = pair, own = str_cut(&text, '=');
        if (!text.p || !is_token(own) || !is_value(text)) {
            return E_BAD_REQUEST;
        }
        if (rest.p && (rest.n == 0 || rest.p[0] != ' ')) {
            return E_BAD_REQUEST; /* exactly one blank behind each semicolon, and a cookie behind it */
        }
        rest.p += rest.p ? 1 : 0;
        rest.n -= rest.n ? 1 : 0;
        if (!slice_eq(own, name)) {
            continue;
        }
        if (found.p) {
            return E_BAD_REQUEST;
        }
        found = text;
    }
    if (!found.p) {
        return E_NOT_FOUND;
    }
    *value = found;
    return OK;
}

enum err cookie_write(struct sbuf *out, bool secure, struct slice value, uint32_t age_s)
{
    if (!is_octets(value)) {
        return E_BAD_REQUEST;
    }
    sbuf_add(out, cookie_name(secure));
    sbuf_char(out, '=');
    sbuf_add(out, value);
    sbuf_text(out, "; Path=/; Max-Age=");
    sbuf_int(out, age_s);
    sbuf_text(out, "; HttpOnly; SameSite=Strict");
    sbuf_text(out, secure ? "; Secure" : "");
    return OK;
}
