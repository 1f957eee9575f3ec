/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What a practice sets for its clients: rules, hours, colour and logo; and deciding on contact data that a client proposed. */
#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/guest.h"

#define POLICY "/api/v1/booking-policy"
#define HOURS  "/api/v1/opening-hours"
#define BRAND  "/api/v1/branding"
#define LOGO   BRAND "/logo"

TestSuite(practice_rules, .timeout = 120);

static int version_of(struct api *a, const char *path)
{
    return (int)answer_int(api_get(a, "%s", path), "version");
}

Test(practice_rules, the_policy_changes_member_by_member)
{
    struct api b = api_login(OWNER_B);
    struct answer *r = api_get(&b, POLICY);
    cr_assert_eq(r->status, 200, "%s", r->http.body);
    cr_expect_eq(answer_int(r, "cancel_cutoff_min"), 1440);
    cr_expect_eq(answer_int(r, "max_reschedules"), 3);
    cr_expect_str_eq(answer_text(r, "guest_cancel"), "true");
    int version = version_of(&b, POLICY);
    r = api_patch(&b, POLICY, version, "{\"cancel_cutoff_min\":0,\"guest_cancel\":false}");
    cr_assert_eq(r->status, 200, "%s", r->http.body);
    cr_expect_eq(answer_int(r, "cancel_cutoff_min"), 0);
    cr_expect_str_eq(answer_text(r, "guest_cancel"), "false");
    cr_expect_str_eq(answer_text(r, "guest_confirm"), "true");
    cr_expect_eq(answer_int(r, "reschedule_cutoff_min"), 1440, "what was not named stays");
    cr_expect_eq(answer_int(r, "version"), version + 1);
    cr_expect_eq(api_patch(&b, POLICY, version, "{\"notice_min\":5}")->status, 412);
    cr_expect_eq(api_send(&b, "PATCH", POLICY, "{\"notice_min\":5}", NULL)->status, 428);
    static const char *const bad[] = { "{\"max_reschedules\":101}", "{\"cancel_cutoff_min\":-1}",
                                       "{\"horizon_days\":0}", "{\"guest_cancel\":\"no\"}",
                                       "{\"guest_cancel\":null}" };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        cr_expect_eq(api_patch(&b, POLICY, version + 1, "%s", bad[i])->status, 422, "%s", bad[i]);
    }
    api_close(&b);
    api_release();
}

Test(practice_rules, hours_are_set_as_a_whole)
{
    struct api b = api_login(OWNER_B);
    struct answer *r = api_send(&b, "PUT", HOURS,
                                "{\"monday\":[\"09:00-14:00\",\"16:00-19:30\"],"
                                "\"friday\":[\"22:00-02:00\"],\"sunday\":[\"00:00-24:00\"]}",
                                NULL);
    cr_assert_eq(r->status, 200, "%s", r->http.body);
    struct answer *again = api_get(&b, HOURS);
    cr_expect_str_eq(again->http.body, r->http.body);
    cr_expect_eq(answer_count(again, "monday"), 2);
    cr_expect_str_eq(answer_text(again, "monday.1"), "16:00-19:30");
    cr_expect_eq(answer_count(again, "tuesday"), 0);
    cr_expect_str_eq(answer_text(again, "friday.0"), "22:00-02:00");
    cr_expect_str_eq(answer_text(again, "sunday.0"), "00:00-00:00");
    static const char *const bad[] = {
        "[\"9:00-14:00\"]",
        "[\"09:00-14:60\"]",
        "[\"09:00-25:00\"]",
        "[\"24:00-01:00\"]",
        "[\"09:00\"]",
        "[\"09:00-14:00\",\"13:00-15:00\"]",
        "[\"\"]",
        "[\"09:00-14:00x\"]",
        "[\"16:00-19:00\",\"09:00-14:00\"]",
        "[9]",
        "\"09:00-14:00\"",
        "[\"22:00-02:00\",\"23:00-23:30\"]",
        "null",
        "[[]]",
        "[\"09:00-12:00,13:00-14:00\"]",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        r = api_send(&b, "PUT", HOURS, api_text("{\"tuesday\":%s}", bad[i]), NULL);
        cr_expect_eq(r->status, 422, "%s: %d", bad[i], r->status);
        cr_expect(answer_blames(r, "/tuesday"), "%s: %s", bad[i], r->http.body);
    }
    cr_expect_str_eq(api_get(&b, HOURS)->http.body, again->http.body, "a refused one counted");
    api_close(&b);
    api_release();
}

