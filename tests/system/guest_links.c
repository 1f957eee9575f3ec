/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Links for clients, from making one to opening it: the secret is shown once, opening is counted exactly, what else is asked for is guessed at only
 * a few times, and whatever is wrong with a link looks the same to who guesses. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/link_token.h"
#include "tests/support/db.h"
#include "tests/support/guest.h"
#include "tests/support/mail.h"
#include "tests/support/stack.h"
#include "tests/support/volley.h"
#include "tests/support/wait.h"

#define OPEN "/api/v1/links/open"
#define CODE "/api/v1/links/code"

TestSuite(guest_links, .timeout = 120);

static char *of_client(const char *id)
{
    return api_text("clients/%s", id);
}

static const char *client_with(struct api *owner, const char *members)
{
    struct answer *r = api_post(owner, "/api/v1/clients", "{\"given_name\":\"%s\"%s}",
                                api_unique("Guest"), members);
    cr_assert_eq(r->status, 201, "%s", r->http.body);
    return answer_text(r, "id");
}

static const char *new_address(void)
{
    return api_text("%s@example.com", strrchr(api_unique("g"), ' ') + 1);
}

static struct answer *visit_of(struct api *owner, const char *client)
{
    struct answer *r = api_book(owner, client, api_new_service(owner, "Limpieza", 30),
                                api_new_staff(owner, api_unique("Dra")),
                                api_text("%sT10:00", guest_monday(10)));
    cr_assert_eq(r->status, 201, "%s", r->http.body);
    return r;
}

static void expect_over(const struct answer *r)
{
    cr_expect_eq(r->status, 410, "%d %s", r->status, r->http.body);
    cr_expect_str_eq(answer_code(r), "link_expired");
}

static PGconn *inside(void)
{
    PGconn *db = db_super();
    char *code = db_code(db, "practice-a");
    db_do(db, api_text("SET search_path = t_%s", code));
    free(code);
    return db;
}

static struct answer *revoke(struct api *owner, const char *id)
{
    return api_send(owner, "POST", api_text("/api/v1/links/%s/revoke", id), NULL, NULL);
}

/* ---- making ---- */

Test(guest_links, an_answer_ready_to_send)
{
    struct api owner = api_login(OWNER_A);
    const char *client = client_with(&owner, ",\"phone\":\"+525512345678\"");
    struct answer *visit = visit_of(&owner, client);
    struct guest_link l = guest_link_to(&owner,
                                        api_text("appointments/%s", answer_text(visit, "id")), "");
    cr_expect_str_eq(answer_header(l.made, "cache-control"), "no-store");
    cr_expect_str_eq(answer_header(l.made, "location"), api_text("/api/v1/links/%s", l.id));
    cr_expect_eq(strlen(l.token), LINK_TOKEN_TEXT - 1);
    cr_expect(strstr(answer_text(l.made, "url"), "/i/"));
    cr_expect_str_eq(answer_text(l.made, "state"), "live");
    cr_expect_str_eq(answer_text(l.made, "step_up"), "none");
    cr_expect_str_eq(answer_text(l.made, "appointment_id"), answer_text(visit, "id"));
    cr_expect_eq(answer_count(l.made, "scopes"), 4);
    cr_expect(strncmp(answer_text(l.made, "qr_svg"), "<svg", 4) == 0);
    const char *es = answer_text(l.made, "texts.es.text"),
               *en = answer_text(l.made, "texts.en.text");
    cr_expect(strstr(es, "Practice A") && strstr(es, "Limpieza") && strstr(es, "lunes") &&
                  strstr(es, "10:00") && strstr(es, answer_text(l.made, "url")),
              "%s", es);
    cr_expect(strstr(en, "Monday") && strstr(en, "10:00") && strstr(en, "Limpieza"), "%s", en);
    const char *whatsapp = answer_text(l.made, "texts.es.whatsapp_url");
    cr_expect(strncmp(whatsapp, "https://wa.me/525512345678?text=Hola%2C%20", 41) == 0, "%s",
              whatsapp);
    cr_expect(strstr(whatsapp, l.token));
    api_close(&owner);
    api_release();
}

