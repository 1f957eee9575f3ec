/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The pages that clients see, over real sockets: what each shows and to whom, what opening one changes (nothing), how the session's cookie
 * is guarded, and that whatever is wrong with a link looks the same to who guesses. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "common/link_token.h"
#include "common/secret.h"
#include "common/str.h"
#include "tests/support/db.h"
#include "tests/support/mail.h"
#include "tests/support/scene.h"
#include "tests/support/stack.h"
#include "tests/support/wait.h"

TestSuite(guest_pages, .timeout = 120);

#define FORM "application/x-www-form-urlencoded"

/* A whole row as text, its place in the table included: it changes with anything that is written, even the same again. */
static char *row_of(PGconn *db, const char *link)
{
    return db_value(db, "SELECT (l.ctid, l.xmin, l.xmax, l)::text FROM access_link l WHERE id = $1",
                    link, NULL);
}

/* ---- the landing page ---- */

Test(guest_pages, a_link_shows_whose_it_is_and_nothing_else)
{
    struct scene s = scene_of("");
    struct visitor v = { .language = "en" };
    const struct http_response *r = visitor_get(&v, "/i/%s", s.link.token);
    scene_expect_page(r, 200, "en");
    cr_expect_str_eq(http_response_header(r, "referrer-policy"), "no-referrer");
    cr_expect(visitor_sees(r, "Practice A") && visitor_sees(r, "See my appointment"));
    cr_expect_not(visitor_sees(r, "Zoe") || visitor_sees(r, "Privada") ||
                  visitor_sees(r, "Limpieza") || visitor_sees(r, "Dra") ||
                  visitor_sees(r, "10:00"));
    cr_expect_null(http_response_header(r, "set-cookie"));
    v.language = NULL;
    r = visitor_get(&v, "/i/%s?utm_source=mail&fbclid=x%%20y", s.link.token);
    scene_expect_page(r, 200, "es");
    cr_expect(visitor_sees(r, "Ver mi cita"));
    scene_leave(&s, &v);
}

/* Mail scanners and previews open links, with GET and HEAD, as often as they like. */
Test(guest_pages, opening_the_page_changes_nothing)
{
    struct scene s = scene_of("\"max_uses\":1");
    struct visitor v = { 0 };
    PGconn *db = scene_db();
    char *before = row_of(db, s.link.id);
    size_t length = 0;
    for (int i = 0; i < 5; i++) {
        length = visitor_get(&v, "/i/%s", s.link.token)->body_len;
    }
    const struct http_response *r = visitor_send(&v, "HEAD", api_text("/i/%s", s.link.token), NULL,
                                                 NULL);
    cr_expect_eq(r->status, 200);
    cr_expect_eq(r->body_len, 0);
    cr_expect_eq(strtoul(http_response_header(r, "content-length"), NULL, 10), length);
    char *after = row_of(db, s.link.id);
    cr_expect_str_eq(before, after);
    visitor_open(&v, s.link.token);
    char *opened = row_of(db, s.link.id);
    cr_expect_str_neq(before, opened, "what is compared would show a change");
    scene_expect_page(visitor_get(&v, "/i/%s", s.link.token), 410, "es");
    free(before);
    free(after);
    free(opened);
    PQfinish(db);
    scene_leave(&s, &v);
}

/* ---- dead links ---- */

/* What a guesser can see of two answers: everything but the time and the request's own number. */
static void expect_same(const struct http_response *a, const struct http_response *b)
{
    cr_expect_eq(a->status, b->status);
    cr_expect_str_eq(a->body, b->body);
    cr_assert_eq(a->header_count, b->header_count);
    for (size_t i = 0; i < a->header_count; i++) {
        const char *name = a->headers[i].name;
        cr_expect_str_eq(name, b->headers[i].name);
        if (strcasecmp(name, "date") != 0 && strcasecmp(name, "x-request-id") != 0) {
            cr_expect_str_eq(a->headers[i].value, b->headers[i].value, "%s", name);
        }
    }
}

