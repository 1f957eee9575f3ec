/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The kinds of worker slots: what a route asks for and a slot says of itself. */
#ifndef GREMIO_SLOT_KIND_H
#define GREMIO_SLOT_KIND_H

#include "common/base.h"

enum slot_kind { KIND_API, KIND_SLOW, KIND_AUTH, KIND_JOBS, KIND_COUNT };
const char *slot_kind_name(enum slot_kind k);

#endif
