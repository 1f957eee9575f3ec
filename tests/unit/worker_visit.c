/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The table of an appointment's life, held against what a practice expects of it: written down a second time, by state. */
#include <criterion/criterion.h>

#include "common/str.h"
#include "worker/api/appointment.h"

static const struct {
    const char *state, *staff, *client, *system; /* the steps open in it, in the table's order */
} life[] = {
    { "held", "[]", "[]", "[]" },
    { "requested", "[\"confirm\",\"decline\",\"reschedule\",\"propose\",\"cancel\"]",
      "[\"reschedule\",\"cancel\"]", "[\"expire\"]" },
    { "awaiting_client", "[\"confirm\",\"reschedule\",\"propose\",\"cancel\"]",
      "[\"confirm\",\"reschedule\",\"cancel\"]", "[\"expire\"]" },
    { "awaiting_payment", "[\"paid\",\"reschedule\",\"propose\",\"cancel\"]",
      "[\"reschedule\",\"cancel\"]", "[\"expire\"]" },
    { "confirmed", "[\"reschedule\",\"propose\",\"cancel\",\"check-in\",\"no-show\"]",
      "[\"confirm\",\"reschedule\",\"cancel\"]", "[\"no-show\"]" },
    { "checked_in", "[\"start\"]", "[]", "[]" },
    { "in_progress", "[\"complete\"]", "[]", "[\"complete\"]" },
    { "completed", "[\"reopen\"]", "[]", "[]" },
    { "no_show", "[\"reopen\"]", "[]", "[]" },
    { "cancelled", "[]", "[]", "[]" },
    { "declined", "[]", "[]", "[]" },
    { "expired", "[]", "[]", "[]" },
};

static void expect_legal(const char *state, enum visit_who who, const char *want)
{
    struct sbuf out;
    sbuf_init(&out);
    visit_legal(&out, state, who);
    cr_expect(slice_eq(sbuf_slice(&out), slice_of(want)), "%s: %.*s", state, (int)out.len,
              out.data);
    sbuf_fini(&out);
}

Test(visit, what_is_open_in_each_state)
{
    for (size_t i = 0; i < ARRAY_LEN(life); i++) {
        expect_legal(life[i].state, VISIT_STAFF, life[i].staff);
        expect_legal(life[i].state, VISIT_CLIENT, life[i].client);
        expect_legal(life[i].state, VISIT_SYSTEM, life[i].system);
    }
    expect_legal("", VISIT_STAFF, "[]");
    expect_legal("confirm", VISIT_STAFF, "[]");
    expect_legal("confirmed,cancelled", VISIT_STAFF, "[]");
}

static bool is_state(struct slice word)
{
    struct slice rest = slice_of(APPOINTMENT_STATES);
    while (rest.p) {
        if (slice_eq(str_cut(&rest, ' '), word)) {
            return true;
        }
    }
    return false;
}

Test(visit, rows_name_states_there_are)
{
    for (const struct visit_step *s = visit_steps; s->verb; s++) {
        struct slice rest = { s->from + 1, strlen(s->from) - 2 };
        cr_expect(s->from[0] == '{' && s->from[strlen(s->from) - 1] == '}', "%s", s->verb);
        cr_expect(!s->to || is_state(slice_of(s->to)), "%s", s->verb);
        cr_expect(s->who != 0 && s->time != 0, "%s", s->verb);
        while (rest.p) {
            struct slice word = str_cut(&rest, ',');
            cr_expect(is_state(word), "%s from %.*s", s->verb, (int)word.n, word.p);
        }
    }
    size_t states = 1;
    for (const char *p = APPOINTMENT_STATES; *p; p++) {
        states += *p == ' ';
    }
    cr_expect_eq(states, ARRAY_LEN(life), "a state is not described here");
}

/* Where clients' visits are counted anew, and where they need not be. */
Test(visit, what_changes_how_often_somebody_came)
{
    for (const struct visit_step *s = visit_steps; s->verb; s++) {
        cr_expect_eq(visit_counts(s), strstr(" complete no-show reopen ", s->verb) != NULL, "%s",
                     s->verb);
    }
}

Test(visit, each_has_steps_of_their_own)
{
    cr_expect_str_eq(visit_step("confirm", VISIT_STAFF)->from, "{requested,awaiting_client}");
    cr_expect_str_eq(visit_step("confirm", VISIT_CLIENT)->from, VISIT_CLIENT_CONFIRMS);
    cr_expect_null(visit_step("decline", VISIT_CLIENT));
    cr_expect_null(visit_step("expire", VISIT_STAFF));
    cr_expect_null(visit_step("confirme", VISIT_STAFF));
    cr_expect_eq(visit_step("no-show", VISIT_SYSTEM), visit_step("no-show", VISIT_STAFF));
    cr_expect_null(visit_step("", VISIT_STAFF));
}
