/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Ten thousand practices in the directory: what gremioctl asks does not grow with them. And a practice that was just
 * created: its first request and everybody's next one are answered. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/api.h"
#include "tests/support/db.h"
#include "tests/support/stack.h"
#include "tests/support/wait.h"

TestSuite(fleet, .timeout = 180);

#define FEW  "100"
#define MANY "10000"

/* Rows of the directory without schemas, at the newest version; no router is told. */
static void fill_directory(PGconn *super, const char *upto)
{
    db_do(super, "set session_replication_role = replica");
    free(db_value(super,
                  "insert into public.tenant(id, code, slug, name, sector, country, time_zone,"
                  " locale, currency, pool, schema_version)"
                  " select gen_random_uuid(), lpad(i::text, 6, '0'), 'row-' || i, 'Row', 'dental',"
                  " 'MX', 'UTC', 'es-MX', 'MXN', i / 1000, (select max(version) from"
                  " public.migration where scope = 'tenant') from generate_series(1, $1::int) i"
                  " on conflict do nothing",
                  upto, NULL));
    db_do(super, "analyze public.tenant");
}

/* Statements that one gremioctl sent, and those of them that read the practices. */
struct count {
    int all, of_practices;
};

static struct count count_statements(PGconn *super, const char *verb)
{
    char line[4096], mark[64];
    struct count n = { 0, 0 };
    bool ours = false;
    snprintf(mark, sizeof mark, "gremio-mark-%lld", (long long)wait_now_ms());
    char *say = api_text("do $$ begin raise log '%s'; end $$", mark);
    db_do(super, say);
    cr_assert_eq(stack_ctl((const char *const[]){ "migrate", verb, "--json", NULL }, NULL), 0);
    FILE *f = fopen(api_text("%s/log/postgresql.log", stack_env("GREMIO_STATE")), "r");
    cr_assert_not_null(f);
    while (fgets(line, sizeof line, f)) {
        bool sent = strstr(line, "LOG:  statement: ") || strstr(line, "LOG:  execute ");
        ours = ours || (strstr(line, mark) && !sent);
        n.all += ours && sent;
        n.of_practices += ours && sent && strstr(line, "public.tenant") != NULL;
    }
    fclose(f);
    cr_assert(ours, "the mark is not in the log");
    return n;
}

static void check_verb(PGconn *super, const char *verb)
{
    fill_directory(super, FEW);
    struct count few = count_statements(super, verb);
    fill_directory(super, MANY);
    int64_t begin = wait_now_ms();
    struct count many = count_statements(super, verb);
    printf("migrate %s over %s practices: %d query of them, %d statements in all, %lld ms\n", verb,
           MANY, many.of_practices, many.all, (long long)(wait_now_ms() - begin));
    cr_expect_eq(many.of_practices, 1);
    cr_expect_eq(many.all, few.all, "%d statements for many, %d for few", many.all, few.all);
    db_do(super, "delete from public.tenant where slug like 'row-%'");
}

Test(fleet, one_query_for_ten_thousand)
{
    PGconn *super = db_super();
    db_do(super, "alter role gremio_provision set log_statement = 'all'");
    check_verb(super, "status");
    check_verb(super, "run");
    db_do(super, "alter role gremio_provision reset log_statement");
    PQfinish(super);
    api_release();
}

/* One answer each, nothing is tried again: the practice exists once gremioctl has returned. */
static void create_and_use(int n, struct api *other)
{
    char *slug = api_text("first-%d", n), *email = api_text("first-%d@example.com", n);
    char *file = api_text("%s/password", stack_env("GREMIO_STATE"));
    const char *const words[] = {
        "tenant", "create",      slug,     "--name",     "Nueva", "--owner-email",
        email,    "--sector",    "dental", "--country",  "MX",    "--locale",
        "es-MX",  "--time-zone", "UTC",    "--currency", "MXN",   "--owner-password-file",
        file,     NULL
    };
    cr_assert_eq(stack_ctl(words, NULL), 0);
    cr_expect_eq(api_get(other, "/api/v1/me")->status, 200);
    struct api a = api_login(email);
    for (int i = 0; i < 4;
         i++) { /* each over a connection of its own: any of the router's processes */
        http_client_close(&a.http);
        cr_expect_eq(api_get(&a, "/api/v1/clients")->status, 200);
    }
    api_new_client(&a, "Ana");
    api_close(&a);
}

Test(fleet, a_new_practice_works_at_its_first_request)
{
    struct api other = api_login(OWNER_A);
    for (int i = 1; i <= 5; i++) {
        create_and_use(i, &other);
    }
    api_close(&other);
    api_release();
}
