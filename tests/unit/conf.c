/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Settings: every source in its order, every type and bound, all or nothing, and sentences that help. */
#include "common/conf.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct settings {
    bool flag;
    int64_t count, size, wait;
    char text[CONF_TEXT_MAX];
    char secret[CONF_TEXT_MAX];
    int other; /* not a row's: never touched */
};

#define AT(field) offsetof(struct settings, field)

static const struct conf_row rows[] = {
    { "flag", NULL, CONF_BOOL, AT(flag), 0, 0, "no", false, true, "A flag" },
    { "count", NULL, CONF_INT, AT(count), -5, 64, "4", false, true, "How many" },
    { "size", NULL, CONF_SIZE, AT(size), 1024, 1 << 20, "64k", false, true, "How large" },
    { "wait_time", NULL, CONF_TIME, AT(wait), 0, 3600000, "10s", false, false, "How long" },
    { "db_host", "TEST_DB_HOST", CONF_TEXT, AT(text), 0, 0, "here", false, true, "Where" },
    { "password", NULL, CONF_TEXT, AT(secret), 0, 0, "", true, true, "Hidden" },
    { 0 },
};

static struct settings s;
static struct sbuf why;
static char file[64];

static void init(void)
{
    s = (struct settings){ .other = 42 };
    snprintf(file, sizeof(file), "/tmp/conf.XXXXXX");
    int fd = mkstemp(file);
    cr_assert_geq(fd, 0);
    close(fd);
}

static void fini(void)
{
    unlink(file);
    sbuf_fini(&why);
}

TestSuite(conf, .init = init, .fini = fini);

static void write_file(const char *text)
{
    FILE *f = fopen(file, "w");
    cr_assert_not_null(f);
    cr_assert(fputs(text, f) >= 0);
    cr_assert_eq(fclose(f), 0);
}

static enum err load(const char *text, const char *const *overrides)
{
    struct conf_source src = { .file = text ? file : NULL, .overrides = overrides };
    if (text) {
        write_file(text);
    }
    sbuf_reset(&why, 1 << 16);
    return conf_load(rows, &src, &s, sizeof(s), &why);
}

static enum err set(const char *pair)
{
    return load(NULL, (const char *const[]){ pair, NULL });
}

Test(conf, defaults)
{
    cr_assert_eq(load(NULL, NULL), OK, "%s", why.data);
    cr_expect_not(s.flag);
    cr_expect_eq(s.count, 4);
    cr_expect_eq(s.size, 65536);
    cr_expect_eq(s.wait, 10000);
    cr_expect_str_eq(s.text, "here");
    cr_expect_str_eq(s.secret, "");
    cr_expect_eq(s.other, 42);
}

Test(conf, file)
{
    cr_assert_eq(load("# comment\n\n  flag = yes  \r\ncount=-5\n\tsize = 1m\nwait_time = 0s\n"
                      "db_host = a b # c = d\npassword = geheim",
                      NULL),
                 OK, "%s", why.data);
    cr_expect(s.flag);
    cr_expect_eq(s.count, -5);
    cr_expect_eq(s.size, 1 << 20);
    cr_expect_eq(s.wait, 0);
    cr_expect_str_eq(s.text, "a b # c = d");
    cr_expect_str_eq(s.secret, "geheim");
}

Test(conf, later_sources_win)
{
    setenv("GREMIO_COUNT", "6", 1);
    setenv("GREMIO_SIZE", "2k", 1);
    setenv("TEST_DB_HOST", "known", 1);
    cr_assert_eq(load("count = 5\nflag = yes\n", (const char *const[]){ "size = 3k", NULL }), OK);
    cr_expect_eq(s.count, 6, "environment over file");
    cr_expect_eq(s.size, 3072, "override over environment");
    cr_expect(s.flag, "file over default");
    cr_expect_str_eq(s.text, "known");
    setenv("GREMIO_DB_HOST", "ours", 1);
    cr_assert_eq(load(NULL, NULL), OK);
    cr_expect_str_eq(s.text, "ours", "our name over the known one");
    unsetenv("GREMIO_DB_HOST");
    setenv("TEST_DB_HOST", "", 1);
    cr_assert_eq(load(NULL, NULL), OK);
    cr_expect_str_eq(s.text, "here", "empty counts as not set");
}

