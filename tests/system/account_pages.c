/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The pages that links of mails lead to, as people meet them in a browser: opening changes nothing, the button does, mistakes are shown at
 * their field, and a link that is over is explained. In Spanish and English, on a phone, with the keyboard, and without JavaScript. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/api.h"
#include "tests/support/browser.h"
#include "tests/support/db.h"
#include "tests/support/mail.h"
#include "tests/support/practice.h"
#include "tests/support/stack.h"
#include "tests/support/wait.h"

#define PHRASE   "una frase larga y nueva 57"
#define SUBMIT   "button[type=submit]"
#define RESULT   "#result"
#define OVER_ES  "Este enlace ya no sirve"
#define OVER_EN  "This link does not work any more"
#define AGAIN_ES "Vuelva a intentarlo en"
#define AGAIN_EN "Try again in"

TestSuite(account_pages, .timeout = 240);

static const struct browser_options spanish = { .language = "es-MX,es" };
static const struct browser_options english = { .language = "en-US,en" };

/* Small letters, digits and hyphens: a practice's or the local part of an address. */
static const char *new_name(const char *prefix)
{
    char *text = api_text("%s", api_unique(prefix));
    for (char *p = text; *p; p++) {
        *p = *p >= 'A' && *p <= 'Z' ? (char)(*p + 32) : *p == ' ' ? '-' : *p;
    }
    return text;
}

static const char *new_address(void)
{
    return api_text("%s@example.com", new_name("page"));
}

static const char *page(const char *path)
{
    return api_text("%s%s", stack_env("GREMIO_URL"), path);
}

struct attempt {
    const char *email, *password;
    struct api *who;
    int status;
};

static bool is_judged(void *arg)
{
    struct attempt *t = arg;
    *t->who = api_try_login(t->email, t->password, &t->status);
    bool judged = t->status < 500;
    if (!judged) {
        api_close(t->who);
    }
    return judged;
}

/* The caller closes *who. */
static int login(const char *email, const char *password, struct api *who)
{
    struct attempt t = { email, password, who, 0 };
    cr_assert(wait_until(is_judged, &t, WAIT_LONG_MS), "%d", t.status);
    return t.status;
}

static int login_status(const char *email, const char *password)
{
    struct api a;
    int status = login(email, password, &a);
    api_close(&a);
    return status;
}

struct choice {
    struct api *a;
    const char *code;
    int status, tries;
};

static bool is_chosen(void *arg)
{
    struct choice *c = arg;
    c->tries++;
    c->status = api_post(c->a, "/api/v1/auth/password/reset",
                         "{\"token\":\"%s\",\"new_password\":\"" PHRASE "\"}", c->code)
                    ->status;
    return c->status < 500;
}

/* Without the page. What got no answer in time may be done all the same. */
static void choose(struct api *a, const char *code)
{
    struct choice c = { a, code, 0, 0 };
    cr_assert(wait_until(is_chosen, &c, WAIT_LONG_MS), "%d", c.status);
    cr_assert(c.status == 204 || (c.tries > 1 && c.status == 410), "%d", c.status);
}

static const char *new_practice(const char *email)
{
    return practice_invite(new_name("own"), "Clínica Sol", email);
}

static void invite(const char *owner, const char *email)
{
    struct api a = api_login(owner);
    struct answer *r = api_post(
        &a, "/api/v1/invitations",
        "{\"email\":\"%s\",\"name\":\"Ana Pérez\",\"role\":\"receptionist\"}", email);
    cr_assert_eq(r->status, 201, "%s", r->http.body);
    api_close(&a);
}

/* The link's page is there, its code in the field and nowhere else. */
static void open_link(struct browser *b, const char *link)
{
    browser_go(b, link);
    cr_expect_str_eq(browser_property(b, "#token", "value"), strchr(link, '#') + 1);
    cr_expect_null(strchr(browser_url(b), '#'), "%s", browser_url(b));
    cr_expect_str_eq(browser_text(b, RESULT), "");
}

struct awaited {
    struct browser *b;
    const char *css, *part;
};

