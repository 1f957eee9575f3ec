/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The page of who has opened a link: the visits it covers, what may be done with each and until when, as guest_sql.c says it. */
#include "worker/api/guest.h"
#include "worker/api/guest_page.h"

#define PAST_MAX 5

static const struct param session_params[] = { GUEST_PAGE_PARAMS, { 0 } };
static const struct param session_vars[] = { { .name = "past", .type = T_BOOL }, { 0 } };
static const struct param confirm_params[] = { GUEST_PAGE_VISIT, { 0 } };
static const struct stmt *const session_stmts[] = { &guest_page_look, &guest_list, NULL };

/* ---- a visit ---- */

static const struct {
    const char *state, *look, *es, *en;
} states[] = {
    { "confirmed", "", "Reservada", "Booked" },
    { "awaiting_client", "", "Esperamos su confirmación", "Waiting for you to confirm" },
    { "requested", "", "Solicitada", "Requested" },
    { "held", "", "Apartada", "On hold" },
    { "awaiting_payment", "", "Pendiente de pago", "Waiting for payment" },
    { "checked_in", " good", "Usted ya llegó", "You have arrived" },
    { "in_progress", " good", "En curso", "In progress" },
    { "completed", "", "Realizada", "Completed" },
    { "cancelled", " bad", "Cancelada", "Cancelled" },
    { "declined", " bad", "No aceptada", "Declined" },
    { "expired", " bad", "Vencida", "Expired" },
    { "no_show", " bad", "No asistió", "Missed" },
};

static bool by_client(const PGresult *rows, int row)
{
    return call_cell(rows, row, "client_confirmed_at") &&
           strcmp(call_cell(rows, row, "state"), "confirmed") == 0;
}

static void write_state(struct guest_page *p, const PGresult *rows, int row)
{
    const char *state = call_cell(rows, row, "state");
    size_t i = 0;
    if (by_client(rows, row)) {
        html_fmt(p->out, "<p><span class=\"state good\">%s</span></p>",
                 guest_page_say(p->call, "Confirmada por usted", "Confirmed by you"));
        return;
    }
    while (i + 1 < ARRAY_LEN(states) && strcmp(states[i].state, state) != 0) {
        i++;
    }
    html_fmt(p->out, "<p><span class=\"state%s\">%s</span></p>", states[i].look,
             guest_page_say(p->call, states[i].es, states[i].en));
}

static void write_confirm(struct guest_page *p, const PGresult *rows, int row)
{
    if (!call_true(rows, row, "can_confirm") || by_client(rows, row)) {
        return;
    }
    sbuf_text(p->out, "<form method=\"post\" action=\"/i/confirm\">");
    guest_page_visit(p, rows, row);
    html_fmt(p->out, "<button>%s</button></form>",
             guest_page_say(p->call, "Confirmar que iré", "Confirm that I will come"));
}

static void write_ways(struct guest_page *p, const PGresult *rows, int row)
{
    const char *id = call_cell(rows, row, "id");
    bool move = call_true(rows, row, "can_move"), cancel = call_true(rows, row, "can_cancel");
    if (!move && !cancel) {
        return;
    }
    sbuf_text(p->out, "<p class=\"pair\">");
    if (move) {
        html_fmt(p->out, "<a class=\"button second\" href=\"/i/reschedule?appointment=%s\">%s</a>",
                 id, guest_page_say(p->call, "Cambiar horario", "Change time"));
    }
    if (cancel) {
        html_fmt(p->out, "<a class=\"button second\" href=\"/i/cancel?appointment=%s\">%s</a>", id,
                 guest_page_say(p->call, "Cancelar cita", "Cancel it"));
    }
    html_fmt(p->out,
             "</p><p><a class=\"button second\" href=\"/api/v1/guest/appointments/%s/ics\""
             " download=\"cita.ics\">%s</a></p>",
             id, guest_page_say(p->call, "Añadir a mi calendario", "Add to my calendar"));
}

/* "You can change it until ...": one sentence for each that is allowed. */
static void write_until(struct guest_page *p, const PGresult *rows, int row)
{
    struct call *c = p->call;
    bool move = call_true(rows, row, "can_move"), cancel = call_true(rows, row, "can_cancel");
    if (!move && !cancel) {
        return;
    }
    sbuf_text(p->out, "<p class=\"soft\">");
    if (move) {
        html_fmt(p->out, "%s ",
                 guest_page_say(c, "Puede cambiar el horario hasta el", "You can change it until"));
        guest_page_time(p, call_cell(rows, row, "move_local"));
        html_fmt(p->out, " (%s %s). ", guest_page_say(c, "cambios que le quedan:", "changes left:"),
                 call_cell(rows, row, "moves_left"));
    }
    if (cancel) {
        html_fmt(p->out, "%s ",
                 guest_page_say(c, "Puede cancelarla hasta el", "You can cancel it until"));
        guest_page_time(p, call_cell(rows, row, "cancel_local"));
        sbuf_text(p->out, ".");
    }
    sbuf_text(p->out, "</p>");
}

static bool is_late(const PGresult *rows, int row, const char *column)
{
    const char *why = call_cell(rows, row, column);
    return why && (strcmp(why, "cutoff_passed") == 0 || strcmp(why, "moves_exhausted") == 0);
}

