/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What SQL can reach when everything in front of the database has failed: the attack matrix, tried as the pool login
 * inside a practice's transaction, as the bare pool login, and as the other logins; and the grants of every schema. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/db.h"

#define POOL "gremio_pool_00"

/* What the attacker has: one connection and the names of both practices. */
struct scene {
    PGconn *super, *pool;
    char *a, *b, *id_a, *id_b, *role_a, *role_b;
};

static struct scene scene_open(void)
{
    struct scene s = { .super = db_super(), .pool = db_login(POOL) };
    s.a = db_code(s.super, "practice-a");
    s.b = db_code(s.super, "practice-b");
    s.id_a = db_value(s.super, "SELECT id FROM public.tenant WHERE slug = $1", "practice-a", NULL);
    s.id_b = db_value(s.super, "SELECT id FROM public.tenant WHERE slug = $1", "practice-b", NULL);
    s.role_a = db_role(s.super, "practice-a");
    s.role_b = db_role(s.super, "practice-b");
    return s;
}

static void scene_close(struct scene *s)
{
    PQfinish(s->super);
    PQfinish(s->pool);
    free(s->a);
    free(s->b);
    free(s->id_a);
    free(s->id_b);
    free(s->role_a);
    free(s->role_b);
}

/* The server's own statement: the path of code, and the role. Rows it gave. */
static int enter(struct scene *s, const char *code, const char *role, const char *read_only)
{
    char path[64];
    snprintf(path, sizeof path, "t_%s, pg_temp", code);
    const char *values[] = { path, read_only, role };
    PGresult *r = PQexecParams(
        s->pool,
        "SELECT set_config('search_path', $1, true), set_config('transaction_read_only', $2, "
        "true), set_config('role', $3, true)",
        3, NULL, values, NULL, NULL, 0);
    int rows = PQresultStatus(r) == PGRES_TUPLES_OK ? PQntuples(r) : -1;
    PQclear(r);
    return rows;
}

/* {a} and {b} of a statement become the schema names t_CODE, {A} and {B} the role names. */
static char *with_names(const struct scene *s, const char *sql)
{
    char *out = NULL;
    size_t len;
    FILE *f = open_memstream(&out, &len);
    while (*sql) {
        const char *kind = sql[0] == '{' && sql[1] && sql[2] == '}' ? strchr("abAB", sql[1]) : NULL;
        if (kind) {
            const char *names[] = { s->a, s->b, s->role_a, s->role_b };
            const char *name = names[strcspn("abAB", kind)];
            fprintf(f, "%s%s", *kind >= 'a' ? "t_" : "", name);
            sql += 3;
        } else {
            fputc(*sql++, f);
        }
    }
    fclose(f);
    return out;
}

struct attack {
    const char *name, *sql;
};