static bool is_answered(void *arg)
{
    const struct awaited *a = arg;
    if (browser_says(a->b, a->css, a->part)) {
        return true;
    }
    if (browser_says(a->b, RESULT, AGAIN_ES) || browser_says(a->b, RESULT, AGAIN_EN)) {
        browser_click(a->b, SUBMIT);
    }
    return false;
}

/* Waits until the page says so. A busy machine may be told to try again, which people do. */
static const char *answered(struct browser *b, const char *css, const char *part)
{
    struct awaited a = { b, css, part };
    cr_assert(wait_until(is_answered, &a, 3 * WAIT_LONG_MS), "%s never says \"%s\": \"%s\"", css,
              part, browser_text(b, "main"));
    return browser_text(b, css);
}

static void expect_says(struct browser *b, const char *css, const char *part)
{
    const char *text = browser_text(b, css);
    cr_expect(strstr(text, part), "%s: \"%s\" and not \"%s\"", css, text, part);
}

/* The mistake stands below the field, is its description, and has the focus. */
static void expect_blamed(struct browser *b, const char *field, const char *part)
{
    const char *error = api_text("#%s-error", field);
    answered(b, error, part);
    cr_expect_str_eq(browser_attribute(b, api_text("#%s", field), "aria-invalid"), "true");
    cr_expect(strstr(browser_attribute(b, api_text("#%s", field), "aria-describedby"), error + 1));
    cr_expect_str_eq(browser_run(b, "return document.activeElement.id"), field);
}

Test(account_pages, an_owner_comes_in_by_the_operators_link)
{
    const char *email = new_address(), *link = new_practice(email);
    struct browser *b = browser_open(&spanish);
    open_link(b, link);
    expect_says(b, "h1", "Elegir contraseña");
    cr_expect_str_eq(browser_run(b, "return document.documentElement.lang"), "es");
    /* Looking is no use of it, and neither is what is not acceptable. */
    open_link(b, link);
    browser_click(b, SUBMIT);
    expect_blamed(b, "new_password", "Escriba la contraseña");
    browser_fill(b, "#new_password", "kurz");
    browser_click(b, SUBMIT);
    expect_blamed(b, "new_password", "al menos 10 caracteres");
    browser_fill(b, "#new_password", "contraseña123");
    browser_click(b, SUBMIT);
    expect_blamed(b, "new_password", "Se adivina pronto");
    browser_fill(b, "#new_password", PHRASE);
    cr_expect_str_eq(browser_property(b, "#new_password", "type"), "password");
    browser_click(b, ".show");
    cr_expect_str_eq(browser_property(b, "#new_password", "type"), "text");
    expect_says(b, ".show", "Ocultar");
    cr_expect_neq(login_status(email, PHRASE), 200);
    browser_click(b, SUBMIT);
    answered(b, RESULT, "su contraseña quedó guardada");
    cr_expect(!browser_shows(b, "form"));
    cr_expect_str_eq(browser_property(b, "#new_password", "value"), "");
    cr_expect_eq(login_status(email, PHRASE), 200);
    /* Once. */
    open_link(b, link);
    browser_fill(b, "#new_password", "otra frase larga y nueva 58");
    browser_click(b, SUBMIT);
    answered(b, RESULT, OVER_ES);
    expect_says(b, RESULT, "Pida otro");
    cr_expect(browser_shows(b, "form"), "a newer code may be pasted");
    cr_expect_eq(login_status(email, PHRASE), 200);
    browser_close(b);
    api_release();
}

