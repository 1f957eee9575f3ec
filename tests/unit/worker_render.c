/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Rows to JSON: nesting, every type of column, nulls, escapes, and columns that boot refuses. */
#include <criterion/criterion.h>

#include "worker/render.h"

/* One row of texts (NULL: SQL null) as libpq would hand it out. */
static PGresult *row_of(const char *const *cells, int n)
{
    PGresult *r = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    PGresAttDesc names[32] = { 0 };
    for (int i = 0; i < n; i++) {
        names[i].name = (char *)"x";
    }
    cr_assert(PQsetResultAttrs(r, n, names));
    for (int i = 0; i < n; i++) {
        int len = cells[i] ? (int)strlen(cells[i]) : -1;
        cr_assert(PQsetvalue(r, 0, i, (char *)(uintptr_t)cells[i], len));
    }
    return r;
}

static void renders(const struct column *columns, const char *const *cells, int n,
                    const char *expected)
{
    struct render_plan plan;
    struct sbuf out, why;
    sbuf_init(&out);
    sbuf_init(&why);
    cr_assert_eq(render_compile(columns, &plan, &why), OK, "%s", why.data);
    cr_assert_eq(plan.fields, n);
    PGresult *r = row_of(cells, n);
    render_row(&plan, r, 0, &out);
    sbuf_char(&out, '\0');
    if (expected) {
        cr_assert(!sbuf_failed(&out));
        cr_assert_str_eq(out.data, expected);
    } else {
        cr_assert(sbuf_failed(&out));
    }
    PQclear(r);
    render_free(&plan);
    sbuf_fini(&out);
    sbuf_fini(&why);
}

Test(render, every_type)
{
    const struct column columns[] = {
        { "id", T_UUID, "" },     { "n", T_INT, "" },
        { "b", T_BOOL, "" },      { "t", T_TEXT, "" },
        { "at", T_INSTANT, "" },  { "local", T_ZONED, "" },
        { "extra", T_JSON, "" },  { "day", T_DATE, "" },
        { "version", T_INT, "" }, { 0 },
    };
    const char *cells[] = { "01a206d8-cb2d-735a-87bb-fb9fb348b56c",
                            "-12",
                            "f",
                            "a\"b\\\n\xc3\xa9",
                            "2026-07-01 15:00:00.25+00",
                            "2026-07-01 15:00:00+00",
                            "2026-07-01 09:00:00",
                            "{\"x\":[1]}",
                            "2026-07-01",
                            "7" };
    renders(columns, cells, 10,
            "{\"id\":\"01a206d8-cb2d-735a-87bb-fb9fb348b56c\",\"n\":-12,\"b\":false,"
            "\"t\":\"a\\\"b\\\\\\n\xc3\xa9\",\"at\":\"2026-07-01T15:00:00.25Z\","
            "\"local\":\"2026-07-01T09:00:00-06:00\",\"extra\":{\"x\":[1]},\"day\":\"2026-07-01\","
            "\"version\":7}");
}

Test(render, nesting)
{
    const struct column columns[] = {
        { "id", T_INT, "" },
        { "client.id", T_INT, "" },
        { "client.at.city", T_TEXT, "" },
        { "client.at.zip", T_TEXT, "" },
        { "client.name", T_TEXT, "" },
        { "staff.name", T_TEXT, "" },
        { "n", T_INT, "" },
        { "deep.er.most", T_INT, "" },
        { 0 },
    };
    const char *cells[] = { "1", "2", "c", "z", "A", "S", "3", "4" };
    renders(columns, cells, 8,
            "{\"id\":1,\"client\":{\"id\":2,\"at\":{\"city\":\"c\",\"zip\":\"z\"},\"name\":\"A\"},"
            "\"staff\":{\"name\":\"S\"},\"n\":3,\"deep\":{\"er\":{\"most\":4}}}");
}

Test(render, prefixes_that_only_look_alike)
{
    const struct column columns[] = {
        { "a.b", T_INT, "" }, { "ab.c", T_INT, "" }, { "abc", T_INT, "" }, { 0 }
    };
    const char *cells[] = { "1", "2", "3" };
    renders(columns, cells, 3, "{\"a\":{\"b\":1},\"ab\":{\"c\":2},\"abc\":3}");
}

Test(render, nulls)
{
    const struct column columns[] = {
        { "c.id", T_UUID, "" }, { "c.at", T_ZONED, "" }, { "x", T_INSTANT, "" }, { 0 }
    };
    const char *cells[] = { NULL, NULL, NULL, NULL };
    renders(columns, cells, 4, "{\"c\":{\"id\":null,\"at\":null},\"x\":null}");
}

Test(render, times_that_are_none_fail)
{
    const struct column instant[] = { { "at", T_INSTANT, "" }, { 0 } };
    const struct column zoned[] = { { "at", T_ZONED, "" }, { 0 } };
    const char *infinity[] = { "infinity", "2026-07-01 09:00:00" };
    const char *local[] = { "2026-07-01 15:00:00" };
    renders(instant, infinity, 1, NULL);
    renders(instant, local, 1, NULL);
    renders(zoned, infinity, 2, NULL);
}

static void refused(const struct column *columns, const char *part)
{
    struct render_plan plan;
    struct sbuf why;
    sbuf_init(&why);
    cr_assert_eq(render_compile(columns, &plan, &why), E_CONFIG);
    sbuf_char(&why, '\0');
    cr_assert_not_null(strstr(why.data, part), "%s", why.data);
    render_free(&plan);
    sbuf_fini(&why);
}

Test(render, columns_that_cannot_work)
{
    const struct column none[] = { { 0 } };
    const struct column twice[] = { { "a", T_INT, "" }, { "a", T_INT, "" }, { 0 } };
    const struct column apart[] = {
        { "c.a", T_INT, "" }, { "b", T_INT, "" }, { "c.d", T_INT, "" }, { 0 }
    };
    const struct column inner[] = {
        { "c.e.a", T_INT, "" }, { "c.b", T_INT, "" }, { "c.e.d", T_INT, "" }, { 0 }
    };
    const struct column value[] = { { "c", T_INT, "" }, { "c.a", T_INT, "" }, { 0 } };
    const struct column input[] = { { "c", T_PASSWORD, "" }, { 0 } };
    refused(none, "no columns");
    refused(twice, "twice");
    refused(apart, "opens an object again");
    refused(inner, "opens an object again");
    refused(value, "nests in a column");
    refused(input, "type");
}

Test(render, finds_version_and_id)
{
    const struct column columns[] = {
        { "at", T_ZONED, "" },
        { "id", T_UUID, "" },
        { "c.version", T_INT, "" },
        { "version", T_INT, "" },
        { 0 },
    };
    struct render_plan plan;
    struct sbuf why;
    sbuf_init(&why);
    cr_assert_eq(render_compile(columns, &plan, &why), OK);
    cr_assert_eq(plan.id, 2);
    cr_assert_eq(plan.version, 4);
    render_free(&plan);
}