static const char *guess_of(const char *slug)
{
    char text[LINK_TOKEN_TEXT];
    struct uuid id = uuid_v7();
    cr_assert_eq(secret_init(), OK);
    if (slug) {
        PGconn *db = db_super();
        char *found = db_value(db, "SELECT id FROM public.tenant WHERE slug = $1", slug, NULL);
        cr_assert_eq(uuid_parse(slice_of(found), &id), OK);
        free(found);
        PQfinish(db);
    }
    struct link_token t = link_token_make(&id);
    link_token_format(&t, text);
    return api_text("%s", text);
}

Test(guest_pages, wrong_links_look_alike)
{
    struct visitor v = { .language = "en" };
    const char *secret = guess_of("practice-a");
    const char *const paths[] = {
        secret,
        guess_of(NULL),
        "short",
        api_text("%sA", secret),
        api_text("%.53s-", secret),
        "..%3b",
        "%C3%A9",
        "reschedul",
        api_text("%.53s!", secret),
    };
    const struct http_response *first = visitor_get(&v, "/i/%s", paths[0]);
    scene_expect_page(first, 410, "en");
    cr_expect(visitor_sees(first, "This link does not work"));
    for (size_t i = 1; i < ARRAY_LEN(paths); i++) {
        expect_same(first, visitor_get(&v, "/i/%s", paths[i]));
    }
    const struct http_response *post = visitor_post(&v, api_text("/i/%s", paths[0]), "");
    expect_same(first, post);
    expect_same(post, visitor_post(&v, api_text("/i/%s", paths[1]), ""));
    expect_same(post, visitor_post(&v, "/i/short", ""));
    expect_same(post, visitor_post(&v, api_text("/i/%s/code", paths[0]), NULL));
    expect_same(post, visitor_post(&v, api_text("/i/%s/code", paths[1]), NULL));
    v.program = true;
    const struct http_response *r = visitor_get(&v, "/i/%s", paths[0]);
    cr_expect_eq(r->status, 410);
    cr_expect_str_eq(http_response_header(r, "content-type"), "application/problem+json");
    cr_expect(visitor_sees(r, "\"code\":\"link_expired\""));
    visitor_forget(&v);
    api_release();
}

/* The secret of one practice's link behind another one's id is nobody's. */
Test(guest_pages, a_secret_opens_nothing_in_another_practice)
{
    struct scene s = scene_of("");
    struct visitor v = { .language = "en" };
    struct link_token own, other;
    char text[LINK_TOKEN_TEXT];
    cr_assert_eq(link_token_parse(slice_of(s.link.token), &own), OK);
    cr_assert_eq(link_token_parse(slice_of(guess_of("practice-b")), &other), OK);
    memcpy(own.b, other.b, sizeof(struct uuid));
    link_token_format(&own, text);
    const struct http_response *guess = visitor_get(&v, "/i/%s", guess_of("practice-b"));
    expect_same(guess, visitor_get(&v, "/i/%s", text));
    expect_same(guess, visitor_post(&v, api_text("/i/%s", text), ""));
    cr_expect_eq(visitor_get(&v, "/i/%s", s.link.token)->status, 200);
    scene_leave(&s, &v);
}

/* One address guesses on: it is made to wait, whether there is such a practice or not. */
Test(guest_pages, guesses_are_counted_alike)
{
    struct visitor v = { .headers = NULL };
    const char *const guesses[] = { guess_of("practice-a"), guess_of(NULL) };
    for (int i = 0; i < 70; i++) {
        const struct http_response *r = visitor_post(&v, api_text("/i/%s", guesses[i % 2]), "");
        if (r->status != 410) {
            break;
        }
        visitor_forget(&v);
    }
    for (size_t i = 0; i < ARRAY_LEN(guesses); i++) {
        const struct http_response *r = visitor_post(&v, api_text("/i/%s", guesses[i]), "");
        scene_expect_led(r, api_text("/i/%s?problem=too_many_attempts", guesses[i]));
    }
    PGconn *db = db_super();
    db_do(db, "DELETE FROM public.login_failure"); /* the other tests come from here, too */
    PQfinish(db);
    visitor_forget(&v);
    api_release();
}