Test(conf, bools)
{
    static const char *const yes[] = { "yes", "TRUE", "on", "1" };
    static const char *const no[] = { "no", "False", "off", "0" };
    for (size_t i = 0; i < 4; i++) {
        char pair[32];
        snprintf(pair, sizeof(pair), "flag=%s", yes[i]);
        cr_expect_eq(set(pair), OK);
        cr_expect(s.flag);
        snprintf(pair, sizeof(pair), "flag=%s", no[i]);
        cr_expect_eq(set(pair), OK);
        cr_expect_not(s.flag);
    }
}

Test(conf, notations)
{
    static const struct {
        const char *pair;
        int64_t want;
    } good[] = {
        { "size=1024", 1024 },       { "size=1k", 1024 },        { "size=1K", 1024 },
        { "size=1024k", 1 << 20 },   { "wait_time=500ms", 500 }, { "wait_time=5m", 300000 },
        { "wait_time=1h", 3600000 }, { "wait_time=10S", 10000 }, { "count=64", 64 },
    };
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        cr_expect_eq(set(good[i].pair), OK, "%s: %s", good[i].pair, why.data);
        int64_t got = good[i].pair[0] == 's' ? s.size : good[i].pair[0] == 'w' ? s.wait : s.count;
        cr_expect_eq(got, good[i].want, "%s", good[i].pair);
    }
}

Test(conf, refused_values)
{
    static const char *const bad[] = {
        "flag=maybe",
        "flag=",
        "flag=yes no",
        "count=",
        "count=65",
        "count=-6",
        "count=1.5",
        "count=4k",
        "count=0x4",
        "size=1023",
        "size=1025k",
        "size=k",
        "size=1 k",
        "size=1t",
        "size=-1k",
        "size=99999999999999999999g",
        "size=9999999999g",
        "wait_time=10",
        "wait_time=0",
        "wait_time=-1s",
        "wait_time=2h",
        "wait_time=s",
        "wait_time=1d",
        "db_host=a\tb\x01",
        "db_host=\xff",
        "db_host=a\nb",
        "none=1",
        "=1",
        "count",
        "Count=1",
    };
    cr_assert_eq(load(NULL, NULL), OK);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct settings before = s;
        cr_expect_eq(set(bad[i]), E_CONFIG, "%s", bad[i]);
        cr_expect_gt(why.len, 10);
        cr_expect_eq(memcmp(&before, &s, sizeof(s)), 0);
    }
}

Test(conf, text_length)
{
    char pair[300] = "db_host=";
    memset(pair + 8, 'x', CONF_TEXT_MAX - 1);
    cr_expect_eq(set(pair), OK);
    cr_expect_eq(strlen(s.text), CONF_TEXT_MAX - 1);
    pair[8 + CONF_TEXT_MAX - 1] = 'x';
    cr_expect_eq(set(pair), E_CONFIG);
}

Test(conf, all_or_nothing)
{
    cr_assert_eq(load(NULL, NULL), OK);
    cr_expect_eq(load("count = 9\nsize = 2k\nflag = perhaps\n", NULL), E_CONFIG);
    cr_expect_eq(s.count, 4);
    cr_expect_eq(s.size, 65536);
}

static bool says(const char *text)
{
    return strstr(why.data, text) != NULL;
}

