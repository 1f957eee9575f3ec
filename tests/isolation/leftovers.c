/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Practices share the server's connections: after any request, failed ones too, nothing of it may be left for the
 * next. Thousands of requests of both practices, mixed over many connections, good ones and every kind of bad one,
 * while statements fail, are cancelled, and their connections ended at any moment. SOAK_FAILURES: how many requests such a
 * blow must have failed (50). */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/api.h"
#include "tests/support/db.h"
#include "tests/support/stack.h"
#include "tests/support/wait.h"

#define CALLERS  16
#define REQUESTS 250 /* each */

TestSuite(leftovers, .timeout = 1200);

static atomic_long struck;    /* requests that a blow has failed */
static atomic_bool strike_on; /* until then nobody is struck */

/* What belongs to one practice: who asks and what every answer must say. */
struct side {
    char token[4200];
    char business[80], client[40], client_name[80], service[40], staff[40];
};

struct caller {
    pthread_t thread;
    unsigned seed;
    const struct side *sides; /* two */
    size_t requests, refused;
    char wrong[300];
};

static void complain(struct caller *c, const char *what, const struct answer *r)
{
    bool blow = r->status == 503 || r->status == 504 || r->status == 507;
    if (blow) {
        atomic_fetch_add(&struck, 1);
    } else if (!c->wrong[0]) {
        snprintf(c->wrong, sizeof c->wrong, "%s: %d %.200s", what, r->status,
                 r->http.body ? r->http.body : "");
        atomic_store(&strike_on, false);
    }
}

static void expect_status(struct caller *c, const char *what, const struct answer *r, int status)
{
    c->refused += status >= 400;
    if (r->status != status) {
        complain(c, what, r);
    }
}

static void expect_text(struct caller *c, const char *what, const struct answer *r,
                        const char *path, const char *text)
{
    const char *got = answer_text(r, path);
    if (r->status != 200 || !got || strcmp(got, text) != 0) {
        complain(c, what, r);
    }
}

/* One request of a kind as a side, told by its own answer; other is the side not asked for. */
static void ask(struct caller *c, struct api *a, const struct side *me, const struct side *other)
{
    struct answer *r;
    switch (rand_r(&c->seed) % 12) {
    case 0:
        expect_text(c, "business", api_get(a, "/api/v1/business"), "name", me->business);
        break;
    case 1:
        expect_text(c, "me", api_get(a, "/api/v1/me"), "business.name", me->business);
        break;
    case 2:
        expect_text(c, "client", api_get(a, "/api/v1/clients/%s", me->client), "name",
                    me->client_name);
        break;
    case 3:
        expect_status(c, "foreign client", api_get(a, "/api/v1/clients/%s", other->client), 404);
        break;
    case 4:
        r = api_get(a, "/api/v1/clients?q=%s", strrchr(other->client_name, ' ') + 1);
        if (r->status != 200 || answer_count(r, "data") != 0) {
            complain(c, "search for the other's client", r);
        }
        break;
    case 5:
        expect_status(
            c, "stale change",
            api_patch(a, api_text("/api/v1/clients/%s", me->client), 77, "{\"notes\":\"x\"}"), 412);
        break;
    case 6:
        expect_status(
            c, "foreign change",
            api_patch(a, api_text("/api/v1/clients/%s", other->client), 1, "{\"notes\":\"x\"}"),
            404);
        break;
    case 7:
        expect_status(c, "bad body", api_post(a, "/api/v1/clients", "{\"given_name\":7}"), 422);
        break;
    case 8:
        expect_status(
            c, "foreign staff booked",
            api_book(a, me->client, me->service, other->staff, api_text("%sT09:00", api_day(20))),
            422);
        break;
    case 9:
        expect_status(
            c, "taken time",
            api_book(a, me->client, me->service, me->staff, api_text("%sT09:00", api_day(21))),
            409);
        break;
    case 10:
        expect_status(c, "unknown zone",
                      api_patch(a, "/api/v1/business", 1, "{\"time_zone\":\"No/Where\"}"), 422);
        break;
    default:
        r = api_get(a, "/api/v1/services?limit=1");
        if (r->status != 200) {
            complain(c, "services", r);
        }
    }
    c->requests++;
}

