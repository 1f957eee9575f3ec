/* SPDX-License-Identifier: LicenseRef-Gremio */
/* RFC 9457 problem documents: the one shape of every error a client sees, from the parser's 400 to a handler's 409. */
#ifndef GREMIO_PROBLEM_H
#define GREMIO_PROBLEM_H

#include "common/err.h"
#include "common/sbuf.h"

#define PROBLEM_FIELDS_MAX 16

/* One refused field: pointer is an RFC 6901 pointer into the body ("/starts_at") or a parameter's name. */
struct problem_field {
    const char *pointer;
    const char *
        code; /* stable: "required", "unknown_field", "wrong_type", "too_long", "out_of_range", ... */
    const char *text[2]; /* by enum lang */
};

struct problem {
    enum err err;
    const char *detail[2];  /* by enum lang; NULL for none */
    unsigned retry_after_s; /* seconds; 0: the usual time of a retryable error */
    size_t field_count;
    struct problem_field
        fields[PROBLEM_FIELDS_MAX]; /* the first ones are kept; texts live as long as the request */
    struct slice
        extra; /* further members ("\"tenants\":[]"), rendered by who refuses; empty for none */
};

/* Appends the document: type ("urn:gremio:problem:CODE"), title, status, detail, code, request_id, errors[]. */
void problem_write(struct sbuf *out, const struct problem *p, enum lang lang,
                   struct slice request_id);
/* Adds one field, dropped silently once PROBLEM_FIELDS_MAX are there; sets p->err to E_INVALID if it is OK. */
void problem_add(struct problem *p, const char *pointer, const char *code, const char *es,
                 const char *en);

#endif