static struct answer *put_logo(struct api *a, const char *bytes, size_t n)
{
    char *text = malloc(sodium_base64_ENCODED_LEN(n, sodium_base64_VARIANT_ORIGINAL));
    sodium_bin2base64(text, sodium_base64_ENCODED_LEN(n, sodium_base64_VARIANT_ORIGINAL),
                      (const unsigned char *)bytes, n, sodium_base64_VARIANT_ORIGINAL);
    struct answer *r = api_send(a, "PUT", LOGO, api_text("{\"logo\":\"%s\"}", text),
                                api_text("If-Match: \"%d\"\r\n", version_of(a, BRAND)));
    free(text);
    return r;
}

Test(practice_rules, colour_and_logo)
{
    struct api b = api_login(OWNER_B);
    struct answer *r = api_patch(&b, BRAND, version_of(&b, BRAND), "{\"color\":\"#AA00ff\"}");
    cr_assert_eq(r->status, 200, "%s", r->http.body);
    cr_expect_str_eq(answer_text(r, "color"), "#aa00ff");
    cr_expect_eq(api_patch(&b, BRAND, version_of(&b, BRAND), "{\"color\":\"red\"}")->status, 422);
    static char big[102401] = "\x89PNG\r\n\x1a\n";
    r = put_logo(&b, big, 102400);
    cr_expect_eq(r->status, 200, "%s", r->http.body);
    cr_expect_str_eq(answer_text(r, "logo_type"), "image/png");
    cr_expect_eq(answer_int(r, "logo_bytes"), 102400);
    cr_expect_eq(put_logo(&b, big, 102401)->status, 422, "a byte too many");
    cr_expect_eq(put_logo(&b, "<svg/>", 6)->status, 422, "SVG runs scripts");
    cr_expect_eq(put_logo(&b, "GIF89a", 6)->status, 422);
    static const char *const bad[] = { "iVBORw0KGgo", "iVBO Rw0KGgo=", "iVBORw0KGgo=\\n", "____" };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        r = api_send(&b, "PUT", LOGO, api_text("{\"logo\":\"%s\"}", bad[i]),
                     api_text("If-Match: \"%d\"\r\n", version_of(&b, BRAND)));
        cr_expect_eq(r->status, 422, "%s: %d", bad[i], r->status);
    }
    r = put_logo(&b, "\xff\xd8\xff\xe0jpeg", 8);
    cr_expect_eq(r->status, 200, "%s", r->http.body);
    r = api_get(&b, LOGO);
    cr_expect_str_eq(answer_text(r, "logo_type"), "image/jpeg");
    cr_expect_str_eq(answer_text(r, "logo"), "/9j/4GpwZWc=");
    cr_expect_eq(
        api_send(&b, "DELETE", LOGO, NULL, api_text("If-Match: \"%d\"\r\n", version_of(&b, BRAND)))
            ->status,
        204);
    cr_expect_null(answer_text(api_get(&b, BRAND), "logo_type"));
    api_close(&b);
    api_release();
}

/* ---- what clients propose ---- */

struct scene {
    struct api owner, guest;
    const char *client;
};

static struct scene scene_open(void)
{
    struct scene s = { .owner = api_login(OWNER_A) };
    s.client = api_new_client(&s.owner, api_unique("Before"));
    s.guest = guest_of(&s.owner, api_text("clients/%s", s.client),
                       "\"scopes\":[\"see\",\"profile\"]");
    return s;
}

static void scene_close(struct scene *s)
{
    api_close(&s->owner);
    api_close(&s->guest);
    api_release();
}

static struct answer *propose(struct scene *s, const char *members)
{
    return api_send(&s->guest, "PATCH", "/api/v1/guest/profile", api_text("{%s}", members), NULL);
}

static struct answer *decide(struct scene *s, const char *id, const char *verb)
{
    return api_send(&s->owner, "POST", api_text("/api/v1/proposals/%s/%s", id, verb), NULL, NULL);
}

