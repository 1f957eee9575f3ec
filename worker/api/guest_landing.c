/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What a link shows to whoever opens it, mail scanners included: whose it is, and a button. Nothing of the client, nothing of the visit, and
 * nothing is changed (a read-only transaction as the practice). What the button does is link_open.c's. */
#include "worker/api/guest_page.h"
#include "worker/api/link.h"

static const struct param landing_params[] = {
    { .name = "token", .in = IN_PATH, .type = T_TEXT },
    GUEST_PAGE_PARAMS,
    { 0 },
};

static const struct param landing_vars[] = { { .name = "hash", .type = T_TEXT }, { 0 } };

static const struct stmt landing_find = {
    "find",
    "SELECT " GUEST_PAGE_LOOK ", l.step_up, coalesce(l.locked_until > now(), false) AS locked,"
    " " LINK_ALIVE " AND coalesce(l.uses < l.max_uses, true) AS alive"
    " FROM access_link l CROSS JOIN business b CROSS JOIN branding g"
    " WHERE l.secret_hash = :hash::bytea",
};

static const struct stmt *const landing_stmts[] = { &landing_find, NULL };

/* Sets :hash. */
static enum err read_token(struct call *c)
{
    struct link_token t;
    if (link_token_parse(slice_of(call_get(c, "token")->text), &t) != OK) {
        return call_refuse(c, E_LINK_EXPIRED, NULL, NULL);
    }
    link_set_hash(c, "hash", &t);
    explicit_bzero(&t, sizeof(t));
    return OK;
}

/* Who has the right secret learns whom to ask; the status is that of a guess. */
static enum err show_over(struct call *c, const PGresult *rows)
{
    struct guest_page p;
    guest_page_begin(&p, c, rows,
                     guest_page_say(c, "Este enlace ya no sirve", "This link is no longer good"));
    html_fmt(p.out, "<div class=\"card\"><p>%s</p>",
             guest_page_say(c, "Venció, ya se usó o se reemplazó por otro más nuevo.",
                            "It expired, it was used, or a newer one took its place."));
    if (p.phone) {
        html_fmt(p.out, "<p>%s</p><p><a class=\"button\" href=\"tel:%s\">%s %s</a></p>",
                 guest_page_say(c, "Pida otro por teléfono:", "Ask for another by phone:"), p.phone,
                 guest_page_say(c, "Llamar al", "Call"), p.phone);
    } else {
        html_fmt(p.out, "<p>%s</p>",
                 guest_page_say(c, "Pida otro a quien se lo envió.",
                                "Ask whoever sent it for another."));
    }
    sbuf_text(p.out, "</div>\n");
    c->reply.code = slice_of(err_info(E_LINK_EXPIRED)->code);
    return guest_page_end(&p, err_info(E_LINK_EXPIRED)->status);
}

static void write_birth(struct guest_page *p)
{
    html_fmt(p->out,
             "<label for=\"birth\">%s</label>"
             "<input id=\"birth\" name=\"birth_date\" type=\"date\" min=\"1900-01-01\""
             " autocomplete=\"bday\" required>",
             guest_page_say(p->call, "Fecha de nacimiento", "Date of birth"));
}

static void write_code(struct guest_page *p)
{
    html_fmt(p->out,
             "<label for=\"code\">%s</label>"
             "<input id=\"code\" name=\"code\" inputmode=\"numeric\" pattern=\"[0-9 ]*\""
             " minlength=\"6\" maxlength=\"20\" autocomplete=\"one-time-code\" required>",
             guest_page_say(p->call, "Código de seis dígitos", "Six-digit code"));
}

static void write_ask_code(struct guest_page *p, const char *token)
{
    html_fmt(p->out,
             "<form method=\"post\" action=\"/i/%s/code\"><button class=\"second\">%s</button>"
             "</form><p class=\"soft\">%s</p>",
             token, guest_page_say(p->call, "Enviarme un código", "Send me a code"),
             guest_page_say(p->call, "Llega al correo que dio al hacer su cita.",
                            "It goes to the e-mail address you gave when you booked."));
}

static void write_forms(struct guest_page *p, const char *token, const char *step)
{
    struct call *c = p->call;
    html_fmt(p->out, "<form method=\"post\" action=\"/i/%s\">", token);
    if (strcmp(step, "birth_date") == 0) {
        write_birth(p);
    } else if (strcmp(step, "code") == 0) {
        write_code(p);
    }
    html_fmt(p->out, "<button>%s</button></form>\n",
             guest_page_say(c, "Ver mi cita", "See my appointment"));
    if (strcmp(step, "code") == 0) {
        write_ask_code(p, token);
    }
}

static enum err show(struct call *c, const PGresult *rows)
{
    struct guest_page p;
    const char *step = call_cell(rows, 0, "step_up");
    guest_page_begin(&p, c, rows, guest_page_say(c, "Su cita", "Your appointment"));
    html_fmt(p.out, "<div class=\"card\"><p>%s <strong>%s</strong>. %s</p>",
             guest_page_say(c, "Este es su enlace personal de", "This is your personal link from"),
             p.practice,
             guest_page_say(c, "Con él puede ver su cita y lo que puede hacer con ella.",
                            "With it you can see your appointment and what you can do about it."));
    if (call_cell(rows, 0, "locked")[0] == 't') {
        html_fmt(
            p.out, "<p class=\"note bad\">%s</p>",
            guest_page_say(c, "Hubo demasiados intentos. Espere 15 minutos y vuelva a abrirlo.",
                           "There were too many attempts. Wait 15 minutes and open it again."));
    } else {
        write_forms(&p, call_get(c, "token")->text, step);
    }
    html_fmt(
        p.out, "<p class=\"soft\">%s</p></div>\n",
        guest_page_say(c, "No lo comparta: quien lo tiene puede ver y cambiar su cita.",
                       "Do not share it: whoever has it can see and change your appointment."));
    return guest_page_end(&p, 200);
}

static enum err landing(struct call *c)
{
    PGresult *rows;
    TRY(read_token(c));
    TRY(call_query(c, &landing_find, &rows));
    if (PQntuples(rows) == 0) {
        return call_refuse(c, E_LINK_EXPIRED, NULL, NULL);
    }
    return call_cell(rows, 0, "alive")[0] == 't' ? show(c, rows) : show_over(c, rows);
}

const struct route guest_landing_routes[] = {
    {
        .method = M_GET,
        .path = "/i/{token}",
        .summary = "What a client's link is for, with the button that opens it",
        .open = true,
        .by_link = true,
        .page = true,
        .cost = COST_FAST,
        .params = landing_params,
        .vars = landing_vars,
        .stmts = landing_stmts,
        .handler = landing,
        .shape = SHAPE_RAW,
        .success = 200,
    },
    { 0 },
};