Test(account_pages, an_invitation_is_accepted_with_a_new_password)
{
    const char *email = new_address();
    invite(OWNER_A, email);
    struct mail_read m = mail_wait(email, 1);
    struct browser *b = browser_open(&english);
    open_link(b, m.link);
    expect_says(b, "h1", "Accept the invitation");
    cr_expect_str_eq(browser_run(b, "return document.documentElement.lang"), "en");
    cr_expect_str_eq(browser_run(b, "return document.title"), "Accept the invitation · Gremio");
    browser_fill(b, "#password", "kurz");
    browser_click(b, SUBMIT);
    expect_blamed(b, "password", "at least 10 characters");
    browser_fill(b, "#password", PHRASE BROWSER_ENTER);
    answered(b, RESULT, "you are part of the team");
    expect_says(b, RESULT, email);
    expect_says(b, RESULT, "Practice A (practice-a)");
    cr_expect_str_eq(browser_run(b, "return document.activeElement.id"), "result");
    cr_expect_eq(login_status(email, PHRASE), 200);
    open_link(b, m.link);
    browser_fill(b, "#password", PHRASE BROWSER_ENTER);
    answered(b, RESULT, OVER_EN);
    browser_close(b);
    mail_free(&m);
    api_release();
}

Test(account_pages, an_invitation_is_accepted_with_the_accounts_password)
{
    const char *email = new_address(), *again;
    cr_assert_neq(new_practice(email), NULL);
    struct api nobody = api_anonymous();
    cr_assert_eq(
        api_post(&nobody, "/api/v1/auth/password/forgot", "{\"email\":\"%s\"}", email)->status,
        202);
    struct mail_read reset = mail_wait(email, 1);
    choose(&nobody, reset.code);
    invite(OWNER_B, email);
    struct mail_read m = mail_wait(email, 2);
    struct browser *b = browser_open(&spanish);
    open_link(b, m.link);
    cr_expect_str_eq(browser_property(b, "#password", "autocomplete"), "new-password");
    browser_fill(b, "#password", "otra frase larga y nueva 58" BROWSER_ENTER);
    expect_blamed(b, "password", "ya tiene cuenta");
    cr_expect_str_eq(browser_property(b, "#password", "autocomplete"), "current-password");
    browser_fill(b, "#password", PHRASE BROWSER_ENTER);
    again = answered(b, RESULT, "ya es parte del equipo");
    cr_expect(strstr(again, "practice-b"), "%s", again);
    /* Invited once more to where they work: what the API says of it. */
    invite(OWNER_A, email);
    struct mail_read n = mail_wait(email, 3);
    invite(OWNER_B, email);
    struct mail_read o = mail_wait(email, 4);
    open_link(b, o.link);
    browser_fill(b, "#password", PHRASE BROWSER_ENTER);
    answered(b, RESULT, "Ya trabaja en esta práctica");
    /* The page is open and another link is followed in it. */
    browser_run(b, api_text("location.hash = '%s'", n.code));
    cr_expect_str_eq(browser_property(b, "#token", "value"), n.code);
    browser_fill(b, "#password", PHRASE BROWSER_ENTER);
    answered(b, RESULT, "(practice-a)");
    browser_close(b);
    mail_free(&reset);
    mail_free(&m);
    mail_free(&n);
    mail_free(&o);
    api_close(&nobody);
    api_release();
}

Test(account_pages, a_forgotten_password_on_a_phone)
{
    const char *email = new_address();
    cr_assert_neq(new_practice(email), NULL);
    struct api nobody = api_anonymous();
    cr_assert_eq(
        api_post(&nobody, "/api/v1/auth/password/forgot", "{\"email\":\"%s\"}", email)->status,
        202);
    struct mail_read m = mail_wait(email, 1);
    struct browser *b = browser_open(
        &(struct browser_options){ .language = "fr-CA,en", .width = 320, .height = 640 });
    /* Without the link's end: the person pastes, and may well paste all of it. */
    browser_go(b, page("/auth/reset"));
    expect_says(b, "h1", "Choose a password");
    cr_expect_str_eq(browser_run(b, "return document.documentElement.scrollWidth <= innerWidth"),
                     "true");
    browser_click(b, SUBMIT);
    expect_blamed(b, "token", "code of your message");
    browser_fill(b, "#token", m.link);
    browser_fill(b, "#new_password", PHRASE);
    browser_click(b, SUBMIT);
    answered(b, RESULT, "your password is saved");
    cr_expect_eq(login_status(email, PHRASE), 200);
    browser_close(b);
    mail_free(&m);
    api_close(&nobody);
    api_release();
}