static void *keep_asking(void *arg)
{
    struct caller *c = arg;
    struct api a = api_anonymous();
    for (int i = 0; (i < REQUESTS || atomic_load(&strike_on)) && !c->wrong[0]; i++) {
        int side = rand_r(&c->seed) % 2;
        snprintf(a.token, sizeof a.token, "%s", c->sides[side].token);
        ask(c, &a, &c->sides[side], &c->sides[1 - side]);
        api_release();
    }
    api_close(&a);
    return NULL;
}

/* Cancels whatever statement runs for a practice at this moment; now and then ends its connection. */
static void *strike(void *arg)
{
    static const char *const blows[] = {
        "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE usename LIKE "
        "'gremio_pool%' AND state = 'active'",
        "SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity WHERE "
        "usename "
        "LIKE 'gremio_pool%' ORDER BY random() LIMIT 1) one",
    };
    const char *asked = getenv("SOAK_FAILURES");
    long want = asked ? strtol(asked, NULL, 10) : 50;
    PGconn *super = db_super();
    int64_t end = wait_now_ms() + 600000;
    for (unsigned i = 1;
         atomic_load(&strike_on) && atomic_load(&struck) < want && wait_now_ms() < end; i++) {
        db_number(super, blows[i % 20 == 0], NULL);
    }
    atomic_store(&strike_on, false);
    PQfinish(super);
    UNUSED(arg);
    return NULL;
}

static void make_side(struct side *s, const char *email)
{
    struct api a = api_login(email);
    const char *name = api_unique("Whose");
    snprintf(s->token, sizeof s->token, "%s", a.token);
    snprintf(s->business, sizeof s->business, "%s",
             answer_text(api_get(&a, "/api/v1/business"), "name"));
    snprintf(s->client_name, sizeof s->client_name, "%s", name);
    snprintf(s->client, sizeof s->client, "%s", api_new_client(&a, name));
    snprintf(s->service, sizeof s->service, "%s", api_new_service(&a, name, 30));
    snprintf(s->staff, sizeof s->staff, "%s", api_new_staff(&a, name));
    cr_assert_eq(
        api_book(&a, s->client, s->service, s->staff, api_text("%sT09:00", api_day(21)))->status,
        201);
    api_close(&a);
    api_release();
}

/* A spy in place of set_config, which is how a unit enters its practice: it tells what the unit before has left on that
 * connection, by a notice, which read-only units may send too. What it tells goes with the unit when that is rolled back. */
static void plant_spy(PGconn *super)
{
    db_do(super, "LISTEN spy");
    db_do(super, "CREATE SCHEMA probe");
    db_do(super, "GRANT USAGE ON SCHEMA probe TO PUBLIC");
    db_do(super, "CREATE FUNCTION probe.tell(state text) RETURNS void LANGUAGE sql VOLATILE "
                 "SECURITY DEFINER AS 'SELECT pg_catalog.pg_notify(''spy'', state)'");
    db_do(super,
          "ALTER FUNCTION pg_catalog.set_config(text, text, boolean) RENAME TO set_config_2");
    db_do(super,
          "CREATE FUNCTION pg_catalog.set_config(name text, value text, here boolean) RETURNS text "
          "LANGUAGE plpgsql VOLATILE AS $$ BEGIN IF name = 'search_path' THEN PERFORM "
          "probe.tell(pg_catalog.concat_ws('|', current_user, session_user, "
          "pg_catalog.current_setting('search_path'), pg_catalog.current_setting('role'), "
          "pg_catalog.current_setting('default_transaction_read_only'), "
          "pg_catalog.current_setting('TimeZone'))); END IF; "
          "RETURN pg_catalog.set_config_2(name, value, here); END $$");
}

