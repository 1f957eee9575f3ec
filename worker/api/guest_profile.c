/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Contact data as the practice knows them, in a form with which the client proposes others. */
#include "worker/api/guest.h"
#include "worker/api/guest_page.h"

static const struct param page_params[] = { GUEST_PAGE_PARAMS, { 0 } };
static const struct stmt *const page_stmts[] = { &guest_page_look, &guest_profile, NULL };

static const struct param form_params[] = {
    { .name = "given_name", .in = IN_BODY, .type = T_TEXT, .max = 100 },
    { .name = "family_name", .in = IN_BODY, .type = T_TEXT, .max = 100 },
    { .name = "email", .in = IN_BODY, .type = T_EMAIL },
    { .name = "phone", .in = IN_BODY, .type = T_PHONE },
    { 0 },
};

static const struct {
    const char *name, *proposed, *attributes, *es, *en;
} fields[] = {
    { "given_name", "new_given_name", "autocomplete=\"given-name\" maxlength=\"100\"", "Nombre",
      "First name" },
    { "family_name", "new_family_name", "autocomplete=\"family-name\" maxlength=\"100\"",
      "Apellidos", "Last name" },
    { "email", "new_email", "type=\"email\" autocomplete=\"email\" maxlength=\"254\"", "Correo",
      "E-mail" },
    { "phone", "new_phone", "type=\"tel\" autocomplete=\"tel\" maxlength=\"30\"",
      "Teléfono, con código de país", "Phone, with country code" },
};

static void write_field(struct guest_page *p, const PGresult *rows, size_t i)
{
    const char *proposed = call_cell(rows, 0, fields[i].proposed);
    html_fmt(p->out, "<label for=\"%s\">%s</label><input id=\"%s\" name=\"%s\" ", fields[i].name,
             guest_page_say(p->call, fields[i].es, fields[i].en), fields[i].name, fields[i].name);
    sbuf_text(p->out, fields[i].attributes);
    html_fmt(p->out, " value=\"%s\">", proposed ? proposed : call_cell(rows, 0, fields[i].name));
}

static enum err show(struct call *c)
{
    PGresult *look, *rows;
    struct guest_page p;
    TRY(guest_page_enter(c, "profile", &look));
    TRY(call_query(c, &guest_profile, &rows));
    TRY(PQntuples(rows) ? OK : call_refuse(c, E_LINK_EXPIRED, NULL, NULL));
    guest_page_begin(&p, c, look, guest_page_say(c, "Sus datos", "Your details"));
    if (call_cell(rows, 0, "updated_at")) {
        html_fmt(p.out, "<p class=\"soft\">%s</p>\n",
                 guest_page_say(c, "Estos son los datos que propuso; los estamos revisando.",
                                "These are the details you proposed; we are checking them."));
    }
    sbuf_text(p.out, "<form class=\"card\" method=\"post\" action=\"/i/profile\">");
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        write_field(&p, rows, i);
    }
    html_fmt(p.out, "<button>%s</button></form>\n",
             guest_page_say(c, "Enviar para revisión", "Send for checking"));
    guest_page_back(&p);
    return guest_page_end(&p, 200);
}

const struct route guest_profile_routes[] = {
    {
        .method = M_GET,
        .path = "/i/profile",
        .summary = "Contact data, in a form",
        .need = PERM_GUEST,
        .page = true,
        .back = "/i",
        .cost = COST_FAST,
        .params = page_params,
        .stmts = page_stmts,
        .handler = show,
        .shape = SHAPE_RAW,
        .success = 200,
    },
    {
        GUEST_PAGE_FORM("/i/profile", "Propose other contact data", "/i/profile",
                        "/i?done=profile"),
        .params = form_params,
        .vars = guest_vars,
        .stmts = guest_propose_stmts,
        .handler = guest_do_propose,
    },
    { 0 },
};
