/* SPDX-License-Identifier: LicenseRef-Gremio */
/* A CSV file of practices: what it may look like, and every way in which it is refused as a whole. */
#include "provisioning/import.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "provisioning/csv.h"

static const struct practice_spec mexico = {
    .sector = "dentist",
    .country = "MX",
    .time_zone = "America/Mexico_City",
    .locale = "es-MX",
    .currency = "MXN",
};

/* Fields of every record joined by '|', records by '/'; the sentence when it is refused. */
static void expect_csv(const char *text, const char *wanted)
{
    char *copy = strdup(text), *fields[4];
    struct csv csv;
    struct sbuf got, why;
    size_t n;
    enum err e;
    sbuf_init(&got);
    sbuf_init(&why);
    csv_init(&csv, copy);
    while ((e = csv_next(&csv, fields, ARRAY_LEN(fields), &n, &why)) == OK) {
        for (size_t i = 0; i < n; i++) {
            sbuf_text(&got, fields[i]);
            sbuf_text(&got, i + 1 < n ? "|" : "/");
        }
    }
    if (e != E_CLOSED) {
        sbuf_add(&got, sbuf_slice(&why));
    }
    sbuf_text(&got, "");
    cr_expect_str_eq(got.data, wanted, "%s gave %s", text, got.data);
    sbuf_fini(&got);
    sbuf_fini(&why);
    free(copy);
}

Test(provisioning_import, records)
{
    expect_csv("a,b\nc,d\n", "a|b/c|d/");
    expect_csv("a,b\r\nc,d", "a|b/c|d/");
    expect_csv("\xef\xbb\xbf"
               "a\n\n\r\nb\n",
               "a/b/");
    expect_csv(",\n,,\n", "|/||/");
    expect_csv("\"a, \"\"b\"\"\",\"c\nd\"\ne", "a, \"b\"|c\nd/e/");
    expect_csv("\"\"", "/");
    expect_csv("a,b,c,d,e\n", "line 1: there are more fields than columns");
    expect_csv("a\n\"b\nc\"\"d", "a/line 2: a quote does not end");
    expect_csv("\"x\ny\"\n\"b\"c\n", "x\ny/line 3: text stands behind a closing quote");
}

static enum err parse(const char *text, struct import *out, struct sbuf *why)
{
    sbuf_init(why);
    return import_parse(strdup(text), &mexico, out, why);
}

static void expect_refused(const char *text, const char *sentence)
{
    struct import m;
    struct sbuf why;
    cr_expect_eq(parse(text, &m, &why), E_INVALID, "%s", text);
    sbuf_text(&why, "");
    cr_expect_not_null(strstr(why.data, sentence), "%s gave %s", text, why.data);
    cr_expect_eq(m.count, 0);
    sbuf_fini(&why);
}

Test(provisioning_import, rows)
{
    struct import m;
    struct sbuf why;
    cr_assert_eq(parse("owner_email,slug,name,country,password\n"
                       "Ana@Example.com,ana,\"Ana, dentista\",,\n"
                       "luz@example.com,luz,Luz,CO,correct-horse-battery\n",
                       &m, &why),
                 OK);
    cr_assert_eq(m.count, 2);
    cr_expect(m.needs_passwords);
    cr_expect_str_eq(m.rows[0].spec.owner_email, "ana@example.com");
    cr_expect_str_eq(m.rows[0].spec.name, "Ana, dentista");
    cr_expect_str_eq(m.rows[0].spec.country, "MX");
    cr_expect_null(m.rows[0].spec.password);
    cr_expect_str_eq(m.rows[1].spec.country, "CO");
    cr_expect_str_eq(m.rows[1].spec.password, "correct-horse-battery");
    cr_expect_eq(m.rows[1].line, 3);
    import_free(&m);
    sbuf_fini(&why);
}

Test(provisioning_import, wrong_files)
{
    expect_refused("", "empty");
    expect_refused("slug,name,owner_email\n", "names no practice");
    expect_refused("slug,nome\n", "\"nome\" is none");
    expect_refused("slug,slug\n", "there twice");
    expect_refused("slug,name\nana,Ana\n", "line 2: owner_email is missing");
    expect_refused("slug,name,owner_email\nana,Ana\n", "line 2: there are fewer");
    expect_refused("slug,name,owner_email\nana,Ana,a@example.com,x\n", "line 2: there are more");
    expect_refused("slug,name,owner_email\nana,Ana,a@example.com\nana,Eva,e@example.com\n",
                   "line 3: the slug ana is on line 2");
    expect_refused("slug,name,owner_email,password\nana,Ana,a@example.com,short\n",
                   "line 2: The password");
}

/* All wrong lines at once, so that the file is mended once; no endless list. */
Test(provisioning_import, every_wrong_line_is_named)
{
    struct sbuf text;
    sbuf_init(&text);
    sbuf_text(&text, "slug,name,owner_email\nana,Ana,nobody\nluz,Luz,luz@example.com\n");
    for (int i = 0; i < IMPORT_SHOWN_MAX; i++) {
        sbuf_text(&text, "-,Eva,eva@example.com\n");
    }
    expect_refused(text.data, "line 2: --owner-email");
    expect_refused(text.data, "\nline 4: The slug");
    expect_refused(text.data, "\nand 1 more");
    sbuf_fini(&text);
}
