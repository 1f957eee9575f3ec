/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Finds the row of a path among those that begin with the same segments, and those that begin with a name. */
#include "common/route_map.h"

#include "common/str.h"

static bool is_name(struct slice segment)
{
    return segment.n > 2 && segment.p[0] == '{' && segment.p[segment.n - 1] == '}';
}

bool route_map_pattern_valid(struct slice pattern)
{
    size_t names = 0;
    if (pattern.n == 0 || pattern.n >= ROUTE_PATTERN_MAX || pattern.p[0] != '/') {
        return false;
    }
    struct slice rest = { pattern.p + 1, pattern.n - 1 };
    while (rest.p) {
        struct slice segment = str_cut(&rest, '/');
        bool name = is_name(segment);
        names += name;
        struct slice inner = name ? (struct slice){ segment.p + 1, segment.n - 2 } : segment;
        for (size_t i = 0; i < inner.n; i++) {
            if (inner.p[i] <= ' ' || inner.p[i] > '~' || inner.p[i] == '{' || inner.p[i] == '}') {
                return false;
            }
        }
    }
    return names <= ROUTE_PARAMS_MAX;
}

bool route_map_by_slug(const struct route_entry *e)
{
    const char *name = strchr(e->pattern, '{');
    return e->by_link && name && strncmp(name, "{slug}", 6) == 0;
}

/* How a path met one pattern. */
struct trial {
    uint64_t literals; /* top bit: the first segment was literal, and so on; the larger wins */
    size_t param_count;
    struct slice params[ROUTE_PARAMS_MAX];
};

static size_t segment_end(const char *p, size_t n, size_t from)
{
    const char *slash = from < n ? memchr(p + from, '/', n - from) : NULL;
    return slash ? (size_t)(slash - p) : n;
}

/* Both start with '/'. Walks them segment by segment in step. */
static bool matches(struct slice pattern, struct slice path, struct trial *t)
{
    size_t i = 0;
    size_t k = 0;
    uint64_t bit = UINT64_C(1) << 63;
    t->literals = 0;
    t->param_count = 0;
    while (i < pattern.n && k < path.n) {
        size_t i_end = segment_end(pattern.p, pattern.n, ++i);
        size_t k_end = segment_end(path.p, path.n, ++k);
        struct slice want = { pattern.p + i, i_end - i };
        struct slice have = { path.p + k, k_end - k };
        if (is_name(want)) {
            if (have.n == 0 || t->param_count == ROUTE_PARAMS_MAX) {
                return false;
            }
            t->params[t->param_count++] = have;
        } else if (slice_eq(want, have)) {
            t->literals |= bit;
        } else {
            return false;
        }
        bit >>= 1;
        i = i_end;
        k = k_end;
    }
    return i == pattern.n && k == path.n;
}

#define INDEXED_SEGMENTS 3
#define CHAIN_OF_NAMES   ROUTE_CHAINS

static size_t chain_of(struct slice text)
{
    size_t end = 0;
    for (int i = 0; i < INDEXED_SEGMENTS && end < text.n; i++) {
        end = segment_end(text.p, text.n, end + 1);
    }
    return str_hash((struct slice){ text.p, end }) % ROUTE_CHAINS;
}

static size_t chain_of_pattern(struct slice pattern)
{
    struct slice rest = { pattern.p + 1, pattern.n - 1 };
    for (int i = 0; i < INDEXED_SEGMENTS && rest.p; i++) {
        if (is_name(str_cut(&rest, '/'))) {
            return CHAIN_OF_NAMES;
        }
    }
    return chain_of(pattern);
}

void route_map_index(struct route_map *map)
{
    memset(map->chains, 0, sizeof(map->chains));
    for (size_t i = map->count; i-- > 0;) {
        uint16_t *head = &map->chains[chain_of_pattern(slice_of(map->rows[i].pattern))];
        map->next[i] = *head;
        *head = (uint16_t)(i + 1);
    }
}

struct search {
    const struct route_map *map;
    enum method method;
    struct slice path;
    uint64_t best;
};

static void search_chain(struct search *s, size_t chain, struct route_match *out)
{
    for (unsigned at = s->map->chains[chain]; at != 0; at = s->map->next[at - 1]) {
        const struct route_entry *e = &s->map->rows[at - 1];
        struct trial t;
        if (!matches(slice_of(e->pattern), s->path, &t)) {
            continue;
        }
        out->path_known = true;
        out->allow |= 1u << e->method | (e->method == M_GET ? 1u << M_HEAD : 0);
        bool fits = e->method == s->method || (s->method == M_HEAD && e->method == M_GET);
        if (fits && (out->row < 0 || t.literals > s->best)) {
            s->best = t.literals;
            out->row = (int)at - 1;
            out->param_count = t.param_count;
            memcpy(out->params, t.params, t.param_count * sizeof(t.params[0]));
        }
    }
}

void route_map_find(const struct route_map *map, enum method m, struct slice path,
                    struct route_match *out)
{
    struct search s = { .map = map, .method = m, .path = path };
    *out = (struct route_match){ .row = -1 };
    if (path.n > 0 && path.p[0] == '/') {
        search_chain(&s, chain_of(path), out);
        search_chain(&s, CHAIN_OF_NAMES, out);
    }
}
