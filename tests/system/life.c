/* SPDX-License-Identifier: LicenseRef-Gremio */
/* A practice's life from its first day to somebody's last: the operator makes it, the owner chooses a password by the link and invites a
 * receptionist, who makes a client, a visit and a link; the client opens it in a browser, confirms, moves the visit and is refused after the cut-off; the
 * owner sees who did what; the receptionist is suspended, and her next request fails. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "tests/support/browser.h"
#include "tests/support/guest.h"
#include "tests/support/mail.h"
#include "tests/support/practice.h"
#include "tests/support/stack.h"
#include "tests/support/wait.h"

#define PHRASE    "un caballo azul cruza despacio"
#define OWNER     "duena@example.com"
#define RECEPTION "recepcion@example.com"

TestSuite(life, .timeout = 240);

struct life {
    struct api owner, reception;
    const char *owner_staff, *reception_staff, *service;
    const char *client, *visit, *soon;
    struct guest_link link;
};

/* ---- the practice ---- */

static struct api enter(const char *email)
{
    int status;
    struct api a = api_try_login(email, PHRASE, &status);
    cr_assert_eq(status, 200, "%s: %d", email, status);
    return a;
}

static void owner_chooses_a_password(struct life *l, const char *link)
{
    struct api a = api_anonymous();
    struct answer *r = api_post(&a, "/api/v1/auth/password/reset",
                                "{\"token\":\"%s\",\"new_password\":\"" PHRASE "\"}",
                                strchr(link, '#') + 1);
    cr_assert_eq(r->status, 204, "%d %s", r->status, r->http.body);
    api_close(&a);
    l->owner = enter(OWNER);
    l->owner_staff = answer_text(api_get(&l->owner, "/api/v1/me"), "id");
    l->service = api_new_service(&l->owner, "Limpieza", 30);
}

static void owner_invites_the_receptionist(struct life *l)
{
    struct answer *r = api_post(&l->owner, "/api/v1/invitations",
                                "{\"email\":\"" RECEPTION "\",\"name\":\"Rosa\","
                                "\"role\":\"receptionist\"}");
    cr_assert_eq(r->status, 201, "%s", r->http.body);
    struct mail_read m = mail_wait(RECEPTION, 1);
    cr_expect(strstr(m.subject, "Clínica Vida"), "%s", m.subject);
    struct api a = api_anonymous();
    r = api_post(&a, "/api/v1/invitations/accept", "{\"token\":\"%s\",\"password\":\"" PHRASE "\"}",
                 m.code);
    cr_assert_eq(r->status, 200, "%d %s", r->status, r->http.body);
    mail_free(&m);
    api_close(&a);
    l->reception = enter(RECEPTION);
    l->reception_staff = answer_text(api_get(&l->reception, "/api/v1/me"), "id");
}

/* ---- the visit ---- */

static const char *book(struct life *l, const char *starts_at)
{
    struct answer *r = api_book(&l->reception, l->client, l->service, l->owner_staff, starts_at);
    cr_assert_eq(r->status, 201, "%s: %s", starts_at, r->http.body);
    return answer_text(r, "id");
}

/* "2026-07-01T15:00:00Z", so many seconds from now. */
static const char *from_now(int64_t seconds)
{
    char text[CLOCK_RFC3339_MAX];
    clock_format_utc(clock_wall_us() + seconds * 1000000, text);
    return api_text("%s", text);
}

/* Two visits: one to confirm and move, one that is so soon that its cut-off is behind it. */
static void reception_books_and_sends_a_link(struct life *l)
{
    l->client = api_new_client(&l->reception, "Zoe");
    struct answer *r = api_post(&l->reception, "/api/v1/appointments",
                                "{\"client_id\":\"%s\",\"service_id\":\"%s\",\"staff_id\":\"%s\","
                                "\"starts_at\":\"%sT10:00\",\"ask_client\":true}",
                                l->client, l->service, l->owner_staff, guest_monday(10));
    cr_assert_eq(r->status, 201, "%s", r->http.body);
    cr_expect_str_eq(answer_text(r, "state"), "awaiting_client");
    l->visit = answer_text(r, "id");
    l->soon = book(l, from_now(3 * 3600));
    l->link = guest_link_to(&l->reception, api_text("clients/%s", l->client), "");
    const char *said = answer_text(l->link.made, "texts.es.text");
    cr_expect(strstr(said, "Clínica Vida") && strstr(said, l->link.token), "%s", said);
    cr_expect_not_null(strstr(answer_text(l->link.made, "qr_svg"), "<svg"));
    cr_expect_not_null(
        strstr(answer_text(l->link.made, "texts.en.whatsapp_url"), "https://wa.me/"));
}

static bool sees(struct browser *b, const char *css, const char *text)
{
    return strstr(browser_text(b, css), text) != NULL;
}