static void expect_kind(struct visitor *v, const struct scene *s)
{
    const struct http_response *r = visitor_get(v, "/i/%s", s->link.token);
    scene_expect_page(r, 410, "es");
    cr_expect(visitor_sees(r, "Este enlace ya no sirve") && visitor_sees(r, "Practice A"), "%s",
              r->body);
    cr_expect_not(visitor_sees(r, "Zoe") || visitor_sees(r, "<form"));
    r = visitor_post(v, api_text("/i/%s", s->link.token), "");
    cr_expect_eq(r->status, 410);
    cr_expect_null(http_response_header(r, "set-cookie"));
}

Test(guest_pages, who_has_a_dead_link_learns_whom_to_ask)
{
    struct scene s = scene_of("");
    struct visitor v = { 0 };
    PGconn *db = scene_db();
    db_do(db, "UPDATE business SET phone = '+525511112222'");
    cr_assert_eq(
        api_send(&s.owner, "POST", api_text("/api/v1/links/%s/revoke", s.link.id), NULL, NULL)
            ->status,
        200);
    expect_kind(&v, &s);
    cr_expect(visitor_sees(visitor_get(&v, "/i/%s", s.link.token), "tel:+525511112222"));
    db_do(db, "UPDATE business SET phone = NULL");
    s.link = guest_link_to(&s.owner, api_text("clients/%s", s.client), "");
    db_do(db, api_text("UPDATE access_link SET expires_at = now() WHERE id = '%s'", s.link.id));
    expect_kind(&v, &s);
    PQfinish(db);
    scene_leave(&s, &v);
}

/* ---- opening ---- */

Test(guest_pages, the_cookie_is_guarded)
{
    struct scene s = scene_of("");
    struct visitor v = { .language = "en" };
    const struct http_response *r = visitor_post(&v, api_text("/i/%s", s.link.token), "");
    cr_assert_eq(r->status, 303, "%s", r->body);
    cr_expect_str_eq(http_response_header(r, "location"), "/i");
    const char *field = http_response_header(r, "set-cookie");
    const char *rest = strstr(field, "; ");
    cr_assert(rest && strncmp(field, "gremio_guest=ey", 15) == 0, "%s", field);
    cr_expect_str_eq(rest, "; Path=/; Max-Age=1800; HttpOnly; SameSite=Strict");
    r = visitor_get(&v, "/i");
    scene_expect_page(r, 200, "en");
    cr_expect_str_eq(http_response_header(r, "referrer-policy"), "same-origin");
    cr_expect(visitor_sees(r, "Hello Zoe") && visitor_sees(r, "Limpieza") &&
                  visitor_sees(r, "Monday") && visitor_sees(r, "10:00"),
              "%s", r->body);
    cr_expect_not(visitor_sees(r, s.link.token));
    r = visitor_post(&v, "/i/leave", "");
    cr_expect_eq(r->status, 303);
    cr_expect_str_eq(http_response_header(r, "set-cookie"),
                     "gremio_guest=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict");
    scene_expect_page(visitor_get(&v, "%s", http_response_header(r, "location")), 200, "en");
    r = visitor_get(&v, "/i");
    scene_expect_page(r, 401, "en");
    cr_expect(http_response_header(r, "www-authenticate") && visitor_sees(r, "visit has ended"));
    scene_leave(&s, &v);
}

/* Behind something that speaks TLS the cookie is bound to the host and to TLS. */
Test(guest_pages, over_tls_the_cookie_is_bound_to_the_host)
{
    struct scene s = scene_of("");
    struct visitor v = { .origin = "https://p.example" };
    int port;
    pid_t router = stack_start_router(
        "router.conf", (const char *const[]){ "public_url=https://p.example", NULL }, &port);
    stack_use_port(port);
    const struct http_response *r = visitor_post(&v, api_text("/i/%s", s.link.token), "");
    cr_assert_eq(r->status, 303, "%s", r->body);
    const char *field = http_response_header(r, "set-cookie");
    cr_expect_eq(strncmp(field, "__Host-gremio_guest=ey", 22), 0, "%s", field);
    cr_expect_not_null(strstr(field, "; Path=/; Max-Age=1800; HttpOnly; SameSite=Strict; Secure"));
    cr_expect_eq(visitor_get(&v, "/i")->status, 200);
    memmove(v.cookie, v.cookie + 7, strlen(v.cookie + 7) + 1); /* without the prefix */
    cr_expect_eq(visitor_get(&v, "/i")->status, 401);
    stack_use_port(0);
    stack_stop(router, SIGTERM);
    scene_leave(&s, &v);
}