Test(conf, messages)
{
    char place[160];
    cr_expect_eq(load("\n# x\ncount = many\n", NULL), E_CONFIG);
    snprintf(place, sizeof(place), "%s:3: count: \"many\" is not a whole number from -5 to 64",
             file);
    cr_expect_str_eq(why.data, place);
    cr_expect_eq(load("cuont = 1\n", NULL), E_CONFIG);
    cr_expect(says(":1: \"cuont\" is not a setting"), "%s", why.data);
    cr_expect_eq(load("count = 1\ncount = 2\n", NULL), E_CONFIG);
    cr_expect(says(":2: count is set a second time"), "%s", why.data);
    cr_expect_eq(load("just words\n", NULL), E_CONFIG);
    cr_expect(says(":1: \"just words\" is not of the form"), "%s", why.data);
    cr_expect_eq(set("size=9g"), E_CONFIG);
    cr_expect(says("--set: size: \"9g\" is not a size such as 64k or 1m from 1k to 1m"), "%s",
              why.data);
    cr_expect_eq(set("wait_time=2h"), E_CONFIG);
    cr_expect(says("from 0ms to 1h"), "%s", why.data);
    setenv("GREMIO_WAIT_TIME", "x", 1);
    cr_expect_eq(load(NULL, NULL), E_CONFIG);
    cr_expect(says("GREMIO_WAIT_TIME: wait_time"), "%s", why.data);
    unsetenv("GREMIO_WAIT_TIME");
    cr_expect_eq(set("password=a\x01geheim"), E_CONFIG);
    cr_expect_not(says("geheim"), "a secret is not repeated");
    unlink(file);
    struct conf_source src = { .file = file };
    sbuf_reset(&why, 1000);
    cr_expect_eq(conf_load(rows, &src, &s, sizeof(s), &why), E_CONFIG);
    cr_expect(says("No such file"), "%s", why.data);
}

Test(conf, a_default_that_does_not_parse_is_noticed)
{
    static const struct conf_row wrong[] = {
        { "count", NULL, CONF_INT, AT(count), 0, 9, "10", false, true, "" },
        { 0 },
    };
    struct conf_source src = { 0 };
    cr_expect_eq(conf_load(wrong, &src, &s, sizeof(s), &why), E_CONFIG);
    cr_expect(says("default: count: \"10\""), "%s", why.data);
}

Test(conf, reload)
{
    struct conf_source src = { .file = file };
    cr_assert_eq(load("count = 5\nwait_time = 2s\n", NULL), OK);
    write_file("count = 6\nwait_time = 2s\n");
    cr_expect_eq(conf_reload(rows, &src, &s, sizeof(s), &why), OK, "%s", why.data);
    cr_expect_eq(s.count, 6);
    write_file("count = 7\nwait_time = 3s\n");
    cr_expect_eq(conf_reload(rows, &src, &s, sizeof(s), &why), E_CONFIG);
    cr_expect(says("wait_time cannot change while"), "%s", why.data);
    cr_expect_eq(s.count, 6, "nothing else changed either");
    cr_expect_eq(s.wait, 2000);
    write_file("count = 8\nwait_time = 2000ms\n");
    cr_expect_eq(conf_reload(rows, &src, &s, sizeof(s), &why), OK, "the same value otherwise said");
    cr_expect_eq(s.count, 8);
}

Test(conf, print_reads_back)
{
    cr_assert_eq(load("flag = on\nsize = 1536\nwait_time = 90s\npassword = geheim\n", NULL), OK);
    struct settings before = s;
    struct sbuf out;
    sbuf_init(&out);
    conf_print(rows, &s, &out);
    cr_expect_str_eq(out.data, "flag = yes\ncount = 4\nsize = 1536\nwait_time = 90s\n"
                               "db_host = here\npassword = ***\n");
    cr_assert_eq(load(out.data, NULL), OK, "%s", why.data);
    cr_expect_eq(s.size, before.size);
    cr_expect_eq(s.wait, before.wait);
    sbuf_fini(&out);
}

