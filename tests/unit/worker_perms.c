/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What the roles that come ready may do, written down a second time; words and back; and the marks of statements. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "common/str.h"
#include "worker/perms.h"
#include "worker/scope.h"
#include "worker/stmt.h"

static char *written(const struct perm_set *set)
{
    struct sbuf b;
    sbuf_init(&b);
    perms_write(set, &b);
    sbuf_char(&b, '\0');
    cr_assert(!sbuf_failed(&b));
    return b.data;
}

Test(perms, ready_roles)
{
    static const char *const codes[] = { "owner", "professional", "receptionist", "assistant",
                                         "read_only" };
    static const char want[PERM_COUNT][6] = {
        /* one letter a role, in that order: - none, o own, t team, a all */
        [PERM_NONE] = "-----",
        [PERM_SELF] = "aaaaa",
        [PERM_BUSINESS_READ] = "aaaaa",
        [PERM_BUSINESS_WRITE] = "a----",
        [PERM_STAFF_READ] = "aaaaa",
        [PERM_STAFF_WRITE] = "a----",
        [PERM_ROLE_WRITE] = "a----",
        [PERM_KEY_WRITE] = "a----",
        [PERM_SERVICE_READ] = "aaaaa",
        [PERM_SERVICE_WRITE] = "a----",
        [PERM_CLIENT_READ] = "aoata",
        [PERM_CLIENT_WRITE] = "aoat-",
        [PERM_APPOINTMENT_READ] = "aoata",
        [PERM_APPOINTMENT_BOOK] = "aoat-",
        [PERM_APPOINTMENT_CHANGE] = "aoat-",
        [PERM_APPOINTMENT_CANCEL] = "aoat-",
        [PERM_APPOINTMENT_ATTEND] = "aoat-",
        [PERM_APPOINTMENT_OVERRIDE] = "aoa--",
        [PERM_APPOINTMENT_REOPEN] = "ao---",
        [PERM_LINK_READ] = "aoata",
        [PERM_LINK_WRITE] = "aoat-",
        [PERM_GUEST] = "-----",
    };
    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        const struct perm_set *set = perms_ready(codes[i]);
        cr_assert_not_null(set, "%s", codes[i]);
        for (enum perm p = PERM_NONE; p < PERM_COUNT; p++) {
            cr_expect_eq("-ota"[set->reach[p]], want[p][i], "%s %s", codes[i], perms_name(p));
        }
        cr_expect(perms_cover(perms_ready("owner"), set), "%s", codes[i]);
        cr_expect_str_eq(perms_ready_code(i), codes[i]);
        cr_expect(perms_ready_name(i, LANG_ES) && perms_ready_name(i, LANG_EN));
    }
    cr_expect_null(perms_ready_code(ARRAY_LEN(codes)));
    for (enum perm p = PERM_NONE; p < PERM_COUNT; p++) {
        cr_expect_eq(perms_ready("guest")->reach[p] == REACH_ALL, p == PERM_GUEST);
    }
    cr_expect(!perms_ready("") && !perms_ready("Owner") && !perms_ready("staff"));
    cr_expect(!perms_cover(perms_ready("receptionist"), perms_ready("owner")));
    cr_expect(!perms_cover(perms_ready("professional"), perms_ready("assistant")));
    cr_expect(!perms_cover(perms_ready("assistant"), perms_ready("read_only")));
}

Test(perms, words)
{
    struct perm_set set, again;
    struct slice bad = { 0 };
    cr_assert_eq(
        perms_parse(SLICE(" appointment.read:team  client.read:own client.write:all "), &set, &bad),
        OK);
    cr_expect_eq(set.reach[PERM_CLIENT_READ], REACH_OWN);
    cr_expect_eq(set.reach[PERM_CLIENT_WRITE], REACH_ALL);
    cr_expect_eq(set.reach[PERM_APPOINTMENT_READ], REACH_TEAM);
    cr_expect_eq(set.reach[PERM_SELF], REACH_ALL);
    char *text = written(&set);
    cr_expect_str_eq(text, "client.read:own client.write appointment.read:team");
    cr_assert_eq(perms_parse(slice_of(text), &again, &bad), OK);
    cr_expect_eq(memcmp(&set, &again, sizeof(set)), 0);
    free(text);
    cr_assert_eq(perms_parse(SLICE(""), &set, &bad), OK, "nothing but one's own profile");
}

Test(perms, what_is_no_word)
{
    static const char *const texts[] = {
        "client",
        "client.read:",
        "client.read:none",
        "client.read:mine",
        "client.read:own:",
        "none",
        "self",
        "CLIENT.READ",
        "staff.read:own",
        "business.write:team",
        "client.read client.read:own",
        "client.read,staff.read",
        "client.read\tstaff.read",
        ":own",
        ":",
        "guest",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct perm_set set;
        struct slice bad = { 0 };
        cr_expect_eq(perms_parse(slice_of(texts[i]), &set, &bad), E_INVALID, "%s", texts[i]);
        cr_expect_gt(bad.n, 0, "%s", texts[i]);
    }
}

/* ---- marks ---- */

static enum err compile(const char *sql, struct stmt_plan *out)
{
    struct sbuf why;
    sbuf_init(&why);
    *out = (struct stmt_plan){ .name = "x" };
    enum err e = stmt_compile(sql, &(struct stmt_scope){ 0 }, out, NULL, &why);
    cr_expect_eq(e != OK, why.len > 0);
    sbuf_fini(&why);
    return e;
}

Test(scope, a_mark_costs_nothing_for_whoever_reaches_all)
{
    struct stmt_plan p;
    struct call c = { .reach = REACH_ALL };
    cr_assert_eq(compile("SELECT 1 FROM client c WHERE c.id = :new_id AND :scope(client c)", &p),
                 OK);
    cr_expect_str_eq(p.text, "SELECT 1 FROM client c WHERE c.id = $1 AND true");
    cr_expect_eq(p.count, 1);
    cr_expect_eq(stmt_for(&p, &c), &p);
    static const enum reach less[] = { REACH_NONE, REACH_OWN, REACH_TEAM };
    for (size_t i = 0; i < ARRAY_LEN(less); i++) {
        c.reach = less[i];
        cr_expect_eq(stmt_for(&p, &c), p.narrow);
    }
    cr_expect_eq(p.narrow->count, 3);
    cr_expect(strstr(p.narrow->text, "c.created_by = $2") &&
              strstr(p.narrow->text, "a_.staff_id = $2"));
    cr_expect_neq(p.narrow->id, p.id);
    stmt_free(&p);
}

Test(scope, without_a_mark_there_is_one_form)
{
    struct stmt_plan p;
    struct call c = { 0 };
    cr_assert_eq(compile("SELECT 1", &p), OK);
    cr_expect_null(p.narrow);
    cr_expect_eq(stmt_for(&p, &c), &p);
    stmt_free(&p);
}

Test(scope, what_is_no_mark)
{
    static const char *const texts[] = { "SELECT :scope(client", "SELECT :scope(service s)",
                                         "SELECT :scope(client)", "SELECT :scope()",
                                         "SELECT :scope(client )" };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct stmt_plan p;
        cr_expect_eq(compile(texts[i], &p), E_CONFIG, "%s", texts[i]);
        cr_expect(!p.text && !p.narrow);
    }
}
