/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What an operator types is checked before any database is asked; e-mails, passwords, hashes; the demo's people. */
#include "provisioning/practice.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "provisioning/demo.h"
#include "provisioning/output.h"

static const struct practice_spec good = {
    .slug = "clinica-uno",
    .name = "Clínica Uno",
    .sector = "dentist",
    .country = "MX",
    .time_zone = "America/Mexico_City",
    .locale = "es-MX",
    .currency = "MXN",
    .owner_email = "Ana@Example.com",
};

static enum err checked(const struct practice_spec *spec)
{
    struct sbuf why;
    sbuf_init(&why);
    enum err e = practice_check(spec, &why);
    cr_expect_eq(e == OK, why.len == 0);
    sbuf_fini(&why);
    return e;
}

#define EXPECT_FIELD(field, text, wanted)                                \
    do {                                                                 \
        struct practice_spec spec_ = good;                               \
        spec_.field = (text);                                            \
        cr_expect_eq(checked(&spec_), (wanted), "%s: %s", #field, text); \
    } while (0)

Test(provisioning_practice, good_values_pass)
{
    static const char *const zones[] = { "UTC", "America/Argentina/Buenos_Aires", "Etc/GMT+5",
                                         "America/Port-au-Prince", "Europe/Madrid" };
    cr_expect_eq(checked(&good), OK);
    for (size_t i = 0; i < ARRAY_LEN(zones); i++) {
        EXPECT_FIELD(time_zone, zones[i], OK);
    }
    EXPECT_FIELD(owner_name, "Ñandú", OK);
    EXPECT_FIELD(sector, "day_spa-2", OK);
}

Test(provisioning_practice, every_wrong_value_is_named)
{
    static const char *const zones[] = {
        "",         "america/mexico_city", "Mexico",  "Abc/Def5", "UTC+6",
        "America/", "/Mexico_City",        "CST6CDT", "A/B;DROP", "America//Mexico_City"
    };
    for (size_t i = 0; i < ARRAY_LEN(zones); i++) {
        EXPECT_FIELD(time_zone, zones[i], E_INVALID);
    }
    EXPECT_FIELD(slug, "Clinica", E_INVALID);
    EXPECT_FIELD(slug, "a--b", E_INVALID);
    EXPECT_FIELD(slug, "admin", E_INVALID);
    EXPECT_FIELD(slug, "x'; drop table tenant", E_INVALID);
    EXPECT_FIELD(name, "", E_INVALID);
    EXPECT_FIELD(name, " x", E_INVALID);
    EXPECT_FIELD(name, "a\nb", E_INVALID);
    EXPECT_FIELD(name, "\xff", E_INVALID);
    EXPECT_FIELD(sector, "Dentist", E_INVALID);
    EXPECT_FIELD(country, "mx", E_INVALID);
    EXPECT_FIELD(country, "MEX", E_INVALID);
    EXPECT_FIELD(locale, "es_MX", E_INVALID);
    EXPECT_FIELD(currency, "MX", E_INVALID);
    EXPECT_FIELD(owner_email, "ana", E_INVALID);
    EXPECT_FIELD(owner_name, "\t", E_INVALID);
}

Test(provisioning_practice, emails)
{
    static const char *const wrong[] = { "",          "a",        "a@",       "@b.co",
                                         "a@b",       "a@b.",     "a@.b.co",  "a@-b.co",
                                         "a b@c.co",  "a@b@c.co", ".a@b.co",  "a.@b.co",
                                         "a..b@c.co", "a@b_c.co", "a@b.co\n", "\xc3\xa1@b.co" };
    char out[ACCOUNT_EMAIL_MAX] = "untouched";
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        cr_expect_eq(account_email(wrong[i], out), E_INVALID, "%s", wrong[i]);
    }
    cr_expect_str_eq(out, "untouched");
    cr_expect_eq(account_email("Ana.O'Neil+x@Mail.Example.COM", out), OK);
    cr_expect_str_eq(out, "ana.o'neil+x@mail.example.com");
}

static enum err read_password(const char *content, char out[ACCOUNT_PASSWORD_MAX])
{
    char path[] = "/tmp/gremio-password-XXXXXX";
    int fd = mkstemp(path);
    cr_assert(fd >= 0 && write(fd, content, strlen(content)) == (ssize_t)strlen(content));
    close(fd);
    struct sbuf why;
    sbuf_init(&why);
    enum err e = account_password_read(path, out, &why);
    sbuf_fini(&why);
    unlink(path);
    return e;
}

Test(provisioning_practice, passwords)
{
    char out[ACCOUNT_PASSWORD_MAX];
    char hash[ACCOUNT_HASH_MAX];
    char longest[ACCOUNT_PASSWORD_MAX + 1];
    cr_assert_geq(sodium_init(), 0);
    cr_expect_eq(read_password("", out), E_INVALID);
    cr_expect_eq(read_password("short\n", out), E_INVALID);
    cr_expect_eq(read_password("ñandú verde sin prisa\nsecond line\n", out), OK);
    cr_expect_str_eq(out, "ñandú verde sin prisa");
    cr_expect_eq(read_password("contraseña larga\n", out), E_INVALID, "a common one");
    for (size_t i = 0; i < sizeof(longest); i++) {
        longest[i] = (char)('!' + i * 37 % 90);
    }
    longest[ACCOUNT_PASSWORD_MAX - 1] = '\0';
    cr_expect_eq(read_password(longest, out), OK);
    longest[ACCOUNT_PASSWORD_MAX - 1] = 'x';
    longest[ACCOUNT_PASSWORD_MAX] = '\0';
    cr_expect_eq(read_password(longest, out), E_INVALID);
    account_password_make(out);
    cr_expect_eq(strlen(out), 23);
    cr_assert_eq(account_hash(out, hash), OK);
    cr_expect_eq(strncmp(hash, "$argon2id$v=19$m=47104,t=1,p=1$", 31), 0, "%s", hash);
    cr_expect_eq(crypto_pwhash_str_verify(hash, out, strlen(out)), 0);
}

Test(provisioning_practice, demo_people_are_sixty_different_ones)
{
    struct demo_client a, b;
    for (int i = 0; i < DEMO_CLIENTS; i++) {
        demo_people_client(i, &a);
        char email[ACCOUNT_EMAIL_MAX];
        cr_expect_eq(account_email(a.email, email), OK, "%s", a.email);
        cr_expect_str_eq(email, a.email);
        for (int k = i + 1; k < DEMO_CLIENTS; k++) {
            demo_people_client(k, &b);
            cr_expect(strcmp(a.email, b.email) != 0 && strcmp(a.phone, b.phone) != 0);
        }
    }
}

Test(provisioning_practice, exit_codes)
{
    cr_expect_eq(output_exit_of(OK), EXIT_OK);
    cr_expect_eq(output_exit_of(E_INVALID), EXIT_USAGE);
    cr_expect_eq(output_exit_of(E_NOT_FOUND), EXIT_NOT_FOUND);
    cr_expect_eq(output_exit_of(E_ALREADY_EXISTS), EXIT_CONFLICT);
    cr_expect_eq(output_exit_of(E_PRECONDITION_FAILED), EXIT_REFUSED);
    cr_expect_eq(output_exit_of(E_DB_UNAVAILABLE), EXIT_UNREACHABLE);
    cr_expect_eq(output_exit_of(E_INTERNAL), EXIT_FAILED);
}
