/* SPDX-License-Identifier: LicenseRef-Gremio */
/* This machine's libevent is taken. That one without the fixes is refused is tried with one by tests/soak/hardening. */
#include "router/loop.h"

#include <criterion/criterion.h>

Test(router_loop, the_one_here_has_the_fixes)
{
    struct sbuf why;
    sbuf_init(&why);
    cr_assert_eq(loop_floor(&why), OK, "%.*s", (int)why.len, why.data);
    sbuf_fini(&why);
}