Test(guest_links, the_secret_is_shown_once)
{
    struct api owner = api_login(OWNER_A);
    const char *client = client_with(&owner, "");
    char *path = api_text("/api/v1/clients/%s/links", client);
    char *key = api_text("Idempotency-Key: %s\r\n", strrchr(api_unique("x"), ' ') + 1);
    struct answer *first = api_send(&owner, "POST", path, "{}", key);
    struct answer *again = api_send(&owner, "POST", path, "{}", key);
    cr_assert_eq(first->status, 201, "%s", first->http.body);
    cr_expect_eq(again->status, 201);
    cr_expect_str_eq(answer_text(again, "id"), answer_text(first, "id"));
    const char *token = strrchr(answer_text(first, "url"), '/') + 1;
    cr_expect_null(strstr(again->http.body, token), "a replay shows the secret");
    cr_expect_null(answer_text(again, "url"));
    struct answer *list = api_get(&owner, "%s", path);
    cr_expect_eq(answer_count(list, "data"), 1);
    cr_expect_null(strstr(list->http.body, token));
    struct answer *one = api_get(&owner, "/api/v1/links/%s", answer_text(first, "id"));
    cr_expect_eq(one->status, 200);
    cr_expect_null(strstr(one->http.body, token));
    cr_expect_null(strstr(one->http.body, "hash"));
    PGconn *db = inside();
    static const char *const tables[] = { "access_link", "idempotency", "outbox",
                                          "appointment_event" };
    for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
        cr_expect_eq(db_number(db,
                               api_text("SELECT count(*) FROM %s t WHERE t::text LIKE '%%' || $1"
                                        " || '%%'",
                                        tables[i]),
                               token, NULL),
                     0, "%s has the secret", tables[i]);
    }
    cr_expect_not(stack_log_has("router.log", token));
    cr_expect_not(stack_log_has("worker.log", token));
    PQfinish(db);
    api_close(&owner);
    api_release();
}

Test(guest_links, what_a_link_may_be)
{
    static const struct {
        const char *members, *blames;
    } bad[] = {
        { "\"scopes\":[]", "/scopes" },
        { "\"scopes\":[\"see\",\"see\"]", "/scopes" },
        { "\"scopes\":[\"own\"]", "/scopes" },
        { "\"scopes\":\"see\"", "/scopes" },
        { "\"scopes\":[\"see,cancel\"]", "/scopes" },
        { "\"scopes\":[1]", "/scopes" },
        { "\"scopes\":null", "/scopes" },
        { "\"expires_in_days\":0", "/expires_in_days" },
        { "\"expires_in_days\":366", "/expires_in_days" },
        { "\"expires_at\":\"2020-01-01T00:00Z\"", "/expires_at" },
        { "\"expires_at\":\"2199-01-01T00:00Z\"", "/expires_at" },
        { "\"max_uses\":0", "/max_uses" },
        { "\"step_up\":\"password\"", "/step_up" },
        { "\"step_up\":\"birth_date\"", "/step_up" },
        { "\"step_up\":\"code\"", "/step_up" },
        { "\"secret\":\"x\"", "/secret" },
    };
    struct api owner = api_login(OWNER_A);
    char *path = api_text("/api/v1/clients/%s/links", client_with(&owner, ""));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct answer *r = api_post(&owner, path, "{%s}", bad[i].members);
        cr_expect_eq(r->status, 422, "%s: %d", bad[i].members, r->status);
        cr_expect(answer_blames(r, bad[i].blames), "%s: %s", bad[i].members, r->http.body);
    }
    struct answer *r = api_post(&owner, path,
                                "{\"scopes\":[\"profile\",\"see\"],\"expires_in_days\":365,"
                                "\"max_uses\":3}");
    cr_expect_eq(r->status, 201, "%s", r->http.body);
    cr_expect_str_eq(answer_text(r, "scopes.0"), "profile");
    cr_expect_eq(answer_int(r, "max_uses"), 3);
    cr_expect_eq(
        api_post(&owner, "/api/v1/clients/01900000-0000-7000-8000-000000000000/links", "{}")
            ->status,
        404);
    api_close(&owner);
    api_release();
}

