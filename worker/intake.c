/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The first fault ends it: its pointer is written before each check. */
#include "worker/intake.h"

#include <stdio.h>

#include "common/str.h"

#define TEXT_DEFAULT 500

static bool fail(struct intake_fault *f, const char *es, const char *en)
{
    f->es = f->es ? f->es : es;
    f->en = f->en ? f->en : en;
    return false;
}

static struct json_object *member(struct json_object *o, const char *name)
{
    struct json_object *out = NULL;
    return json_object_object_get_ex(o, name, &out) ? out : NULL;
}

/* Characters of a text, which is valid UTF-8. */
static size_t length(struct json_object *text)
{
    const char *p = json_object_get_string(text);
    size_t n = 0;
    for (; *p; p++) {
        n += ((unsigned char)*p & 0xc0) != 0x80;
    }
    return n;
}

static bool is_text(struct json_object *o, size_t max)
{
    return json_object_is_type(o, json_type_string) && length(o) > 0 && length(o) <= max &&
           strlen(json_object_get_string(o)) == (size_t)json_object_get_string_len(o);
}

/* ---- questions ---- */

static bool is_key(struct json_object *o)
{
    const char *text = json_object_is_type(o, json_type_string) ? json_object_get_string(o) : "";
    size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_");
    return n > 0 && n <= INTAKE_KEY_MAX && text[n] == '\0';
}

static bool check_label(struct json_object *label, struct intake_fault *f)
{
    if (!json_object_is_type(label, json_type_object) || json_object_object_length(label) == 0) {
        return fail(f, "Debe tener es o en", "It must have es or en");
    }
    json_object_object_foreach(label, name, text)
    {
        if (strcmp(name, "es") != 0 && strcmp(name, "en") != 0) {
            return fail(f, "Solo es y en", "Only es and en");
        }
        if (!is_text(text, INTAKE_LABEL_MAX)) {
            return fail(f, "De 1 a 200 caracteres", "1 to 200 characters");
        }
    }
    return true;
}

static bool check_choices(struct json_object *list, struct intake_fault *f)
{
    size_t n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
    if (n == 0 || n > INTAKE_CHOICES_MAX) {
        return fail(f, "De 1 a 30 opciones", "1 to 30 choices");
    }
    for (size_t i = 0; i < n; i++) {
        if (!is_text(json_object_array_get_idx(list, i), INTAKE_LABEL_MAX)) {
            return fail(f, "Cada opción, de 1 a 200 caracteres", "Each choice 1 to 200 characters");
        }
    }
    return true;
}