/* Each is refused with 42501 (insufficient privilege) under practice a's role. */
static const struct attack attacks[] = {
    { "read of another practice", "SELECT * FROM {b}.client" },
    { "write to another practice", "UPDATE {b}.client SET notes = 'x'" },
    { "another practice's stamp", "SELECT * FROM {b}.schema_meta" },
    { "own stamp", "UPDATE schema_meta SET tenant_id = gen_random_uuid()" },
    { "own stamp deleted", "DELETE FROM schema_meta" },
    { "role by function", "SELECT set_config('role', '{B}', true)" },
    { "path by function", "SELECT set_config('search_path', '{b}', true)" },
    { "time-out by function", "SELECT set_config('statement_timeout', '0', true)" },
    { "role of the owner", "SET LOCAL ROLE gremio_owner" },
    { "role of the CLI", "SET LOCAL ROLE gremio_provision" },
    { "role of the superuser", "SET LOCAL ROLE postgres" },
    { "session authorization", "SET SESSION AUTHORIZATION '{B}'" },
    { "history rewritten", "UPDATE appointment_event SET to_state = 'completed'" },
    { "history deleted", "DELETE FROM appointment_event" },
    { "appointment deleted", "DELETE FROM appointment" },
    { "client deleted", "DELETE FROM client" },
    { "practice inserted", "INSERT INTO business SELECT * FROM business" },
    { "own table dropped", "DROP TABLE client" },
    { "own table altered", "ALTER TABLE client ADD COLUMN extra text" },
    { "own table emptied", "TRUNCATE allocation" },
    { "index created", "CREATE INDEX ON client(notes)" },
    { "trigger created", "CREATE TRIGGER spy AFTER INSERT ON client FOR EACH ROW EXECUTE FUNCTION "
                         "suppress_redundant_updates_trigger()" },
    { "table created", "CREATE TABLE loot(x text)" },
    { "table in public", "CREATE TABLE public.loot(x text)" },
    { "temporary table", "CREATE TEMP TABLE loot(x text)" },
    { "view created", "CREATE VIEW loot AS SELECT 1" },
    { "function created", "CREATE FUNCTION loot() RETURNS int LANGUAGE sql RETURN 1" },
    { "function in ext", "CREATE FUNCTION ext.loot() RETURNS int LANGUAGE sql RETURN 1" },
    { "schema created", "CREATE SCHEMA loot" },
    { "role created", "CREATE ROLE loot" },
    { "role altered", "ALTER ROLE {A} SUPERUSER" },
    { "membership taken", "GRANT {B} TO {A}" },
    { "extension created", "CREATE EXTENSION dblink SCHEMA pg_catalog" },
    { "large object created", "SELECT lo_create(0)" },
    { "large object by mode", "SELECT lo_creat(-1)" },
    { "large object from bytes", "SELECT lo_from_bytea(0, '\\x00')" },
    { "notification sent", "SELECT pg_notify('gremio_directory', 'keys')" },
    { "program run", "COPY client(notes) FROM PROGRAM 'id'" },
    { "file written", "COPY (SELECT 1) TO '/tmp/loot'" },
    { "file read", "SELECT pg_read_file('/etc/passwd')" },
    { "binary file read", "SELECT pg_read_binary_file('/etc/passwd')" },
    { "folder listed", "SELECT pg_ls_dir('/')" },
    { "password hashes", "SELECT rolpassword FROM pg_authid" },
    { "accounts", "SELECT * FROM public.account" },
    { "sessions", "SELECT * FROM public.session" },
    { "memberships", "SELECT * FROM public.membership" },
    { "private keys", "SELECT * FROM public.signing_secret" },
    { "the directory", "SELECT * FROM public.tenant" },
    { "one-time tokens", "SELECT * FROM public.one_time_token" },
    { "accounts' messages", "SELECT * FROM public.outbox" },
    { "a message to an account",
      "SELECT ext.account_mail(gen_random_uuid(), '', '', 'es', '', '', true)" },
    { "an invitation accepted",
      "SELECT ext.invitation_accept('', NULL, gen_random_uuid(), gen_random_uuid(), '')" },
    { "a link opened", "SELECT ext.link_open(gen_random_uuid(), '', NULL, NULL)" },
    { "a link found", "SELECT ext.link_find(gen_random_uuid(), '')" },
    { "a code for a link",
      "SELECT ext.link_code(gen_random_uuid(), '', '', gen_random_uuid(), '', 'es', '', true)" },
    { "a link's uses", "UPDATE access_link SET uses = 0" },
    { "a link's secret", "UPDATE access_link SET secret_hash = ''" },
    { "a link deleted", "DELETE FROM access_link" },
    { "practices with work", "SELECT * FROM public.due_work" },
    { "own message deleted", "DELETE FROM outbox" },
    { "query in a function", "SELECT query_to_xml('SELECT * FROM {b}.client', true, true, '')" },
    { "schema in a function", "SELECT schema_to_xml('{b}', true, true, '')" },
    { "settings reloaded", "SELECT pg_reload_conf()" },
    { "server settings", "SET LOCAL log_statement = 'none'" },
    { "database altered", "ALTER DATABASE postgres SET search_path = '{b}'" },
    { "write-ahead log", "SELECT pg_switch_wal()" },
};

