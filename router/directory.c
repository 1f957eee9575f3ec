/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Open addressing with linear probing over whole rows; removal shifts back, so there are no tombstones. */
#include "router/directory.h"

#include <stdlib.h>

#include "common/str.h"

#define CELLS_MIN 64

/* Whose a public name is. */
struct name {
    struct uuid id; /* nil: an empty cell */
    char slug[TENANT_SLUG_MAX];
};

struct table {
    size_t count, mask;
    struct tenant *cells; /* a nil id marks an empty cell */
    struct name *names;   /* as many cells; a row without a slug has none here */
    unsigned pools;
    uint32_t pool_size[TENANT_POOLS_MAX];
};

struct directory {
    struct table now, staged;
    struct token_keys keys;
    bool loaded, in_step;
};

static size_t home_of(const struct table *t, const struct uuid *id)
{
    return (size_t)str_hash((struct slice){ (const char *)id->b, sizeof(id->b) }) & t->mask;
}

static void table_fini(struct table *t)
{
    free(t->cells);
    free(t->names);
    memset(t, 0, sizeof(*t));
}

/* ---- names ---- */

static size_t home_of_name(const struct table *t, struct slice slug)
{
    return (size_t)str_hash(slug) & t->mask;
}

/* The cell of slug, or the empty one where it would go. */
static struct name *name_cell(const struct table *t, struct slice slug)
{
    size_t at = home_of_name(t, slug);
    while (!uuid_is_nil(&t->names[at].id) && !slice_eq(slice_of(t->names[at].slug), slug)) {
        at = (at + 1) & t->mask;
    }
    return &t->names[at];
}

/* Of two rows with one name, which there are while a name changes hands, the one that came last has it. */
static void name_put(struct table *t, const struct uuid *id, const char *slug)
{
    if (slug[0]) {
        struct name *cell = name_cell(t, slice_of(slug));
        cell->id = *id;
        memcpy(cell->slug, slug, strlen(slug) + 1);
    }
}

static void name_remove(struct table *t, const struct tenant *row)
{
    struct name *cell = name_cell(t, slice_of(row->slug));
    if (row->slug[0] == '\0' || !uuid_eq(&cell->id, &row->id)) {
        return;
    }
    size_t hole = (size_t)(cell - t->names);
    for (size_t at = (hole + 1) & t->mask; !uuid_is_nil(&t->names[at].id);
         at = (at + 1) & t->mask) {
        size_t home = home_of_name(t, slice_of(t->names[at].slug));
        if (((at - home) & t->mask) >= ((at - hole) & t->mask)) {
            t->names[hole] = t->names[at];
            hole = at;
        }
    }
    memset(&t->names[hole], 0, sizeof(t->names[hole]));
}

/* ---- rows ---- */

static enum err table_size(struct table *t, size_t cells)
{
    struct tenant *fresh = calloc(cells, sizeof(*fresh));
    struct name *names = calloc(cells, sizeof(*names));
    if (!fresh || !names) {
        free(fresh);
        free(names);
        return E_NOMEM;
    }
    struct table old = *t;
    t->cells = fresh;
    t->names = names;
    t->mask = cells - 1;
    for (size_t i = 0; old.names && i <= old.mask; i++) {
        if (!uuid_is_nil(&old.names[i].id)) {
            name_put(t, &old.names[i].id, old.names[i].slug);
        }
    }
    for (size_t i = 0; old.cells && i <= old.mask; i++) {
        if (!uuid_is_nil(&old.cells[i].id)) {
            size_t at = home_of(t, &old.cells[i].id);
            while (!uuid_is_nil(&t->cells[at].id)) {
                at = (at + 1) & t->mask;
            }
            t->cells[at] = old.cells[i];
        }
    }
    free(old.cells);
    free(old.names);
    return OK;
}

/* The cell of id, or the empty one where it would go. */
static struct tenant *table_cell(const struct table *t, const struct uuid *id)
{
    size_t at = home_of(t, id);
    while (!uuid_is_nil(&t->cells[at].id) && !uuid_eq(&t->cells[at].id, id)) {
        at = (at + 1) & t->mask;
    }
    return &t->cells[at];
}

static void count_pool(struct table *t, uint16_t pool, int by)
{
    uint32_t *size = &t->pool_size[pool % TENANT_POOLS_MAX];
    bool before = *size > 0;
    *size = (uint32_t)((int64_t)*size + by);
    t->pools = (unsigned)((int)t->pools + (*size > 0) - before);
}

