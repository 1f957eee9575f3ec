/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Names of methods, to and from text. */
#include "common/method.h"

static const char *const method_names[METHOD_COUNT] = {
    [M_GET] = "GET",     [M_HEAD] = "HEAD",     [M_POST] = "POST",       [M_PUT] = "PUT",
    [M_PATCH] = "PATCH", [M_DELETE] = "DELETE", [M_OPTIONS] = "OPTIONS", [M_OTHER] = "OTHER",
};

const char *method_name(enum method m)
{
    return method_names[(unsigned)m < METHOD_COUNT ? m : M_OTHER];
}

enum method method_parse(struct slice s)
{
    for (int m = 0; m < M_OTHER; m++) {
        if (slice_eq(s, slice_of(method_names[m]))) {
            return (enum method)m;
        }
    }
    return M_OTHER;
}

bool method_is_safe(enum method m)
{
    return m == M_GET || m == M_HEAD || m == M_OPTIONS;
}

bool method_has_body(enum method m)
{
    return m == M_POST || m == M_PUT || m == M_PATCH;
}

void method_list(uint32_t set, char out[64])
{
    size_t n = 0;
    for (int m = 0; m < M_OTHER; m++) {
        if (set >> m & 1) {
            const char *name = method_names[m];
            size_t len = strlen(name);
            if (n > 0) {
                memcpy(out + n, ", ", 2);
                n += 2;
            }
            memcpy(out + n, name, len);
            n += len;
        }
    }
    out[n] = '\0';
}
