/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The request methods we tell apart (RFC 9110 9, RFC 5789), their names, and sets of them. Pure. */
#ifndef GREMIO_METHOD_H
#define GREMIO_METHOD_H

#include "common/err.h"

enum method { M_GET, M_HEAD, M_POST, M_PUT, M_PATCH, M_DELETE, M_OPTIONS, M_OTHER, METHOD_COUNT };
const char *method_name(enum method m);
/* Case-sensitive (RFC 9110 9.1); M_OTHER for any other token. */
enum method method_parse(struct slice s);
/* GET, HEAD, OPTIONS: repeated without harm. */
bool method_is_safe(enum method m);
/* POST, PUT, PATCH: what they carry has a meaning (RFC 9110 9.3). */
bool method_has_body(enum method m);
/* A set has bit 1 << M for each method: "GET, HEAD, POST" into out, for the Allow field. M_OTHER has no name there. */
void method_list(uint32_t set, char out[64]);

#endif
