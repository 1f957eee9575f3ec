/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What clients may do by themselves: the rules that the next bookings carry along. Those that are agreed keep theirs. Rows alone. */
#include "worker/route.h"

#define NUMBER(name) "(rules->>'" name "')::int AS " name
#define SWITCH(name) "(rules->'" name "')::boolean AS " name
#define GIVEN(name)  "'" name "', :" name

/* clang-format off */
#define POLICY_OUT                                                                     \
    SWITCH("guest_confirm") ", "                                                       \
    SWITCH("guest_cancel") ", "                                                        \
    SWITCH("guest_reschedule") ", "                                                    \
    NUMBER("cancel_cutoff_min") ", "                                                   \
    NUMBER("reschedule_cutoff_min") ", "                                               \
    NUMBER("max_reschedules") ", "                                                     \
    NUMBER("notice_min") ", "                                                          \
    NUMBER("horizon_days") ", "                                                        \
    SWITCH("approve_moves") ", "                                                       \
    NUMBER("answer_min") ", "                                                          \
    NUMBER("hold_min") ", "                                                            \
    NUMBER("day_visits") ", "                                                          \
    NUMBER("day_minutes") ", "                                                         \
    NUMBER("week_visits") ", "                                                         \
    NUMBER("week_minutes") ", "                                                        \
    NUMBER("auto_no_show_min") ", "                                                    \
    NUMBER("auto_complete_min") ", "                                                   \
    NUMBER("pay_min") ", "                                                             \
    NUMBER("offer_min") ", "                                                           \
    SWITCH("public_booking") ", "                                                      \
    SWITCH("public_approval") ", "                                                     \
    NUMBER("open_per_client") ", version, updated_at"
/* clang-format on */

static const struct column policy_columns[] = {
    { "guest_confirm", T_BOOL, NULL },
    { "guest_cancel", T_BOOL, NULL },
    { "guest_reschedule", T_BOOL, NULL },
    { "cancel_cutoff_min", T_INT, "So long before the visit cancelling ends" },
    { "reschedule_cutoff_min", T_INT, "So long before the visit moving ends" },
    { "max_reschedules", T_INT, "How often a client may move a visit" },
    { "notice_min", T_INT, "A visit is moved to no time sooner than this from now" },
    { "horizon_days", T_INT, "and to none later than this" },
    { "approve_moves", T_BOOL, "What a client moves is requested until staff confirm it" },
    { "answer_min", T_INT, "So long a request or a proposed time waits for its answer" },
    { "hold_min", T_INT, "So long a hold keeps its time" },
    { "day_visits", T_INT, "So many visits one person is booked a day at most; 0: no limit" },
    { "day_minutes", T_INT, "So many minutes of a day; 0: no limit" },
    { "week_visits", T_INT, "Of a week, Monday to Sunday" },
    { "week_minutes", T_INT, NULL },
    { "auto_no_show_min", T_INT, "So long after its beginning a visit is missed; 0: staff say so" },
    { "auto_complete_min", T_INT, "So long after its end a visit is over; 0: staff say so" },
    { "pay_min", T_INT, "So long a visit waits for its payment; 0: nobody is asked to pay first" },
    { "offer_min", T_INT, "So long time that is offered to who waits is kept for them" },
    { "public_booking", T_BOOL, "Whether people without an account may book" },
    { "public_approval", T_BOOL, "What they book is requested until staff confirm it" },
    { "open_per_client", T_INT,
      "So many visits to come one e-mail or phone may book that way; 0: no limit" },
    { "version", T_INT, NULL },
    { "updated_at", T_INSTANT, NULL },
    { 0 },
};