Test(guest_links, there_is_an_end_to_them)
{
    struct api owner = api_login(OWNER_A);
    const char *client = client_with(&owner, "");
    struct guest_link first = guest_link_to(&owner, of_client(client), "");
    struct shot shots[30];
    for (size_t i = 0; i < ARRAY_LEN(shots); i++) {
        shots[i] = (struct shot){ .token = owner.token,
                                  .method = "POST",
                                  .path = api_text("/api/v1/clients/%s/links", client),
                                  .body = "{}" };
    }
    volley_fire(shots, ARRAY_LEN(shots));
    cr_expect_eq(volley_count(shots, ARRAY_LEN(shots), 201, NULL), 19);
    cr_expect_eq(volley_count(shots, ARRAY_LEN(shots), 409, "too_many_links"), 11);
    cr_expect_eq(revoke(&owner, first.id)->status, 200);
    guest_link_to(&owner, of_client(client), "");
    api_close(&owner);
    api_release();
}

/* ---- opening ---- */

Test(guest_links, opening_gives_a_short_session)
{
    struct api owner = api_login(OWNER_A);
    const char *client = client_with(&owner, "");
    struct guest_link l = guest_link_to(&owner, of_client(client), "");
    struct api nobody = api_anonymous();
    struct answer *look = api_post(&nobody, "/api/v1/links/look", "{\"token\":\"%s\"}", l.token);
    cr_expect_eq(look->status, 200, "%s", look->http.body);
    cr_expect_str_eq(answer_text(look, "practice.name"), "Practice A");
    cr_expect_str_eq(answer_text(look, "step_up"), "none");
    struct answer *r = guest_open(l.token, "");
    cr_assert_eq(r->status, 200, "%s", r->http.body);
    cr_expect_str_eq(answer_header(r, "cache-control"), "no-store");
    cr_expect_eq(answer_int(r, "expires_in"), 1800);
    cr_expect_eq(answer_count(r, "scopes"), 4);
    cr_expect_null(answer_text(r, "appointment_id"));
    struct answer *seen = api_get(&owner, "/api/v1/links/%s", l.id);
    cr_expect_eq(answer_int(seen, "uses"), 1, "looking is no use");
    cr_expect(answer_text(seen, "last_used_at") != NULL);
    /* A link that ends before the session would. */
    struct guest_link brief = guest_link_to(&owner, of_client(client), "");
    PGconn *db = inside();
    db_do(db, api_text("UPDATE access_link SET expires_at = now() + interval '5 minutes' WHERE id ="
                       " '%s'",
                       brief.id));
    int64_t left = answer_int(guest_open(brief.token, ""), "expires_in");
    cr_expect(left > 290 && left <= 300, "%d", (int)left);
    PQfinish(db);
    api_close(&nobody);
    api_close(&owner);
    api_release();
}

/* Whatever is wrong: the same status, code and body; only who has a real one learns whom to ask. */
Test(guest_links, dead_ones_look_alike)
{
    static const char *const deaths[] = {
        "UPDATE access_link SET revoked_at = now() WHERE id = '%s'",
        "UPDATE access_link SET expires_at = now() WHERE id = '%s'",
        "UPDATE access_link SET uses = 1, max_uses = 1 WHERE id = '%s'",
        "UPDATE client SET archived_at = now() WHERE id = (SELECT client_id FROM access_link WHERE"
        " id = '%s')",
    };
    struct api owner = api_login(OWNER_A);
    PGconn *db = inside();
    for (size_t i = 0; i < ARRAY_LEN(deaths); i++) {
        struct guest_link l = guest_link_to(&owner, of_client(client_with(&owner, "")), "");
        char sql[300];
        snprintf(sql, sizeof sql, "%.*s%s%s", (int)(strstr(deaths[i], "%s") - deaths[i]), deaths[i],
                 l.id, strstr(deaths[i], "%s") + 2);
        db_do(db, sql);
        struct answer *r = guest_open(l.token, "");
        expect_over(r);
        cr_expect(answer_text(r, "detail") && strstr(answer_text(r, "detail"), "Practice A"), "%s",
                  r->http.body);
    }
    struct guest_link l = guest_link_to(&owner, of_client(client_with(&owner, "")), "");
    char changed[LINK_TOKEN_TEXT], foreign[LINK_TOKEN_TEXT];
    snprintf(changed, sizeof changed, "%s", l.token);
    changed[40] = changed[40] == 'A' ? 'B' : 'A'; /* of the secret */
    snprintf(foreign, sizeof foreign, "%s", l.token);
    foreign[10] = foreign[10] == 'A' ? 'B' : 'A'; /* of the practice's id */
    const char *const guesses[] = { changed, foreign, "x", "AAAA", l.id };
    for (size_t i = 0; i < ARRAY_LEN(guesses); i++) {
        struct answer *r = guest_open(guesses[i], "");
        expect_over(r);
        cr_expect_null(answer_text(r, "detail"), "%s", r->http.body);
    }
    /* Another practice's id before a good secret is no link of that practice. */
    struct link_token t;
    struct uuid other;
    char *id = db_value(db, "SELECT id FROM public.tenant WHERE slug = $1", "practice-b", NULL);
    cr_assert_eq(link_token_parse(slice_of(l.token), &t), OK);
    cr_assert_eq(uuid_parse(slice_of(id), &other), OK);
    memcpy(t.b, other.b, sizeof other.b);
    link_token_format(&t, foreign);
    expect_over(guest_open(foreign, ""));
    cr_expect_eq(guest_open(l.token, "")->status, 200);
    free(id);
    PQfinish(db);
    api_close(&owner);
    api_release();
}