static bool is_verified(const char *email)
{
    PGconn *db = db_super();
    bool yes = db_number(db,
                         "SELECT count(*) FROM public.account WHERE email = $1 AND"
                         " email_verified_at IS NOT NULL",
                         email, NULL) == 1;
    PQfinish(db);
    return yes;
}

static void verify(const struct browser_options *who, const char *done, const char *over)
{
    const char *email = new_address(), *link = new_practice(email);
    struct api nobody = api_anonymous();
    choose(&nobody, strchr(link, '#') + 1);
    struct api owner;
    cr_assert_eq(login(email, PHRASE, &owner), 200);
    PGconn *db = db_super();
    db_do(db,
          api_text("UPDATE public.account SET email_verified_at = NULL WHERE email = '%s'", email));
    PQfinish(db);
    cr_assert_eq(api_send(&owner, "POST", "/api/v1/auth/email/verification", NULL, NULL)->status,
                 202);
    struct mail_read m = mail_wait(email, 1);
    struct browser *b = browser_open(who);
    open_link(b, m.link);
    cr_expect(!is_verified(email), "opening the page was enough");
    browser_click(b, SUBMIT);
    answered(b, RESULT, done);
    cr_expect(is_verified(email));
    open_link(b, m.link);
    browser_click(b, SUBMIT);
    answered(b, RESULT, over);
    browser_close(b);
    mail_free(&m);
    api_close(&owner);
    api_close(&nobody);
}

Test(account_pages, an_address_is_confirmed)
{
    verify(&spanish, "su correo quedó confirmado", OVER_ES);
    verify(&english, "your address is confirmed", OVER_EN);
    api_release();
}

Test(account_pages, without_javascript_it_says_what_to_do)
{
    static const char *const paths[] = { "/invitation#x", "/auth/reset#x", "/auth/verify#x" };
    struct browser *b = browser_open(&(struct browser_options){ .no_script = true });
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        browser_go(b, page(paths[i]));
        expect_says(b, "noscript", "necesita JavaScript");
        expect_says(b, "noscript [lang=en]", "needs JavaScript");
        /* A form that a browser would send by itself would put the password into an address or get no answer. */
        cr_expect(!browser_shows(b, "form"));
    }
    browser_close(b);
    api_release();
}

/* The answer to the first try is lost on its way. */
Test(account_pages, what_may_be_done_is_not_called_over)
{
    const char *email = new_address(), *link = new_practice(email);
    struct browser *b = browser_open(&spanish);
    open_link(b, link);
    browser_run(b, "const real = fetch; window.fetch = async (...a) => { window.fetch = real;"
                   " await real(...a); throw new TypeError('lost'); };");
    browser_fill(b, "#new_password", PHRASE BROWSER_ENTER);
    answered(b, RESULT, "No se pudo enviar");
    browser_click(b, SUBMIT);
    answered(b, RESULT, "Quizá ya quedó hecho");
    cr_expect_eq(login_status(email, PHRASE), 200);
    browser_close(b);
    api_release();
}

/* The page may load and run its own files only, and tells nobody its address. */
Test(account_pages, the_policy_is_strict)
{
    struct api nobody = api_anonymous();
    static const char *const paths[] = { "/invitation/", "/auth/reset/", "/auth/verify/" };
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        struct answer *r = api_get(&nobody, "%s", paths[i]);
        const char *csp = answer_header(r, "content-security-policy");
        cr_expect_eq(r->status, 200);
        cr_expect(csp && strstr(csp, "default-src 'self'") && !strstr(csp, "script-src"), "%s",
                  csp);
        cr_expect_str_eq(answer_header(r, "referrer-policy"), "no-referrer");
        cr_expect_null(strstr(r->http.body, "style="));
        cr_expect_null(strstr(r->http.body, "<style"));
        cr_expect_null(strstr(r->http.body, "<script>"));
    }
    api_close(&nobody);
    api_release();
}
