/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Texts are judged by the rules of parameters (params.h), so that an answer is refused in the same words as any other field. */
#include "worker/intake.h"

#include <json-c/json.h>
#include <stdio.h>

#include "common/json.h"
#include "common/str.h"
#include "worker/params.h"

#define KEY_MAX 40

/* What is being read, and where in it. */
struct reader {
    struct arena *arena;
    struct intake_fault *fault;
    char at[64]; /* pointer of what is looked at */
};

static enum err refuse(struct reader *r, const char *member, const char *code, const char *es,
                       const char *en)
{
    char text[160];
    snprintf(text, sizeof(text), "%s%s%s", r->at, member[0] ? "/" : "", member);
    *r->fault = (struct intake_fault){ arena_text(r->arena, slice_of(text)), code, es, en };
    return r->fault->pointer ? E_INVALID : E_NOMEM;
}

static enum err wrong_type(struct reader *r, const char *member)
{
    return refuse(r, member, "wrong_type", "No es del tipo que debe ser", "It has another type");
}

static enum err read_json(struct reader *r, const char *text, enum json_type want,
                          struct json_object **out)
{
    struct json_fault fault;
    *out = NULL;
    enum err e = json_read(slice_of(text), r->arena, &fault, out);
    if (e == E_NOMEM) {
        return e;
    }
    if (e != OK || json_object_get_type(*out) != want) {
        json_object_put(*out);
        *out = NULL;
        return wrong_type(r, "");
    }
    return OK;
}

static enum err keep(struct arena *arena, struct json_object *o, const char **out)
{
    const int plain = JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE;
    *out = arena_text(arena, slice_of(json_object_to_json_string_ext(o, plain)));
    return *out ? OK : E_NOMEM;
}

/* A text of at least one character and at most max. */
static enum err check_text(struct reader *r, const char *member, struct json_object *o, int64_t max)
{
    const struct param row = { .type = T_TEXT, .min = 1, .max = max };
    struct value v;
    if (!json_object_is_type(o, json_type_string)) {
        return wrong_type(r, member);
    }
    struct slice s = { json_object_get_string(o), (size_t)json_object_get_string_len(o) };
    const struct params_fault *fault = params_text(&row, s, r->arena, &v);
    return fault ? refuse(r, member, fault->code, fault->text[LANG_ES], fault->text[LANG_EN]) : OK;
}

static enum err check_range(struct reader *r, const char *member, struct json_object *o,
                            int64_t min, int64_t max)
{
    if (!json_object_is_type(o, json_type_int)) {
        return wrong_type(r, member);
    }
    int64_t n = json_object_get_int64(o);
    return n >= min && n <= max ? OK
                                : refuse(r, member, "out_of_range", "Está fuera de los límites",
                                         "It is out of range");
}

/* ---- questions ---- */

/* A letter, then letters, digits and underscores. */
static bool is_key(const char *text)
{
    size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_");
    return n > 0 && n <= KEY_MAX && text[n] == '\0' && text[0] >= 'a' && text[0] <= 'z';
}

static struct json_object *member_of(struct json_object *o, const char *name)
{
    struct json_object *out = NULL;
    return json_object_object_get_ex(o, name, &out) ? out : NULL;
}

static bool is_among(const char *word, const char *words)
{
    struct slice rest = slice_of(words);
    while (rest.p) {
        if (slice_eq(str_cut(&rest, ' '), slice_of(word))) {
            return true;
        }
    }
    return false;
}

/* No member but these. */
static enum err check_members(struct reader *r, const char *under, struct json_object *o,
                              const char *words)
{
    if (!json_object_is_type(o, json_type_object)) {
        return wrong_type(r, under);
    }
    json_object_object_foreach(o, name, value)
    {
        UNUSED(value);
        if (!is_among(name, words)) {
            return refuse(r, under, "unknown_field", "Tiene un dato que no se conoce",
                          "It has a field that is not known");
        }
    }
    return OK;
}

static enum err missing(struct reader *r, const char *member)
{
    return refuse(r, member, "required", "Falta este dato", "This field is missing");
}

/* Spanish is what people read first: without it there is no label. */
static enum err take_label(struct reader *r, struct json_object *in, struct json_object *out)
{
    struct json_object *label = member_of(in, "label");
    if (!label) {
        return missing(r, "label");
    }
    TRY(check_members(r, "label", label, "es en"));
    struct json_object *es = member_of(label, "es"), *en = member_of(label, "en");
    if (!es) {
        return missing(r, "label/es");
    }
    TRY(check_text(r, "label/es", es, INTAKE_LABEL_MAX));
    if (en) {
        TRY(check_text(r, "label/en", en, INTAKE_LABEL_MAX));
    }
    struct json_object *both = json_object_new_object();
    json_object_object_add(both, "es", json_object_get(es));
    json_object_object_add(both, "en", json_object_get(en ? en : es));
    json_object_object_add(out, "label", both);
    return OK;
}

