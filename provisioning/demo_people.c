/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Names usual in Mexico, combined by number so that every client is somebody else. Phones lie in ranges that are
 * written like Mexican ones; addresses end in example.com (RFC 2606), so nobody ever gets a message. */
#include <stdio.h>

#include "provisioning/demo.h"

static const char *const given_names[] = {
    "María Fernanda", "José Luis", "Guadalupe",     "Juan Carlos", "Ximena",    "Miguel Ángel",
    "Sofía",          "Francisco", "Valeria",       "Alejandro",   "Daniela",   "Jorge",
    "Regina",         "Ricardo",   "Ana Paula",     "Eduardo",     "Camila",    "Fernando",
    "Renata",         "Diego",     "Verónica",      "Héctor",      "Alejandra", "Raúl",
    "Lucía",          "Óscar",     "Mónica",        "Sergio",      "Itzel",     "Emiliano",
    "Citlali",        "Leonardo",  "Rosa Elena",    "Mauricio",    "Fátima",    "Iker",
    "Patricia",       "Andrés",    "María del Mar", "Santiago",    "Julieta",
};

static const char *const family_names[] = {
    "Hernández", "García", "Martínez",  "López",   "González", "Pérez",   "Rodríguez", "Sánchez",
    "Ramírez",   "Cruz",   "Flores",    "Gómez",   "Morales",  "Vázquez", "Reyes",     "Jiménez",
    "Torres",    "Díaz",   "Gutiérrez", "Mendoza", "Aguilar",  "Ortiz",   "Castillo",  "Chávez",
    "Ruiz",      "Romero", "Álvarez",   "Moreno",  "Rivera",   "Muñoz",   "Juárez",    "Contreras",
    "Rosas",     "Ibarra", "Nájera",    "Zamora",  "Quintero",
};

/* What an accented letter (two bytes of UTF-8) is written as in an address. */
static const struct {
    const char *letter;
    char plain;
} plain_letters[] = {
    { "á", 'a' }, { "é", 'e' }, { "í", 'i' }, { "ó", 'o' }, { "ú", 'u' }, { "ü", 'u' },
    { "ñ", 'n' }, { "Á", 'a' }, { "É", 'e' }, { "Í", 'i' }, { "Ó", 'o' }, { "Ú", 'u' },
};

static char plain_of(const char *two)
{
    for (size_t i = 0; i < ARRAY_LEN(plain_letters); i++) {
        if (strncmp(two, plain_letters[i].letter, 2) == 0) {
            return plain_letters[i].plain;
        }
    }
    return '\0';
}

/* "María Fernanda" as "maria.fernanda", appended to out. */
static void add_plain(const char *name, char *out, size_t cap)
{
    size_t n = strlen(out);
    for (; *name && n + 1 < cap; name++) {
        char plain = plain_of(name);
        if (plain) {
            out[n++] = plain;
            name++;
        } else if (*name == ' ') {
            out[n++] = '.';
        } else {
            out[n++] = *name >= 'A' && *name <= 'Z' ? (char)(*name + 32) : *name;
        }
    }
    out[n] = '\0';
}

void demo_people_client(int n, struct demo_client *out)
{
    /* 41 and 37 are coprime, so n and n + 1 never share a name and 1,517 pairs pass before one comes again. */
    const char *given = given_names[n % (int)ARRAY_LEN(given_names)];
    const char *first = family_names[n % (int)ARRAY_LEN(family_names)];
    const char *second = family_names[(n * 5 + 11) % (int)ARRAY_LEN(family_names)];
    *out = (struct demo_client){ 0 };
    snprintf(out->given, sizeof(out->given), "%s", given);
    snprintf(out->family, sizeof(out->family), "%s %s", first, second);
    snprintf(out->phone, sizeof(out->phone), "+52 55 %04d %04d", 1000 + n * 37 % 8999,
             1000 + n * 7919 % 8999);
    snprintf(out->birth, sizeof(out->birth), "%04d-%02d-%02d", 1950 + n * 13 % 60, 1 + n * 5 % 12,
             1 + n * 11 % 28);
    const char *const parts[] = { given, ".", first, "@example.com" };
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        add_plain(parts[i], out->email, sizeof(out->email));
    }
}