static bool is_type(struct json_object *o)
{
    static const char *const types[] = { "text", "choice", "bool", "number" };
    for (size_t i = 0; json_object_is_type(o, json_type_string) && i < ARRAY_LEN(types); i++) {
        if (strcmp(json_object_get_string(o), types[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_of_type(struct json_object *question, const char *type)
{
    return strcmp(json_object_get_string(member(question, "type")), type) == 0;
}

static bool check_member(struct json_object *question, const char *name, struct json_object *v,
                         struct intake_fault *f)
{
    if (strcmp(name, "key") == 0) {
        return is_key(v) || fail(f, "De 1 a 40 de a-z, 0-9 y _", "1 to 40 of a-z, 0-9 and _");
    }
    if (strcmp(name, "label") == 0) {
        return check_label(v, f);
    }
    if (strcmp(name, "type") == 0) {
        return is_type(v) || fail(f, "Debe ser text, choice, bool o number",
                                  "It must be text, choice, bool or number");
    }
    if (strcmp(name, "required") == 0) {
        return json_object_is_type(v, json_type_boolean) ||
               fail(f, "Debe ser true o false", "It must be true or false");
    }
    if (strcmp(name, "choices") == 0 && is_of_type(question, "choice")) {
        return check_choices(v, f);
    }
    if (strcmp(name, "max") == 0 && is_of_type(question, "text")) {
        int64_t n = json_object_is_type(v, json_type_int) ? json_object_get_int64(v) : 0;
        return (n >= 1 && n <= INTAKE_TEXT_MAX) || fail(f, "De 1 a 2000", "1 to 2000");
    }
    return fail(f, "No se conoce este dato", "This field is not known");
}

static void at(struct intake_fault *f, size_t i, const char *name)
{
    snprintf(f->pointer, sizeof(f->pointer), "/%zu%s%.40s", i, name ? "/" : "", name ? name : "");
}

static bool check_question(struct json_object *q, size_t i, struct intake_fault *f)
{
    static const char *const must[] = { "key", "label", "type" };
    at(f, i, NULL);
    if (!json_object_is_type(q, json_type_object)) {
        return fail(f, "Debe ser un objeto", "It must be an object");
    }
    for (size_t k = 0; k < ARRAY_LEN(must); k++) {
        at(f, i, must[k]);
        if (!member(q, must[k])) {
            return fail(f, "Falta", "It is missing");
        }
    }
    if (!is_type(member(q, "type"))) {
        return check_member(q, "type", member(q, "type"), f);
    }
    json_object_object_foreach(q, name, v)
    {
        at(f, i, name);
        if (!check_member(q, name, v, f)) {
            return false;
        }
    }
    at(f, i, "choices");
    return !is_of_type(q, "choice") || member(q, "choices") || fail(f, "Falta", "It is missing");
}

static const char *key_of(struct json_object *questions, size_t i)
{
    return json_object_get_string(member(json_object_array_get_idx(questions, i), "key"));
}

void intake_check_questions(struct json_object *list, struct intake_fault *out)
{
    *out = (struct intake_fault){ .pointer = "" };
    if (!json_object_is_type(list, json_type_array) ||
        json_object_array_length(list) > INTAKE_QUESTIONS_MAX) {
        fail(out, "A lo más 20 preguntas", "At most 20 questions");
        return;
    }
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        if (!check_question(json_object_array_get_idx(list, i), i, out)) {
            return;
        }
        for (size_t k = 0; k < i; k++) {
            if (strcmp(key_of(list, k), key_of(list, i)) == 0) {
                at(out, i, "key");
                fail(out, "Está repetido", "It is there twice");
                return;
            }
        }
    }
}

/* ---- answers ---- */

static struct json_object *find_question(struct json_object *questions, const char *key)
{
    for (size_t i = 0; i < json_object_array_length(questions); i++) {
        if (strcmp(key_of(questions, i), key) == 0) {
            return json_object_array_get_idx(questions, i);
        }
    }
    return NULL;
}

static bool is_chosen(struct json_object *question, struct json_object *v)
{
    struct json_object *choices = member(question, "choices");
    for (size_t i = 0; i < json_object_array_length(choices); i++) {
        if (json_object_equal(json_object_array_get_idx(choices, i), v)) {
            return true;
        }
    }
    return false;
}

static bool check_answer(struct json_object *q, struct json_object *v, struct intake_fault *f)
{
    struct json_object *max = member(q, "max");
    size_t most = max ? (size_t)json_object_get_int64(max) : TEXT_DEFAULT;
    if (is_of_type(q, "bool")) {
        return json_object_is_type(v, json_type_boolean) ||
               fail(f, "Debe ser true o false", "It must be true or false");
    }
    if (is_of_type(q, "number")) {
        return json_object_is_type(v, json_type_int) || json_object_is_type(v, json_type_double) ||
               fail(f, "Debe ser un número", "It must be a number");
    }
    if (is_of_type(q, "choice")) {
        return is_chosen(q, v) ||
               fail(f, "No es una de las opciones", "It is not one of the choices");
    }
    return is_text(v, most) ||
           fail(f, "Está vacío o es demasiado largo", "It is empty or too long");
}

void intake_check_answers(struct json_object *questions, struct json_object *answers,
                          struct intake_fault *out)
{
    *out = (struct intake_fault){ .pointer = "" };
    for (size_t i = 0; i < json_object_array_length(questions); i++) {
        struct json_object *q = json_object_array_get_idx(questions, i);
        const char *key = key_of(questions, i);
        snprintf(out->pointer, sizeof(out->pointer), "/%s", key);
        if (json_object_get_boolean(member(q, "required")) && (!answers || !member(answers, key))) {
            fail(out, "Falta", "It is missing");
            return;
        }
    }
    if (!answers) {
        return;
    }
    json_object_object_foreach(answers, key, v)
    {
        struct json_object *q = find_question(questions, key);
        snprintf(out->pointer, sizeof(out->pointer), "/%.40s", key);
        if (!q) {
            fail(out, "No se preguntó", "It was not asked");
        }
        if (!q || !check_answer(q, v, out)) {
            return;
        }
    }
}