static bool is_twice(struct json_object *list, size_t i)
{
    const char *text = json_object_get_string(json_object_array_get_idx(list, i));
    for (size_t k = 0; k < i; k++) {
        if (strcmp(json_object_get_string(json_object_array_get_idx(list, k)), text) == 0) {
            return true;
        }
    }
    return false;
}

static enum err take_choices(struct reader *r, struct json_object *in, struct json_object *out)
{
    struct json_object *list = member_of(in, "choices");
    if (!list) {
        return missing(r, "choices");
    }
    if (!json_object_is_type(list, json_type_array)) {
        return wrong_type(r, "choices");
    }
    size_t n = json_object_array_length(list);
    if (n < 1 || n > INTAKE_CHOICES_MAX) {
        return refuse(r, "choices", "out_of_range", "Deben ser de 1 a 20 opciones",
                      "There must be 1 to 20 choices");
    }
    for (size_t i = 0; i < n; i++) {
        char member[32];
        snprintf(member, sizeof(member), "choices/%zu", i);
        TRY(check_text(r, member, json_object_array_get_idx(list, i), INTAKE_LABEL_MAX));
        if (is_twice(list, i)) {
            return refuse(r, member, "duplicate_value", "Está repetida", "It is there twice");
        }
    }
    json_object_object_add(out, "choices", json_object_get(list));
    return OK;
}

static enum err take_bound(struct reader *r, struct json_object *in, struct json_object *out,
                           bool text)
{
    struct json_object *max = member_of(in, "max");
    if (max) {
        TRY(check_range(r, "max", max, 1, text ? INTAKE_TEXT_MAX : INTAKE_NUMBER_MAX));
    }
    json_object_object_add(
        out, "max",
        max ? json_object_get(max)
            : json_object_new_int64(text ? INTAKE_TEXT_DEFAULT : INTAKE_NUMBER_MAX));
    return OK;
}

/* What only some types have. */
static enum err take_bounds(struct reader *r, struct json_object *in, struct json_object *out,
                            const char *type)
{
    bool choice = strcmp(type, "choice") == 0, text = strcmp(type, "text") == 0,
         number = strcmp(type, "number") == 0;
    const char *foreign = !choice && member_of(in, "choices")        ? "choices"
                          : !text && !number && member_of(in, "max") ? "max"
                                                                     : NULL;
    if (foreign) {
        return refuse(r, foreign, "conflict", "Ese tipo de pregunta no lo tiene",
                      "That type of question has none");
    }
    if (choice) {
        return take_choices(r, in, out);
    }
    return text || number ? take_bound(r, in, out, text) : OK;
}

static enum err take_question(struct reader *r, struct json_object *in, struct json_object *out)
{
    TRY(check_members(r, "", in, "key label type required choices max"));
    struct json_object *key = member_of(in, "key"), *type = member_of(in, "type"),
                       *required = member_of(in, "required");
    if (!key || !type) {
        return missing(r, key ? "type" : "key");
    }
    if (!json_object_is_type(key, json_type_string) || !is_key(json_object_get_string(key))) {
        return refuse(r, "key", "invalid_key", "Debe ser como motivo_de_visita, hasta 40 letras",
                      "It must be like reason_of_visit, up to 40 letters");
    }
    if (!json_object_is_type(type, json_type_string) ||
        !is_among(json_object_get_string(type), "text choice bool number")) {
        return refuse(r, "type", "invalid_choice", "Debe ser text, choice, bool o number",
                      "It must be text, choice, bool or number");
    }
    if (required && !json_object_is_type(required, json_type_boolean)) {
        return wrong_type(r, "required");
    }
    json_object_object_add(out, "key", json_object_get(key));
    TRY(take_label(r, in, out));
    json_object_object_add(out, "type", json_object_get(type));
    json_object_object_add(out, "required",
                           json_object_new_boolean(required && json_object_get_boolean(required)));
    return take_bounds(r, in, out, json_object_get_string(type));
}

static const char *key_at(struct json_object *list, size_t i)
{
    return json_object_get_string(member_of(json_object_array_get_idx(list, i), "key"));
}

