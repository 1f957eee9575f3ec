/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The table of path patterns. Workers announce their table to the router, which so
 * learns where a request goes, how large and of what type its body may be, where its practice is named, and nothing more. */
#ifndef GREMIO_ROUTE_MAP_H
#define GREMIO_ROUTE_MAP_H

#include "common/method.h"
#include "common/slot_kind.h"

#define ROUTE_PATTERN_MAX 128
#define ROUTE_MAP_MAX     1024 /* rows of one table */
#define ROUTE_PARAMS_MAX  4    /* {names} in one pattern */

struct route_entry {
    enum method method;
    enum slot_kind kind;
    bool open;         /* needs no token */
    uint32_t max_body; /* bytes; 0: a body is refused with 413 */
    char pattern
        [ROUTE_PATTERN_MAX]; /* "/api/v1/clients/{id}": literal segments or whole-segment names */
    bool
        by_link; /* its first {name} names the practice: {token} is a link's (common/link_token.h), {slug} the practice's public name */
    bool form;   /* takes application/x-www-form-urlencoded besides JSON */
    bool page;   /* is for people: a browser gets refusals as HTML */
};

#define ROUTE_CHAINS 64

struct route_map {
    size_t count;
    struct route_entry rows[ROUTE_MAP_MAX];
    /* Made by route_map_index: rows by the text of their first segments, as index + 1. */
    uint16_t chains[ROUTE_CHAINS + 1];
    uint16_t next[ROUTE_MAP_MAX];
};

struct route_match {
    int row;         /* index into rows; -1 when no row fits the method too */
    bool path_known; /* some row fits the path: 405 rather than 404 */
    uint32_t allow;  /* bit per enum method that the path has */
    size_t param_count;
    struct slice params[ROUTE_PARAMS_MAX]; /* the {name} segments in order, borrowed from path */
};

/* Starts with '/', shorter than ROUTE_PATTERN_MAX, printable ASCII, braces only around whole segments, at most
 * ROUTE_PARAMS_MAX of those. */
bool route_map_pattern_valid(struct slice pattern);
/* The practice is named by its {slug}, not by a link's {token}. Routers that do not know that find no link in it, and no practice. */
bool route_map_by_slug(const struct route_entry *e);
/* Once all rows are there, and again after each change. */
void route_map_index(struct route_map *map);
/* map is indexed. path is decoded and normalised ("/a/b"). A literal segment wins over a {name}. HEAD matches a GET row. */
void route_map_find(const struct route_map *map, enum method m, struct slice path,
                    struct route_match *out);

#endif
