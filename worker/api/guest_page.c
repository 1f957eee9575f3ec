/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The frame of every page. Its one style element is the fixed text below and the practice's colour; call_answer_page tells its hash,
 * and nothing else may style the page. Colours have a contrast of at least 4.5 in light and dark; the practice's own is used behind
 * text only, with ink that reads on it. */
#include "worker/api/guest_page.h"

#include <stdio.h>

#include "worker/api/link.h"
#include "worker/link_text.h"

#define COLOR_DEFAULT "#0f766e"

static const char css[] =
    ":root{color-scheme:light dark;--bg:#f4f4f1;--card:#fff;--text:#1b1b19;--soft:#595953;"
    "--line:#d9d9d3;--good:#0b5d33;--good-bg:#e2f3e9;--bad:#8c1c1c;--bad-bg:#fbe8e8}"
    "@media(prefers-color-scheme:dark){:root{--bg:#131312;--card:#1e1e1c;--text:#eeeeeb;"
    "--soft:#b3b3ac;--line:#3d3d39;--good:#a4e8c2;--good-bg:#12301f;--bad:#ffb9b9;"
    "--bad-bg:#3d1919}}"
    "*{box-sizing:border-box}"
    "body{margin:0;background:var(--bg);color:var(--text);"
    "font:1.0625rem/1.55 system-ui,-apple-system,Segoe UI,Roboto,sans-serif;"
    "-webkit-text-size-adjust:100%;text-size-adjust:100%;overflow-wrap:anywhere}"
    "header,main,footer{max-width:36rem;margin:0 auto;padding:0 1rem}"
    "header{display:flex;align-items:center;gap:.75rem;min-height:3rem;margin-top:1rem;"
    "font-weight:600}"
    "header img{display:block;max-height:3rem;max-width:8rem;border-radius:.5rem}"
    "h1{font-size:1.625rem;line-height:1.25;margin:1.25rem 0 .75rem;text-wrap:balance}"
    "h2{font-size:1.1875rem;line-height:1.35;margin:0 0 .25rem;text-wrap:balance}"
    "p{margin:0 0 .75rem}a{color:inherit}"
    ".soft{color:var(--soft);font-size:.9375rem}"
    ".card{background:var(--card);border:1px solid var(--line);border-radius:1rem;"
    "padding:1.25rem;margin:0 0 1rem}"
    ".card>:last-child,.note>:last-child{margin-bottom:0}"
    ".state{display:inline-block;padding:.1rem .65rem;border-radius:1rem;font-size:.9375rem;"
    "font-weight:600;border:1px solid var(--soft)}"
    ".state.good{color:var(--good);background:var(--good-bg);border-color:var(--good)}"
    ".state.bad{color:var(--bad);background:var(--bad-bg);border-color:var(--bad)}"
    ".note{padding:.875rem 1.125rem;border-radius:.75rem;margin:1rem 0;border:1px solid;"
    "font-weight:600}"
    ".note.good{color:var(--good);background:var(--good-bg)}"
    ".note.bad{color:var(--bad);background:var(--bad-bg)}"
    "form{margin:0 0 .75rem}"
    "button,.button{display:flex;align-items:center;justify-content:center;width:100%;min-height:"
    "3rem;padding:.7rem 1.25rem;margin:0;"
    "font:inherit;font-weight:600;text-align:center;text-decoration:none;cursor:pointer;"
    "color:var(--ink);background:var(--accent);border:2px solid var(--accent);"
    "border-radius:.75rem}"
    "button.second,.button.second{color:var(--text);background:var(--card);"
    "border-color:var(--soft)}"
    "button.link{display:inline;width:auto;min-height:1.5rem;padding:.25rem 0;font-weight:400;"
    "color:inherit;background:none;border:0;text-decoration:underline}"
    ":focus-visible{outline:3px solid var(--text);outline-offset:3px}"
    ".pair{display:grid;gap:.75rem}"
    "label{display:block;font-weight:600;margin:0 0 .25rem}"
    "input,textarea{width:100%;min-height:3rem;font:inherit;padding:.6rem .8rem;margin:0 0 1rem;"
    "color:var(--text);background:var(--card);border:1px solid var(--soft);"
    "border-radius:.6rem}"
    "fieldset{border:0;padding:0;margin:0 0 1.25rem;min-width:0}"
    "legend{padding:0;font-weight:600;margin:0 0 .5rem}"
    ".times{display:grid;grid-template-columns:repeat(auto-fill,minmax(5.75rem,1fr));gap:.5rem}"
    ".times label{display:flex;align-items:center;justify-content:center;gap:.4rem;"
    "min-height:2.75rem;margin:0;font-weight:400;border:1px solid var(--soft);"
    "border-radius:.6rem;cursor:pointer}"
    ".times input{width:1.125rem;height:1.125rem;min-height:0;margin:0;accent-color:var(--text)}"
    ".times label:has(:checked){font-weight:600;border-color:var(--text);"
    "box-shadow:inset 0 0 0 1px var(--text)}"
    ".days{display:flex;justify-content:space-between;gap:1rem;flex-wrap:wrap}"
    ".days a,footer a,p>a{display:inline-block;padding:.25rem 0}"
    "ul{list-style:none;padding:0;margin:0}li{padding:.5rem 0;border-top:1px solid var(--line)}"
    "li:first-child{border-top:0}"
    "footer{margin:1.5rem auto 2.5rem;color:var(--soft);font-size:.9375rem}"
    "@media(min-width:30rem){.pair{grid-template-columns:1fr 1fr}}";

