/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Every resource of the API, in the order documentation shows them. A new file of worker/api/ is added here. */
#include "worker/route.h"

const struct route *const route_tables[] = {
    auth_routes,
    keys_routes,
    session_routes,
    account_routes,
    recovery_routes,
    email_routes,
    second_factor_routes,
    step_up_routes,
    business_factor_routes,
    me_routes,
    business_routes,
    staff_routes,
    invitation_routes,
    joining_routes,
    service_routes,
    client_routes,
    appointment_routes,
    link_routes,
    link_open_routes,
    guest_routes,
    guest_landing_routes,
    guest_session_routes,
    guest_move_routes,
    guest_cancel_routes,
    guest_profile_routes,
    guest_leave_routes,
    openapi_routes,
    NULL,
};
