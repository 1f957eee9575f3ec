/* SPDX-License-Identifier: LicenseRef-Gremio */
/* libzxcvbn with words of its users' language; only both ends of a long password are estimated. */
#include "common/password_rules.h"

#include <ctype.h>
#include <sodium.h>
#include <zxcvbn.h>

#include "common/str.h"

#define LOOKED_AT \
    32 /* bytes at each end; the estimate of a repetition takes ever longer with its length */
#define PARTS_MAX 8 /* of an e-mail */
#define PART_MAX  65

/* The library knows common passwords of the English-speaking world. */
static const char *const spanish[] = {
    "contrasena", "contraseña", "clave",       "secreto",  "hola",       "tequiero", "teamo",
    "mucho",      "amor",       "corazon",     "princesa", "mexico",     "america",  "chivas",
    "pumas",      "guadalupe",  "consulta",    "clinica",  "dentista",   "dental",   "doctor",
    "doctora",    "barberia",   "consultorio", "gremio",   "bienvenido",
};

/* The words of an e-mail: "ana.lopez@clinica.mx" has four. Returns how many. */
static size_t email_parts(const char *email, char out[PARTS_MAX][PART_MAX])
{
    size_t parts = 0, n = 0;
    for (const char *p = email; p && parts < PARTS_MAX; p++) {
        bool word = isalnum((unsigned char)*p);
        if (word && n + 1 < PART_MAX) {
            out[parts][n++] = *p;
        }
        if (!word && n >= 3) {
            out[parts++][n] = '\0';
        }
        n = word ? n : 0;
        if (*p == '\0') {
            break;
        }
    }
    return parts;
}

static bool is_easy(struct slice part, const char **words)
{
    char text[LOOKED_AT + 1];
    memcpy(text, part.p, part.n);
    text[part.n] = '\0';
    bool easy = ZxcvbnMatch(text, words, NULL) < PASSWORD_RULES_BITS;
    sodium_memzero(text, sizeof(text));
    return easy;
}

/* One good end is enough. */
static bool is_guessed_soon(struct slice password, const char *email)
{
    const char *words[ARRAY_LEN(spanish) + PARTS_MAX + 1];
    char parts[PARTS_MAX][PART_MAX];
    size_t n = 0, found = email_parts(email, parts), len = size_min(password.n, LOOKED_AT);
    for (size_t i = 0; i < ARRAY_LEN(spanish); i++) {
        words[n++] = spanish[i];
    }
    for (size_t i = 0; i < found; i++) {
        words[n++] = parts[i];
    }
    words[n] = NULL;
    return is_easy((struct slice){ password.p, len }, words) &&
           is_easy((struct slice){ password.p + password.n - len, len }, words);
}

struct password_flaw password_rules_check(struct slice password, const char *email)
{
    static const struct password_flaw
        none = { 0 },
        text = { "bad_text", { "No es texto UTF-8", "It is not UTF-8 text" } },
        brief = { "too_short", { "Use al menos 10 caracteres", "Use at least 10 characters" } },
        lengthy = { "too_long", { "Use a lo más 128 bytes", "Use at most 128 bytes" } },
        common = { "too_common",
                   { "Se adivina pronto; use varias palabras que no vayan "
                     "juntas, o una que proponga su gestor de contraseñas",
                     "It is guessed soon; use several words that do not "
                     "belong together, or one from a password manager" } };
    if (!str_utf8_valid(password)) {
        return text;
    }
    if (str_utf8_len(password) < PASSWORD_RULES_MIN) {
        return brief;
    }
    if (password.n > PASSWORD_RULES_MAX) {
        return lengthy;
    }
    return is_guessed_soon(password, email) ? common : none;
}
