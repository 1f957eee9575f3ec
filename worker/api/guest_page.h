/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What the pages for guests share: how they look (the practice's name, logo and colour), what they say in two languages, and the
 * messages that a form leads to. Server-rendered HTML without any script; each page is a file of its own. */
#ifndef GREMIO_GUEST_PAGE_H
#define GREMIO_GUEST_PAGE_H

#include "worker/call.h"
#include "worker/html.h"

/* In the .params of every page: what the form before it led to. */
#define GUEST_PAGE_PARAMS                                            \
    { .name = "done", .in = IN_QUERY, .type = T_TEXT, .max = 40 },   \
    {                                                                \
        .name = "problem", .in = IN_QUERY, .type = T_TEXT, .max = 40 \
    }

/* In a statement's output, of business b and branding g: what guest_page_begin wants to know. */
#define GUEST_PAGE_LOOK                                               \
    "b.name AS practice, b.phone, b.time_zone, g.color, g.logo_type," \
    " translate(encode(g.logo, 'base64'), E'\\n', '') AS logo"

/* The same for who has opened a link, with given_name, today (there) and which scopes the link has. */
extern const struct stmt guest_page_look;

/* A page that is being written to the call's body. */
struct guest_page {
    struct call *call;
    struct sbuf *out;
    const char *practice, *phone, *time_zone; /* phone NULL: not known */
    struct slice style;
};

/* In the .params of a form about one visit. */
#define GUEST_PAGE_VISIT                                                            \
    { .name = "id", .in = IN_BODY, .type = T_UUID, .required = true },              \
    {                                                                               \
        .name = "version", .in = IN_BODY, .type = T_INT, .min = 1, .max = INT32_MAX \
    }

/* A form's row: where it leads, and what it runs. */
#define GUEST_PAGE_FORM(where, text, from, to)                                           \
    .method = M_POST, .path = where, .summary = text, .need = PERM_GUEST, .page = true,  \
    .form = true, .back = from, .cost = COST_FAST, .max_body = 4096, .shape = SHAPE_RAW, \
    .success = 303, .location = to

/* The text in the reader's language. */
const char *guest_page_say(const struct call *c, const char *es, const char *en);

/* Everything before the content: head, the practice, what the form before it led to, and the heading. rows have GUEST_PAGE_LOOK
 * and live as long as the page. */
void guest_page_begin(struct guest_page *p, struct call *c, const PGresult *rows,
                      const char *title);
/* The first step of a session's page: guest_page_look. E_LINK_EXPIRED when the link is over, E_SCOPE without the scope. */
MUST_USE enum err guest_page_enter(struct call *c, const char *scope, PGresult **look);
/* A way back to the visits. */
void guest_page_back(struct guest_page *p);
/* The rest, and the answer. */
MUST_USE enum err guest_page_end(struct guest_page *p, int status);
/* "lunes 2 de marzo de 2026, 10:00" of PostgreSQL's local timestamp. */
void guest_page_time(struct guest_page *p, const char *local);
/* The day alone, of "2026-03-02". */
void guest_page_day(struct guest_page *p, const char *date);
/* The hidden fields that say which visit a form is about, and as it was when the page was written. rows: guest_one, guest_list. */
void guest_page_visit(struct guest_page *p, const PGresult *rows, int row);
/* When, what, with whom: a heading and a line. */
void guest_page_what(struct guest_page *p, const PGresult *rows, int row);

#endif