Test(matrix, every_attack_inside_a_practice_is_denied)
{
    struct scene s = scene_open();
    for (size_t i = 0; i < ARRAY_LEN(attacks); i++) {
        char *sql = with_names(&s, attacks[i].sql);
        db_do(s.pool, "BEGIN");
        cr_assert_eq(enter(&s, s.a, s.role_a, "off"), 1, "practice a cannot be entered");
        const char *got = db_try(s.pool, sql);
        cr_expect(got && strcmp(got, "42501") == 0, "%s: %s gave %s", attacks[i].name, sql,
                  got ? got : "success");
        db_do(s.pool, "ROLLBACK");
        free(sql);
    }
    printf("attack matrix: %zu statements as %s inside a practice\n", ARRAY_LEN(attacks), POOL);
    scene_close(&s);
}

Test(matrix, own_rows_are_reachable)
{
    struct scene s = scene_open();
    db_do(s.pool, "BEGIN");
    cr_assert_eq(enter(&s, s.a, s.role_a, "off"), 1);
    cr_expect_eq(db_number(s.pool, "SELECT count(*) FROM business", NULL), 1);
    db_do(s.pool, "UPDATE business SET phone = phone");
    db_do(s.pool, "ROLLBACK");
    scene_close(&s);
}

Test(matrix, forgotten_role_switch_fails_closed)
{
    static const struct attack bare[] = {
        { "qualified read", "SELECT * FROM {a}.client" },
        { "qualified read of the practice", "SELECT * FROM {a}.business" },
        { "qualified write", "UPDATE {a}.business SET phone = ''" },
        { "stamp read", "SELECT tenant_id FROM {a}.schema_meta" },
        { "stamp changed", "UPDATE {a}.schema_meta SET tenant_id = tenant_id" },
        { "the directory", "SELECT * FROM public.tenant" },
        { "accounts", "SELECT * FROM public.account" },
        { "temporary table", "CREATE TEMP TABLE loot(x text)" },
        { "schema created", "CREATE SCHEMA loot" },
        { "role of the owner", "SET ROLE gremio_owner" },
    };
    struct scene s = scene_open();
    for (size_t i = 0; i < ARRAY_LEN(bare); i++) {
        char *sql = with_names(&s, bare[i].sql);
        const char *got = db_try(s.pool, sql);
        cr_expect(got && strcmp(got, "42501") == 0, "%s gave %s", sql, got ? got : "success");
        free(sql);
    }
    const char *got = db_try(s.pool, "SELECT * FROM client");
    cr_expect(got && strcmp(got, "42P01") == 0, "an unqualified name reached something");
    scene_close(&s);
}

/* The role of one practice and the path of another: neither a plain nor a qualified name reaches a table. */
Test(matrix, another_practices_path_finds_nothing)
{
    static const struct {
        const char *sql, *state;
    } tries[] = {
        { "SELECT * FROM client", "42P01" },
        { "SELECT * FROM {a}.client", "42501" },
        { "INSERT INTO client(id, given_name) VALUES (gen_random_uuid(), 'x')", "42P01" },
    };
    struct scene s = scene_open();
    for (size_t i = 0; i < ARRAY_LEN(tries); i++) {
        char *sql = with_names(&s, tries[i].sql);
        db_do(s.pool, "BEGIN");
        cr_assert_eq(enter(&s, s.a, s.role_b, "off"), 1);
        const char *got = db_try(s.pool, sql);
        cr_expect(got && strcmp(got, tries[i].state) == 0, "%s gave %s", sql,
                  got ? got : "success");
        db_do(s.pool, "ROLLBACK");
        free(sql);
    }
    scene_close(&s);
}

/* The session as a borrower of the connection would find it. */
static void expect_bare(struct scene *s, const char *when)
{
    char *state = db_value(s->pool,
                           "SELECT current_user || '|' || current_setting('search_path') || '|' || "
                           "current_setting('transaction_read_only') || '|' || "
                           "current_setting('is_superuser')",
                           NULL);
    cr_expect_str_eq(state, POOL "|\"\"|off|off", "after %s: %s", when, state);
    free(state);
}

