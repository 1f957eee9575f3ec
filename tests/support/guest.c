/* SPDX-License-Identifier: LicenseRef-Gremio */
#include "tests/support/guest.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <time.h>

struct guest_link guest_link_to(struct api *who, const char *what, const char *members)
{
    struct guest_link l = { .made = api_post(who, api_text("/api/v1/%s/links", what), "{%s}",
                                             members) };
    cr_assert_eq(l.made->status, 201, "a link to %s: %d %s", what, l.made->status,
                 l.made->http.body);
    const char *url = answer_text(l.made, "url");
    cr_assert(url && strrchr(url, '/'), "no url");
    l.id = answer_text(l.made, "id");
    l.token = strrchr(url, '/') + 1;
    return l;
}

struct answer *guest_open_from(const char *from, const char *token, const char *members)
{
    struct api a = api_anonymous();
    a.from = from;
    struct answer *r = api_post(&a, "/api/v1/links/open", "{\"token\":\"%s\"%s}", token, members);
    api_close(&a);
    return r;
}

struct answer *guest_open(const char *token, const char *members)
{
    return guest_open_from(NULL, token, members);
}

struct api guest_enter(const char *token)
{
    struct answer *r = guest_open(token, "");
    cr_assert_eq(r->status, 200, "opening: %d %s", r->status, r->http.body);
    struct api a = api_anonymous();
    snprintf(a.token, sizeof a.token, "%s", answer_text(r, "access_token"));
    return a;
}

struct api guest_of(struct api *who, const char *what, const char *members)
{
    return guest_enter(guest_link_to(who, what, members).token);
}

const char *guest_proposal(struct api *who, struct api *guest, const char *client,
                           const char *given_name)
{
    struct answer *r = api_send(guest, "PATCH", "/api/v1/guest/profile",
                                api_text("{\"given_name\":\"%s\"}", given_name), NULL);
    cr_assert_eq(r->status, 202, "proposing: %d %s", r->status, r->http.body);
    r = api_get(who, "/api/v1/clients/%s/proposals", client);
    const char *id = answer_text(r, "data.0.id");
    cr_assert(id != NULL, "%s", r->http.body);
    return id;
}

const char *guest_day(int ahead, int after)
{
    time_t at = time(NULL) + (time_t)ahead * 86400;
    struct tm day;
    gmtime_r(&at, &day);
    return api_day(ahead + (8 - day.tm_wday) % 7 + after);
}

const char *guest_monday(int ahead)
{
    return guest_day(ahead, 0);
}
