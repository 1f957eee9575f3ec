/* SPDX-License-Identifier: LicenseRef-Gremio */
/* One row a table: what makes a row of it somebody's. */
#include "worker/scope.h"

#include "common/str.h"

#define MARK ":scope("

/* The staff member is the caller, or in the caller's team when the reach is that. */
#define WITHIN(staff)                                                             \
    "(" staff " = :me_member OR (:reach_team AND " staff " IN (SELECT s_.id FROM" \
    " staff s_ JOIN staff m_ ON m_.team = s_.team WHERE m_.id = :me_member)))"

/* "@" is the row's alias. */
static const struct {
    const char *table, *condition;
} tables[] = {
    { "staff", WITHIN("@.id") },
    { "appointment", WITHIN("@.staff_id") },
    { "series", WITHIN("@.staff_id") },
    /* whom they registered or who comes to them */
    { "client",
      "(" WITHIN("@.created_by") " OR EXISTS (SELECT FROM appointment a_"
                                 " WHERE a_.client_id = @.id AND " WITHIN("a_.staff_id") "))" },
};

bool scope_marked(const char *sql)
{
    return strstr(sql, MARK) != NULL;
}

static const char *find_condition(struct slice table)
{
    for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
        if (slice_eq(slice_of(tables[i].table), table)) {
            return tables[i].condition;
        }
    }
    return NULL;
}

static void write_condition(const char *condition, struct slice alias, struct sbuf *out)
{
    struct slice rest = slice_of(condition);
    while (rest.p) {
        sbuf_add(out, str_cut(&rest, '@'));
        if (rest.p) {
            sbuf_add(out, alias);
        }
    }
}

/* mark: what stands between the brackets, "client c". */
static enum err write_mark(struct slice mark, bool narrow, struct sbuf *out, struct sbuf *why)
{
    struct slice alias = mark;
    const char *condition = find_condition(str_cut(&alias, ' '));
    if (!condition || alias.n == 0) {
        sbuf_fmt(why, "%s%.*s): no such table has owners, or the alias is missing", MARK,
                 (int)mark.n, mark.p);
        return E_CONFIG;
    }
    if (narrow) {
        write_condition(condition, alias, out);
    } else {
        sbuf_text(out, "true");
    }
    return OK;
}

enum err scope_expand(const char *sql, bool narrow, struct sbuf *out, struct sbuf *why)
{
    const char *mark;
    while ((mark = strstr(sql, MARK))) {
        const char *inside = mark + strlen(MARK), *end = strchr(inside, ')');
        if (!end) {
            sbuf_text(why, MARK " is not closed");
            return E_CONFIG;
        }
        sbuf_add(out, (struct slice){ .p = sql, .n = (size_t)(mark - sql) });
        TRY(write_mark((struct slice){ .p = inside, .n = (size_t)(end - inside) }, narrow, out,
                       why));
        sql = end + 1;
    }
    sbuf_text(out, sql);
    return sbuf_failed(out) ? E_NOMEM : OK;
}
