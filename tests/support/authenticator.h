/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The app on the phone: keeps a secret it was shown and says the code of any time. */
#ifndef GREMIO_TEST_AUTHENTICATOR_H
#define GREMIO_TEST_AUTHENTICATOR_H

#include "common/totp.h"

struct authenticator {
    uint8_t secret[TOTP_SECRET_BYTES];
};

/* Reads the secret as it is shown (Base32). The test fails when it is none. */
struct authenticator authenticator_with(const char *base32);
/* The code of the step that is so many steps from now; lives until the thread's next call. */
const char *authenticator_code(const struct authenticator *a, int steps);

#endif