const struct stmt guest_page_look = {
    "page_look",
    "SELECT " GUEST_PAGE_LOOK ", c.given_name, (now() AT TIME ZONE b.time_zone)::date AS today,"
    " 'see' = ANY (l.scopes) AS see, 'reschedule' = ANY (l.scopes) AS reschedule,"
    " 'cancel' = ANY (l.scopes) AS cancel, 'profile' = ANY (l.scopes) AS profile"
    " FROM access_link l JOIN client c ON c.id = l.client_id CROSS JOIN business b"
    " CROSS JOIN branding g WHERE l.id = :me_session AND " LINK_ALIVE,
};

struct saying {
    const char *code, *es, *en;
};

/* What went well, by ?done= */
static const struct saying deeds[] = {
    { "confirmed", "Listo: su cita está confirmada.", "Done: your appointment is confirmed." },
    { "cancelled", "Su cita está cancelada.", "Your appointment is cancelled." },
    { "moved", "Listo: su cita tiene un horario nuevo.", "Done: your appointment has a new time." },
    { "profile", "Gracias: revisaremos sus datos y los actualizaremos.",
      "Thank you: we will check your details and update them." },
    { "code", "Le enviamos un código por correo. Sirve durante 10 minutos.",
      "We sent you a code by e-mail. It is good for 10 minutes." },
    { 0 },
};

/* What did not, by the problem's code in ?problem=. The last row is for all the rest. */
static const struct saying faults[] = {
    { "slot_taken", "Ese horario se acaba de ocupar. Su cita sigue como estaba; elija otro.",
      "That time has just been taken. Your appointment is as it was; choose another." },
    { "client_conflict", "Ya tiene otra cita a esa hora. Elija otro horario.",
      "You have another appointment then. Choose another time." },
    { "cutoff_passed", "Ya es tarde para hacerlo por aquí. Por favor, llame.",
      "It is too late to do this here. Please call." },
    { "moves_exhausted", "La cita ya se cambió las veces permitidas. Por favor, llame.",
      "The appointment was changed as often as allowed. Please call." },
    { "state_conflict", "La cita ya no admite este cambio.",
      "The appointment can no longer be changed like this." },
    { "version_conflict", "La cita cambió mientras tanto. Revísela y vuelva a intentarlo.",
      "The appointment was changed meanwhile. Look at it and try again." },
    { "scope_missing", "Este enlace no permite hacerlo. Por favor, llame.",
      "This link does not allow that. Please call." },
    { "policy_forbids", "No se puede hacer por aquí. Por favor, llame.",
      "This cannot be done here. Please call." },
    { "not_found", "No encontramos esa cita.", "We could not find that appointment." },
    { "invalid_code", "No coincide. Revíselo y vuelva a intentarlo.",
      "That does not match. Check it and try again." },
    { "step_up_required", "Falta el dato que le pedimos.", "What we ask for is missing." },
    { "too_many_attempts",
      "Fueron demasiados intentos. Espere un rato antes de volver a intentarlo.",
      "There were too many attempts. Wait a while before you try again." },
    { "tenant_read_only", "Por ahora no se puede cambiar nada. Intente más tarde.",
      "Nothing can be changed at the moment. Try again later." },
    { "validation_failed", "Falta algo o no tiene la forma esperada. Revíselo, por favor.",
      "Something is missing or not in the expected form. Please check it." },
    { NULL, "No se pudo. No se cambió nada; vuelva a intentarlo.",
      "That did not work. Nothing was changed; please try again." },
};

const char *guest_page_say(const struct call *c, const char *es, const char *en)
{
    return c->req->lang == LANG_EN ? en : es;
}

static const struct saying *find(const struct saying *rows, const char *code)
{
    while (rows->code && strcmp(rows->code, code) != 0) {
        rows++;
    }
    return rows;
}

/* The practice's colour and what reads on it; a colour that is none is not written. */
static void write_style(struct guest_page *p, const char *color)
{
    const char *accent = html_is_color(color) ? color : COLOR_DEFAULT;
    size_t from;
    sbuf_text(p->out, "<style>");
    from = p->out->len;
    sbuf_text(p->out, css);
    sbuf_fmt(p->out, ":root{--accent:%s;--ink:%s}", accent, html_ink(accent));
    p->style.n = p->out->len - from;
    char *copy = sbuf_failed(p->out) ? NULL : arena_take(p->call->arena, p->style.n);
    if (copy) {
        memcpy(copy, p->out->data + from, p->style.n);
    }
    p->style = (struct slice){ copy, copy ? p->style.n : 0 };
    sbuf_text(p->out, "</style>");
}

