/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Version 7 ids: layout, order, no twin after fork; the text form. */
#include "common/uuid.h"

#include <criterion/criterion.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t time_of(const struct uuid *u)
{
    uint64_t ms = 0;
    for (size_t i = 0; i < 6; i++) {
        ms = ms << 8 | u->b[i];
    }
    return ms;
}

Test(uuid, version_7_layout)
{
    struct uuid u = uuid_v7();
    uint64_t now = (uint64_t)time(NULL) * 1000;
    cr_expect_eq(u.b[6] >> 4, 7);
    cr_expect_eq(u.b[8] >> 6, 2);
    cr_expect(time_of(&u) + 5000 > now && time_of(&u) < now + 5000);
}

/* Far more in one millisecond than the counter holds, and still in strict order. */
Test(uuid, strictly_increasing)
{
    struct uuid last = uuid_v7();
    for (int i = 0; i < 200000; i++) {
        struct uuid u = uuid_v7();
        cr_assert(memcmp(last.b, u.b, 8) < 0, "time and counter alone order them");
        cr_assert_eq(u.b[6] >> 4, 7);
        last = u;
    }
    cr_expect(time_of(&last) < (uint64_t)time(NULL) * 1000 + 60000);
}

Test(uuid, random_part_differs)
{
    struct uuid a = uuid_v7();
    struct uuid b = uuid_v7();
    cr_expect_neq(memcmp(a.b + 9, b.b + 9, 7), 0);
}

Test(uuid, a_child_makes_others)
{
    int ends[2];
    struct uuid mine[8];
    struct uuid theirs[8];
    (void)uuid_v7(); /* the pool is full when the child inherits it */
    cr_assert_eq(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        for (size_t i = 0; i < ARRAY_LEN(theirs); i++) {
            theirs[i] = uuid_v7();
        }
        _exit(write(ends[1], theirs, sizeof(theirs)) == (ssize_t)sizeof(theirs) ? 0 : 1);
    }
    cr_assert_eq(read(ends[0], theirs, sizeof(theirs)), (ssize_t)sizeof(theirs));
    waitpid(child, NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(mine); i++) {
        mine[i] = uuid_v7();
        cr_expect_neq(memcmp(mine[i].b + 9, theirs[i].b + 9, 7), 0);
    }
}

Test(uuid, text)
{
    struct uuid u;
    char out[UUID_TEXT];
    cr_assert_eq(uuid_parse(SLICE("017F22E2-79b0-7cc3-98C4-dc0c0c07398f"), &u), OK);
    uuid_format(&u, out);
    cr_expect_str_eq(out, "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
    cr_expect_eq(u.b[15], 0x8f);

    static const char *const bad[] = {
        "",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398f0",
        "017f22e279b07cc398c4dc0c0c07398f",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398g",
        "017f22e2-79b0-7cc3-98c4_dc0c0c07398f",
        "017f22e27-9b0-7cc3-98c4-dc0c0c07398f",
        "{17f22e2-79b0-7cc3-98c4-dc0c0c07398}",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct uuid before = u;
        cr_expect_eq(uuid_parse(slice_of(bad[i]), &u), E_BAD_REQUEST, "%s", bad[i]);
        cr_expect(uuid_eq(&before, &u));
    }
}

Test(uuid, nil)
{
    struct uuid nil = { { 0 } };
    struct uuid u = uuid_v7();
    cr_expect(uuid_is_nil(&nil));
    cr_expect_not(uuid_is_nil(&u));
    cr_expect_not(uuid_eq(&u, &nil));
}