static const struct param policy_params[] = {
    { .name = "guest_confirm", .in = IN_BODY, .type = T_BOOL },
    { .name = "guest_cancel", .in = IN_BODY, .type = T_BOOL },
    { .name = "guest_reschedule", .in = IN_BODY, .type = T_BOOL },
    { .name = "cancel_cutoff_min", .in = IN_BODY, .type = T_INT, .min = 0, .max = 43200 },
    { .name = "reschedule_cutoff_min", .in = IN_BODY, .type = T_INT, .min = 0, .max = 43200 },
    { .name = "max_reschedules", .in = IN_BODY, .type = T_INT, .min = 0, .max = 100 },
    { .name = "notice_min", .in = IN_BODY, .type = T_INT, .min = 0, .max = 43200 },
    { .name = "horizon_days", .in = IN_BODY, .type = T_INT, .min = 1, .max = 730 },
    { .name = "approve_moves", .in = IN_BODY, .type = T_BOOL },
    { .name = "answer_min", .in = IN_BODY, .type = T_INT, .min = 5, .max = 43200 },
    { .name = "hold_min", .in = IN_BODY, .type = T_INT, .min = 1, .max = 60 },
    { .name = "day_visits", .in = IN_BODY, .type = T_INT, .min = 0, .max = 200 },
    { .name = "day_minutes", .in = IN_BODY, .type = T_INT, .min = 0, .max = 1440 },
    { .name = "week_visits", .in = IN_BODY, .type = T_INT, .min = 0, .max = 1000 },
    { .name = "week_minutes", .in = IN_BODY, .type = T_INT, .min = 0, .max = 10080 },
    { .name = "auto_no_show_min", .in = IN_BODY, .type = T_INT, .min = 0, .max = 1440 },
    { .name = "auto_complete_min", .in = IN_BODY, .type = T_INT, .min = 0, .max = 1440 },
    { .name = "pay_min", .in = IN_BODY, .type = T_INT, .min = 0, .max = 43200 },
    { .name = "offer_min", .in = IN_BODY, .type = T_INT, .min = 5, .max = 10080 },
    { .name = "public_booking", .in = IN_BODY, .type = T_BOOL },
    { .name = "public_approval", .in = IN_BODY, .type = T_BOOL },
    { .name = "open_per_client", .in = IN_BODY, .type = T_INT, .min = 0, .max = 100 },
    { 0 },
};

/* What is not given is null and is left out, so that it stays. */
/* clang-format off */
static const char policy_change_sql[] =
    "UPDATE booking_policy SET rules = rules || jsonb_strip_nulls(jsonb_build_object("
    GIVEN("guest_confirm") ", "
    GIVEN("guest_cancel") ", "
    GIVEN("guest_reschedule") ", "
    GIVEN("cancel_cutoff_min") ", "
    GIVEN("reschedule_cutoff_min") ", "
    GIVEN("max_reschedules") ", "
    GIVEN("notice_min") ", "
    GIVEN("horizon_days") ", "
    GIVEN("approve_moves") ", "
    GIVEN("answer_min") ", "
    GIVEN("hold_min") ", "
    GIVEN("day_visits") ", "
    GIVEN("day_minutes") ", "
    GIVEN("week_visits") ", "
    GIVEN("week_minutes") ", "
    GIVEN("auto_no_show_min") ", "
    GIVEN("auto_complete_min") ", "
    GIVEN("pay_min") ", "
    GIVEN("offer_min") ", "
    GIVEN("public_booking") ", "
    GIVEN("public_approval") ", "
    GIVEN("open_per_client") ")), version = version + 1, updated_at = now()"
    " WHERE version = :if_version RETURNING " POLICY_OUT;
/* clang-format on */

const struct route booking_policy_routes[] = {
    {
        .method = M_GET,
        .path = "/api/v1/booking-policy",
        .summary = "Read what clients may do by themselves",
        .need = PERM_BUSINESS_READ,
        .cost = COST_FAST,
        .columns = policy_columns,
        .sql = "SELECT " POLICY_OUT " FROM booking_policy",
        .shape = SHAPE_ONE,
        .success = 200,
        .etag = true,
    },
    {
        .method = M_PATCH,
        .path = "/api/v1/booking-policy",
        .summary = "Change what clients may do by themselves, for bookings from now on",
        .need = PERM_BUSINESS_WRITE,
        .cost = COST_FAST,
        .params = policy_params,
        .columns = policy_columns,
        .sql = policy_change_sql,
        .probe = "SELECT 1 FROM booking_policy",
        .shape = SHAPE_ONE,
        .success = 200,
        .etag = true,
        .if_match = true,
    },
    { 0 },
};
