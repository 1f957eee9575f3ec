/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Roles that a practice makes, who may give what to whom, what a reach lets through, and members who are suspended. The table of roles, routes
 * and objects is tests/isolation/roles.c. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "common/clock.h"
#include "tests/support/guest.h"
#include "tests/support/member.h"
#include "tests/support/wait.h"

#define ROLES  "/api/v1/roles"
#define STAFF  "/api/v1/staff"
#define INVITE "/api/v1/invitations"

TestSuite(own_roles, .timeout = 120);

static const char *role_path(const char *code)
{
    return api_text(ROLES "/%s", code);
}

static int version_of(struct api *who, const char *path)
{
    struct answer *r = api_get(who, "%s", path);
    cr_assert_eq(r->status, 200, "%s: %s", path, r->http.body);
    return (int)answer_int(r, "version");
}

static struct answer *patch(struct api *who, const char *path, const char *body)
{
    return api_send(who, "PATCH", path, body,
                    api_text("If-Match: \"%d\"\r\n", version_of(who, path)));
}

static struct answer *drop(struct api *who, const char *path)
{
    return api_send(who, "DELETE", path, NULL,
                    api_text("If-Match: \"%d\"\r\n", version_of(who, path)));
}

/* ---- a role that changes ---- */

struct asking {
    struct api *api;
    const char *path;
    int want;
};

static bool answers(void *arg)
{
    struct asking *a = arg;
    return api_get(a->api, "%s", a->path)->status == a->want;
}

static bool comes_to(struct api *who, const char *path, int status)
{
    struct asking a = { who, path, status };
    int64_t begun = clock_mono_us();
    bool yes = wait_until(answers, &a, WAIT_LONG_MS);
    printf("own_roles: %s became %d after %lld ms\n", path, status,
           (long long)(clock_mono_us() - begun) / 1000);
    return yes;
}

Test(own_roles, a_permission_taken_away_is_gone_and_one_given_is_there)
{
    struct api owner = api_login(OWNER_A);
    const char *role = api_new_role(&owner, api_unique("Cambia"), "client.read service.read");
    struct member m = member_join("practice-a", role, NULL);
    cr_expect_eq(api_get(&m.api, "/api/v1/clients")->status, 200);
    cr_expect_eq(api_get(&m.api, "/api/v1/appointments")->status, 403);
    struct answer *r = patch(&owner, role_path(role),
                             "{\"permissions\":\"appointment.read service.read\"}");
    cr_expect_eq(r->status, 200, "%s", r->http.body);
    cr_expect_str_eq(answer_text(r, "permissions"), "service.read appointment.read");
    cr_expect(comes_to(&m.api, "/api/v1/clients", 403));
    cr_expect(comes_to(&m.api, "/api/v1/appointments", 200));
    cr_expect_str_eq(answer_text(api_get(&m.api, "/api/v1/me/permissions"), "permissions"),
                     "service.read appointment.read");
    member_close(&m);
    api_close(&owner);
    api_release();
}

/* The same code in two practices is two roles. */
Test(own_roles, another_practices_role_of_that_code_is_nothing_here)
{
    struct api a = api_login(OWNER_A), b = api_login(OWNER_B);
    const char *role = api_new_role(&a, api_unique("Solo aquí"), "client.read");
    struct member here = member_join("practice-a", role, NULL);
    struct member there = member_join("practice-b", role, NULL);
    for (int i = 0; i < 6; i++) { /* whichever slot remembers which first */
        cr_expect_eq(api_get(&there.api, "/api/v1/clients")->status, 403);
        cr_expect_eq(api_get(&here.api, "/api/v1/clients")->status, 200);
    }
    member_close(&here);
    member_close(&there);
    api_close(&a);
    api_close(&b);
    api_release();
}

Test(own_roles, what_is_refused)
{
    struct api owner = api_login(OWNER_A);
    const char *name = api_unique("Una"), *role = api_new_role(&owner, name, "client.read");
    struct answer *r = api_post(&owner, ROLES, "{\"name\":\"%s\",\"permissions\":\"client.read\"}",
                                name);
    cr_expect_eq(r->status, 409, "the same name twice: %s", r->http.body);
    r = api_post(&owner, ROLES, "{\"name\":\"Otra\",\"permissions\":\"client.read everything\"}");
    cr_expect_eq(r->status, 422);
    cr_expect(answer_blames(r, "/permissions") && strstr(r->http.body, "everything"));
    r = api_send(&owner, "PATCH", role_path("owner"), "{\"name\":\"Jefe\"}", "If-Match: \"1\"\r\n");
    cr_expect_eq(r->status, 409, "a role that came ready");
    r = api_send(&owner, "PATCH", role_path(role), "{\"name\":\"Otra\"}", "If-Match: \"7\"\r\n");
    cr_expect_eq(r->status, 412);
    struct member m = member_join("practice-a", role, NULL);
    cr_expect_eq(drop(&owner, role_path(role))->status, 409, "somebody has it");
    cr_expect_eq(patch(&owner, api_text(STAFF "/%s", m.staff), "{\"role\":\"read_only\"}")->status,
                 200);
    cr_expect_eq(drop(&owner, role_path(role))->status, 204);
    cr_expect_eq(api_get(&owner, "%s", role_path(role))->status, 404);
    r = api_post(&owner, INVITE, "{\"email\":\"x@example.com\",\"name\":\"X\",\"role\":\"%s\"}",
                 role);
    cr_expect_eq(r->status, 422);
    cr_expect(answer_blames(r, "/role"));
    member_close(&m);
    api_close(&owner);
    api_release();
}

