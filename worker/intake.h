/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What a service asks of whoever books it, and their answers. Both come as JSON that params.c has read, and go out as the JSON that is kept: each member
 * known, each text within its bounds. Everything lives in the caller's arena. Pure. */
#ifndef GREMIO_INTAKE_H
#define GREMIO_INTAKE_H

#include "common/arena.h"
#include "common/err.h"

#define INTAKE_QUESTIONS_MAX 20
#define INTAKE_CHOICES_MAX   20
#define INTAKE_LABEL_MAX     200  /* characters, of a choice too */
#define INTAKE_TEXT_MAX      2000 /* characters of an answer */
#define INTAKE_TEXT_DEFAULT  500
#define INTAKE_NUMBER_MAX    1000000000
#define INTAKE_JSON_MAX      32768 /* bytes of either as it comes */

/* Where something is wrong: an RFC 6901 pointer within the JSON, a stable code, and why. */
struct intake_fault {
    const char *pointer, *code, *es, *en;
};

/* A list of {"key", "label": {"es", "en"}, "type": text, choice, bool or number, "required", "choices", "max"}: max is characters of a text, the largest
 * value of a number (the smallest is 0). *out: the same with every default said. E_INVALID with *fault, E_NOMEM. */
MUST_USE enum err intake_questions(const char *json, struct arena *arena, const char **out,
                                   struct intake_fault *fault);
/* {KEY: ANSWER}, NULL: none, to questions that intake_questions made. *out: [{"key", "label", "type", "answer"}], of what was answered. E_INVALID with *fault,
 * E_NOMEM. */
MUST_USE enum err intake_answers(const char *questions, const char *answers, struct arena *arena,
                                 const char **out, struct intake_fault *fault);

#endif