/* A practice that is being made, or dropped, has no tables to look into; here it is the first of all, too. */
Test(guest_links, an_unfinished_practice_is_like_none)
{
    static const char *const states[] = { "provisioning", "closing" };
    static const char id[] = "00000000-0000-7000-8000-000000000001";
    PGconn *db = db_super();
    for (size_t i = 0; i < ARRAY_LEN(states); i++) {
        db_do(db, api_text("INSERT INTO public.tenant(id, code, slug, name, sector, country,"
                           " time_zone, locale, currency, state, pool, schema_version) VALUES"
                           " ('%s', 'zz9unfin', 'unfinished', 'x', 'x', 'MX', 'UTC', 'es', 'MXN',"
                           " '%s', 0, 99)",
                           id, states[i]));
        struct uuid practices[2] = { uuid_v7() };
        cr_assert_eq(uuid_parse(slice_of(id), &practices[1]), OK);
        for (size_t k = 0; k < ARRAY_LEN(practices); k++) {
            char token[LINK_TOKEN_TEXT];
            struct link_token t = link_token_make(&practices[k]);
            link_token_format(&t, token);
            expect_over(guest_open(token, ""));
        }
        db_do(db, api_text("DELETE FROM public.tenant WHERE id = '%s'", id));
    }
    PQfinish(db);
    api_release();
}

Test(guest_links, uses_are_counted_exactly)
{
    struct api owner = api_login(OWNER_A);
    const char *client = client_with(&owner, "");
    for (int max = 1; max <= 3; max += 2) {
        struct guest_link l = guest_link_to(&owner, of_client(client),
                                            api_text("\"max_uses\":%d", max));
        struct shot shots[24];
        for (size_t i = 0; i < ARRAY_LEN(shots); i++) {
            shots[i] = (struct shot){ .method = "POST",
                                      .path = OPEN,
                                      .token = "",
                                      .body = api_text("{\"token\":\"%s\"}", l.token) };
        }
        volley_fire(shots, ARRAY_LEN(shots));
        cr_expect_eq(volley_count(shots, ARRAY_LEN(shots), 200, NULL), (size_t)max);
        cr_expect_eq(volley_count(shots, ARRAY_LEN(shots), 410, "link_expired"),
                     ARRAY_LEN(shots) - (size_t)max);
        struct answer *r = api_get(&owner, "/api/v1/links/%s", l.id);
        cr_expect_eq(answer_int(r, "uses"), max);
        cr_expect_str_eq(answer_text(r, "state"), "used_up");
    }
    api_close(&owner);
    api_release();
}

struct opening {
    const struct guest_link *link;
    int status; /* that is waited for */
    struct answer *last;
};

static bool opens_so(void *arg)
{
    struct opening *o = arg;
    o->last = guest_open(o->link->token, "");
    return o->last->status == o->status;
}

/* Routers learn within a second what the operator did. */
static struct answer *open_until(const struct guest_link *l, int status)
{
    struct opening o = { .link = l, .status = status };
    cr_expect(wait_until(opens_so, &o, WAIT_LONG_MS), "%d %s", o.last->status, o.last->http.body);
    return o.last;
}