Test(practice_rules, a_proposal_changes_nothing_until_it_is_accepted)
{
    struct scene s = scene_open();
    struct answer *before = api_get(&s.owner, "/api/v1/clients/%s", s.client);
    struct answer *r = propose(&s, "\"phone\":\"+52 55 9999 8888\"");
    cr_assert_eq(r->status, 202, "%s", r->http.body);
    cr_expect_str_eq(answer_text(r, "state"), "pending");
    /* More of it belongs to the same one. */
    r = propose(&s, "\"email\":\"Nueva@example.com\",\"given_name\":\"Después\"");
    cr_expect_str_eq(answer_text(r, "phone"), "+525599998888");
    cr_expect_str_eq(api_get(&s.owner, "/api/v1/clients/%s", s.client)->http.body,
                     before->http.body, "the client changed");
    r = api_get(&s.guest, "/api/v1/guest/profile");
    cr_expect_str_eq(answer_text(r, "proposal.email"), "nueva@example.com");
    cr_expect_null(answer_text(r, "email"));
    r = api_get(&s.owner, "/api/v1/clients/%s/proposals", s.client);
    cr_assert_eq(answer_count(r, "data"), 1, "%s", r->http.body);
    const char *id = answer_text(r, "data.0.id");
    r = decide(&s, id, "accept");
    cr_assert_eq(r->status, 200, "%s", r->http.body);
    cr_expect_str_eq(answer_text(r, "state"), "accepted");
    cr_expect(answer_text(r, "decided_by") != NULL);
    r = api_get(&s.owner, "/api/v1/clients/%s", s.client);
    cr_expect_str_eq(answer_text(r, "given_name"), "Después");
    cr_expect_str_eq(answer_text(r, "email"), "nueva@example.com");
    cr_expect_str_eq(answer_text(r, "phone"), "+525599998888");
    cr_expect_eq(answer_int(r, "version"), 2);
    cr_expect_eq(decide(&s, id, "accept")->status, 409);
    cr_expect_eq(decide(&s, id, "reject")->status, 409);
    scene_close(&s);
}

/* Forms send every field: what is as it was must not come back when the practice has changed it meanwhile. */
Test(practice_rules, what_is_the_same_is_no_part_of_a_proposal)
{
    struct scene s = scene_open();
    struct answer *c = api_get(&s.owner, "/api/v1/clients/%s", s.client);
    const char *same = api_text("\"given_name\":\"%s\",\"family_name\":\"\"",
                                answer_text(c, "given_name"));
    struct answer *r = propose(&s, same);
    cr_expect_eq(r->status, 422);
    cr_expect(strstr(r->http.body, "unchanged"), "%s", r->http.body);
    r = propose(&s, api_text("%s,\"phone\":\"+525511112222\"", same));
    cr_assert_eq(r->status, 202, "%s", r->http.body);
    cr_expect_null(answer_text(r, "given_name"), "%s", r->http.body);
    cr_expect_str_eq(answer_text(r, "phone"), "+525511112222");
    scene_close(&s);
}

Test(practice_rules, a_rejected_one_leaves_everything)
{
    struct scene s = scene_open();
    cr_assert_eq(propose(&s, "\"family_name\":\"Otra\"")->status, 202);
    const char *id = answer_text(api_get(&s.owner, "/api/v1/clients/%s/proposals", s.client),
                                 "data.0.id");
    cr_expect_eq(decide(&s, id, "reject")->status, 200);
    cr_expect_eq(answer_int(api_get(&s.owner, "/api/v1/clients/%s", s.client), "version"), 1);
    /* Another may follow; another practice decides on none. */
    cr_assert_eq(propose(&s, "\"family_name\":\"Una más\"")->status, 202);
    struct answer *list = api_get(&s.owner, "/api/v1/clients/%s/proposals", s.client);
    cr_expect_eq(answer_count(list, "data"), 2);
    struct api b = api_login(OWNER_B);
    cr_expect_eq(api_send(&b, "POST",
                          api_text("/api/v1/proposals/%s/accept", answer_text(list, "data.0.id")),
                          NULL, NULL)
                     ->status,
                 404);
    cr_expect_eq(api_get(&b, "/api/v1/clients/%s/proposals", s.client)->status, 404);
    api_close(&b);
    static const char *const bad[] = { "", "\"email\":\"x\"", "\"notes\":\"x\"", "\"email\":null",
                                       "\"birth_date\":\"1990-01-01\"" };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        cr_expect_eq(propose(&s, bad[i])->status, 422, "%s", bad[i]);
    }
    scene_close(&s);
}