/* With JavaScript off: nothing here needs it. */
static void client_opens_confirms_and_moves(struct life *l)
{
    struct browser *b = browser_open(&(struct browser_options){
        .language = "es-MX,es", .no_script = true, .width = 390, .height = 844 });
    browser_go(b, answer_text(l->link.made, "url"));
    cr_expect(sees(b, "header", "Clínica Vida"), "%s", browser_text(b, "body"));
    cr_expect_eq(answer_int(api_get(&l->owner, "/api/v1/links/%s", l->link.id), "uses"), 0,
                 "looking at it uses nothing up");
    browser_follow(b, "form button");
    const char *confirm = api_text("form[action='/i/confirm']:has(input[value='%s']) button",
                                   l->visit);
    browser_follow(b, confirm);
    cr_expect(sees(b, "[role=status]", "confirmada"), "%s", browser_text(b, "body"));
    browser_follow(b, api_text("a[href*='/i/reschedule?appointment=%s']", l->visit));
    browser_follow(b, "nav a:last-child");
    browser_click(b, ".times label");
    browser_follow(b, "form button");
    cr_expect(sees(b, "[role=status]", "horario nuevo"), "%s", browser_text(b, "body"));
    cr_expect_not(browser_has(b, api_text("a[href*='/i/cancel?appointment=%s']", l->soon)),
                  "what is too late is not offered");
    browser_go(b, api_text("%s/i/cancel?appointment=%s", stack_env("GREMIO_URL"), l->soon));
    cr_expect(sees(b, "[role=alert]", "tarde"), "%s", browser_text(b, "body"));
    browser_close(b);
}

/* The same without a page. */
static void client_is_refused_after_the_cut_off(struct life *l)
{
    struct api guest = guest_enter(l->link.token);
    static const char *const verbs[] = { "cancel", "reschedule" };
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        struct answer *r = api_post(&guest,
                                    api_text("/api/v1/guest/appointments/%s/%s", l->soon, verbs[i]),
                                    i ? "{\"starts_at\":\"%sT11:00\"}" : "{}", guest_monday(10));
        cr_expect_eq(r->status, 409, "%s: %s", verbs[i], r->http.body);
        cr_expect_str_eq(answer_code(r), "cutoff_passed");
    }
    api_close(&guest);
}

/* ---- looking back, and the end ---- */

static void owner_sees_who_did_what(struct life *l)
{
    struct answer *r = api_get(&l->owner, "/api/v1/appointments/%s/history", l->visit);
    static const struct {
        const char *kind, *to_state;
    } want[] = { { "staff", "awaiting_client" },
                 { "client", "confirmed" },
                 { "client", "confirmed" } };
    cr_assert_eq(answer_count(r, "data"), ARRAY_LEN(want), "%s", r->http.body);
    for (int i = 0; i < (int)ARRAY_LEN(want); i++) {
        const char *at = api_text("data.%d", i);
        cr_expect_str_eq(answer_text(r, api_text("%s.actor.kind", at)), want[i].kind);
        cr_expect_str_eq(answer_text(r, api_text("%s.to_state", at)), want[i].to_state);
    }
    cr_expect_str_eq(answer_text(r, "data.0.actor.name"), "Rosa");
    cr_expect_str_eq(answer_text(r, "data.1.actor.name"), "Zoe");
    cr_expect_str_eq(answer_text(r, "data.1.actor.link_id"), l->link.id);
    cr_expect_not_null(answer_text(r, "data.2.change.starts_at"), "%s", r->http.body);
}

static bool is_out(void *arg)
{
    return api_get(arg, "/api/v1/clients")->status == 401;
}

static void receptionist_is_suspended(struct life *l)
{
    cr_expect_eq(api_get(&l->reception, "/api/v1/clients")->status, 200);
    struct answer *r = api_patch(&l->owner, api_text("/api/v1/staff/%s", l->reception_staff), 1,
                                 "{\"suspended\":true}");
    cr_assert_eq(r->status, 200, "%s", r->http.body);
    int64_t begun = wait_now_ms();
    cr_expect(wait_until(is_out, &l->reception, WAIT_LONG_MS));
    printf("life: suspended, and out after %lld ms\n", (long long)(wait_now_ms() - begun));
}

Test(life, from_the_first_day_to_somebodys_last)
{
    struct life l = { 0 };
    const char *link = practice_invite("vida", "Clínica Vida", OWNER);
    practice_open_always("vida");
    owner_chooses_a_password(&l, link);
    owner_invites_the_receptionist(&l);
    reception_books_and_sends_a_link(&l);
    client_opens_confirms_and_moves(&l);
    client_is_refused_after_the_cut_off(&l);
    owner_sees_who_did_what(&l);
    receptionist_is_suspended(&l);
    api_close(&l.owner);
    api_close(&l.reception);
    api_release();
}