Test(guest_links, a_suspended_practice_opens_nothing)
{
    struct api owner = api_login(OWNER_A);
    PGconn *db = inside();
    struct guest_link l = guest_link_to(&owner, of_client(client_with(&owner, "")), "");
    struct api guest = guest_enter(l.token);
    const char *const off[] = { "tenant", "suspend", "practice-a", NULL };
    const char *const on[] = { "tenant", "resume", "practice-a", NULL };
    cr_assert_eq(stack_ctl(off, NULL), 0);
    cr_expect_str_eq(answer_code(open_until(&l, 403)), "tenant_suspended");
    int used = (int)db_number(db, api_text("SELECT uses FROM access_link WHERE id = '%s'", l.id),
                              NULL);
    cr_assert_eq(stack_ctl(on, NULL), 0);
    open_until(&l, 200);
    struct answer *r = api_get(&owner, "/api/v1/links/%s", l.id);
    cr_expect_eq(answer_int(r, "uses"), used + 1, "%s", r->http.body);
    PQfinish(db);
    api_close(&guest);
    api_close(&owner);
    api_release();
}

/* ---- what else is asked for ---- */

Test(guest_links, a_date_of_birth_is_guessed_at_five_times)
{
    struct api owner = api_login(OWNER_A);
    const char *client = client_with(&owner, ",\"birth_date\":\"1990-05-17\"");
    struct guest_link l = guest_link_to(&owner, of_client(client), "\"step_up\":\"birth_date\"");
    struct answer *r = guest_open(l.token, "");
    cr_expect_eq(r->status, 403, "%s", r->http.body);
    cr_expect_str_eq(answer_code(r), "step_up_required");
    cr_expect_str_eq(answer_text(r, "step_up"), "birth_date");
    r = guest_open(l.token, ",\"birth_date\":\"1990-05-17\"");
    cr_expect_eq(r->status, 200, "%s", r->http.body);
    /* Forty at once, the right one among them: no more than five are looked at. */
    struct shot shots[40];
    for (size_t i = 0; i < ARRAY_LEN(shots); i++) {
        shots[i] = (struct shot){ .method = "POST",
                                  .path = OPEN,
                                  .token = "",
                                  .body = api_text(
                                      "{\"token\":\"%s\",\"birth_date\":\"19%02zu-01-01\""
                                      "}",
                                      l.token, i + 10) };
    }
    volley_fire(shots, ARRAY_LEN(shots));
    cr_expect_eq(volley_count(shots, ARRAY_LEN(shots), 401, "invalid_code"), 5);
    cr_expect_eq(volley_count(shots, ARRAY_LEN(shots), 429, "too_many_attempts"), 35);
    r = guest_open(l.token, ",\"birth_date\":\"1990-05-17\"");
    cr_expect_eq(r->status, 429, "%s", r->http.body);
    cr_expect_gt(atoi(answer_header(r, "retry-after")), 800);
    r = api_get(&owner, "/api/v1/links/%s", l.id);
    cr_expect_eq(answer_int(r, "failures"), 5);
    cr_expect_eq(answer_int(r, "uses"), 1);
    /* Once the time is over it opens again, and the count begins anew. */
    PGconn *db = inside();
    db_do(db, api_text("UPDATE access_link SET locked_until = now() WHERE id = '%s'", l.id));
    cr_expect_eq(guest_open(l.token, ",\"birth_date\":\"1990-05-18\"")->status, 401);
    cr_expect_eq(guest_open(l.token, ",\"birth_date\":\"1990-05-17\"")->status, 200);
    cr_expect_eq(answer_int(api_get(&owner, "/api/v1/links/%s", l.id), "failures"), 0);
    /* The twentieth in a row ends it. */
    db_do(db, api_text("UPDATE access_link SET failures = 19 WHERE id = '%s'", l.id));
    cr_expect_eq(guest_open(l.token, ",\"birth_date\":\"1990-05-18\"")->status, 401);
    db_do(db, api_text("UPDATE access_link SET locked_until = NULL WHERE id = '%s'", l.id));
    expect_over(guest_open(l.token, ",\"birth_date\":\"1990-05-17\""));
    PQfinish(db);
    api_close(&owner);
    api_release();
}

