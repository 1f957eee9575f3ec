/* SPDX-License-Identifier: LicenseRef-Gremio */
/* An unknown address costs the auth slot the same hashing as a wrong password, so that nobody learns who has an account by
 * the time an answer takes. Counted as the slot's CPU, not by the clock; alone in its stack, so nobody else logs in. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/resource.h>

#include "tests/support/api.h"
#include "tests/support/db.h"
#include "tests/support/stack.h"

enum { TRIES = 12 };

/* User and system time of a process, in clock ticks. */
static long ticks_of(pid_t pid)
{
    char path[64], text[1024];
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "r");
    cr_assert_not_null(f);
    size_t n = fread(text, 1, sizeof(text) - 1, f);
    fclose(f);
    text[n] = '\0';
    long user = 0, system = 0;
    const char *rest = strrchr(text, ')');
    cr_assert_not_null(rest);
    cr_assert_eq(
        sscanf(rest + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld", &user, &system), 2);
    return user + system;
}

/* What TRIES refused logins cost the slot; none is refused for those before. */
static long cost_of(struct api *a, pid_t slot, const char *email)
{
    PGconn *db = db_super();
    long before = ticks_of(slot);
    for (int i = 0; i < TRIES; i++) {
        db_do(db, "DELETE FROM public.login_failure");
        struct answer *r = api_post(a, "/api/v1/auth/login",
                                    "{\"email\":\"%s\",\"password\":\"not it\"}", email);
        cr_assert_eq(r->status, 401);
    }
    PQfinish(db);
    return ticks_of(slot) - before;
}

Test(login_cost, an_unknown_address_is_hashed_for_too, .timeout = 120)
{
    pid_t slots[4];
    cr_assert_eq(stack_children(stack_worker(), "auth", slots, ARRAY_LEN(slots)), 1);
    cr_expect_eq(getpriority(PRIO_PROCESS, (id_t)slots[0]), 19, "hashing does not give way");
    struct api a = api_anonymous();
    cost_of(&a, slots[0], OWNER_A); /* the first login opens the connection */
    long known = cost_of(&a, slots[0], OWNER_A);
    long unknown = cost_of(&a, slots[0], "nobody@example.com");
    printf("%d refused logins: %ld ticks known, %ld unknown\n", TRIES, known, unknown);
    cr_assert_gt(known, TRIES, "a wrong password costs next to nothing");
    cr_assert(unknown * 3 > known * 2 && known * 3 > unknown * 2, "known %ld, unknown %ld", known,
              unknown);
    api_close(&a);
    api_release();
}