Test(matrix, nothing_is_left_behind)
{
    struct scene s = scene_open();
    db_do(s.pool, "SET search_path = ''");
    expect_bare(&s, "connecting");
    static const char *const inside[] = {
        "SELECT * FROM client",
        "SELECT 1 / 0",
        "SELECT * FROM no_such_table",
        "DROP TABLE client",
    };
    static const char *const ends[] = { "COMMIT", "ROLLBACK" };
    for (size_t i = 0; i < ARRAY_LEN(inside) * ARRAY_LEN(ends); i++) {
        const char *sql = inside[i / ARRAY_LEN(ends)], *end = ends[i % ARRAY_LEN(ends)];
        db_do(s.pool, "BEGIN");
        cr_assert_eq(enter(&s, s.a, s.role_a, "on"), 1);
        (void)db_try(s.pool, sql);
        db_do(s.pool, end);
        expect_bare(&s, sql);
    }
    scene_close(&s);
}

Test(matrix, read_only_units_cannot_write)
{
    struct scene s = scene_open();
    db_do(s.pool, "BEGIN");
    cr_assert_eq(enter(&s, s.a, s.role_a, "on"), 1);
    const char *got = db_try(s.pool, "UPDATE business SET phone = phone");
    cr_expect(got && strcmp(got, "25006") == 0, "a read-only unit wrote");
    db_do(s.pool, "ROLLBACK");
    scene_close(&s);
}

/* A practice of another pool is one whose role this login was never granted. */
Test(matrix, other_pools_practice_is_unreachable)
{
    struct scene s = scene_open();
    db_do(s.super, "CREATE ROLE t_elsewhere NOLOGIN NOINHERIT");
    db_do(s.super, "CREATE SCHEMA t_elsewhere AUTHORIZATION gremio_owner");
    db_do(s.super, "CREATE TABLE t_elsewhere.client(notes text)");
    db_do(s.super, "GRANT USAGE ON SCHEMA t_elsewhere TO t_elsewhere");
    db_do(s.super, "GRANT SELECT ON t_elsewhere.client TO t_elsewhere");
    static const char *const tries[] = {
        "SET ROLE t_elsewhere",
        "SELECT set_config('role', 't_elsewhere', true)",
        "SELECT * FROM t_elsewhere.client",
        "SET SESSION AUTHORIZATION t_elsewhere",
    };
    for (size_t i = 0; i < ARRAY_LEN(tries); i++) {
        const char *got = db_try(s.pool, tries[i]);
        cr_expect(got && strcmp(got, "42501") == 0, "%s gave %s", tries[i], got ? got : "success");
    }
    db_do(s.super, "DROP SCHEMA t_elsewhere CASCADE");
    db_do(s.super, "DROP ROLE t_elsewhere");
    scene_close(&s);
}

Test(matrix, statistics_show_nothing_of_others)
{
    struct scene s = scene_open();
    db_do(s.super, "ANALYZE");
    db_do(s.pool, "BEGIN");
    cr_assert_eq(enter(&s, s.a, s.role_a, "on"), 1);
    cr_expect_eq(
        db_number(s.pool, "SELECT count(*) FROM pg_stats WHERE schemaname = 't_' || $1", s.b, NULL),
        0);
    cr_expect_eq(
        db_number(s.pool,
                  "SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND "
                  "query <> '' AND query <> '<insufficient privilege>'",
                  NULL),
        0);
    db_do(s.pool, "ROLLBACK");
    scene_close(&s);
}