static struct answer *ask_code(const char *token)
{
    struct api nobody = api_anonymous();
    struct answer *r = api_post(&nobody, CODE, "{\"token\":\"%s\"}", token);
    api_close(&nobody);
    return r;
}

/* The six digits of the n-th message. */
static const char *code_of(const char *address, int n)
{
    struct mail_read m = mail_wait(address, n);
    const char *p = m.text;
    while (*p && strspn(p, "0123456789") != 6) {
        p++;
    }
    cr_assert(*p, "no code in %s", m.text);
    char *code = api_text("%.6s", p);
    mail_free(&m);
    return code;
}

static char *with_code(const char *code)
{
    return api_text(",\"code\":\"%s\"", code);
}

Test(guest_links, a_code_by_mail_is_good_once)
{
    struct api owner = api_login(OWNER_A);
    const char *address = new_address();
    const char *client = client_with(&owner, api_text(",\"email\":\"%s\"", address));
    struct guest_link l = guest_link_to(&owner, of_client(client), "\"step_up\":\"code\"");
    struct answer *r = guest_open(l.token, "");
    cr_expect_eq(r->status, 403);
    cr_expect_str_eq(answer_text(r, "step_up"), "code");
    cr_expect_eq(guest_open(l.token, with_code("123456"))->status, 401, "none was asked for");
    r = ask_code(l.token);
    cr_expect_eq(r->status, 202, "%s", r->http.body);
    const char *first = code_of(address, 1);
    cr_expect_eq(ask_code(l.token)->status, 202);
    const char *second = code_of(address, 2);
    if (strcmp(first, second) != 0) {
        cr_expect_eq(guest_open(l.token, with_code(first))->status, 401, "it was replaced");
    }
    cr_expect_eq(guest_open(l.token, with_code(second))->status, 200);
    cr_expect_eq(guest_open(l.token, with_code(second))->status, 401, "it was used");
    /* Nobody but the mail has it. */
    PGconn *db = inside();
    cr_expect_eq(db_number(db, "SELECT count(*) FROM outbox o WHERE o::text LIKE '%' || $1 || '%'",
                           second, NULL),
                 0);
    /* Ten minutes. */
    cr_expect_eq(ask_code(l.token)->status, 202);
    const char *third = code_of(address, 3);
    db_do(db, api_text("UPDATE access_link SET code_expires_at = now() WHERE id = '%s'", l.id));
    cr_expect_eq(guest_open(l.token, with_code(third))->status, 401);
    /* A fourth is asked for and not sent: the address has had enough. */
    cr_expect_eq(ask_code(l.token)->status, 202);
    mail_settle();
    cr_expect_eq(mail_count(address), 3);
    /* A link that asks for none sends none; nor does one that is none. */
    struct guest_link plain = guest_link_to(&owner, of_client(client), "");
    cr_expect_eq(ask_code(plain.token)->status, 409);
    expect_over(ask_code("nonsense"));
    PQfinish(db);
    api_close(&owner);
    api_release();
}

/* Who guesses at secrets is stopped by address; others are not. */
Test(guest_links, guesses_are_counted_by_address)
{
    struct api owner = api_login(OWNER_A);
    struct guest_link l = guest_link_to(&owner, of_client(client_with(&owner, "")), "");
    char guess[LINK_TOKEN_TEXT];
    snprintf(guess, sizeof guess, "%s", l.token);
    int over = 0, stopped = 0;
    for (int i = 0; i < 70; i++) {
        guess[30 + i % 20] = (char)('a' + i % 26);
        struct answer *r = guest_open_from("127.0.0.77", guess, "");
        bool is_over = r->status == 410;
        bool is_stopped = r->status == 429 && answer_header(r, "retry-after");
        cr_expect(is_over || is_stopped, "%d: %d %s", i, r->status, r->http.body);
        over += is_over;
        stopped += is_stopped;
    }
    cr_expect_eq(over, 60);
    cr_expect_eq(stopped, 10);
    cr_expect_eq(guest_open_from("127.0.0.77", l.token, "")->status, 429);
    cr_expect_eq(guest_open_from("127.0.0.78", l.token, "")->status, 200);
    api_close(&owner);
    api_release();
}
