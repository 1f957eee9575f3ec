/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What a service asks who books it, and what they answer. Both are JSON: a list of questions, an object of answers by their keys. Pure. */
#ifndef GREMIO_INTAKE_H
#define GREMIO_INTAKE_H

#include <json-c/json.h>

#include "common/base.h"

#define INTAKE_QUESTIONS_MAX 20
#define INTAKE_CHOICES_MAX   30
#define INTAKE_KEY_MAX       40  /* of [a-z0-9_] */
#define INTAKE_LABEL_MAX     200 /* characters */
#define INTAKE_TEXT_MAX      2000 /* of an answer at most; 500 unless the question says less or more */

/* What is wrong, and where below the whole ("/2/label/es"). */
struct intake_fault {
    char pointer[80];
    const char *es, *en; /* NULL: nothing */
};

/* Questions: [{"key":"allergies","label":{"es":"¿Alergias?","en":"Allergies?"},"type":"text","required":true,"max":200}, ...]; type is text, choice (with
 * "choices", a list of texts), bool or number. */
void intake_check_questions(struct json_object *list, struct intake_fault *out);
/* Answers to these questions: each known and of its question's type, none missing that is required. */
void intake_check_answers(struct json_object *questions, struct json_object *answers,
                          struct intake_fault *out);

#endif
