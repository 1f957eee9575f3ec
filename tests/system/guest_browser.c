/* SPDX-License-Identifier: LicenseRef-Gremio */
/* A person with a phone and no JavaScript opens a link, confirms, moves the visit and is told when it is too late to cancel; and the pages
 * are examined in both languages, light and dark, by the rules of WCAG 2.2 AA. BROWSER_SHOTS names a folder for pictures of them. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/browser.h"
#include "tests/support/db.h"
#include "tests/support/scene.h"
#include "tests/support/stack.h"

TestSuite(guest_browser, .timeout = 240);

#define PHONE .width = 390, .height = 844

static const char *url(const char *path)
{
    return api_text("http://%s:%d%s", stack_host(), stack_port(), path);
}

static void shoot(struct browser *b, const char *name)
{
    const char *folder = getenv("BROWSER_SHOTS");
    if (folder) {
        browser_shot(b, api_text("%s/%s.png", folder, name));
    }
}

static bool sees(struct browser *b, const char *css, const char *text)
{
    return strstr(browser_text(b, css), text) != NULL;
}

static void set_look(PGconn *db, const char *color)
{
    static const char logo[] = /* a PNG of one pixel, from which browsers make a square */
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5Erk"
        "Jggg==";
    db_do(db, api_text("UPDATE branding SET color = '%s', logo = decode('%s', 'base64'),"
                       " logo_type = 'image/png'",
                       color, logo));
    db_do(db, "UPDATE business SET phone = '+525511112222'");
}

static void forget_look(PGconn *db)
{
    db_do(db, "UPDATE branding SET color = '#0f766e', logo = NULL, logo_type = NULL");
    db_do(db, "UPDATE business SET phone = NULL");
    PQfinish(db);
}

static void close_all(struct scene *s, struct browser *b)
{
    struct visitor nobody = { 0 };
    browser_close(b);
    scene_leave(s, &nobody);
}

Test(guest_browser, a_visit_without_javascript)
{
    struct scene s = scene_of("");
    struct browser *b = browser_open(
        &(struct browser_options){ .language = "es-MX,es", .no_script = true, PHONE });
    PGconn *db = scene_db();
    set_look(db, "#b45309");
    browser_go(b, url(api_text("/i/%s", s.link.token)));
    cr_expect(sees(b, "h1", "Su cita") && sees(b, "header", "Practice A"));
    browser_follow(b, "form button");
    cr_expect_str_eq(browser_url(b), url("/i"));
    cr_expect(sees(b, "section h2", "lunes") && sees(b, "section h2", "10:00"));
    browser_follow(b, "form[action='/i/confirm'] button");
    cr_expect(sees(b, "[role=status]", "confirmada"));
    cr_expect(sees(b, ".state", "Confirmada por usted"));
    browser_follow(b, "a[href^='/i/reschedule']");
    browser_follow(b, "nav a:last-child");
    browser_click(b, ".times label");
    browser_follow(b, "form button");
    cr_expect(sees(b, "[role=status]", "horario nuevo"), "%s", browser_text(b, "body"));
    cr_expect_str_neq(scene_visit(&s, "starts_at"), "");
    db_do(db, api_text("UPDATE appointment SET policy = policy || '{\"cancel_cutoff_min\": 43200}'"
                       " WHERE id = '%s'",
                       s.visit));
    browser_go(b, url(api_text("/i/cancel?appointment=%s", s.visit)));
    cr_expect(sees(b, "[role=alert]", "Ya es tarde"), "%s", browser_text(b, "body"));
    cr_expect_not(browser_has(b, "a[href^='/i/cancel']"));
    cr_expect_str_eq(scene_visit(&s, "state"), "confirmed");
    browser_follow(b, "form[action='/i/leave'] button");
    cr_expect(sees(b, "h1", "Hasta pronto"));
    browser_go(b, url("/i"));
    cr_expect(sees(b, "h1", "Su visita terminó"));
    forget_look(db);
    close_all(&s, b);
}

/* ---- rules ---- */

/* What the other tests lean on: scripts are off when they are to be off, and the examination finds something where there is something. */
Test(guest_browser, is_what_it_is_taken_for)
{
    static const char page[] = "data:text/html,<p>off</p><img src=x><script>"
                               "document.querySelector('p').textContent='on'</script>";
    struct browser *b = browser_open(&(struct browser_options){ .no_script = true });
    browser_go(b, page);
    cr_expect_str_eq(browser_text(b, "p"), "off");
    browser_close(b);
    b = browser_open(&(struct browser_options){ PHONE });
    browser_go(b, page);
    cr_expect_str_eq(browser_text(b, "p"), "on");
    cr_expect_not_null(strstr(browser_faults(b), "image-alt"));
    browser_close(b);
    api_release();
}

static void examine(struct browser *b, const char *path, const char *name)
{
    if (path) {
        browser_go(b, url(path));
    }
    const char *faults = browser_faults(b);
    cr_expect_str_eq(faults, "", "%s: %s", name, faults);
    shoot(b, name);
}

static void examine_all(const struct browser_options *options, const char *kind)
{
    struct scene s = scene_of(
        "\"scopes\":[\"see\",\"confirm\",\"cancel\",\"reschedule\",\"profile\"]");
    struct guest_link asking = guest_link_to(&s.owner, api_text("clients/%s", s.client),
                                             "\"step_up\":\"code\"");
    struct guest_link born = guest_link_to(&s.owner, api_text("clients/%s", s.client),
                                           "\"step_up\":\"birth_date\"");
    struct browser *b = browser_open(options);
    examine(b, api_text("/i/%s", asking.token), api_text("%s-landing-code", kind));
    examine(b, api_text("/i/%s?problem=invalid_code", born.token),
            api_text("%s-landing-date", kind));
    examine(b, "/i/nobodys", api_text("%s-wrong", kind));
    examine(b, api_text("/i/%s", s.link.token), api_text("%s-landing", kind));
    browser_follow(b, "form button");
    examine(b, NULL, api_text("%s-session", kind));
    examine(b, "/i?done=confirmed", api_text("%s-session-done", kind));
    examine(b, "/i?problem=slot_taken", api_text("%s-session-problem", kind));
    examine(b, api_text("/i/reschedule?appointment=%s", s.visit), api_text("%s-move", kind));
    examine(b, api_text("/i/cancel?appointment=%s", s.visit), api_text("%s-cancel", kind));
    examine(b, "/i/profile", api_text("%s-profile", kind));
    cr_assert_eq(
        api_send(&s.owner, "POST", api_text("/api/v1/links/%s/revoke", s.link.id), NULL, NULL)
            ->status,
        200);
    examine(b, api_text("/i/%s", s.link.token), api_text("%s-over", kind));
    examine(b, "/i/left", api_text("%s-left", kind));
    close_all(&s, b);
}

Test(guest_browser, everybody_can_read_and_use_the_pages)
{
    static const struct {
        const char *kind, *color;
        struct browser_options options;
    } kinds[] = {
        { "es-light", "#0f766e", { .language = "es-MX,es", PHONE } },
        { "es-dark", "#fde047", { .language = "es-MX,es", .dark = true, PHONE } },
        { "en-light", "#fde047", { .language = "en-US,en" } },
        { "en-dark", "#1e3a8a", { .language = "en-US,en", .dark = true } },
    };
    PGconn *db = scene_db();
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        set_look(db, kinds[i].color);
        examine_all(&kinds[i].options, kinds[i].kind);
    }
    forget_look(db);
}