/* The practice's own row becomes a stumbling block that fails one statement in five in the middle of its unit. */
static void plant_stumbling_blocks(PGconn *super)
{
    static const char *const slugs[] = { "practice-a", "practice-b" };
    db_do(super,
          "CREATE FUNCTION probe.trip() RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$ BEGIN "
          "IF random() < 0.2 THEN RAISE EXCEPTION USING MESSAGE = 'tripped', ERRCODE = "
          "(ARRAY['57014', '55P03', '53200', '53100'])[1 + floor(random() * 4)::int]; END IF; "
          "RETURN true; END $$");
    for (size_t i = 0; i < ARRAY_LEN(slugs); i++) {
        char *code = db_code(super, slugs[i]);
        char *role = db_role(super, slugs[i]);
        db_do(super, api_text("ALTER TABLE t_%s.business RENAME TO business_real", code));
        db_do(super, api_text("CREATE VIEW t_%s.business AS SELECT * FROM t_%s.business_real WHERE "
                              "probe.trip()",
                              code, code));
        db_do(super, api_text("GRANT SELECT, UPDATE ON t_%s.business TO %s", code, role));
        free(code);
        free(role);
    }
}

/* Connections that know the real function by its number: the next ones meet the spy. */
static void end_connections(PGconn *super)
{
    db_do(super, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename LIKE "
                 "'gremio_pool%'");
}

static void expect_spy_saw_bare_sessions(PGconn *super)
{
    long told = 0;
    db_do(super, "SELECT"); /* what was told by then comes with its answer */
    for (PGnotify *n = NULL; (n = PQnotifies(super)) != NULL; told++) {
        cr_expect_str_eq(n->extra, "gremio_pool_00|gremio_pool_00||none|off|UTC");
        PQfreemem(n);
    }
    cr_expect_geq(told, CALLERS * REQUESTS / 4, "the spy saw only %ld units", told);
    printf("leftovers: %ld units began on a bare session\n", told);
}

/* No pool connection is in a transaction, holds a lock or carries a setting of a request. */
static bool connections_are_bare(void *arg)
{
    return db_number(arg,
                     "SELECT count(*) FROM pg_stat_activity a WHERE a.usename LIKE 'gremio_pool%' "
                     "AND (a.state <> 'idle' OR a.xact_start IS NOT NULL OR EXISTS (SELECT FROM "
                     "pg_locks l WHERE l.pid = a.pid))",
                     NULL) == 0;
}

Test(leftovers, mixed_requests_stay_with_their_practice)
{
    static struct side sides[2];
    static struct caller callers[CALLERS];
    make_side(&sides[0], OWNER_A);
    make_side(&sides[1], OWNER_B);
    cr_assert_str_neq(sides[0].business, sides[1].business);
    PGconn *super = db_super();
    plant_spy(super);
    plant_stumbling_blocks(super);
    end_connections(super);
    atomic_store(&strike_on, true);
    for (unsigned i = 0; i < CALLERS; i++) {
        callers[i] = (struct caller){ .seed = i + 1, .sides = sides };
        cr_assert(pthread_create(&callers[i].thread, NULL, keep_asking, &callers[i]) == 0);
    }
    pthread_t striker;
    cr_assert(pthread_create(&striker, NULL, strike, NULL) == 0);
    size_t requests = 0, refused = 0;
    pthread_join(striker, NULL);
    for (int i = 0; i < CALLERS; i++) {
        pthread_join(callers[i].thread, NULL);
        cr_expect(callers[i].wrong[0] == '\0', "%s", callers[i].wrong);
        requests += callers[i].requests;
        refused += callers[i].refused;
    }
    cr_expect(wait_until(connections_are_bare, super, WAIT_LONG_MS), "a connection is not bare");
    long pools = db_number(
        super, "SELECT count(*) FROM pg_stat_activity WHERE usename LIKE 'gremio_pool%'", NULL);
    cr_expect_geq(pools, 1, "the probe looked at nothing");
    expect_spy_saw_bare_sessions(super);
    PQfinish(super);
    api_release();
    printf(
        "leftovers: %zu requests of two practices over %d connections, %zu of them refused, %ld "
        "failed by an error, a cancelled statement or an ended connection; nothing was left on a "
        "connection\n",
        requests, CALLERS, refused, atomic_load(&struck));
}
