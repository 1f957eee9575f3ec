/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Leaving takes the cookie away from a browser that others use too. The link stays as it is. */
#include "worker/api/guest_page.h"

static enum err leave(struct call *c)
{
    TRY(call_set_cookie(c, SLICE(""), 0));
    return call_answer_none(c);
}

static const char css[] =
    ":root{color-scheme:light dark}body{font:1.0625rem/1.55 system-ui,sans-serif;margin:0;"
    "padding:15vh 1.5rem 2rem;text-align:center}h1{font-size:1.5rem}";

/* No practice is known here, so it looks like none. */
static enum err left(struct call *c)
{
    sbuf_reset(c->body, SIZE_MAX);
    html_fmt(c->body,
             "<!DOCTYPE html>\n<html lang=\"%s\">\n<head>\n<meta charset=\"utf-8\">\n"
             "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
             "<title>%s</title>\n<style>",
             guest_page_say(c, "es", "en"), guest_page_say(c, "Hasta pronto", "Goodbye"));
    sbuf_text(c->body, css);
    html_fmt(c->body,
             "</style>\n</head>\n<body>\n<main>\n<h1>%s</h1>\n<p role=\"status\">%s</p>\n</main>\n"
             "</body>\n</html>\n",
             guest_page_say(c, "Hasta pronto", "Goodbye"),
             guest_page_say(c, "Ya salió. Para volver, abra el enlace de su mensaje.",
                            "You have left. To come back, open the link in your message."));
    return call_answer_page(c, 200, (struct slice){ css, sizeof(css) - 1 });
}

const struct route guest_leave_routes[] = {
    {
        .method = M_POST,
        .path = "/i/leave",
        .summary = "End the visit in this browser",
        .open = true,
        .page = true,
        .cost = COST_FAST,
        .handler = leave,
        .shape = SHAPE_RAW,
        .success = 303,
        .location = "/i/left",
    },
    {
        .method = M_GET,
        .path = "/i/left",
        .summary = "Says that the visit in this browser has ended",
        .open = true,
        .page = true,
        .cost = COST_FAST,
        .handler = left,
        .shape = SHAPE_RAW,
        .success = 200,
    },
    { 0 },
};
