/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Tokens of access links: one form each, the practice inside, the hash of all of it. */
#include "common/link_token.h"

#include <criterion/criterion.h>

#include "common/secret.h"
#include "common/str.h"

static struct link_token counting(void)
{
    struct link_token t;
    for (size_t i = 0; i < sizeof(t.b); i++) {
        t.b[i] = (uint8_t)i;
    }
    return t;
}

Test(link_token, known_text_practice_and_hash)
{
    struct link_token t = counting(), back;
    char text[LINK_TOKEN_TEXT], id[UUID_TEXT], hex[2 * LINK_TOKEN_HASH + 1];
    uint8_t hash[LINK_TOKEN_HASH];
    link_token_format(&t, text);
    cr_expect_str_eq(text, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJw");
    cr_assert_eq(link_token_parse(slice_of(text), &back), OK);
    cr_expect_eq(memcmp(t.b, back.b, sizeof(t.b)), 0);
    struct uuid tenant = link_token_tenant(&back);
    uuid_format(&tenant, id);
    cr_expect_str_eq(id, "00010203-0405-0607-0809-0a0b0c0d0e0f");
    link_token_hash(&t, hash); /* printf of these bytes | sha256sum */
    str_hex(hash, sizeof(hash), hex);
    cr_expect_str_eq(hex, "5faa4eec3611556812c2d74b437c8c49add3f910f10063d801441f7d75cd5e3b");
}

Test(link_token, new_ones_are_of_their_practice_and_differ)
{
    struct uuid tenant = uuid_v7();
    cr_assert_eq(secret_init(), OK);
    struct link_token a = link_token_make(&tenant), b = link_token_make(&tenant);
    struct uuid of = link_token_tenant(&a);
    cr_expect(uuid_eq(&of, &tenant));
    cr_expect_neq(memcmp(a.b, b.b, sizeof(a.b)), 0);
    char text[LINK_TOKEN_TEXT];
    link_token_format(&a, text);
    cr_expect_eq(strlen(text), 54);
    cr_assert_eq(link_token_parse(slice_of(text), &b), OK);
    cr_expect_eq(memcmp(a.b, b.b, sizeof(a.b)), 0);
}

Test(link_token, nothing_else_is_one)
{
    static const char *const bad[] = {
        "",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJ",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJw=",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJx", /* the same bytes, written otherwise */
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJwA",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUm+w",
        " AECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJw",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUm%w",
    };
    struct link_token t = counting(), before = t;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        cr_expect_eq(link_token_parse(slice_of(bad[i]), &t), E_BAD_REQUEST, "%s", bad[i]);
    }
    cr_expect_eq(memcmp(t.b, before.b, sizeof(t.b)), 0);
}

/* Whichever character is changed: refused, or another token with another hash. */
Test(link_token, a_changed_one_is_another)
{
    struct link_token t = counting(), other;
    char text[LINK_TOKEN_TEXT];
    uint8_t hash[LINK_TOKEN_HASH], its[LINK_TOKEN_HASH];
    link_token_format(&t, text);
    link_token_hash(&t, hash);
    for (size_t i = 0; i < strlen(text); i++) {
        char was = text[i];
        text[i] = was == 'Z' ? 'Y' : 'Z';
        if (link_token_parse(slice_of(text), &other) == OK) {
            link_token_hash(&other, its);
            cr_expect_neq(memcmp(hash, its, sizeof(hash)), 0, "%zu", i);
        }
        text[i] = was;
    }
}
