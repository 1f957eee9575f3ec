/* SPDX-License-Identifier: LicenseRef-Gremio */
/* 404 and 412 in one place for the handlers of this folder. */
#include "worker/api/current.h"

enum err current_row(struct call *c, const struct stmt *find, PGresult **row)
{
    TRY(call_query(c, find, row));
    if (PQntuples(*row) == 0) {
        return call_refuse(c, E_NOT_FOUND, NULL, NULL);
    }
    if (call_cell(*row, 0, "fresh")[0] != 't') {
        return call_refuse(c, E_PRECONDITION_FAILED, NULL, NULL);
    }
    return OK;
}
