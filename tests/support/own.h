/* SPDX-License-Identifier: LicenseRef-Gremio */
/* A worker and a router of a test's own beside the stack's, over the same database: few slots, chosen settings, free to
 * be killed and stopped. */
#ifndef GREMIO_TEST_OWN_H
#define GREMIO_TEST_OWN_H

#include <sys/types.h>

#include "common/base.h"

struct own {
    pid_t worker, router; /* supervisor and master; 0: none */
    int port;
    char slots_dir[200];
};

/* Both, with these settings ("name=value", NULL-terminated, at most 7; NULL: none), ready; later requests of this
 * program go to the own router. name: a short word, one for each at a time. */
struct own own_open(const char *name, const char *const *worker, const char *const *router);
/* Stops what is left and sends requests to the stack's router again. */
void own_close(struct own *o);
/* The only slot of the kind; the test fails when there is not exactly one within the long wait. */
pid_t own_slot(const struct own *o, const char *kind);
/* The only router process. */
pid_t own_process(const struct own *o);

#endif