static void write_header(struct guest_page *p, const PGresult *rows)
{
    const char *logo = call_cell(rows, 0, "logo"), *type = call_cell(rows, 0, "logo_type");
    sbuf_text(p->out, "<header>");
    if (type && html_is_base64(logo)) {
        html_fmt(p->out, "<img src=\"data:%s;base64,%s\" alt=\"\">", type, logo);
    }
    html_fmt(p->out, "<span>%s</span></header>\n<main>\n", p->practice);
}

static void write_notes(struct guest_page *p)
{
    const char *done = call_get(p->call, "done")->text;
    const char *problem = call_get(p->call, "problem")->text;
    const struct saying *deed = done ? find(deeds, done) : NULL;
    if (problem) {
        const struct saying *fault = find(faults, problem);
        html_fmt(p->out, "<p class=\"note bad\" role=\"alert\">%s</p>\n",
                 guest_page_say(p->call, fault->es, fault->en));
    } else if (deed && deed->code) {
        html_fmt(p->out, "<p class=\"note good\" role=\"status\">%s</p>\n",
                 guest_page_say(p->call, deed->es, deed->en));
    }
}

enum err guest_page_enter(struct call *c, const char *scope, PGresult **look)
{
    TRY(call_query(c, &guest_page_look, look));
    if (PQntuples(*look) == 0) {
        return call_refuse(c, E_LINK_EXPIRED, NULL, NULL);
    }
    return call_cell(*look, 0, scope)[0] == 't' ? OK : call_refuse(c, E_SCOPE, NULL, NULL);
}

void guest_page_begin(struct guest_page *p, struct call *c, const PGresult *rows, const char *title)
{
    const char *prefix = call_get(c, "problem")->text ? guest_page_say(c, "Error: ", "Error: ")
                                                      : "";
    *p = (struct guest_page){ .call = c,
                              .out = c->body,
                              .practice = call_cell(rows, 0, "practice"),
                              .phone = call_cell(rows, 0, "phone"),
                              .time_zone = call_cell(rows, 0, "time_zone") };
    sbuf_reset(p->out, SIZE_MAX);
    html_fmt(p->out,
             "<!DOCTYPE html>\n<html lang=\"%s\">\n<head>\n<meta charset=\"utf-8\">\n"
             "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
             "<meta name=\"format-detection\" content=\"telephone=no\">\n"
             "<title>%s%s · %s</title>\n",
             guest_page_say(c, "es", "en"), prefix, title, p->practice);
    write_style(p, call_cell(rows, 0, "color"));
    sbuf_text(p->out, "\n</head>\n<body>\n");
    write_header(p, rows);
    write_notes(p);
    html_fmt(p->out, "<h1>%s</h1>\n", title);
}

void guest_page_back(struct guest_page *p)
{
    html_fmt(p->out, "<p><a href=\"/i\">%s</a></p>\n",
             guest_page_say(p->call, "Volver a mis citas", "Back to my appointments"));
}

enum err guest_page_end(struct guest_page *p, int status)
{
    sbuf_text(p->out, "</main>\n");
    if (p->phone) {
        html_fmt(p->out, "<footer><p>%s · %s <a href=\"tel:%s\">%s</a></p></footer>\n", p->practice,
                 guest_page_say(p->call, "Teléfono", "Phone"), p->phone, p->phone);
    }
    sbuf_text(p->out, "</body>\n</html>\n");
    return call_answer_page(p->call, status, p->style);
}

/* cut: without what stands behind the comma, the time. */
static void write_time(struct guest_page *p, const char *local, bool cut)
{
    struct sbuf text;
    sbuf_init(&text);
    link_text_time(&text, p->call->req->lang, local);
    const char *comma = cut && text.len ? memrchr(text.data, ',', text.len) : NULL;
    text.len = comma ? (size_t)(comma - text.data) : text.len;
    sbuf_char(&text, '\0');
    html_fmt(p->out, "%s", sbuf_failed(&text) ? "" : text.data);
    sbuf_fini(&text);
}

void guest_page_time(struct guest_page *p, const char *local)
{
    write_time(p, local, false);
}

void guest_page_day(struct guest_page *p, const char *date)
{
    char local[32];
    snprintf(local, sizeof(local), "%.10s 00:00:00", date);
    write_time(p, local, true);
}

void guest_page_visit(struct guest_page *p, const PGresult *rows, int row)
{
    html_fmt(p->out,
             "<input type=\"hidden\" name=\"id\" value=\"%s\">"
             "<input type=\"hidden\" name=\"version\" value=\"%s\">",
             call_cell(rows, row, "id"), call_cell(rows, row, "version"));
}

void guest_page_what(struct guest_page *p, const PGresult *rows, int row)
{
    sbuf_text(p->out, "<h2>");
    guest_page_time(p, call_cell(rows, row, "local_start"));
    html_fmt(p->out, "</h2><p>%s · %s %s</p>", call_cell(rows, row, "service_name"),
             guest_page_say(p->call, "con", "with"), call_cell(rows, row, "staff_name"));
}
