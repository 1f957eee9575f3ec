/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Every line is one JSON object, whatever bytes a value has; floods are counted, not written. */
#include "common/log.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/json.h"

static int ends[2];

static void init(void)
{
    cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends), 0);
    log_init("worker/api-1", LOG_LEVEL_INFO, ends[1]);
}

TestSuite(log, .init = init);

/* The next write is one packet: a line in two writes would not parse. NULL when nothing was written. */
static struct json_object *line(void)
{
    static char text[20000];
    struct arena scratch;
    struct json_fault fault;
    struct json_object *o = NULL;
    ssize_t n = read(ends[0], text, sizeof(text));
    if (n <= 0) {
        return NULL;
    }
    cr_assert_eq(text[n - 1], '\n');
    cr_assert_eq(memchr(text, '\n', (size_t)n), text + n - 1, "one line");
    arena_init(&scratch, 0);
    cr_assert_eq(json_read((struct slice){ text, (size_t)n - 1 }, &scratch, &fault, &o), OK, "%.*s",
                 (int)n, text);
    arena_fini(&scratch);
    return o;
}

static const char *text_of(struct json_object *o, const char *name)
{
    struct slice s = SLICE("(none)");
    return json_get_text(o, name, &s) == OK ? s.p : "(none)";
}

Test(log, fields)
{
    int64_t pid = 0;
    log_event(LOG_LEVEL_WARN, "slot_died", "slot", "api-1", "route", "/a\"b", NULL);
    struct json_object *o = line();
    cr_expect_str_eq(text_of(o, "level"), "warn");
    cr_expect_str_eq(text_of(o, "program"), "worker/api-1");
    cr_expect_str_eq(text_of(o, "event"), "slot_died");
    cr_expect_str_eq(text_of(o, "slot"), "api-1");
    cr_expect_str_eq(text_of(o, "route"), "/a\"b");
    cr_expect_eq(strlen(text_of(o, "at")), strlen("2026-07-01T15:00:00.123456Z"));
    cr_expect_eq(json_get_int(o, "pid", &pid), OK);
    cr_expect_eq(pid, getpid());
    json_object_put(o);
}

Test(log, a_null_value_ends_the_list)
{
    log_event(LOG_LEVEL_INFO, "x", "a", "1", "b", NULL, "c", "3", NULL);
    struct json_object *o = line();
    cr_expect_str_eq(text_of(o, "a"), "1");
    cr_expect_str_eq(text_of(o, "b"), "(none)");
    cr_expect_str_eq(text_of(o, "c"), "(none)");
    json_object_put(o);
}

Test(log, level)
{
    log_event(LOG_LEVEL_DEBUG, "x", NULL);
    log_raw(LOG_LEVEL_DEBUG, "x", SLICE("\"a\":1"));
    log_seldom(LOG_LEVEL_DEBUG, "x", "y");
    cr_expect_null(line());
    log_event(LOG_LEVEL_ERROR, "x", NULL);
    json_object_put(line());
}

Test(log, any_bytes)
{
    char every[256];
    for (size_t i = 0; i < 255; i++) {
        every[i] = (char)(i + 1);
    }
    every[255] = '\0';
    log_event(LOG_LEVEL_INFO, "x", "all", every, "utf8", "ñ 日本", NULL);
    struct json_object *o = line();
    cr_expect_str_eq(text_of(o, "utf8"), "ñ 日本");
    cr_expect_eq(strncmp(text_of(o, "all"), every, 0x7e), 0, "ASCII is kept");
    json_object_put(o);
}

Test(log, long_values_are_cut_at_a_character)
{
    char text[6001] = "";
    for (size_t i = 0; i < 3000; i++) {
        memcpy(text + 2 * i, "ñ", 2);
    }
    log_event(LOG_LEVEL_INFO, "x", "v", text, "w", text + 1, NULL);
    struct json_object *o = line();
    cr_expect_eq(strlen(text_of(o, "v")), 2048);
    json_object_put(o);
    text[0] = 'a';
    text[1] = 'b';
    memmove(text + 1, text + 2, 5999);
    log_event(LOG_LEVEL_INFO, "x", "v", text, NULL);
    o = line();
    cr_expect_eq(strlen(text_of(o, "v")), 2047);
    json_object_put(o);
}

