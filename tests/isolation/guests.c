/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What a guest's token reaches: every route of the API is called with it, and with ids of another practice, another client and another visit of the
 * same client. Nothing but the own routes answers, and of those nothing but what the link covers. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/catalog.h"
#include "tests/support/db.h"
#include "tests/support/forge.h"
#include "tests/support/guest.h"

#define CANARY "CANARY-2c81d04f"
#define VISITS "/api/v1/guest/appointments"

TestSuite(guests, .timeout = 120);

struct things {
    const char *client, *visit, *other; /* two visits of one client */
};

static struct things make_things(struct api *who, const char *name)
{
    struct things t = { .client = api_new_client(who, name) };
    const char *service = api_new_service(who, name, 30), *staff = api_new_staff(who, name);
    t.visit = answer_text(
        api_book(who, t.client, service, staff, api_text("%sT10:00", guest_monday(10))), "id");
    t.other = answer_text(
        api_book(who, t.client, service, staff, api_text("%sT11:00", guest_monday(10))), "id");
    cr_assert(t.visit && t.other);
    return t;
}

/* The guest's token with a claim changed, signed as the product would. */
static struct api with_claim(const struct api *guest, const char *name, const char *value)
{
    char kid[80], *header = forge_part(guest->token, 0), *claims = forge_part(guest->token, 1);
    struct json_object *o = json_tokener_parse(claims);
    cr_assert(json_object_object_get_ex(o, name, NULL), "no claim %s in %s", name, claims);
    json_object_object_add(o, name, json_object_new_string(value));
    EVP_PKEY *key = forge_real_key(kid);
    char *token = forge_es256(key, header, json_object_to_json_string(o));
    struct api a = api_anonymous();
    snprintf(a.token, sizeof a.token, "%s", token);
    EVP_PKEY_free(key);
    json_object_put(o);
    free(token);
    free(header);
    free(claims);
    return a;
}

Test(guests, every_other_route_is_closed)
{
    static struct operation ops[CATALOG_MAX];
    struct api owner = api_login(OWNER_A);
    struct things own = make_things(&owner, api_unique("Guest"));
    struct api guest = guest_of(&owner, api_text("clients/%s", own.client), GUEST_ALL_SCOPES);
    const struct ids ids = { .client = own.client, .appointment = own.visit };
    size_t n = catalog_read(&owner, ops), closed = 0;
    for (size_t i = 0; i < n; i++) {
        if (catalog_for_guests(&ops[i]) || !catalog_needs_token(&ops[i])) {
            continue;
        }
        struct answer *r = api_send(&guest, ops[i].method, catalog_path(&ops[i], &ids),
                                    catalog_body(&ops[i], &ids), "If-Match: \"1\"\r\n");
        cr_expect_eq(r->status, 403, "%s %s: %d", ops[i].method, ops[i].path, r->status);
        closed++;
    }
    printf("guests: %zu routes of others closed\n", closed);
    cr_expect_geq(closed, 50);
    api_close(&guest);
    api_close(&owner);
    api_release();
}

/* Each of the guest's routes with each id that is not covered: as if it were nowhere. */
static void expect_nowhere(struct api *guest, const char *visit)
{
    static const char *const verbs[] = { "confirm", "cancel", "reschedule" };
    const char *body = api_text("{\"starts_at\":\"%sT15:00\"}", guest_monday(10));
    cr_expect_eq(api_get(guest, VISITS "/%s", visit)->status, 404);
    cr_expect_eq(api_get(guest, VISITS "/%s/slots", visit)->status, 404);
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        struct answer *r = api_post(guest, api_text(VISITS "/%s/%s", visit, verbs[i]), "%s",
                                    i == 2 ? body : "{}");
        cr_expect_eq(r->status, 404, "%s: %d %s", verbs[i], r->status, r->http.body);
        cr_expect_null(strstr(r->http.body, CANARY));
    }
}

