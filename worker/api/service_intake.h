/* SPDX-License-Identifier: LicenseRef-Gremio */
/* How handlers refuse what worker/intake.h does not take. */
#ifndef GREMIO_SERVICE_INTAKE_H
#define GREMIO_SERVICE_INTAKE_H

#include "worker/call.h"
#include "worker/intake.h"

/* E_INVALID: refuses with the fault's place behind the body's member ("/answers"); the rest of e is returned as it is. */
enum err service_intake_refuse(struct call *c, const char *member, enum err e,
                               const struct intake_fault *fault);

#endif