Test(conf, help_names_every_setting)
{
    struct sbuf out;
    sbuf_init(&out);
    conf_help(rows, &out);
    for (size_t i = 0; rows[i].name; i++) {
        cr_expect_not_null(strstr(out.data, rows[i].name));
        cr_expect_not_null(strstr(out.data, rows[i].doc));
    }
    cr_expect_not_null(strstr(out.data, "default 64k; a size such as 64k or 1m from 1k to 1m"));
    cr_expect_not_null(strstr(out.data, "also TEST_DB_HOST"));
    sbuf_fini(&out);
}

Test(conf, secret)
{
    char out[16] = "kept";
    write_file("geheim\nsecond line\n");
    cr_assert_eq(chmod(file, 0640), 0);
    cr_expect_eq(conf_secret(file, out, sizeof(out), &why), E_CONFIG);
    cr_expect(says("chmod 600"), "%s", why.data);
    cr_expect_str_eq(out, "kept");
    cr_assert_eq(chmod(file, 0600), 0);
    cr_expect_eq(conf_secret(file, out, sizeof(out), &why), OK);
    cr_expect_str_eq(out, "geheim");
    write_file("");
    cr_expect_eq(conf_secret(file, out, sizeof(out), &why), E_CONFIG);
    write_file("\nx\n");
    cr_expect_eq(conf_secret(file, out, sizeof(out), &why), E_CONFIG);
    write_file("0123456789abcdef\n");
    cr_expect_eq(conf_secret(file, out, sizeof(out), &why), E_CONFIG);
    write_file("0123456789abcde\r\n");
    cr_expect_eq(conf_secret(file, out, sizeof(out), &why), OK);
    cr_expect_str_eq(out, "0123456789abcde");
    cr_expect_eq(conf_secret("/nonexistent", out, sizeof(out), &why), E_IO);
    cr_expect_eq(conf_secret("/tmp", out, sizeof(out), &why), E_CONFIG);
}

#define ARGS(...) ((char *[]){ "program", __VA_ARGS__, NULL })

static enum err args(char **argv, struct conf_args *out)
{
    int argc = 0;
    while (argv[argc]) {
        argc++;
    }
    sbuf_reset(&why, 1000);
    return conf_args(argc, argv, out, &why);
}

Test(conf, command_line)
{
    struct conf_args a;
    cr_expect_eq(
        args(ARGS("--config", "f", "--set", "a=1", "--set=b=2", "--check-config", "verb", "--help"),
             &a),
        OK);
    cr_expect_str_eq(a.file, "f");
    cr_expect_str_eq(a.overrides[0], "a=1");
    cr_expect_str_eq(a.overrides[1], "b=2");
    cr_expect_null(a.overrides[2]);
    cr_expect(a.check && !a.help && !a.version);
    cr_expect_eq(a.rest, 7, "options end at the first word");
    cr_expect_eq(args(ARGS("--config=g", "-h", "--version", "--", "--x"), &a), OK);
    cr_expect_str_eq(a.file, "g");
    cr_expect(a.help && a.version);
    cr_expect_eq(a.rest, 5);
    cr_expect_eq(args((char *[]){ "program", NULL }, &a), OK);
    cr_expect_eq(a.rest, 1);
}

Test(conf, command_line_refusals)
{
    struct conf_args a;
    cr_expect_eq(args(ARGS("--nope"), &a), E_CONFIG);
    cr_expect(says("--nope"));
    cr_expect_eq(args(ARGS("--helpme"), &a), E_CONFIG);
    cr_expect_eq(args(ARGS("--configure", "x"), &a), E_CONFIG);
    cr_expect_eq(args(ARGS("--config"), &a), E_CONFIG);
    cr_expect_eq(args(ARGS("--set"), &a), E_CONFIG);
    char *many[2 * 64 + 2] = { "program" };
    for (size_t i = 0; i < 64; i++) {
        many[1 + 2 * i] = "--set";
        many[2 + 2 * i] = "a=1";
    }
    cr_expect_eq(args(many, &a), E_CONFIG);
    cr_expect(says("more than 63"), "%s", why.data);
    many[127] = NULL;
    cr_expect_eq(args(many, &a), OK);
}
