/* SPDX-License-Identifier: LicenseRef-Gremio */
/* SQL, quotes and patterns in every text a client can send: stored byte for byte or refused, never an error of the
 * server's and never more rows than asked for. */
#include <criterion/criterion.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/catalog.h"
#include "tests/support/db.h"

TestSuite(sql, .timeout = 240);

static const char *const attacks[] = {
    "'",
    "''",
    "\"",
    "\\",
    "\\'",
    ";",
    "--",
    "/*",
    "' OR '1'='1",
    "' OR 1=1--",
    "'; DROP TABLE client; --",
    "'; SET ROLE gremio_owner; --",
    "') OR pg_sleep(5) IS NULL--",
    "' UNION SELECT password_hash FROM public.account--",
    "1; SELECT pg_sleep(5)",
    "$1",
    "$$",
    "$tag$x$tag$",
    ":name",
    ":q?",
    "::text",
    "%",
    "_",
    "%%%%",
    "\\%",
    "${jndi:x}",
    "{{7*7}}",
    "<script>alert(1)</script>",
    "</script>",
    "\xe2\x80\xa8",
    "\xf0\x9f\x98\x80",
    "\xef\xbc\x87 OR 1=1",
    "NULL",
    "null",
    "true",
    "0",
    "-1",
    "1e308",
    "../../etc/passwd",
    "%s%n%x",
    "E'\\x27'",
    "U&'\\0027'",
    "t_aaaaaaaa.client",
    "pg_catalog.pg_authid",
    "search_path",
    "(select 1)",
    "[1,2]",
    "{\"a\":1}",
};

