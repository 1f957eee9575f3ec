/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The page on which a guest chooses another time: the free starts of a week as radio buttons, day by day. */
#include <stdio.h>

#include "common/clock.h"
#include "worker/api/guest.h"
#include "worker/api/guest_page.h"

#define DAY_US  (INT64_C(86400) * 1000000)
#define WEEK    7
#define DAY_MAX 11 /* "2026-03-02" and a NUL */

static const struct param move_params[] = {
    { .name = "appointment", .in = IN_QUERY, .type = T_UUID, .required = true },
    { .name = "day", .in = IN_QUERY, .type = T_DATE },
    GUEST_PAGE_PARAMS,
    { 0 },
};

static const struct param moved_params[] = {
    GUEST_PAGE_VISIT,
    { .name = "starts_at", .in = IN_BODY, .type = T_TIME, .required = true },
    { 0 },
};

static const struct param move_vars[] = { { .name = "id", .type = T_UUID }, OPENINGS_VARS, { 0 } };

static const struct stmt *const move_stmts[] = { &guest_page_look, &guest_one, &guest_wish,
                                                 &openings_world, NULL };

/* The day so many days later; empty beyond the years of common/clock.h. */
static void add_days(const char *date, int days, char out[DAY_MAX])
{
    char text[CLOCK_RFC3339_MAX];
    int64_t us = 0;
    bool has_offset;
    int offset;
    snprintf(text, sizeof(text), "%.10sT00:00", date);
    out[0] = '\0';
    if (clock_parse(slice_of(text), &us, &has_offset, &offset) == OK) {
        clock_format_utc(us + days * DAY_US, text);
        snprintf(out, DAY_MAX, "%.10s", text);
    }
}

/* ---- choosing ---- */

/* "2026-03-02T10:00:00-06:00" is sent, "10:00" is shown. */
static void write_start(struct guest_page *p, const struct openings_day *d, int64_t start)
{
    struct sbuf quoted;
    char text[CLOCK_RFC3339_MAX] = "", shown[6] = "";
    sbuf_init(&quoted);
    openings_write(&quoted, d, start);
    if (!sbuf_failed(&quoted) && quoted.len > 2 && quoted.len - 2 < sizeof(text)) {
        memcpy(text, quoted.data + 1, quoted.len - 2);
        snprintf(shown, sizeof(shown), "%.5s", text + 11);
    }
    p->out->failed |= !shown[0];
    sbuf_fini(&quoted);
    html_fmt(p->out,
             "<label><input type=\"radio\" name=\"starts_at\" value=\"%s\" required>%s</label>",
             text, shown);
}

/* A day without any is passed over. */
static void write_day(struct guest_page *p, struct openings *o, const struct openings_day *d)
{
    size_t n = openings_starts(o, d), shown = 0;
    for (size_t i = 0; i < n; i++) {
        if (!guest_is_open(o, o->starts[i])) {
            continue;
        }
        if (shown++ == 0) {
            sbuf_text(p->out, "<fieldset><legend>");
            guest_page_day(p, d->date);
            sbuf_text(p->out, "</legend><div class=\"times\">");
        }
        write_start(p, d, o->starts[i]);
    }
    sbuf_text(p->out, shown ? "</div></fieldset>\n" : "");
}

static bool any_free(struct openings *o)
{
    for (size_t i = 0; i < o->day_count; i++) {
        for (size_t n = openings_starts(o, &o->days[i]); n-- > 0;) {
            if (guest_is_open(o, o->starts[n])) {
                return true;
            }
        }
    }
    return false;
}

static void write_choice(struct guest_page *p, const PGresult *visit, struct openings *o)
{
    if (!any_free(o)) {
        html_fmt(p->out, "<div class=\"card\"><p>%s</p></div>\n",
                 guest_page_say(p->call,
                                "No hay horarios libres en estos días. Vea los siguientes.",
                                "There are no free times on these days. See the next ones."));
        return;
    }
    sbuf_text(p->out, "<form class=\"card\" method=\"post\" action=\"/i/reschedule\">");
    guest_page_visit(p, visit, 0);
    for (size_t i = 0; i < o->day_count; i++) {
        write_day(p, o, &o->days[i]);
    }
    html_fmt(p->out, "<button>%s</button></form>\n",
             guest_page_say(p->call, "Cambiar a este horario", "Change to this time"));
}

/* ---- other days ---- */

static void write_link(struct guest_page *p, const char *id, const char *day, const char *text)
{
    html_fmt(p->out, "<a href=\"/i/reschedule?appointment=%s&amp;day=%s\">%s</a>", id, day, text);
}

static void write_days(struct guest_page *p, const char *id, const char *today, const char *first)
{
    char before[DAY_MAX], after[DAY_MAX];
    add_days(first, -WEEK, before);
    add_days(first, WEEK, after);
    html_fmt(p->out, "<nav class=\"days\" aria-label=\"%s\">",
             guest_page_say(p->call, "Otros días", "Other days"));
    if (strcmp(first, today) > 0) {
        write_link(p, id, strcmp(before, today) > 0 ? before : today,
                   guest_page_say(p->call, "← Días anteriores", "← Earlier days"));
    }
    if (after[0]) {
        write_link(p, id, after, guest_page_say(p->call, "Días siguientes →", "Later days →"));
    }
    sbuf_text(p->out, "</nav>\n");
}

static enum err choose(struct call *c)
{
    PGresult *look, *visit, *wish;
    struct guest_page p;
    struct openings o = { 0 };
    const char *id = call_get(c, "appointment")->text;
    call_set(c, "id", id);
    call_set(c, "w_first", call_get(c, "day")->text);
    TRY(guest_page_enter(c, "reschedule", &look));
    TRY(call_query(c, &guest_one, &visit));
    TRY(PQntuples(visit) ? guest_judge(c, call_cell(visit, 0, "move_why"))
                         : call_refuse(c, E_NOT_FOUND, NULL, NULL));
    TRY(call_query(c, &guest_wish, &wish));
    TRY(PQntuples(wish) ? guest_load_openings(c, id, wish, &o)
                        : call_refuse(c, E_NOT_FOUND, NULL, NULL));
    TRY(o.day_count ? OK : call_refuse(c, E_NOT_FOUND, NULL, NULL));
    guest_page_begin(&p, c, look, guest_page_say(c, "Elija otro horario", "Choose another time"));
    html_fmt(p.out, "<p>%s ", guest_page_say(c, "Ahora:", "Now:"));
    guest_page_time(&p, call_cell(visit, 0, "local_start"));
    html_fmt(p.out, " · %s</p>\n", call_cell(visit, 0, "service_name"));
    write_choice(&p, visit, &o);
    write_days(&p, id, call_cell(look, 0, "today"), o.days[0].date);
    guest_page_back(&p);
    return guest_page_end(&p, 200);
}

const struct route guest_move_routes[] = {
    {
        .method = M_GET,
        .path = "/i/reschedule",
        .summary = "Free times to move a visit to",
        .need = PERM_GUEST,
        .page = true,
        .back = "/i",
        .cost = COST_FAST,
        .params = move_params,
        .vars = move_vars,
        .stmts = move_stmts,
        .handler = choose,
        .shape = SHAPE_RAW,
        .success = 200,
    },
    {
        GUEST_PAGE_FORM("/i/reschedule", "Move a visit to the chosen time",
                        "/i/reschedule?appointment={id}", "/i?done=moved"),
        .params = moved_params,
        .vars = guest_move_vars,
        .stmts = guest_move_stmts,
        .handler = guest_do_move,
    },
    { 0 },
};
