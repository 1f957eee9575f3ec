/* SPDX-License-Identifier: LicenseRef-Gremio */
/* First line a file's name, the rest its SQL: an accepted name is exactly NNNN_name.sql; the lexer's pieces are the
 * text again, nothing lost or added; filling in no token changes nothing; a check refuses with one sentence. */
#include "provisioning/migrations.h"
#include "provisioning/script.h"

#include "common/str.h"
#include "tests/fuzz/fuzz.h"

static void check_name(struct slice name)
{
    int version = 0;
    char again[MIGRATIONS_FILE_MAX + 8];
    if (migrations_name(name, &version) != OK) {
        FUZZ_CHECK(version == 0);
        return;
    }
    FUZZ_CHECK(version >= 1 && version <= MIGRATIONS_MAX && name.n < MIGRATIONS_FILE_MAX);
    snprintf(again, sizeof(again), "%04d%.*s", version, (int)(name.n - 4), name.p + 4);
    FUZZ_CHECK(slice_eq(slice_of(again), name));
    FUZZ_CHECK(memchr(name.p, '/', name.n) == NULL && memchr(name.p, '\0', name.n) == NULL);
}

static void check_pieces(struct slice sql)
{
    struct slice rest = sql;
    struct script_piece piece;
    size_t seen = 0;
    enum err e;
    while ((e = script_next(&rest, &piece)) == OK) {
        FUZZ_CHECK(piece.text.p == sql.p + seen && piece.text.n > 0);
        seen += piece.text.n;
    }
    FUZZ_CHECK(e == E_CLOSED || e == E_BAD_REQUEST);
    FUZZ_CHECK(seen + rest.n == sql.n && (e != E_CLOSED || seen == sql.n));
}

static void check_fill(struct slice sql)
{
    static const struct script_token none[] = { { 0 } };
    static const struct script_token same[] = { { "tenant", ":tenant" }, { 0 } };
    struct sbuf out;
    sbuf_init(&out);
    if (script_fill(sql, none, &out) == OK) {
        FUZZ_CHECK(slice_eq(sbuf_slice(&out), sql));
    }
    sbuf_reset(&out, SIZE_MAX);
    if (script_fill(sql, same, &out) == OK) {
        FUZZ_CHECK(slice_eq(sbuf_slice(&out), sql));
    }
    sbuf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice sql = { (const char *)data, n };
    struct sbuf why;
    check_name(str_cut(&sql, '\n'));
    if (sql.n == 0) {
        return 0;
    }
    check_pieces(sql);
    check_fill(sql);
    sbuf_init(&why);
    enum err e = script_check(sql, &why);
    FUZZ_CHECK((e == OK) == (why.len == 0));
    sbuf_fini(&why);
    return 0;
}