Test(guest_pages, other_cookies_open_nothing)
{
    struct scene s = scene_of("");
    struct visitor v = { 0 };
    visitor_open(&v, s.link.token);
    char *good = api_text("%s", v.cookie);
    cr_expect_eq(visitor_get(&v, "/i")->status, 200);
    const char *const bad[] = {
        api_text("gremio_guest=%s", s.owner.token), /* a member's */
        api_text("%sx", good),
        api_text("%s; %s", good, good),
        api_text("%s;a=b", good),
        api_text("a=\"; %s; \"", good),
        api_text("a=b c; %s", good),
        api_text("x%s", good),
        "gremio_guest=",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        snprintf(v.cookie, sizeof v.cookie, "%s", bad[i]);
        cr_expect_eq(visitor_get(&v, "/i")->status, 401, "row %zu", i);
    }
    snprintf(v.cookie, sizeof v.cookie, "a=1; %s; b=\"2\"", good);
    cr_expect_eq(visitor_get(&v, "/i")->status, 200, "among others");
    v.headers = api_text("Cookie: %s\r\n", good);
    cr_expect_eq(visitor_get(&v, "/i")->status, 400, "two fields");
    v.headers = "Authorization: Bearer x\r\n";
    snprintf(v.cookie, sizeof v.cookie, "%s", good);
    cr_expect_eq(visitor_get(&v, "/i")->status, 401, "the field goes before the cookie");
    v.headers = NULL;
    v.program = true;
    cr_expect_eq(visitor_get(&v, "/api/v1/guest/me")->status, 200,
                 "for programs of a page as well");
    cr_expect_eq(visitor_get(&v, "/api/v1/clients")->status, 403);
    scene_leave(&s, &v);
}

Test(guest_pages, a_date_that_only_the_client_knows)
{
    struct scene s = scene_of("\"step_up\":\"birth_date\"");
    struct visitor v = { .language = "en" };
    char *path = api_text("/i/%s", s.link.token);
    const struct http_response *r = visitor_get(&v, "%s", path);
    cr_expect(visitor_sees(r, "name=\"birth_date\"") && !visitor_sees(r, "1990"));
    static const struct {
        const char *form, *problem;
    } wrong[] = {
        { "", "step_up_required" },
        { "birth_date=", "step_up_required" },
        { "birth_date=1990-05-06", "invalid_code" },
        { "birth_date=1990-13-01", "validation_failed" },
        { "birth_date=1990-05-05&birth_date=1990-05-05", "validation_failed" },
        { "birth_date=1990-05-05&other=1", "validation_failed" },
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        r = visitor_post(&v, path, wrong[i].form);
        cr_expect_eq(r->status, 303, "row %zu: %s", i, r->body);
        cr_expect_str_eq(http_response_header(r, "location"),
                         api_text("%s?problem=%s", path, wrong[i].problem));
        cr_expect_null(http_response_header(r, "set-cookie"));
    }
    r = visitor_get(&v, "%s?problem=invalid_code", path);
    cr_expect(visitor_sees(r, "role=\"alert\"") && visitor_sees(r, "does not match"));
    cr_expect_eq(visitor_post(&v, path, "birth_date=1990-05-05")->status, 303);
    cr_expect_eq(visitor_get(&v, "/i")->status, 200);
    scene_leave(&s, &v);
}