Test(log, raw)
{
    int64_t status = 0;
    log_raw(LOG_LEVEL_INFO, "request", SLICE("\"status\":200,\"path\":\"/\""));
    struct json_object *o = line();
    cr_expect_eq(json_get_int(o, "status", &status), OK);
    cr_expect_eq(status, 200);
    cr_expect_str_eq(text_of(o, "event"), "request");
    json_object_put(o);
}

Test(log, rename_cuts)
{
    log_rename("a name that is far too long for a program");
    log_event(LOG_LEVEL_INFO, "x", NULL);
    struct json_object *o = line();
    cr_expect_str_eq(text_of(o, "program"), "a name that is far too long for");
    json_object_put(o);
}

Test(log, seldom)
{
    for (int i = 0; i < 1000; i++) {
        log_seldom(LOG_LEVEL_WARN, "flood", "too many");
        log_seldom(LOG_LEVEL_WARN, "other", NULL);
    }
    for (int i = 0; i < 2; i++) {
        struct json_object *o = line();
        cr_assert_not_null(o);
        json_object_put(o);
    }
    cr_expect_null(line());
}

Test(log, seldom_counts_what_it_swallowed)
{
    int lines = 0;
    int64_t told = 0;
    /* Runs into the next second: bounded by the clock, not by a sleep. */
    for (uint64_t tries = 0; lines < 2 && tries < UINT64_C(1) << 32; tries++) {
        char text[2000];
        log_seldom(LOG_LEVEL_WARN, "flood", "too many");
        ssize_t n = read(ends[0], text, sizeof(text) - 1);
        if (n > 0) {
            text[n] = '\0';
            lines++;
            const char *at = strstr(text, "\"suppressed\":");
            told = at ? atoll(at + 13) : 0;
            cr_assert(lines == 1 || told == (int64_t)tries - 1, "told %ld of %lu", (long)told,
                      (unsigned long)tries);
        }
    }
    cr_expect_eq(lines, 2);
    cr_expect_gt(told, 0);
}

/* A pipe's buffer is full when nobody reads: lines are dropped, and the next that gets through says how many. */
Test(log, a_reader_that_stands_still_stops_nobody)
{
    enum { LINES = 3000 };
    char text[65536];
    int pipe_ends[2];
    cr_assert_eq(pipe(pipe_ends), 0);
    log_init("router", LOG_LEVEL_INFO, pipe_ends[1]);
    for (int i = 0; i < LINES; i++) {
        log_event(LOG_LEVEL_INFO, "line", NULL);
    }
    uint64_t dropped = log_dropped();
    cr_expect(dropped > 0 && dropped < LINES, "%lu of %d", (unsigned long)dropped, LINES);
    cr_assert_gt(read(pipe_ends[0], text, sizeof(text)), 0);
    log_event(LOG_LEVEL_INFO, "again", NULL);
    ssize_t n = read(pipe_ends[0], text, sizeof(text) - 1);
    cr_assert_gt(n, 0);
    text[n] = '\0';
    const char *at = strstr(text, "\"dropped\":");
    cr_expect(at && strtoull(at + 10, NULL, 10) == dropped, "%s", text);
}

Test(log, a_closed_pipe_and_a_full_disk_are_survived)
{
    int pipe_ends[2], full = open("/dev/full", O_WRONLY);
    cr_assert(full >= 0 && pipe(pipe_ends) == 0);
    log_init("router", LOG_LEVEL_INFO, full);
    log_event(LOG_LEVEL_INFO, "line", NULL);
    cr_expect_eq(log_dropped(), 1);
    log_init("router", LOG_LEVEL_INFO, pipe_ends[1]);
    close(pipe_ends[0]);
    log_event(LOG_LEVEL_INFO, "line", NULL);
    cr_expect_eq(log_dropped(), 2);
}
