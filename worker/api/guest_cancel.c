/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Cancelling takes two steps: a page that asks, and its form. */
#include "worker/api/guest.h"
#include "worker/api/guest_page.h"

static const struct param ask_params[] = {
    { .name = "appointment", .in = IN_QUERY, .type = T_UUID, .required = true },
    GUEST_PAGE_PARAMS,
    { 0 },
};
static const struct param ask_vars[] = { { .name = "id", .type = T_UUID }, { 0 } };
static const struct stmt *const ask_stmts[] = { &guest_page_look, &guest_one, NULL };

static const struct param cancel_params[] = {
    GUEST_PAGE_VISIT,
    { .name = "reason", .in = IN_BODY, .type = T_TEXT, .max = 500 },
    { 0 },
};

static enum err ask(struct call *c)
{
    PGresult *look, *visit;
    struct guest_page p;
    call_set(c, "id", call_get(c, "appointment")->text);
    TRY(guest_page_enter(c, "cancel", &look));
    TRY(call_query(c, &guest_one, &visit));
    TRY(PQntuples(visit) ? guest_judge(c, call_cell(visit, 0, "cancel_why"))
                         : call_refuse(c, E_NOT_FOUND, NULL, NULL));
    guest_page_begin(&p, c, look,
                     guest_page_say(c, "¿Cancelar esta cita?", "Cancel this appointment?"));
    sbuf_text(p.out, "<div class=\"card\">");
    guest_page_what(&p, visit, 0);
    sbuf_text(p.out, "</div>\n<form method=\"post\" action=\"/i/cancel\">");
    guest_page_visit(&p, visit, 0);
    html_fmt(p.out,
             "<label for=\"reason\">%s</label><input id=\"reason\" name=\"reason\""
             " maxlength=\"500\" autocomplete=\"off\"><button>%s</button></form>\n"
             "<p><a class=\"button second\" href=\"/i\">%s</a></p>\n",
             guest_page_say(c, "Motivo (si quiere decirlo)", "Reason (if you want to say)"),
             guest_page_say(c, "Sí, cancelar la cita", "Yes, cancel it"),
             guest_page_say(c, "No, volver", "No, go back"));
    return guest_page_end(&p, 200);
}

const struct route guest_cancel_routes[] = {
    {
        .method = M_GET,
        .path = "/i/cancel",
        .summary = "Ask whether a visit is to be cancelled",
        .need = PERM_GUEST,
        .page = true,
        .back = "/i",
        .cost = COST_FAST,
        .params = ask_params,
        .vars = ask_vars,
        .stmts = ask_stmts,
        .handler = ask,
        .shape = SHAPE_RAW,
        .success = 200,
    },
    {
        GUEST_PAGE_FORM("/i/cancel", "Cancel a visit", "/i", "/i?done=cancelled"),
        .params = cancel_params,
        .vars = guest_step_vars,
        .stmts = guest_step_stmts,
        .handler = guest_do_cancel,
    },
    { 0 },
};
