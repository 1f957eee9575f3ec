/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Owners run the practice; staff see it and work with its clients and agenda; guests come by a link and have routes of their own. */
#include "worker/perms.h"

#define BIT(p) (1u << (p))
#define READS                                                                                   \
    (BIT(PERM_SELF) | BIT(PERM_BUSINESS_READ) | BIT(PERM_STAFF_READ) | BIT(PERM_SERVICE_READ) | \
     BIT(PERM_CLIENT_READ) | BIT(PERM_APPOINTMENT_READ) | BIT(PERM_LINK_READ))

static const struct {
    const char *name;
    unsigned perms;
} roles[] = {
    { "owner", READS | BIT(PERM_BUSINESS_WRITE) | BIT(PERM_STAFF_WRITE) | BIT(PERM_SERVICE_WRITE) |
                   BIT(PERM_CLIENT_WRITE) | BIT(PERM_APPOINTMENT_WRITE) | BIT(PERM_LINK_WRITE) },
    { "staff",
      READS | BIT(PERM_CLIENT_WRITE) | BIT(PERM_APPOINTMENT_WRITE) | BIT(PERM_LINK_WRITE) },
    { "guest", BIT(PERM_GUEST) },
};

static const char *const names[PERM_COUNT] = {
    [PERM_NONE] = "none",
    [PERM_SELF] = "self",
    [PERM_BUSINESS_READ] = "business.read",
    [PERM_BUSINESS_WRITE] = "business.write",
    [PERM_STAFF_READ] = "staff.read",
    [PERM_STAFF_WRITE] = "staff.write",
    [PERM_SERVICE_READ] = "service.read",
    [PERM_SERVICE_WRITE] = "service.write",
    [PERM_CLIENT_READ] = "client.read",
    [PERM_CLIENT_WRITE] = "client.write",
    [PERM_APPOINTMENT_READ] = "appointment.read",
    [PERM_APPOINTMENT_WRITE] = "appointment.write",
    [PERM_LINK_READ] = "link.read",
    [PERM_LINK_WRITE] = "link.write",
    [PERM_GUEST] = "guest",
};

bool perms_allow(const char *role, enum perm need)
{
    for (size_t i = 0; need > PERM_NONE && need < PERM_COUNT && i < ARRAY_LEN(roles); i++) {
        if (strcmp(roles[i].name, role) == 0) {
            return roles[i].perms & BIT(need);
        }
    }
    return false;
}

const char *perms_name(enum perm p)
{
    return p < PERM_COUNT ? names[p] : "none";
}

const char *perms_role(size_t i)
{
    return i < ARRAY_LEN(roles) ? roles[i].name : NULL;
}
