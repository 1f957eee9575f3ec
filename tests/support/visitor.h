/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What a browser does with pages for people, without one: Accept, Origin, forms, one cookie. Every request is exactly what the
 * test says, so it can also be what no browser would send. */
#ifndef GREMIO_TEST_VISITOR_H
#define GREMIO_TEST_VISITOR_H

#include "tests/support/http_client.h"

#define VISITOR_MAX 64 /* answers of one visitor */

struct visitor {
    const char *language; /* Accept-Language; NULL: none */
    const char *origin;   /* of forms; NULL: the stack's own; "": no Origin field */
    const char *headers;  /* further field lines of every request, or NULL */
    bool program;         /* asks for JSON */
    char cookie[4400];    /* "gremio_guest=..." as Set-Cookie gave it; empty: none */
    size_t count;
    struct http_response answers[VISITOR_MAX];
};

/* The answer lives until visitor_forget. The test fails when none comes. */
const struct http_response *visitor_get(struct visitor *v, const char *path_fmt, ...)
    PRINTF_LIKE(2, 3);
const struct http_response *visitor_post(struct visitor *v, const char *path, const char *form);
/* Any method; body with its type, or NULL. */
const struct http_response *visitor_send(struct visitor *v, const char *method, const char *path,
                                         const char *type, const char *body);
void visitor_forget(struct visitor *v);
/* Opens the link and has the cookie; the test fails when that is refused. */
void visitor_open(struct visitor *v, const char *token);
/* Whether the answer's body holds the text. */
bool visitor_sees(const struct http_response *r, const char *text);

#endif
