/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What a connection costs on the other side: the memory of its backend. */
#ifndef GREMIO_DB_MEMORY_H
#define GREMIO_DB_MEMORY_H

#include <libpq-fe.h>
#include <stdint.h>

/* Bytes resident in the backend without what it shares with others (shared_buffers, program text); 0 when they cannot be
 * seen: another machine, another container. */
int64_t db_memory(const PGconn *pg);

#endif