static const char *quoted(const char *text)
{
    struct json_object *o = json_object_new_string(text);
    const char *out = api_text("%s", json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
    json_object_put(o);
    return out;
}

static const char *escaped(const char *text)
{
    char *out = api_text("%*s", (int)strlen(text) * 3, ""), *p = out;
    for (; *text; text++) {
        p += sprintf(p, "%%%02X", (unsigned char)*text);
    }
    *p = '\0';
    return out;
}

/* Free texts come back as they went in. */
Test(sql, free_texts_are_stored_as_they_are)
{
    static const struct {
        const char *path, *field, *rest;
    } fields[] = {
        { "/api/v1/clients", "given_name", "" },
        { "/api/v1/clients", "family_name", ",\"given_name\":\"x\"" },
        { "/api/v1/clients", "notes", ",\"given_name\":\"x\"" },
        { "/api/v1/services", "name", ",\"duration_min\":5" },
        { "/api/v1/services", "description", ",\"duration_min\":5,\"name\":\"x\"" },
        { "/api/v1/services", "category", ",\"duration_min\":5,\"name\":\"x\"" },
        { "/api/v1/staff", "name", "" },
        { "/api/v1/staff", "title", ",\"name\":\"x\"" },
        { "/api/v1/staff", "license_no", ",\"name\":\"x\"" },
    };
    struct api a = api_login(OWNER_A);
    for (size_t f = 0; f < ARRAY_LEN(fields); f++) {
        for (size_t i = 0; i < ARRAY_LEN(attacks); i++) {
            struct answer *made = api_post(&a, fields[f].path, "{\"%s\":%s%s}", fields[f].field,
                                           quoted(attacks[i]), fields[f].rest);
            cr_assert_eq(made->status, 201, "%s %s: %d %s", fields[f].field, attacks[i],
                         made->status, made->http.body);
            struct answer *got = api_get(&a, "%s/%s", fields[f].path, answer_text(made, "id"));
            cr_expect_str_eq(answer_text(got, fields[f].field), attacks[i]);
        }
        api_release();
    }
    printf("sql: %zu texts in %zu fields\n", ARRAY_LEN(attacks), ARRAY_LEN(fields));
    api_close(&a);
}

/* Any member of any body, whatever its type: 2xx or a refusal of the client's, never a 5xx. */
Test(sql, every_member_of_every_body)
{
    struct api a = api_login(OWNER_A);
    static struct operation ops[CATALOG_MAX];
    struct ids ids = catalog_things(&a, api_unique("Sql"), NULL,
                                    api_text("%sT09:00", api_day(200)));
    size_t n = catalog_read(&a, ops), sent = 0;
    for (size_t i = 0; i < n; i++) {
        char *body = catalog_body(&ops[i], &ids);
        if (!body || strstr(ops[i].path, "/auth/")) {
            continue;
        }
        struct json_object *shape = json_tokener_parse(body);
        json_object_object_foreach(shape, name, value)
        {
            UNUSED(value);
            for (size_t k = 0; k < ARRAY_LEN(attacks); k++, sent++) {
                struct json_object *o = json_tokener_parse(body);
                json_object_object_add(o, name, json_object_new_string(attacks[k]));
                struct answer *r = api_send(&a, ops[i].method, catalog_path(&ops[i], &ids),
                                            json_object_to_json_string(o), "If-Match: \"0\"\r\n");
                cr_expect(r->status >= 200 && r->status < 500, "%s %s %s=%s: %d", ops[i].method,
                          ops[i].path, name, attacks[k], r->status);
                json_object_put(o);
            }
        }
        json_object_put(shape);
    }
    printf("sql: %zu bodies over every member\n", sent);
    cr_expect_geq(sent, 1000);
    api_close(&a);
    api_release();
}

Test(sql, every_query_parameter)
{
    struct api a = api_login(OWNER_A);
    static struct operation ops[CATALOG_MAX];
    struct ids ids = catalog_things(&a, api_unique("Sql"), NULL,
                                    api_text("%sT09:00", api_day(200)));
    size_t n = catalog_read(&a, ops), sent = 0;
    for (size_t i = 0; i < n; i++) {
        const char *name;
        for (size_t q = 0; (name = catalog_query(&ops[i], q)); q++) {
            for (size_t k = 0; k < ARRAY_LEN(attacks); k++, sent++) {
                struct answer *r = api_get(&a, "%s?%s=%s", catalog_path(&ops[i], &ids), name,
                                           escaped(attacks[k]));
                cr_expect(r->status == 200 || (r->status >= 400 && r->status < 500), "%s?%s=%s: %d",
                          ops[i].path, name, attacks[k], r->status);
            }
        }
    }
    printf("sql: %zu query parameters\n", sent);
    cr_expect_geq(sent, 500);
    api_close(&a);
    api_release();
}

/* As path segments, also in place of whole words. */
Test(sql, path_segments)
{
    struct api a = api_login(OWNER_A);
    static const char *const paths[] = { "/api/v1/clients/%s", "/api/v1/%s",
                                         "/api/v1/appointments/%s/history" };
    for (size_t p = 0; p < ARRAY_LEN(paths); p++) {
        for (size_t i = 0; i < ARRAY_LEN(attacks); i++) {
            char path[600];
            const char *segment = escaped(attacks[i]);
            snprintf(path, sizeof path, "%.*s%s%s", (int)(strstr(paths[p], "%s") - paths[p]),
                     paths[p], segment, strstr(paths[p], "%s") + 2);
            struct answer *r = api_get(&a, "%s", path);
            cr_expect(r->status == 404 || r->status == 400, "%s: %d", path, r->status);
        }
    }
    api_close(&a);
    api_release();
}

/* A search for an attack finds the row that holds it and no other. */
Test(sql, search_takes_words_literally)
{
    struct api a = api_login(OWNER_A);
    const char *mark = strrchr(api_unique("x"), ' ') + 1;
    for (size_t i = 0; i < ARRAY_LEN(attacks); i++) {
        struct answer *made = api_post(&a, "/api/v1/clients", "{\"given_name\":%s}",
                                       quoted(api_text("%s%s", mark, attacks[i])));
        cr_assert_eq(made->status, 201, "%s", made->http.body);
    }
    static const char *const special[] = { "%", "_", "\\", "'", "\\%" };
    for (size_t i = 0; i < ARRAY_LEN(special); i++) {
        struct answer *r = api_get(&a, "/api/v1/clients?limit=200&q=%s",
                                   escaped(api_text("%s%s", mark, special[i])));
        int expected = 0;
        for (size_t k = 0; k < ARRAY_LEN(attacks); k++) {
            expected += strncmp(attacks[k], special[i], strlen(special[i])) == 0;
        }
        cr_expect_eq(r->status, 200);
        cr_expect_eq(answer_count(r, "data"), expected, "%s found %d, expected %d", special[i],
                     answer_count(r, "data"), expected);
    }
    api_close(&a);
    api_release();
}

/* Headers reach logs, cursors, keys: the same strings there. */
Test(sql, headers)
{
    static const char *const names[] = { "Idempotency-Key", "If-None-Match", "User-Agent",
                                         "Accept-Language", "X-Request-Id",  "If-Match" };
    struct api a = api_login(OWNER_A);
    for (size_t n = 0; n < ARRAY_LEN(names); n++) {
        for (size_t i = 0; i < ARRAY_LEN(attacks); i++) {
            char *field = api_text("%s: %s\r\n", names[n], attacks[i]);
            struct answer *r = api_send(&a, "POST", "/api/v1/clients", "{\"given_name\":\"Head\"}",
                                        field);
            cr_expect(r->status == 201 || (r->status >= 400 && r->status < 500), "%s: %s: %d",
                      names[n], attacks[i], r->status);
            r = api_send(&a, "GET", "/api/v1/business", NULL, field);
            cr_expect(r->status >= 200 && r->status < 500, "%s: %s: %d", names[n], attacks[i],
                      r->status);
        }
    }
    api_close(&a);
    api_release();
}

/* After all of it both practices are whole. */
Test(sql, nothing_was_changed_behind)
{
    PGconn *super = db_super();
    cr_expect_eq(db_number(super, "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'loot%'", NULL),
                 0);
    cr_expect_eq(db_number(super,
                           "SELECT count(*) FROM pg_class WHERE relname = 'client' AND relkind = "
                           "'r' AND relnamespace::regnamespace::text LIKE 't\\_%'",
                           NULL),
                 db_number(super, "SELECT count(*) FROM public.tenant", NULL));
    PQfinish(super);
}
