/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Validates what standard input brings, a line each, as a request's member of that type: "accepted TEXT" with the text as
 * it would be stored, or "refused CODE".   fieldcheck email|phone|date|time|zone|locale|currency|color */
#include <stdio.h>
#include <stdlib.h>

#include "common/str.h"
#include "worker/params.h"

static const struct {
    const char *name;
    enum type type;
} types[] = {
    { "email", T_EMAIL }, { "phone", T_PHONE },   { "date", T_DATE },         { "time", T_TIME },
    { "zone", T_ZONE },   { "locale", T_LOCALE }, { "currency", T_CURRENCY }, { "color", T_COLOR },
};

static bool type_named(const char *name, enum type *out)
{
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (strcmp(types[i].name, name) == 0) {
            *out = types[i].type;
            return true;
        }
    }
    return false;
}

static void judge(const struct param *row, struct slice text, struct arena *arena)
{
    struct value v = { 0 };
    const struct params_fault *fault = NULL;
    arena_reset(arena);
    if (!str_utf8_valid(text)) {
        puts("refused encoding");
    } else if ((fault = params_text(row, text, arena, &v))) {
        printf("refused %s\n", fault->code);
    } else {
        printf("accepted %s\n", v.text);
    }
}

int main(int argc, char **argv)
{
    static char line[1 << 16];
    struct param row = { .name = "field", .in = IN_BODY };
    struct arena arena;
    if (argc != 2 || !type_named(argv[1], &row.type)) {
        fprintf(stderr, "usage: fieldcheck email|phone|date|time|zone|locale|currency|color\n");
        return 2;
    }
    arena_init(&arena, 0);
    while (fgets(line, sizeof(line), stdin)) {
        judge(&row, (struct slice){ line, strcspn(line, "\n") }, &arena);
    }
    arena_fini(&arena);
    return 0;
}
