/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Names of permissions, and one row for each role that comes ready, written as an owner would write one. */
#include "worker/perms.h"

#include <stdlib.h>

#include "common/str.h"

static const struct {
    const char *name;
    bool reaches;
} perms[PERM_COUNT] = {
    [PERM_NONE] = { "none", false },
    [PERM_SELF] = { "self", false },
    [PERM_BUSINESS_READ] = { "business.read", false },
    [PERM_BUSINESS_WRITE] = { "business.write", false },
    [PERM_STAFF_READ] = { "staff.read", false },
    [PERM_STAFF_WRITE] = { "staff.write", false },
    [PERM_ROLE_WRITE] = { "role.write", false },
    [PERM_KEY_WRITE] = { "key.write", false },
    [PERM_SERVICE_READ] = { "service.read", false },
    [PERM_SERVICE_WRITE] = { "service.write", false },
    [PERM_CLIENT_READ] = { "client.read", true },
    [PERM_CLIENT_WRITE] = { "client.write", true },
    [PERM_APPOINTMENT_READ] = { "appointment.read", true },
    [PERM_APPOINTMENT_BOOK] = { "appointment.book", true },
    [PERM_APPOINTMENT_CHANGE] = { "appointment.change", true },
    [PERM_APPOINTMENT_CANCEL] = { "appointment.cancel", true },
    [PERM_APPOINTMENT_ATTEND] = { "appointment.attend", true },
    [PERM_APPOINTMENT_OVERRIDE] = { "appointment.override", true },
    [PERM_APPOINTMENT_REOPEN] = { "appointment.reopen", true },
    [PERM_LINK_READ] = { "link.read", true },
    [PERM_LINK_WRITE] = { "link.write", true },
    [PERM_GUEST] = { "guest", false },
};

static const char *const reaches[] = {
    [REACH_NONE] = "none",
    [REACH_OWN] = "own",
    [REACH_TEAM] = "team",
    [REACH_ALL] = "all",
};

#define READS "business.read staff.read service.read"
#define AGENDA(reach)                                                                              \
    " client.read" reach " client.write" reach " appointment.read" reach " appointment.book" reach \
    " appointment.change" reach " appointment.cancel" reach " appointment.attend" reach            \
    " link.read" reach " link.write" reach

static const struct ready {
    const char *code;
    const char *name[2]; /* by enum lang */
    const char *words;
} ready[] = {
    { "owner",
      { "Dueño", "Owner" },
      READS " business.write staff.write role.write key.write service.write" AGENDA(
          "") " appointment.override appointment.reopen" },
    { "professional",
      { "Profesional", "Professional" },
      READS AGENDA(":own") " appointment.override:own appointment.reopen:own" },
    { "receptionist", { "Recepción", "Receptionist" }, READS AGENDA("") " appointment.override" },
    { "assistant", { "Asistente", "Assistant" }, READS AGENDA(":team") },
    { "read_only",
      { "Solo lectura", "Read only" },
      READS " client.read appointment.read link.read" },
};

/* ---- words ---- */

static enum perm find_perm(struct slice name)
{
    for (int p = PERM_NONE + 1; p < PERM_COUNT; p++) {
        if (slice_eq(slice_of(perms[p].name), name)) {
            return (enum perm)p;
        }
    }
    return PERM_NONE;
}

/* "" is all. */
static enum reach find_reach(struct slice name)
{
    for (size_t r = REACH_OWN; r < ARRAY_LEN(reaches); r++) {
        if (slice_eq(slice_of(reaches[r]), name)) {
            return (enum reach)r;
        }
    }
    return name.p ? REACH_NONE : REACH_ALL;
}

static bool parse_word(struct slice word, struct perm_set *out)
{
    struct slice reach_name = word;
    enum perm p = find_perm(str_cut(&reach_name, ':'));
    enum reach r = find_reach(reach_name);
    bool fits = perms_grantable(p) && (r == REACH_ALL || (r != REACH_NONE && perms[p].reaches));
    if (!fits || out->reach[p] != REACH_NONE) {
        return false;
    }
    out->reach[p] = (uint8_t)r;
    return true;
}

enum err perms_parse(struct slice text, struct perm_set *out, struct slice *bad)
{
    struct slice rest = text;
    *out = (struct perm_set){ .reach = { [PERM_SELF] = REACH_ALL } };
    while (rest.p) {
        struct slice word = str_cut(&rest, ' ');
        if (word.n > 0 && !parse_word(word, out)) {
            *bad = word;
            return E_INVALID;
        }
    }
    return OK;
}

void perms_write(const struct perm_set *set, struct sbuf *out)
{
    bool first = true;
    for (int p = PERM_NONE + 1; p < PERM_COUNT; p++) {
        enum reach r = (enum reach)set->reach[p];
        if (r == REACH_NONE || !perms_grantable((enum perm)p)) {
            continue;
        }
        sbuf_fmt(out, "%s%s", first ? "" : " ", perms[p].name);
        if (r != REACH_ALL) {
            sbuf_fmt(out, ":%s", reaches[r]);
        }
        first = false;
    }
}

bool perms_cover(const struct perm_set *set, const struct perm_set *part)
{
    for (int p = 0; p < PERM_COUNT; p++) {
        if (part->reach[p] > set->reach[p]) {
            return false;
        }
    }
    return true;
}

bool perms_whole(const struct perm_set *set)
{
    for (int p = 0; p < PERM_COUNT; p++) {
        if (set->reach[p] != REACH_NONE && set->reach[p] != REACH_ALL) {
            return false;
        }
    }
    return true;
}

const char *perms_name(enum perm p)
{
    return p < PERM_COUNT ? perms[p].name : "none";
}

bool perms_grantable(enum perm p)
{
    return p > PERM_SELF && p < PERM_COUNT && p != PERM_GUEST;
}

bool perms_reaches(enum perm p)
{
    return p < PERM_COUNT && perms[p].reaches;
}

/* ---- roles that come ready ---- */

/* Read once; a row that does not parse is a mistake that no process gets past. */
static const struct perm_set *read_ready(size_t i)
{
    static struct perm_set sets[ARRAY_LEN(ready)];
    static bool known[ARRAY_LEN(ready)];
    struct slice bad;
    if (!known[i] && perms_parse(slice_of(ready[i].words), &sets[i], &bad) != OK) {
        abort();
    }
    known[i] = true;
    return &sets[i];
}

const struct perm_set *perms_ready(const char *role)
{
    static const struct perm_set guest = { .reach = { [PERM_GUEST] = REACH_ALL } };
    if (strcmp(role, PERMS_GUEST) == 0) {
        return &guest;
    }
    for (size_t i = 0; i < ARRAY_LEN(ready); i++) {
        if (strcmp(ready[i].code, role) == 0) {
            return read_ready(i);
        }
    }
    return NULL;
}

const char *perms_ready_code(size_t i)
{
    return i < ARRAY_LEN(ready) ? ready[i].code : NULL;
}

const char *perms_ready_name(size_t i, enum lang lang)
{
    return i < ARRAY_LEN(ready) ? ready[i].name[lang] : NULL;
}