Test(matrix, a_slot_cannot_end_others_connections)
{
    struct scene s = scene_open();
    PGconn *auth = db_login("gremio_auth");
    char sql[96];
    snprintf(sql, sizeof sql, "SELECT pg_terminate_backend(%d)", PQbackendPID(auth));
    db_do(s.pool, "BEGIN");
    cr_assert_eq(enter(&s, s.a, s.role_a, "off"), 1);
    const char *got = db_try(s.pool, sql);
    cr_expect(got && strcmp(got, "42501") == 0, "terminating gave %s", got ? got : "success");
    db_do(s.pool, "ROLLBACK");
    PQfinish(auth);
    scene_close(&s);
}

Test(matrix, other_logins_see_only_their_part)
{
    static const struct {
        const char *login, *sql;
    } denied[] = {
        { "gremio_router", "SELECT * FROM {a}.client" },
        { "gremio_router", "SELECT * FROM {a}.schema_meta" },
        { "gremio_router", "SELECT * FROM public.account" },
        { "gremio_router", "SELECT * FROM public.membership" },
        { "gremio_router", "SELECT refresh_key FROM public.session" },
        { "gremio_router", "SELECT * FROM public.signing_secret" },
        { "gremio_router", "UPDATE public.tenant SET state = 'active'" },
        { "gremio_router", "INSERT INTO public.signing_key(kid, alg) VALUES ('x', 'ES256')" },
        { "gremio_router", "SET ROLE {A}" },
        { "gremio_auth", "SELECT * FROM {a}.client" },
        { "gremio_auth", "SELECT * FROM {a}.schema_meta" },
        { "gremio_auth", "UPDATE public.membership SET role = 'owner'" },
        { "gremio_auth", "UPDATE public.tenant SET state = 'active'" },
        { "gremio_auth", "INSERT INTO public.account(id, email) VALUES (gen_random_uuid(), 'x')" },
        { "gremio_auth", "SET ROLE {A}" },
        { "gremio_auth", "CREATE TEMP TABLE loot(x text)" },
        { "gremio_auth", "SELECT * FROM public.outbox" },
        { "gremio_auth", "INSERT INTO public.outbox(id) VALUES (gen_random_uuid())" },
        { "gremio_auth", "SELECT * FROM public.due_work" },
        { "gremio_auth", "SELECT * FROM {a}.outbox" },
        { "gremio_auth", "SELECT * FROM {a}.access_link" },
        { "gremio_auth", "SELECT ext.link_find(gen_random_uuid(), '')" },
        { "gremio_jobs", "SELECT ext.link_open(gen_random_uuid(), '', NULL, NULL)" },
        { "gremio_router", "SELECT ext.link_open(gen_random_uuid(), '', NULL, NULL)" },
        { "gremio_jobs", "SELECT * FROM {a}.outbox" },
        { "gremio_jobs", "SELECT * FROM public.account" },
        { "gremio_jobs", "SELECT * FROM public.one_time_token" },
        { "gremio_jobs", "SELECT * FROM public.membership" },
        { "gremio_jobs", "SELECT * FROM public.signing_secret" },
        { "gremio_jobs", "SELECT name FROM public.tenant" },
        { "gremio_jobs", "UPDATE public.tenant SET state = 'active'" },
        { "gremio_jobs",
          "INSERT INTO public.due_work VALUES (gen_random_uuid(), 'outbox', now())" },
        { "gremio_jobs", "INSERT INTO public.outbox(id) VALUES (gen_random_uuid())" },
        { "gremio_jobs", "SELECT ext.account_mail(gen_random_uuid(), '', '', 'es', '', '', true)" },
        { "gremio_jobs", "SET ROLE {A}" },
        { "gremio_jobs", "CREATE TEMP TABLE loot(x text)" },
        { "gremio_router", "SELECT * FROM public.outbox" },
    };
    struct scene s = scene_open();
    for (size_t i = 0; i < ARRAY_LEN(denied); i++) {
        PGconn *c = db_login(denied[i].login);
        char *sql = with_names(&s, denied[i].sql);
        const char *got = db_try(c, sql);
        cr_expect(got && strcmp(got, "42501") == 0, "%s: %s gave %s", denied[i].login, sql,
                  got ? got : "success");
        free(sql);
        PQfinish(c);
    }
    scene_close(&s);
}