/* What could be done and no longer can is said, with whom to call. */
static void write_late(struct guest_page *p, const PGresult *rows, int row)
{
    struct call *c = p->call;
    bool move = is_late(rows, row, "move_why"), cancel = is_late(rows, row, "cancel_why");
    const char *what = move && cancel
                           ? guest_page_say(c, "cambiarla ni cancelarla", "changed or cancelled")
                       : move ? guest_page_say(c, "cambiar el horario", "changed")
                              : guest_page_say(c, "cancelarla", "cancelled");
    if (!move && !cancel) {
        return;
    }
    html_fmt(p->out, "<p class=\"soft\">%s %s %s",
             guest_page_say(c, "Ya no se puede", "It can no longer be"), what,
             guest_page_say(c, "por aquí.", "here."));
    if (p->phone) {
        html_fmt(p->out, " %s <a href=\"tel:%s\">%s</a>.", guest_page_say(c, "Llame al", "Call"),
                 p->phone, p->phone);
    }
    sbuf_text(p->out, "</p>");
}

static void write_visit(struct guest_page *p, const PGresult *rows, int row)
{
    sbuf_text(p->out, "<section class=\"card\">");
    guest_page_what(p, rows, row);
    write_state(p, rows, row);
    write_confirm(p, rows, row);
    write_ways(p, rows, row);
    write_until(p, rows, row);
    write_late(p, rows, row);
    sbuf_text(p->out, "</section>\n");
}

/* ---- the page ---- */

static void write_coming(struct guest_page *p, const PGresult *rows)
{
    for (int i = 0; i < PQntuples(rows); i++) {
        write_visit(p, rows, i);
    }
    if (PQntuples(rows) == 0) {
        html_fmt(
            p->out, "<div class=\"card\"><p>%s</p></div>\n",
            guest_page_say(p->call, "No tiene citas próximas.", "You have no appointments ahead."));
    }
}

static void write_past(struct guest_page *p, const PGresult *rows)
{
    int n = PQntuples(rows) < PAST_MAX ? PQntuples(rows) : PAST_MAX;
    if (n == 0) {
        return;
    }
    html_fmt(p->out, "<section class=\"card\"><h2>%s</h2><ul>",
             guest_page_say(p->call, "Anteriores", "Before"));
    for (int i = 0; i < n; i++) {
        sbuf_text(p->out, "<li>");
        guest_page_time(p, call_cell(rows, i, "local_start"));
        html_fmt(p->out, "<br><span class=\"soft\">%s</span></li>",
                 call_cell(rows, i, "service_name"));
    }
    sbuf_text(p->out, "</ul></section>\n");
}

/* "America/Mexico_City" as "Mexico City". */
static void write_city(struct guest_page *p)
{
    const char *slash = strrchr(p->time_zone, '/');
    char *city = arena_text(p->call->arena, slice_of(slash ? slash + 1 : p->time_zone));
    for (size_t i = 0; city && city[i]; i++) {
        city[i] = (char)(city[i] == '_' ? ' ' : city[i]);
    }
    html_fmt(p->out, "%s", city);
}

static void write_ends(struct guest_page *p, const PGresult *look)
{
    struct call *c = p->call;
    html_fmt(p->out, "<p class=\"soft\">%s ",
             guest_page_say(c, "Las horas son las de", "Times are those of"));
    write_city(p);
    sbuf_text(p->out, ".</p>\n");
    if (call_true(look, 0, "profile")) {
        html_fmt(p->out, "<p><a href=\"/i/profile\">%s</a></p>\n",
                 guest_page_say(c, "Mis datos de contacto", "My contact details"));
    }
    html_fmt(
        p->out,
        "<form method=\"post\" action=\"/i/leave\"><button class=\"link\">%s</button></form>\n",
        guest_page_say(c, "Salir de esta página", "Leave this page"));
}

static enum err list(struct call *c, const char *past, PGresult **rows)
{
    call_set(c, "past", past);
    return call_query(c, &guest_list, rows);
}

static enum err session(struct call *c)
{
    PGresult *look, *coming, *past;
    struct guest_page p;
    TRY(guest_page_enter(c, "see", &look));
    TRY(list(c, "false", &coming));
    TRY(list(c, "true", &past));
    guest_page_begin(&p, c, look,
                     PQntuples(coming) == 1 ? guest_page_say(c, "Su cita", "Your appointment")
                                            : guest_page_say(c, "Sus citas", "Your appointments"));
    html_fmt(p.out, "<p>%s %s:</p>\n", guest_page_say(c, "Hola,", "Hello"),
             call_cell(look, 0, "given_name"));
    write_coming(&p, coming);
    write_past(&p, past);
    write_ends(&p, look);
    return guest_page_end(&p, 200);
}

const struct route guest_session_routes[] = {
    {
        .method = M_GET,
        .path = "/i",
        .summary = "The visits that the opened link covers",
        .need = PERM_GUEST,
        .page = true,
        .cost = COST_FAST,
        .params = session_params,
        .vars = session_vars,
        .stmts = session_stmts,
        .handler = session,
        .shape = SHAPE_RAW,
        .success = 200,
    },
    {
        GUEST_PAGE_FORM("/i/confirm", "Confirm that one will come", "/i", "/i?done=confirmed"),
        .params = confirm_params,
        .vars = guest_step_vars,
        .stmts = guest_step_stmts,
        .handler = guest_do_confirm,
    },
    { 0 },
};
