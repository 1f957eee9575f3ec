/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Time that is offered to who waited for it: by the link of the message, as JSON and as a page with two buttons. Looking changes nothing, so a mail scanner takes
 * nothing; taking it twice is taking it once. */
#include "worker/api/guest_page.h"
#include "worker/api/link.h"
#include "worker/api/waitlist.h"

#define TOKEN_PARAM .name = "token", .in = IN_PATH, .type = T_TEXT, .max = 100

static const struct param offer_params[] = { { TOKEN_PARAM }, { 0 } };
static const struct param page_params[] = { { TOKEN_PARAM }, GUEST_PAGE_PARAMS, { 0 } };

static const struct param look_vars[] = { { .name = "secret_hash", .type = T_TEXT }, { 0 } };
static const struct param take_vars[] = {
    WAITLIST_OFFER_VARS,
    { .name = "secret_hash", .type = T_TEXT },
    { 0 },
};

static const struct column offer_columns[] = {
    { "state", T_TEXT, "open, accepted, declined, missed (nobody answered in time), withdrawn" },
    { "starts_at", T_ZONED, NULL },
    { "ends_at", T_ZONED, NULL },
    { "time_zone", T_TEXT, "IANA zone of starts_at and ends_at" },
    { "service", T_TEXT, NULL },
    { "staff", T_TEXT, NULL },
    { "practice", T_TEXT, NULL },
    { "until", T_INSTANT, "It is kept so long" },
    { 0 },
};

/* clang-format off */
#define OFFER_STATE "CASE WHEN o.state = 'open' AND o.until <= now() THEN 'missed' ELSE o.state END AS state"

static const struct stmt offer_look = {
    "look",
    "SELECT " OFFER_STATE ", o.starts_at, o.starts_at AT TIME ZONE b.time_zone AS local,"
    " o.ends_at, o.ends_at AT TIME ZONE b.time_zone AS local_end, b.time_zone, s.name AS service,"
    " t.name AS staff, b.name AS practice, o.until FROM waitlist_offer o"
    " JOIN waitlist w ON w.id = o.waitlist_id JOIN service s ON s.id = w.service_id"
    " JOIN staff t ON t.id = o.staff_id CROSS JOIN business b WHERE o.secret_hash = :secret_hash::bytea",
};

static const struct stmt offer_page = {
    "page",
    "SELECT " GUEST_PAGE_LOOK ", " OFFER_STATE ", o.starts_at AT TIME ZONE b.time_zone AS local,"
    " o.until AT TIME ZONE b.time_zone AS local_until, s.name AS service, t.name AS staff"
    " FROM waitlist_offer o JOIN waitlist w ON w.id = o.waitlist_id JOIN service s"
    " ON s.id = w.service_id JOIN staff t ON t.id = o.staff_id CROSS JOIN business b"
    " CROSS JOIN branding g WHERE o.secret_hash = :secret_hash::bytea",
};

/* One answer after the other. */
static const struct stmt offer_find = {
    "find",
    "SELECT " WAITLIST_FOUND " FROM waitlist_offer o JOIN waitlist w ON w.id = o.waitlist_id"
    " WHERE o.secret_hash = :secret_hash::bytea FOR UPDATE OF w, o",
};

static const struct stmt offer_visit = {
    "visit",
    "SELECT " APPOINTMENT_OUT " FROM appointment a WHERE a.id = :entry",
};
/* clang-format on */

static const struct stmt *const look_stmts[] = { &offer_look, NULL };
static const struct stmt *const page_stmts[] = { &offer_page, NULL };
static const struct stmt *const take_stmts[] = { &offer_find, &offer_visit, WAITLIST_OFFER_STMTS,
                                                 NULL };

/* Sets :secret_hash. */
static enum err read_token(struct call *c)
{
    struct link_token t;
    if (link_token_parse(slice_of(call_get(c, "token")->text), &t) != OK) {
        return call_refuse(c, E_LINK_EXPIRED, NULL, NULL);
    }
    link_set_hash(c, "secret_hash", &t);
    explicit_bzero(&t, sizeof(t));
    return OK;
}

static enum err find(struct call *c, const struct stmt *s, PGresult **rows)
{
    TRY(read_token(c));
    TRY(call_query(c, s, rows));
    return PQntuples(*rows) ? OK : call_refuse(c, E_LINK_EXPIRED, NULL, NULL);
}

static bool is(const PGresult *found, const char *state)
{
    return strcmp(call_cell(found, 0, "offer_state"), state) == 0;
}

/* Finds the offer open, or as it became by the same answer before (*again). */
static enum err find_open(struct call *c, const char *same, PGresult **found, bool *again)
{
    TRY(find(c, &offer_find, found));
    c->reach = REACH_ALL; /* within what the offer covers */
    call_act_as_client(c, call_cell(*found, 0, "client_id"));
    *again = is(*found, same);
    return *again || is(*found, "open") ? OK : call_refuse(c, E_HOLD_EXPIRED, NULL, NULL);
}

static enum err accept(struct call *c)
{
    PGresult *found, *rows;
    bool again;
    TRY(find_open(c, "accepted", &found, &again));
    if (!again) {
        return waitlist_accept(c, found);
    }
    call_set(c, "entry", call_cell(found, 0, "appointment_id"));
    TRY(call_query(c, &offer_visit, &rows));
    return call_answer(c, rows);
}