/* Those run as the owner of everything. Each has a fixed path; what everybody may call acts for the practice whose role is set and no other. */
Test(matrix, functions_with_the_owners_rights_are_closed)
{
    PGconn *db = db_super();
    char *open = db_value(
        db,
        "SELECT coalesce(string_agg(p.oid::regprocedure::text, ' '), 'none') FROM pg_proc p"
        " WHERE p.prosecdef AND p.pronamespace IN ('ext'::regnamespace, 'public'::regnamespace)"
        " AND (NOT coalesce('search_path=\"\"' = ANY (p.proconfig), false)"
        " OR (has_function_privilege('public', p.oid, 'EXECUTE')"
        " AND p.prorettype <> 'trigger'::regtype"
        " AND p.prosrc NOT LIKE '%ext.current_practice()%'))",
        NULL);
    cr_expect_str_eq(open, "none", "%s", open);
    cr_expect_gt(db_number(db,
                           "SELECT count(*) FROM pg_proc WHERE prosecdef AND pronamespace ="
                           " 'ext'::regnamespace",
                           NULL),
                 15);
    free(open);
    PQfinish(db);
}

/* arwdDxt of aclitem: a INSERT, r SELECT, w UPDATE, d DELETE. */
static const char expected_grants[] = "access_link:ar\n" /* and of two columns w, below */
                                      "allocation:arwd\n"
                                      "appointment:arw\n"
                                      "appointment_event:ar\n"
                                      "appointment_intake:ar\n"
                                      "asset:arw\n"
                                      "booking_policy:rw\n"
                                      "branding:rw\n"
                                      "business:rw\n"
                                      "calendar_feed:ar\n" /* and of one column w, below */
                                      "client:arw\n"
                                      "client_busy:arwd\n"
                                      "client_proposal:arw\n"
                                      "hold:ar\n"
                                      "idempotency:arwd\n"
                                      "invitation:arw\n"
                                      "opening_hours:ard\n"
                                      "outbox:arw\n"
                                      "public_count:arwd\n"
                                      "resource:ar\n"
                                      "role:arwd\n"
                                      "schedule:arwd\n"
                                      "schedule_exception:arwd\n"
                                      "schedule_span:ard\n"
                                      "schema_meta:\n"
                                      "series:arw\n"
                                      "series_exception:arw\n"
                                      "service:arw\n"
                                      "service_need:ard\n"
                                      "service_staff:ard\n"
                                      "staff:arw\n"
                                      "used_proof:arwd\n"
                                      "waitlist:arw\n"
                                      "waitlist_offer:arw\n";

Test(matrix, every_schema_has_exactly_its_grants)
{
    struct scene s = scene_open();
    PGresult *tenants = PQexecParams(
        s.super, "SELECT 't_' || code, 'p_' || replace(id::text, '-', '') FROM public.tenant", 0,
        NULL, NULL, NULL, NULL, 0);
    cr_assert_geq(PQntuples(tenants), 2);
    for (int i = 0; i < PQntuples(tenants); i++) {
        const char *name = PQgetvalue(tenants, i, 0);
        char *got = db_value(
            s.super,
            "SELECT string_agg(c.relname || ':' || coalesce((SELECT string_agg(left(case "
            "x.privilege_type WHEN 'INSERT' THEN 'a' WHEN 'SELECT' THEN 'r' WHEN 'UPDATE' THEN 'w' "
            "WHEN 'DELETE' THEN 'd' ELSE x.privilege_type END, 20), '' ORDER BY array_position("
            "ARRAY['INSERT','SELECT','UPDATE','DELETE'], x.privilege_type)) FROM "
            "aclexplode(c.relacl) x WHERE x.grantee = to_regrole($2::text)), '') || E'\\n', '' "
            "ORDER BY "
            "c.relname) FROM pg_class c WHERE c.relnamespace = to_regnamespace($1::text) AND "
            "c.relkind IN "
            "('r','p','v','m','S','f')",
            name, PQgetvalue(tenants, i, 1), NULL);
        cr_expect_str_eq(got, expected_grants, "%s has drifted:\n%s", name, got);
        free(got);
        got = db_value(s.super,
                       "SELECT string_agg(c.relname || '.' || a.attname || ':' || x.privilege_type,"
                       " ' ' ORDER BY 1) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
                       " CROSS JOIN aclexplode(a.attacl) x WHERE c.relnamespace ="
                       " to_regnamespace($1::text)",
                       name, NULL);
        cr_expect_str_eq(got,
                         "access_link.revoked_at:UPDATE access_link.version:UPDATE"
                         " calendar_feed.revoked_at:UPDATE",
                         "%s: %s", name, got);
        free(got);
    }
    PQclear(tenants);
    scene_close(&s);
}