Test(guests, what_is_not_covered_is_nowhere)
{
    struct api a = api_login(OWNER_A), b = api_login(OWNER_B);
    struct things own = make_things(&a, api_unique("Own"));
    struct things neighbour = make_things(&a, CANARY), foreign = make_things(&b, CANARY);
    struct api all = guest_of(&a, api_text("clients/%s", own.client), GUEST_ALL_SCOPES);
    struct api one = guest_of(&a, api_text("appointments/%s", own.visit), GUEST_ALL_SCOPES);
    const char *const nowhere[] = { neighbour.visit,  neighbour.other,
                                    foreign.visit,    foreign.other,
                                    neighbour.client, "01900000-0000-7000-8000-00000000dead" };
    for (size_t i = 0; i < ARRAY_LEN(nowhere); i++) {
        expect_nowhere(&all, nowhere[i]);
        expect_nowhere(&one, nowhere[i]);
    }
    expect_nowhere(&one, own.other);
    static const char *const reads[] = { "me", "appointments", "profile", "logo",
                                         "appointments?past=true" };
    for (size_t i = 0; i < ARRAY_LEN(reads); i++) {
        struct answer *r = api_get(&all, "/api/v1/guest/%s", reads[i]);
        cr_expect_eq(r->status, 200, "%s", reads[i]);
        cr_expect_null(strstr(r->http.body, CANARY), "%s leaks", reads[i]);
    }
    cr_expect_eq(answer_count(api_get(&all, VISITS), "data"), 2);
    cr_expect_eq(answer_count(api_get(&one, VISITS), "data"), 1);
    /* Nothing of it happened. */
    const struct {
        struct api *who;
        const char *visit;
    } untouched[] = { { &a, neighbour.visit }, { &b, foreign.visit }, { &a, own.other } };
    for (size_t i = 0; i < ARRAY_LEN(untouched); i++) {
        struct answer *r = api_get(untouched[i].who, "/api/v1/appointments/%s", untouched[i].visit);
        cr_expect_str_eq(answer_text(r, "state"), "confirmed");
        cr_expect_str_eq(answer_text(r, "version"), "1");
    }
    api_close(&one);
    api_close(&all);
    api_close(&a);
    api_close(&b);
    api_release();
}

/* Even a token that says something else, with the right signature, is held against the link in the practice it names. */
Test(guests, the_link_decides_not_the_token)
{
    struct api a = api_login(OWNER_A), b = api_login(OWNER_B);
    struct things own = make_things(&a, api_unique("Own")), theirs = make_things(&b, "Theirs");
    struct guest_link l = guest_link_to(&a, api_text("appointments/%s", own.visit), "");
    struct guest_link foreign = guest_link_to(&b, api_text("clients/%s", theirs.client), "");
    struct api guest = guest_enter(l.token);
    PGconn *db = db_super();
    char *tenant_b = db_value(db, "SELECT id FROM public.tenant WHERE slug = $1", "practice-b",
                              NULL);
    const struct {
        const char *claim, *value;
        int status;
    } tries[] = {
        { "session", "01900000-0000-7000-8000-00000000dead", 410 },
        { "session", foreign.id, 410 }, /* a link of another practice */
        { "tenant", tenant_b, 410 },
        { "role", "viewer", 403 },
    };
    for (size_t i = 0; i < ARRAY_LEN(tries); i++) {
        struct api forged = with_claim(&guest, tries[i].claim, tries[i].value);
        struct answer *r = api_get(&forged, VISITS);
        cr_expect_eq(r->status, tries[i].status, "%s %s: %d %s", tries[i].claim, tries[i].value,
                     r->status, r->http.body);
        api_close(&forged);
    }
    cr_expect_eq(api_get(&guest, VISITS)->status, 200);
    free(tenant_b);
    PQfinish(db);
    api_close(&guest);
    api_close(&a);
    api_close(&b);
    api_release();
}