Test(own_roles, the_list_has_what_came_ready_and_what_was_made)
{
    struct api owner = api_login(OWNER_A);
    const char *role = api_new_role(&owner, api_unique("Lista"), "appointment.read:team");
    struct answer *r = api_get(&owner, ROLES);
    cr_expect_eq(r->status, 200);
    cr_expect_str_eq(answer_text(r, "data.0.code"), "owner");
    cr_expect_str_eq(answer_text(r, "data.0.name"), "Dueño");
    cr_expect_str_eq(answer_text(r, "data.0.ready"), "true");
    cr_expect(strstr(answer_text(r, "data.1.permissions"), "client.read:own"));
    cr_expect(strstr(r->http.body, role) != NULL);
    api_close(&owner);
    api_release();
}

/* ---- who may give what ---- */

Test(own_roles, nobody_gives_more_than_they_have)
{
    struct api owner = api_login(OWNER_A);
    const char *words = "staff.read staff.write role.write client.read:team";
    const char *manager_role = api_new_role(&owner, api_unique("Encargada"), words);
    const char *less = api_new_role(&owner, api_unique("Menos"), "client.read:own");
    struct member manager = member_join("practice-a", manager_role, "uno"),
                  other = member_join("practice-a", less, "uno"),
                  reception = member_join("practice-a", "receptionist", NULL);
    static const char *const too_much[] = { "owner", "receptionist", "professional", "read_only" };
    for (size_t i = 0; i < ARRAY_LEN(too_much); i++) {
        struct answer *r = api_post(&manager.api, INVITE,
                                    "{\"email\":\"x@example.com\",\"name\":\"X\",\"role\":\"%s\"}",
                                    too_much[i]);
        cr_expect_eq(r->status, 403, "invite %s: %d", too_much[i], r->status);
        r = api_post(&manager.api, STAFF, "{\"name\":\"X\",\"role\":\"%s\"}", too_much[i]);
        cr_expect_eq(r->status, 403, "add %s: %d", too_much[i], r->status);
        r = patch(&manager.api, api_text(STAFF "/%s", manager.staff),
                  api_text("{\"role\":\"%s\"}", too_much[i]));
        cr_expect_eq(r->status, 403, "become %s: %d", too_much[i], r->status);
    }
    cr_expect_eq(
        patch(&manager.api, api_text(STAFF "/%s", reception.staff), "{\"name\":\"Y\"}")->status,
        403, "who may more is not changed");
    cr_expect_eq(drop(&manager.api, api_text(STAFF "/%s", reception.staff))->status, 403);
    cr_expect_eq(
        patch(&manager.api, api_text(STAFF "/%s", other.staff), "{\"name\":\"Y\"}")->status, 200,
        "who may less is");
    static const char *const words_too_many[] = { "client.read", "client.write:own",
                                                  "business.read" };
    for (size_t i = 0; i < ARRAY_LEN(words_too_many); i++) {
        struct answer *r = api_post(&manager.api, ROLES,
                                    "{\"name\":\"Más\",\"permissions\":\"%s\"}", words_too_many[i]);
        cr_expect_eq(r->status, 403, "%s: %d", words_too_many[i], r->status);
        r = patch(&manager.api, role_path(less),
                  api_text("{\"permissions\":\"%s\"}", words_too_many[i]));
        cr_expect_eq(r->status, 403, "%s: %d", words_too_many[i], r->status);
    }
    const char *more = api_new_role(&owner, api_unique("Más"), "client.read");
    cr_expect_eq(
        patch(&manager.api, role_path(more), "{\"permissions\":\"client.read:own\"}")->status, 403,
        "nor is a role that may more cut down");
    cr_expect_eq(api_post(&manager.api, ROLES, "{\"name\":\"%s\",\"permissions\":\"%s\"}",
                          api_unique("Igual"), words)
                     ->status,
                 201);
    member_close(&manager);
    member_close(&other);
    member_close(&reception);
    api_close(&owner);
    api_release();
}

/* ---- a reach ---- */