static enum err table_put(struct table *t, const struct tenant *row)
{
    if (uuid_is_nil(&row->id)) {
        return E_BAD_REQUEST;
    }
    if (!t->cells || (t->count + 1) * 3 > (t->mask + 1) * 2) {
        TRY(table_size(t, t->cells ? (t->mask + 1) * 2 : CELLS_MIN));
    }
    struct tenant *cell = table_cell(t, &row->id);
    if (uuid_is_nil(&cell->id)) {
        t->count++;
    } else {
        count_pool(t, cell->pool, -1);
        name_remove(t, cell);
    }
    count_pool(t, row->pool, 1);
    *cell = *row;
    name_put(t, &row->id, row->slug);
    return OK;
}

/* Moves back every row behind the hole that could not be found over it. */
static void close_hole(struct table *t, size_t hole)
{
    for (size_t at = (hole + 1) & t->mask; !uuid_is_nil(&t->cells[at].id);
         at = (at + 1) & t->mask) {
        size_t home = home_of(t, &t->cells[at].id);
        if (((at - home) & t->mask) >= ((at - hole) & t->mask)) {
            t->cells[hole] = t->cells[at];
            hole = at;
        }
    }
    memset(&t->cells[hole], 0, sizeof(t->cells[hole]));
}

enum err directory_new(struct directory **out)
{
    struct directory *d = calloc(1, sizeof(*d));
    if (!d || table_size(&d->now, CELLS_MIN) != OK) {
        free(d);
        return E_NOMEM;
    }
    *out = d;
    return OK;
}

void directory_free(struct directory *d)
{
    if (d) {
        table_fini(&d->now);
        table_fini(&d->staged);
        free(d);
    }
}

const struct tenant *directory_find(const struct directory *d, const struct uuid *id)
{
    if (uuid_is_nil(id)) {
        return NULL;
    }
    const struct tenant *cell = table_cell(&d->now, id);
    return uuid_is_nil(&cell->id) ? NULL : cell;
}

const struct tenant *directory_find_slug(const struct directory *d, struct slice slug)
{
    if (slug.n == 0 || slug.n >= TENANT_SLUG_MAX) {
        return NULL;
    }
    return directory_find(d, &name_cell(&d->now, slug)->id);
}

const struct token_keys *directory_keys(const struct directory *d)
{
    return &d->keys;
}

size_t directory_count(const struct directory *d)
{
    return d->now.count;
}

unsigned directory_pools(const struct directory *d)
{
    return d->now.pools;
}

bool directory_loaded(const struct directory *d)
{
    return d->loaded;
}

bool directory_in_step(const struct directory *d)
{
    return d->in_step;
}

void directory_set_in_step(struct directory *d, bool in_step)
{
    d->in_step = in_step;
}

void directory_begin(struct directory *d)
{
    table_fini(&d->staged);
}

enum err directory_stage(struct directory *d, const struct tenant *t)
{
    return table_put(&d->staged, t);
}

void directory_swap(struct directory *d)
{
    if (!d->staged.cells && table_size(&d->staged, CELLS_MIN) != OK) {
        return;
    }
    table_fini(&d->now);
    d->now = d->staged;
    memset(&d->staged, 0, sizeof(d->staged));
    d->loaded = true;
}

enum err directory_put(struct directory *d, const struct tenant *t)
{
    return table_put(&d->now, t);
}

void directory_remove(struct directory *d, const struct uuid *id)
{
    if (uuid_is_nil(id)) {
        return;
    }
    struct tenant *cell = table_cell(&d->now, id);
    if (!uuid_is_nil(&cell->id)) {
        count_pool(&d->now, cell->pool, -1);
        name_remove(&d->now, cell);
        d->now.count--;
        close_hole(&d->now, (size_t)(cell - d->now.cells));
    }
}

bool directory_set_keys(struct directory *d, const struct token_keys *keys)
{
    bool same = d->keys.count == keys->count;
    for (size_t i = 0; same && i < keys->count; i++) {
        same = strcmp(d->keys.rows[i].kid, keys->rows[i].kid) == 0 &&
               strcmp(d->keys.rows[i].pem, keys->rows[i].pem) == 0;
    }
    if (!same) {
        d->keys = *keys;
    }
    return !same;
}