static enum err take_questions(struct reader *r, struct json_object *in, struct json_object *out)
{
    size_t n = json_object_array_length(in);
    if (n > INTAKE_QUESTIONS_MAX) {
        return refuse(r, "", "too_long", "A lo más 20 preguntas", "At most 20 questions");
    }
    for (size_t i = 0; i < n; i++) {
        struct json_object *one = json_object_new_object();
        json_object_array_add(out, one);
        snprintf(r->at, sizeof(r->at), "/%zu", i);
        TRY(take_question(r, json_object_array_get_idx(in, i), one));
        for (size_t k = 0; k < i; k++) {
            if (strcmp(key_at(out, k), key_at(out, i)) == 0) {
                return refuse(r, "key", "duplicate_value", "Está repetida", "It is there twice");
            }
        }
    }
    return OK;
}

enum err intake_questions(const char *json, struct arena *arena, const char **out,
                          struct intake_fault *fault)
{
    struct reader r = { .arena = arena, .fault = fault };
    struct json_object *in, *made;
    TRY(read_json(&r, json, json_type_array, &in));
    made = json_object_new_array();
    enum err e = made ? take_questions(&r, in, made) : E_NOMEM;
    e = e == OK ? keep(arena, made, out) : e;
    json_object_put(in);
    json_object_put(made);
    return e;
}

/* ---- answers ---- */

static enum err check_choice(struct reader *r, struct json_object *question, struct json_object *o)
{
    struct json_object *list = member_of(question, "choices");
    size_t n = json_object_array_length(list);
    if (!json_object_is_type(o, json_type_string)) {
        return wrong_type(r, "");
    }
    for (size_t i = 0; i < n; i++) {
        if (json_object_equal(json_object_array_get_idx(list, i), o)) {
            return OK;
        }
    }
    return refuse(r, "", "invalid_choice", "No es una de las opciones",
                  "It is not one of the choices");
}

static enum err check_answer(struct reader *r, struct json_object *question, struct json_object *o)
{
    const char *type = json_object_get_string(member_of(question, "type"));
    int64_t max = json_object_get_int64(member_of(question, "max"));
    if (strcmp(type, "choice") == 0) {
        return check_choice(r, question, o);
    }
    if (strcmp(type, "bool") == 0) {
        return json_object_is_type(o, json_type_boolean) ? OK : wrong_type(r, "");
    }
    return strcmp(type, "number") == 0 ? check_range(r, "", o, 0, max) : check_text(r, "", o, max);
}

static enum err take_answer(struct reader *r, struct json_object *question,
                            struct json_object *answers, struct json_object *out)
{
    const char *key = json_object_get_string(member_of(question, "key"));
    struct json_object *given = answers ? member_of(answers, key) : NULL;
    snprintf(r->at, sizeof(r->at), "/%s", key);
    if (!given && json_object_get_boolean(member_of(question, "required"))) {
        return missing(r, "");
    }
    if (!given) {
        return OK;
    }
    TRY(check_answer(r, question, given));
    struct json_object *one = json_object_new_object();
    static const char *const same[] = { "key", "label", "type" };
    for (size_t i = 0; i < ARRAY_LEN(same); i++) {
        json_object_object_add(one, same[i], json_object_get(member_of(question, same[i])));
    }
    json_object_object_add(one, "answer", json_object_get(given));
    json_object_array_add(out, one);
    return OK;
}

/* What nobody asked is not kept. */
static enum err check_asked(struct reader *r, struct json_object *questions,
                            struct json_object *answers)
{
    size_t n = json_object_array_length(questions);
    json_object_object_foreach(answers, name, value)
    {
        UNUSED(value);
        size_t i = 0;
        while (i < n && strcmp(key_at(questions, i), name) != 0) {
            i++;
        }
        if (i == n) {
            return refuse(r, is_key(name) ? name : "", "unknown_field", "Nadie preguntó eso",
                          "Nobody asked that");
        }
    }
    return OK;
}

static enum err take_answers(struct reader *r, struct json_object *questions,
                             struct json_object *answers, struct json_object *out)
{
    if (answers) {
        TRY(check_asked(r, questions, answers));
    }
    for (size_t i = 0; i < json_object_array_length(questions); i++) {
        TRY(take_answer(r, json_object_array_get_idx(questions, i), answers, out));
    }
    return OK;
}

enum err intake_answers(const char *questions, const char *answers, struct arena *arena,
                        const char **out, struct intake_fault *fault)
{
    struct reader r = { .arena = arena, .fault = fault };
    struct json_object *asked, *given = NULL, *made;
    TRY(read_json(&r, questions, json_type_array, &asked));
    made = json_object_new_array();
    enum err e = answers ? read_json(&r, answers, json_type_object, &given) : OK;
    e = e == OK && !made ? E_NOMEM : e;
    e = e == OK ? take_answers(&r, asked, given, made) : e;
    e = e == OK ? keep(arena, made, out) : e;
    json_object_put(asked);
    json_object_put(given);
    json_object_put(made);
    return e;
}
