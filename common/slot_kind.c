/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Names of slot kinds, as settings, sockets and logs have them. */
#include "common/slot_kind.h"

const char *slot_kind_name(enum slot_kind k)
{
    switch (k) {
    case KIND_API:
        return "api";
    case KIND_SLOW:
        return "slow";
    case KIND_AUTH:
        return "auth";
    case KIND_JOBS:
        return "jobs";
    case KIND_COUNT:
        break;
    }
    return "unknown";
}
