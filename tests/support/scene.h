/* SPDX-License-Identifier: LicenseRef-Gremio */
/* A client of practice-a with a visit ten days or more ahead and a link, and what pages for guests have in common. */
#ifndef GREMIO_TEST_SCENE_H
#define GREMIO_TEST_SCENE_H

#include <libpq-fe.h>

#include "tests/support/guest.h"
#include "tests/support/visitor.h"

/* The client is Zoe ... Privada, born 1990-05-05; the visit is of the service Limpieza on a Monday at 10:00. */
struct scene {
    struct api owner;
    const char *client, *visit, *staff;
    struct guest_link link; /* to all of the client's visits */
};

/* members: of the body that makes the link, or "". */
struct scene scene_of(const char *members);
/* Everything of the scene and its visitor is freed. */
void scene_leave(struct scene *s, struct visitor *v);
/* A member of the visit as staff see it. */
const char *scene_visit(struct scene *s, const char *member);
/* The practice's schema as superuser; the caller PQfinishes. */
PGconn *scene_db(void);

/* It is a page in that language, with every field that guards pages. */
void scene_expect_page(const struct http_response *r, int status, const char *language);
/* It leads there, with nothing to read. */
void scene_expect_led(const struct http_response *r, const char *where);

#endif
