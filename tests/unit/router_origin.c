/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Own, foreign or unknown: every combination a browser sends, and what somebody makes up who wants to look like us. */
#include "router/origin.h"

#include <criterion/criterion.h>

static const struct {
    const char *origin, *site, *host;
    bool tls;
    const char *public_url;
    enum origin want;
} cases[] = {
    { "http://h.example:8000", "", "h.example:8000", false, "", ORIGIN_OWN },
    { "https://h.example", "", "h.example", true, "", ORIGIN_OWN },
    { "https://h.example", "cross-site", "H.Example", true, "", ORIGIN_OWN },
    { "https://p.example", "", "127.0.0.1:8000", false, "https://p.example", ORIGIN_OWN },
    { "https://p.example", "", "127.0.0.1:8000", false, "https://p.example/gremio", ORIGIN_OWN },
    { "https://P.example", "", "x", false, "https://p.example", ORIGIN_OWN },
    { "http://h.example", "same-origin", "h.example", true, "", ORIGIN_FOREIGN },
    { "https://h.example", "same-origin", "h.example", false, "", ORIGIN_FOREIGN },
    { "https://h.example:444", "", "h.example", true, "", ORIGIN_FOREIGN },
    { "https://evil.example", "same-origin", "h.example", true, "", ORIGIN_FOREIGN },
    { "https://h.example.evil", "", "h.example", true, "", ORIGIN_FOREIGN },
    { "https://evilh.example", "", "h.example", true, "", ORIGIN_FOREIGN },
    { "https://h.example/", "", "h.example", true, "", ORIGIN_FOREIGN },
    { "https://p.example.evil", "", "x", false, "https://p.example", ORIGIN_FOREIGN },
    { "https://", "", "", true, "", ORIGIN_FOREIGN },
    { "h.example", "", "h.example", true, "", ORIGIN_FOREIGN },
    { "https://a https://h.example", "", "h.example", true, "", ORIGIN_FOREIGN },
    { "", "same-origin", "h.example", true, "", ORIGIN_OWN },
    { "null", "same-origin", "h.example", true, "", ORIGIN_OWN },
    { "null", "cross-site", "h.example", true, "", ORIGIN_FOREIGN },
    { "", "same-site", "h.example", true, "", ORIGIN_FOREIGN },
    { "", "cross-site", "h.example", true, "", ORIGIN_FOREIGN },
    { "", "none", "h.example", true, "", ORIGIN_FOREIGN },
    { "", "Same-Origin", "h.example", true, "", ORIGIN_FOREIGN },
    { "", "", "h.example", true, "https://p.example", ORIGIN_UNKNOWN },
    { "null", "", "null", false, "", ORIGIN_UNKNOWN },
};

Test(origin, table)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct exchange x = { .origin = slice_of(cases[i].origin),
                              .fetch_site = slice_of(cases[i].site),
                              .host = slice_of(cases[i].host) };
        cr_expect_eq(origin_of(&x, cases[i].tls, slice_of(cases[i].public_url)), cases[i].want,
                     "row %zu: %s %s", i, cases[i].origin, cases[i].site);
    }
}
