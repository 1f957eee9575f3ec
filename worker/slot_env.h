/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What one slot process owns for as long as it lives: its kind, the settings, the secrets of its kind.
 * Handlers reach it as call->env; only auth slots hold the sealing key, only the others the pool key. */
#ifndef GREMIO_SLOT_ENV_H
#define GREMIO_SLOT_ENV_H

#include "common/route_map.h"
#include "worker/settings.h"

struct slot_env {
    enum slot_kind kind;
    unsigned index;   /* among all slots of this worker */
    unsigned ordinal; /* among the slots of its kind: "api-00" is 0 */
    char name[16];    /* "api-00" */
    bool beside;      /* another process serves the socket until this one is ready */
    const struct worker_settings *settings;
    const struct worker_secrets *secrets; /* wiped but for what this kind may know */
    const struct routes *routes;          /* the compiled table: worker/routes.h */
    const struct routes *work;            /* that of the jobs slot: work_tables of worker/route.h */
};

#endif