Test(guest_pages, a_code_by_mail)
{
    struct scene s = scene_of("\"step_up\":\"code\"");
    struct visitor v = { .language = "en" };
    char *path = api_text("/i/%s", s.link.token);
    struct answer *client = api_get(&s.owner, "/api/v1/clients/%s", s.client);
    const struct http_response *r = visitor_get(&v, "%s", path);
    cr_expect(visitor_sees(r, "name=\"code\"") && visitor_sees(r, "Send me a code"));
    r = visitor_post(&v, api_text("%s/code", path), NULL);
    cr_assert_eq(r->status, 303, "%s", r->body);
    cr_expect_str_eq(http_response_header(r, "location"), api_text("%s?done=code", path));
    cr_expect(visitor_sees(visitor_get(&v, "%s?done=code", path), "role=\"status\""));
    struct mail_read letter = mail_wait(answer_text(client, "email"), 1);
    const char *digits = letter.text;
    while (*digits && strspn(digits, "0123456789") != 6) {
        digits++;
    }
    char *code = api_text("%.6s", digits);
    mail_free(&letter);
    r = visitor_post(&v, path, api_text("code=%s", code));
    cr_expect_str_eq(http_response_header(r, "location"), "/i", "%s", r->body);
    scene_leave(&s, &v);
}

/* ---- other sites ---- */

Test(guest_pages, forms_of_other_sites_are_refused)
{
    struct scene s = scene_of("");
    struct visitor v = { .language = "en" };
    char *form = api_text("id=%s", s.visit);
    visitor_open(&v, s.link.token);
    static const struct {
        const char *origin, *headers;
    } foreign[] = {
        { "https://evil.example", NULL },
        { "https://evil.example", "Sec-Fetch-Site: same-origin\r\n" },
        { "null", NULL },
        { "null", "Sec-Fetch-Site: cross-site\r\n" },
        { "", NULL },
        { "", "Sec-Fetch-Site: same-site\r\n" },
        { "", "Sec-Fetch-Site: none\r\n" },
    };
    for (size_t i = 0; i < ARRAY_LEN(foreign); i++) {
        v.origin = foreign[i].origin;
        v.headers = foreign[i].headers;
        const struct http_response *r = visitor_post(&v, "/i/cancel", form);
        scene_expect_page(r, 403, "en");
        cr_expect_eq(visitor_post(&v, "/i/confirm", form)->status, 403);
        v.program = true;
        r = visitor_send(&v, "POST", api_text("/api/v1/guest/appointments/%s/cancel", s.visit),
                         "application/json", "{}");
        cr_expect(r->status == 403 && visitor_sees(r, "\"code\":\"foreign_origin\""), "row %zu", i);
        v.program = false;
    }
    cr_expect_str_eq(scene_visit(&s, "state"), "confirmed");
    cr_expect_null(scene_visit(&s, "client_confirmed_at"));
    v.origin = "null"; /* as browsers say of a page with no-referrer */
    v.headers = "Sec-Fetch-Site: same-origin\r\n";
    cr_expect_eq(visitor_post(&v, "/i/confirm", form)->status, 303);
    cr_expect_not_null(scene_visit(&s, "client_confirmed_at"));
    v.cookie[0] = '\0';
    v.origin = "https://evil.example";
    v.headers = NULL;
    cr_expect_eq(visitor_post(&v, api_text("/i/%s", s.link.token), "")->status, 403,
                 "nobody is led into a link by another site");
    scene_leave(&s, &v);
}

/* ---- the router's own refusals ---- */

Test(guest_pages, a_body_that_is_no_form)
{
    struct scene s = scene_of("");
    struct visitor v = { 0 };
    visitor_open(&v, s.link.token);
    static const char *const types[] = { "text/plain", "multipart/form-data; boundary=x",
                                         FORM "; charset=latin1" };
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        scene_expect_page(visitor_send(&v, "POST", "/i/confirm", types[i], "id=1"), 415, "es");
    }
    v.program = true;
    cr_expect_eq(visitor_send(&v, "POST", "/api/v1/auth/login", FORM, "email=a")->status, 415,
                 "only where a row says so");
    cr_expect_eq(visitor_send(&v, "DELETE", "/i", NULL, NULL)->status, 405);
    scene_leave(&s, &v);
}