Test(own_roles, own_means_whom_i_registered_or_who_comes_to_me)
{
    struct api owner = api_login(OWNER_A);
    struct member p = member_join("practice-a", "professional", NULL),
                  q = member_join("practice-a", "professional", NULL);
    const char *service = api_new_service(&owner, api_unique("Mío"), 30);
    const char *mine = api_new_client(&p.api, api_unique("Mía"));
    const char *theirs = api_new_client(&owner, api_unique("Suya"));
    cr_expect_eq(api_get(&p.api, "/api/v1/clients/%s", mine)->status, 200);
    cr_expect_eq(api_get(&q.api, "/api/v1/clients/%s", mine)->status, 404);
    cr_expect_eq(api_get(&p.api, "/api/v1/clients/%s", theirs)->status, 404);
    struct answer *r = api_book(&p.api, theirs, service, p.staff,
                                api_text("%sT09:00", api_day(40)));
    cr_expect_eq(r->status, 422);
    cr_expect(answer_blames(r, "/client_id"));
    r = api_book(&p.api, mine, service, q.staff, api_text("%sT09:00", api_day(40)));
    cr_expect_eq(r->status, 422);
    cr_expect(answer_blames(r, "/staff_id"));
    r = api_book(&p.api, mine, service, p.staff, api_text("%sT09:00", api_day(40)));
    cr_assert_eq(r->status, 201, "%s", r->http.body);
    const char *visit = api_text("/api/v1/appointments/%s", answer_text(r, "id"));
    cr_expect_eq(api_get(&q.api, "%s", visit)->status, 404);
    r = patch(&p.api, visit, api_text("{\"staff_id\":\"%s\"}", q.staff));
    cr_expect_eq(r->status, 422, "nor given away");
    r = api_book(&owner, theirs, service, q.staff, api_text("%sT11:00", api_day(40)));
    cr_assert_eq(r->status, 201);
    cr_expect_eq(api_get(&q.api, "/api/v1/clients/%s", theirs)->status, 200, "who comes is seen");
    member_close(&p);
    member_close(&q);
    api_close(&owner);
    api_release();
}

/* Without a team nobody is in mine, others without one neither. */
Test(own_roles, no_team_is_no_common_team)
{
    struct api owner = api_login(OWNER_A);
    struct member one = member_join("practice-a", "assistant", NULL),
                  other = member_join("practice-a", "assistant", NULL);
    const char *client = api_new_client(&one.api, api_unique("Sin equipo"));
    cr_expect_eq(api_get(&one.api, "/api/v1/clients/%s", client)->status, 200);
    cr_expect_eq(api_get(&other.api, "/api/v1/clients/%s", client)->status, 404);
    cr_expect_eq(patch(&owner, api_text(STAFF "/%s", one.staff), "{\"team\":\"Tarde\"}")->status,
                 200);
    cr_expect_eq(patch(&owner, api_text(STAFF "/%s", other.staff), "{\"team\":\"Tarde\"}")->status,
                 200);
    cr_expect_eq(api_get(&other.api, "/api/v1/clients/%s", client)->status, 200);
    member_close(&one);
    member_close(&other);
    api_close(&owner);
    api_release();
}

/* Who reaches a team would reach another by going there, or by fetching somebody from it. */
Test(own_roles, teams_are_changed_by_who_reaches_everything)
{
    struct api owner = api_login(OWNER_A);
    const char *role = api_new_role(&owner, api_unique("Jefa de equipo"),
                                    "staff.read staff.write client.read:team");
    struct member lead = member_join("practice-a", role, "uno"),
                  other = member_join("practice-a", role, "dos");
    const char *own = api_text(STAFF "/%s", lead.staff),
               *theirs = api_text(STAFF "/%s", other.staff);
    cr_expect_eq(patch(&lead.api, own, "{\"team\":\"dos\"}")->status, 403);
    cr_expect_eq(patch(&lead.api, theirs, "{\"team\":\"uno\"}")->status, 403);
    cr_expect_eq(patch(&lead.api, theirs, "{\"team\":null}")->status, 403);
    cr_expect_eq(patch(&lead.api, theirs, "{\"title\":\"Dra.\"}")->status, 200);
    cr_expect_eq(patch(&owner, theirs, "{\"team\":\"uno\"}")->status, 200);
    member_close(&lead);
    member_close(&other);
    api_close(&owner);
    api_release();
}

/* ---- links ---- */