static enum err decline(struct call *c)
{
    PGresult *found;
    bool again;
    TRY(find_open(c, "declined", &found, &again));
    TRY(again ? OK : waitlist_leave(c, found, wait_step("decline", VISIT_CLIENT)));
    return call_answer_none(c);
}

static enum err look(struct call *c)
{
    PGresult *rows;
    TRY(find(c, &offer_look, &rows));
    return call_answer(c, rows);
}

/* ---- the page ---- */

static const struct {
    const char *state, *es, *en;
} endings[] = {
    { "accepted", "La cita es suya. Le esperamos.", "The appointment is yours. See you then." },
    { "declined", "Dejó pasar este horario. Sigue en la lista de espera.",
      "You let this time go. You are still on the waiting list." },
    { "missed",
      "El plazo terminó y el horario se ofreció a alguien más. Sigue en la lista de espera.",
      "The time to answer is over and this was offered to somebody else. You are still waiting." },
    { "withdrawn", "La práctica retiró este horario.", "The practice has withdrawn this time." },
};

static void write_buttons(struct guest_page *p)
{
    const char *token = call_get(p->call, "token")->text;
    html_fmt(p->out,
             "<form method=\"post\" action=\"/o/%s/accept\"><button>%s</button></form>"
             "<form method=\"post\" action=\"/o/%s/decline\"><button class=\"second\">%s</button>"
             "</form>",
             token, guest_page_say(p->call, "Tomar la cita", "Take the appointment"), token,
             guest_page_say(p->call, "Dejarla pasar", "Let it go"));
}

static enum err show(struct call *c)
{
    PGresult *rows;
    struct guest_page p;
    TRY(find(c, &offer_page, &rows));
    const char *state = call_cell(rows, 0, "state");
    bool open = strcmp(state, "open") == 0;
    guest_page_begin(&p, c, rows,
                     open ? guest_page_say(c, "Hay lugar para usted", "There is a place for you")
                          : guest_page_say(c, "Su lista de espera", "Your waiting list"));
    sbuf_text(p.out, "<div class=\"card\"><h2>");
    guest_page_time(&p, call_cell(rows, 0, "local"));
    html_fmt(p.out, "</h2><p>%s · %s</p>", call_cell(rows, 0, "service"),
             call_cell(rows, 0, "staff"));
    for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
        if (strcmp(endings[i].state, state) == 0) {
            html_fmt(p.out, "<p class=\"note\">%s</p>",
                     guest_page_say(c, endings[i].es, endings[i].en));
        }
    }
    if (open) {
        html_fmt(p.out, "<p>%s ",
                 guest_page_say(c, "Se le guarda hasta:", "It is kept for you until:"));
        guest_page_time(&p, call_cell(rows, 0, "local_until"));
        sbuf_text(p.out, "</p>");
        write_buttons(&p);
    }
    sbuf_text(p.out, "</div>\n");
    return guest_page_end(&p, 200);
}

static enum err back_to_page(struct call *c, enum err e)
{
    return e == OK ? call_answer_raw(c, CONTENT_NONE, (struct slice){ 0 }) : e;
}

static enum err page_accept(struct call *c)
{
    PGresult *found;
    bool again;
    TRY(find_open(c, "accepted", &found, &again));
    return back_to_page(c, again ? OK : waitlist_accept(c, found));
}

static enum err page_decline(struct call *c)
{
    return back_to_page(c, decline(c));
}

#define BY_LINK .open = true, .by_link = true, .cost = COST_FAST
#define FORM(verb, text, its_handler)                                                         \
    {                                                                                         \
        .method = M_POST, .path = "/o/{token}/" verb, .summary = text, BY_LINK, .page = true, \
        .back = "/o/{token}", .params = offer_params, .vars = take_vars, .stmts = take_stmts, \
        .handler = its_handler, .shape = SHAPE_RAW, .success = 303, .location = "/o/{token}", \
    }

const struct route waitlist_offer_routes[] = {
    {
        .method = M_GET,
        .path = "/api/v1/offers/{token}",
        .summary = "What is offered to who waited",
        BY_LINK,
        .params = offer_params,
        .vars = look_vars,
        .columns = offer_columns,
        .stmts = look_stmts,
        .handler = look,
        .shape = SHAPE_ONE,
        .success = 200,
    },
    {
        .method = M_POST,
        .path = "/api/v1/offers/{token}/accept",
        .summary = "Take what is offered: it is booked",
        BY_LINK,
        .params = offer_params,
        .vars = take_vars,
        .columns = appointment_columns,
        .stmts = take_stmts,
        .handler = accept,
        .shape = SHAPE_ONE,
        .success = 200,
    },
    {
        .method = M_POST,
        .path = "/api/v1/offers/{token}/decline",
        .summary = "Leave what is offered to the next",
        BY_LINK,
        .params = offer_params,
        .vars = take_vars,
        .stmts = take_stmts,
        .handler = decline,
        .shape = SHAPE_NONE,
        .success = 204,
    },
    {
        .method = M_GET,
        .path = "/o/{token}",
        .summary = "What is offered to who waited, with its two buttons",
        BY_LINK,
        .page = true,
        .params = page_params,
        .vars = look_vars,
        .stmts = page_stmts,
        .handler = show,
        .shape = SHAPE_RAW,
        .success = 200,
    },
    FORM("accept", "Take what is offered", page_accept),
    FORM("decline", "Leave what is offered to the next", page_decline),
    { 0 },
};
