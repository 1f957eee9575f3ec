/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Pieces are zeroed, aligned, apart from each other; the limit holds; a reset forgets all. */
#include "common/arena.h"

#include <criterion/criterion.h>

Test(arena, pieces_are_zeroed_aligned_and_apart)
{
    struct arena a;
    char *pieces[500];
    arena_init(&a, 0);
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
            pieces[i] = arena_take(&a, i * 7);
            cr_assert_not_null(pieces[i]);
            cr_assert_eq((uintptr_t)pieces[i] % 16, 0);
            for (size_t k = 0; k < i * 7; k++) {
                cr_assert_eq(pieces[i][k], 0);
            }
            memset(pieces[i], (int)(i & 127) + 1, i * 7);
        }
        for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
            for (size_t k = 0; k < i * 7; k++) {
                cr_assert_eq(pieces[i][k], (char)((i & 127) + 1), "piece %zu was written over", i);
            }
        }
        arena_reset(&a);
        cr_assert_eq(a.used, 0);
    }
    arena_fini(&a);
}

Test(arena, big_pieces)
{
    struct arena a;
    arena_init(&a, 0);
    char *small = arena_take(&a, 10);
    char *big = arena_take(&a, 1 << 20);
    char *next = arena_take(&a, 10);
    cr_assert(small && big && next);
    big[(1 << 20) - 1] = 1;
    cr_expect_eq(next - small, 16, "a big piece does not cost the block being filled");
    arena_reset(&a);
    cr_expect_not_null(arena_take(&a, 10));
    arena_fini(&a);
    arena_fini(&a);
}

Test(arena, limit)
{
    struct arena a;
    arena_init(&a, 1000);
    cr_expect_not_null(arena_take(&a, 600));
    cr_expect_null(arena_take(&a, 600));
    cr_expect_not_null(arena_take(&a, 300));
    cr_expect_null(arena_take(&a, 200));
    cr_expect_null(arena_take(&a, SIZE_MAX));
    arena_reset(&a);
    cr_expect_not_null(arena_take(&a, 900));
    cr_expect_null(arena_take(&a, SIZE_MAX - 8));
    arena_fini(&a);
}

Test(arena, limit_counts_what_alignment_costs)
{
    struct arena a;
    size_t taken = 0;
    arena_init(&a, 1600);
    while (arena_take(&a, 1)) {
        taken++;
        cr_assert(taken <= 1600);
    }
    cr_expect_eq(taken, 100);
    arena_fini(&a);
}

Test(arena, text)
{
    struct arena a;
    arena_init(&a, 0);
    cr_expect_str_eq(arena_text(&a, SLICE("hola")), "hola");
    cr_expect_str_eq(arena_text(&a, (struct slice){ 0 }), "");
    arena_fini(&a);
}
