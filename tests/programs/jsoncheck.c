/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Reads each file named as the API would read a body and prints "FILE: json", "FILE: json but refused: REASON POINTER" or
 * "FILE: not json: byte N", so that outside suites can be run against what the product does. Exit status 2 when a file
 * cannot be read. */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/json.h"
#include "common/sbuf.h"

static bool read_whole(const char *path, struct sbuf *out)
{
    FILE *f = fopen(path, "rb");
    char *room;
    size_t n = 1;
    while (f && n > 0 && (room = sbuf_room(out, 65536)) != NULL) {
        n = fread(room, 1, 65536, f);
        sbuf_added(out, n);
    }
    bool good = f && !ferror(f);
    if (f) {
        fclose(f);
    }
    return good;
}

static void judge(const char *path, struct slice text)
{
    struct json_fault fault = { 0 };
    struct json_object *o = NULL;
    struct arena scratch;
    arena_init(&scratch, 0);
    if (json_read(text, &scratch, &fault, &o) == OK) {
        printf("%s: json\n", path);
        json_object_put(o);
    } else if (json_scan_all(text, &scratch) == OK) {
        printf("%s: json but refused: %s %s\n", path, fault.why->code,
               fault.pointer[0] ? fault.pointer : "\"\"");
    } else {
        printf("%s: not json: byte %zu\n", path, fault.at);
    }
    arena_fini(&scratch);
}

int main(int argc, char **argv)
{
    int rc = argc < 2 ? 2 : 0;
    for (int i = 1; i < argc; i++) {
        struct sbuf text;
        sbuf_init(&text);
        if (read_whole(argv[i], &text)) {
            judge(argv[i], text.data ? sbuf_slice(&text) : SLICE(""));
        } else {
            fprintf(stderr, "%s: cannot be read\n", argv[i]);
            rc = 2;
        }
        sbuf_fini(&text);
    }
    return rc;
}