/* One address that guesses has a share of its own; it leaves the practice most of its. */
Test(guest_pages, guessing_leaves_the_practice_its_share)
{
    struct scene s = scene_of("");
    struct visitor v = { .language = "en" };
    int port;
    pid_t router = stack_start_router("router.conf",
                                      (const char *const[]){ "link_rate=1", "link_burst=5",
                                                             "tenant_rate=20", "tenant_burst=20",
                                                             "rest_max=0s", NULL },
                                      &port);
    stack_use_port(port);
    const char *guess = guess_of("practice-a");
    int passed = 0;
    for (int i = 0; i < 40; i++) {
        const struct http_response *r = visitor_get(&v, "/i/%s", guess);
        passed += r->status == 410;
        if (r->status == 429) {
            scene_expect_page(r, 429, "en");
            cr_expect_str_eq(http_response_header(r, "ratelimit"), "\"address\";r=0;t=1");
            cr_expect_not_null(http_response_header(r, "retry-after"));
        }
    }
    cr_expect(passed >= 5 && passed < 20, "%d passed", passed);
    cr_expect_eq(api_get(&s.owner, "/api/v1/clients")->status, 200, "the practice goes on");
    stack_use_port(0);
    stack_stop(router, SIGTERM);
    scene_leave(&s, &v);
}

struct answering {
    struct visitor *visitor;
    const char *path;
    int status;
};

static bool page_answers(void *arg)
{
    const struct answering *o = arg;
    bool answers = visitor_get(o->visitor, "%s", o->path)->status == o->status;
    visitor_forget(o->visitor);
    return answers;
}

Test(guest_pages, a_practice_that_is_closed)
{
    struct scene s = scene_of("");
    struct visitor v = { 0 };
    visitor_open(&v, s.link.token);
    cr_assert_eq(stack_ctl((const char *const[]){ "tenant", "suspend", "practice-a", NULL }, NULL),
                 0);
    struct answering closed = { &v, api_text("/i/%s", s.link.token), 403 };
    cr_assert(wait_until(page_answers, &closed, WAIT_LONG_MS), "a suspended practice goes on");
    scene_expect_page(visitor_get(&v, "/i/%s", s.link.token), 403, "es");
    scene_expect_page(visitor_get(&v, "/i"), 403, "es");
    scene_expect_page(visitor_post(&v, api_text("/i/%s", s.link.token), ""), 403, "es");
    cr_assert_eq(stack_ctl((const char *const[]){ "tenant", "resume", "practice-a", NULL }, NULL),
                 0);
    struct answering resumed = { &v, "/i", 200 };
    cr_assert(wait_until(page_answers, &resumed, WAIT_LONG_MS), "a resumed practice stays closed");
    scene_leave(&s, &v);
}

static bool is_read_only(void *arg)
{
    struct answer *r = api_post(arg, "/api/v1/clients", "{\"given_name\":\"x\"}");
    return r->status == 403;
}

/* By page as by API: a link is opened and shows, and nothing is changed. */
Test(guest_pages, a_practice_that_may_only_be_read)
{
    struct scene s = scene_of("");
    struct visitor v = { 0 };
    PGconn *db = db_super();
    db_do(db, "UPDATE public.tenant SET state = 'read_only' WHERE slug = 'practice-a'");
    cr_expect(wait_until(is_read_only, &s.owner, WAIT_LONG_MS));
    cr_expect_eq(guest_open(s.link.token, "")->status, 200);
    const struct http_response *r = visitor_post(&v, api_text("/i/%s", s.link.token), "");
    cr_expect_eq(r->status, 303, "%d", r->status);
    scene_expect_page(visitor_get(&v, "/i"), 200, "es");
    r = visitor_post(&v, "/i/confirm", api_text("id=%s", s.visit));
    scene_expect_page(r, 403, "es");
    db_do(db, "UPDATE public.tenant SET state = 'active' WHERE slug = 'practice-a'");
    PQfinish(db);
    scene_leave(&s, &v);
}

/* Nothing but the cookie says that it is somebody's own: no cache keeps what the API answers then either. */
Test(guest_pages, what_a_cookie_opens_is_kept_by_no_cache)
{
    struct scene s = scene_of("");
    struct visitor v = { .program = true };
    visitor_open(&v, s.link.token);
    const struct http_response *r = visitor_get(&v, "/api/v1/guest/me");
    cr_assert_eq(r->status, 200, "%s", r->body);
    const char *cache = http_response_header(r, "cache-control");
    cr_expect(cache && strcmp(cache, "no-store") == 0, "%s", cache ? cache : "nothing");
    scene_leave(&s, &v);
}