/* Grants to anybody but the owner and the practice's role. */
Test(matrix, nobody_else_has_grants_in_a_schema)
{
    struct scene s = scene_open();
    long strangers = db_number(
        s.super,
        "SELECT count(*) FROM public.tenant t JOIN pg_class c ON c.relnamespace = ('t_' || "
        "t.code)::regnamespace CROSS JOIN aclexplode(c.relacl) x WHERE x.grantee NOT IN "
        "('gremio_owner'::regrole::oid, ('p_' || replace(t.id::text, '-', ''))::regrole::oid)",
        NULL);
    cr_expect_eq(strangers, 0);
    long schemas = db_number(
        s.super,
        "SELECT count(*) FROM public.tenant t JOIN pg_namespace n ON n.nspname = 't_' || t.code "
        "CROSS JOIN aclexplode(n.nspacl) x WHERE x.grantee <> 'gremio_owner'::regrole AND NOT "
        "(x.privilege_type = 'USAGE' AND x.grantee = ('p_' || replace(t.id::text, '-', "
        "''))::regrole)",
        NULL);
    cr_expect_eq(schemas, 0);
    long owned = db_number(s.super,
                           "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = "
                           "c.relnamespace WHERE n.nspname LIKE 't\\_%' AND c.relowner <> "
                           "'gremio_owner'::regrole",
                           NULL);
    cr_expect_eq(owned, 0, "a table belongs to somebody else than gremio_owner");
    long code = db_number(s.super,
                          "SELECT count(*) FROM pg_proc p JOIN pg_namespace n ON n.oid = "
                          "p.pronamespace WHERE n.nspname LIKE 't\\_%'",
                          NULL);
    cr_expect_eq(code, 0, "a practice's schema holds functions");
    scene_close(&s);
}

Test(matrix, roles_have_no_extra_powers)
{
    struct scene s = scene_open();
    long strong = db_number(s.super,
                            "SELECT count(*) FROM pg_roles WHERE (rolname LIKE 'p\\_%' OR rolname "
                            "LIKE 'gremio\\_%') AND (rolsuper OR rolcreatedb OR rolreplication OR "
                            "rolbypassrls OR (rolcreaterole AND rolname <> 'gremio_provision'))",
                            NULL);
    cr_expect_eq(strong, 0);
    long logins = db_number(s.super,
                            "SELECT count(*) FROM pg_roles WHERE rolcanlogin AND (rolname LIKE "
                            "'p\\_%' OR rolname = 'gremio_owner')",
                            NULL);
    cr_expect_eq(logins, 0, "a practice's role or the owner can log in");
    long inherit = db_number(s.super,
                             "SELECT count(*) FROM pg_roles WHERE rolinherit AND rolname ~ "
                             "'^(p_|gremio_pool_|gremio_provision)'",
                             NULL);
    cr_expect_eq(inherit, 0, "a role inherits what it should have to switch to");
    long pools = db_number(s.super,
                           "SELECT count(*) FROM public.tenant t WHERE (SELECT count(*) FROM "
                           "pg_auth_members m WHERE m.roleid = ('p_' || replace(t.id::text, '-', "
                           "''))::regrole AND m.member <> 'gremio_provision'::regrole) <> 1",
                           NULL);
    cr_expect_eq(pools, 0, "a practice is in no pool or in several");
    long owned = db_number(
        s.super,
        "SELECT count(*) FROM pg_shdepend d JOIN pg_roles r ON r.oid = d.refobjid "
        "WHERE d.deptype = 'o' AND r.rolname ~ '^(p_|gremio_pool_)'",
        NULL);
    cr_expect_eq(owned, 0, "a pool login or a practice's role owns something");
    scene_close(&s);
}

