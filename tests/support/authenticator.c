/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Reads Base32 by itself; codes come from common/totp.c, which tests/unit/totp.c holds to the RFC's vectors. */
#include "tests/support/authenticator.h"

#include <criterion/criterion.h>
#include <time.h>

struct authenticator authenticator_with(const char *base32)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    struct authenticator a = { { 0 } };
    size_t bits = 0;
    cr_assert(base32 && strlen(base32) * 5 == sizeof(a.secret) * 8, "%s", base32 ? base32 : "none");
    for (; *base32; base32++) {
        const char *at = strchr(alphabet, *base32);
        cr_assert_not_null(at, "no Base32: %s", base32);
        for (int i = 4; i >= 0; i--, bits++) {
            a.secret[bits / 8] |= (uint8_t)(((at - alphabet) >> i & 1) << (7 - bits % 8));
        }
    }
    return a;
}

const char *authenticator_code(const struct authenticator *a, int steps)
{
    static _Thread_local char code[TOTP_CODE_MAX];
    struct slice secret = { (const char *)a->secret, sizeof(a->secret) };
    cr_assert_eq(totp_code(secret, totp_step(time(NULL)) + steps, TOTP_DIGITS, code), OK);
    return code;
}