/* The maker has the link, and could open it. */
Test(own_roles, a_link_allows_no_more_than_its_maker_may)
{
    static const struct {
        const char *permissions, *scopes;
        int status;
    } tries[] = {
        { "link.write", "\"see\"", 403 },
        { "link.write appointment.read", "\"see\"", 201 },
        { "link.write appointment.read", "\"see\",\"cancel\"", 403 },
        { "link.write appointment.read", "\"profile\"", 403 },
        { "link.write appointment.read", "\"confirm\"", 403 },
        { "link.write appointment.read:own", "\"see\"", 403 },
        { "link.write client.read appointment.change appointment.cancel",
          "\"profile\",\"reschedule\",\"cancel\",\"confirm\"", 201 },
    };
    struct api owner = api_login(OWNER_A);
    const char *client = api_new_client(&owner, api_unique("Enlazada"));
    for (size_t i = 0; i < ARRAY_LEN(tries); i++) {
        struct member m = member_join(
            "practice-a", api_new_role(&owner, api_unique("Enlaces"), tries[i].permissions), NULL);
        struct answer *r = api_post(&m.api, api_text("/api/v1/clients/%s/links", client),
                                    "{\"scopes\":[%s]}", tries[i].scopes);
        cr_expect_eq(r->status, tries[i].status, "%s: %s: %d", tries[i].permissions,
                     tries[i].scopes, r->status);
        member_close(&m);
    }
    api_close(&owner);
    api_release();
}

/* A client who comes to two of them: each has the links to the own visits. */
Test(own_roles, a_link_to_a_colleagues_visit_is_out_of_reach)
{
    struct api owner = api_login(OWNER_A);
    struct member p = member_join("practice-a", "professional", NULL),
                  q = member_join("practice-a", "professional", NULL);
    const char *client = api_new_client(&owner, api_unique("De dos"));
    const char *service = api_new_service(&owner, api_unique("Visita"), 30);
    struct answer *a = api_book(&owner, client, service, p.staff,
                                api_text("%sT09:00", api_day(41))),
                  *b = api_book(&owner, client, service, q.staff,
                                api_text("%sT11:00", api_day(41)));
    struct guest_link mine = guest_link_to(&p.api,
                                           api_text("appointments/%s", answer_text(a, "id")), ""),
                      theirs = guest_link_to(&q.api,
                                             api_text("appointments/%s", answer_text(b, "id")), "");
    struct answer *list = api_get(&p.api, "/api/v1/clients/%s/links", client);
    cr_expect_eq(answer_count(list, "data"), 1, "%s", list->http.body);
    cr_expect_str_eq(answer_text(list, "data.0.id"), mine.id);
    cr_expect_eq(api_get(&p.api, "/api/v1/links/%s", theirs.id)->status, 404);
    cr_expect_eq(
        api_send(&p.api, "POST", api_text("/api/v1/links/%s/revoke", theirs.id), NULL, NULL)
            ->status,
        404);
    cr_expect_eq(answer_count(api_get(&owner, "/api/v1/clients/%s/links", client), "data"), 2);
    member_close(&p);
    member_close(&q);
    api_close(&owner);
    api_release();
}

/* ---- suspended, and the last owner ---- */

Test(own_roles, who_is_suspended_is_out_at_once_and_may_come_back)
{
    struct api owner = api_login(OWNER_A);
    struct member m = member_join("practice-a", "receptionist", NULL);
    const char *path = api_text(STAFF "/%s", m.staff);
    cr_expect_eq(api_get(&m.api, "/api/v1/clients")->status, 200);
    struct answer *r = patch(&owner, path, "{\"suspended\":true}");
    cr_expect_eq(r->status, 200, "%s", r->http.body);
    cr_expect_not_null(answer_text(r, "suspended_at"));
    cr_expect(comes_to(&m.api, "/api/v1/clients", 401));
    int status;
    struct api again = api_try_login(m.email, "correct-horse-battery-staple", &status);
    cr_expect_eq(status, 403, "%d", status);
    api_close(&again);
    cr_expect_eq(patch(&owner, path, "{\"suspended\":false}")->status, 200);
    again = api_login(m.email);
    cr_expect_eq(api_get(&again, "/api/v1/clients")->status, 200);
    api_close(&again);
    member_close(&m);
    api_close(&owner);
    api_release();
}

Test(own_roles, an_owner_who_cannot_log_in_is_no_last_owner)
{
    struct api owner = api_login(OWNER_B);
    struct answer *r = api_post(&owner, STAFF, "{\"name\":\"De nombre\",\"role\":\"owner\"}");
    cr_assert_eq(r->status, 201, "%s", r->http.body);
    const char *me = answer_text(api_get(&owner, "/api/v1/me"), "id");
    const char *path = api_text(STAFF "/%s", me);
    static const char *const bodies[] = { "{\"suspended\":true}", "{\"archived\":true}",
                                          "{\"role\":\"professional\"}" };
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        r = patch(&owner, path, bodies[i]);
        cr_expect_eq(r->status, 409, "%s: %d", bodies[i], r->status);
    }
    cr_expect_eq(drop(&owner, path)->status, 409);
    api_close(&owner);
    api_release();
}