/* Tables and views of a schema; the caller PQclears. */
static PGresult *tables_of(struct scene *s, const char *code)
{
    const char *values[] = { code };
    PGresult *r = PQexecParams(s->super,
                               "SELECT relname FROM pg_class WHERE relnamespace = ('t_' || "
                               "$1)::regnamespace AND relkind IN ('r', 'p', 'v', 'm') ORDER BY 1",
                               1, NULL, values, NULL, NULL, 0);
    cr_assert_geq(PQntuples(r), 10);
    return r;
}

/* One statement as whoever the pool login is now: 42501, whatever else may be wrong with it. */
static size_t expect_denied(struct scene *s, const char *table, const char *form)
{
    char sql[300];
    snprintf(sql, sizeof sql, form, table);
    db_do(s->pool, "SAVEPOINT one");
    const char *got = db_try(s->pool, sql);
    cr_expect(got && strcmp(got, "42501") == 0, "%s gave %s", sql, got ? got : "success");
    db_do(s->pool, "ROLLBACK TO one");
    return 1;
}

/* Each table there is, those of migrations to come too: nothing of another practice's, no structure of the own one's,
 * and nothing at all without the switch. */
Test(matrix, every_table_is_closed)
{
    static const char *const foreign[] = {
        "SELECT * FROM %s",
        "SELECT count(*) FROM %s",
        "INSERT INTO %s DEFAULT VALUES",
        "DELETE FROM %s",
        "TRUNCATE %s",
        "LOCK TABLE %s IN SHARE MODE",
        "ALTER TABLE %s RENAME TO x",
        "DROP TABLE %s",
        "COPY %s TO STDOUT",
    };
    static const char *const own[] = {
        "TRUNCATE %s",
        "DROP TABLE %s",
        "ALTER TABLE %s RENAME TO x",
        "ALTER TABLE %s DISABLE TRIGGER ALL",
        "ALTER TABLE %s OWNER TO gremio_pool_00",
        "CREATE INDEX ON %s((1))",
    };
    struct scene s = scene_open();
    size_t tried = 0;
    PGresult *a = tables_of(&s, s.a), *b = tables_of(&s, s.b);
    for (int bare = 0; bare <= 1; bare++) {
        db_do(s.pool, "BEGIN");
        cr_assert(bare || enter(&s, s.a, s.role_a, "off") == 1);
        for (int i = 0; i < PQntuples(b); i++) {
            char name[120];
            snprintf(name, sizeof name, "t_%s.%s", s.b, PQgetvalue(b, i, 0));
            /* Its stamp is what the bare login compares before it switches: it may read that. */
            size_t from = bare && strcmp(PQgetvalue(b, i, 0), "schema_meta") == 0 ? 2 : 0;
            for (size_t k = from; k < ARRAY_LEN(foreign); k++) {
                bool stamp_read = from > 0 && strstr(foreign[k], "COPY");
                tried += stamp_read ? 0 : expect_denied(&s, name, foreign[k]);
            }
        }
        for (int i = 0; !bare && i < PQntuples(a); i++) {
            for (size_t k = 0; k < ARRAY_LEN(own); k++) {
                tried += expect_denied(&s, PQgetvalue(a, i, 0), own[k]);
            }
        }
        db_do(s.pool, "ROLLBACK");
    }
    printf("attack matrix: %zu statements over %d tables\n", tried, PQntuples(b));
    PQclear(a);
    PQclear(b);
    scene_close(&s);
}
