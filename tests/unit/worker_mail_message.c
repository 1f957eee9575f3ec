/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Messages as mailers read them: fields, encoded words, quoted-printable; and that no text adds a field or a line. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "common/str.h"
#include "worker/mail_message.h"
#include "worker/mail_text.h"

#define ID "019a0000-0000-7000-8000-000000000001"

static struct mail sample(const char *subject, const char *text)
{
    return (struct mail){ .from = "no-reply@example.com",
                          .to = "ana@example.com",
                          .id = ID,
                          .language = "es",
                          .subject = slice_of(subject),
                          .text = slice_of(text),
                          .date_s = 1782918000 };
}

static char *write_sample(const char *subject, const char *text)
{
    struct sbuf out;
    struct mail m = sample(subject, text);
    sbuf_init(&out);
    cr_assert_eq(mail_message_write(&out, &m), OK);
    sbuf_char(&out, '\0');
    return out.data;
}

static void expect_message(const char *subject, const char *text, const char *fields,
                           const char *body)
{
    char *raw = write_sample(subject, text), *at = strstr(raw, "Subject:");
    cr_assert_not_null(at);
    cr_expect(strncmp(at, fields, strlen(fields)) == 0, "%s", at);
    cr_expect_str_eq(strstr(raw, "\r\n\r\n") + 4, body);
    free(raw);
}

Test(worker_mail_message, fields_stand_in_order)
{
    char *raw = write_sample("Hello", "One\n");
    cr_expect_str_eq(raw,
                     "From: <no-reply@example.com>\r\nTo: <ana@example.com>\r\nSubject: Hello\r\n"
                     "Date: Wed, 01 Jul 2026 15:00:00 +0000\r\nMessage-ID: <" ID
                     "@example.com>\r\nMIME-Version: 1.0\r\n"
                     "Content-Type: text/plain; charset=utf-8\r\n"
                     "Content-Transfer-Encoding: quoted-printable\r\nContent-Language: es\r\n"
                     "Auto-Submitted: auto-generated\r\n\r\nOne\r\n");
    free(raw);
}

Test(worker_mail_message, subjects)
{
    expect_message("Elija una contraseña", "x",
                   "Subject: =?UTF-8?B?RWxpamEgdW5hIGNvbnRyYXNlw7Fh?=\r\n", "x\r\n");
    expect_message("=?UTF-8?B?eA==?=", "x", "Subject: =?UTF-8?B?PT9VVEYtOD9CP2VBPT0/PQ==?=\r\n",
                   "x\r\n");
    expect_message("", "x", "Subject: \r\n", "x\r\n");
}

Test(worker_mail_message, bodies)
{
    expect_message("s", "a=b ñ \nlast ", "Subject: s\r\n", "a=3Db =C3=B1=20\r\nlast=20\r\n");
    expect_message("s", "From here\n.\nx\r\n", "Subject: s\r\n", "=46rom here\r\n=2E\r\nx=0D\r\n");
    expect_message(
        "s", "1234567890123456789012345678901234567890123456789012345678901234567890123456789",
        "Subject: s\r\n",
        "123456789012345678901234567890123456789012345678901234567890123456789012345=\r\n"
        "6789\r\n");
}

Test(worker_mail_message, addresses)
{
    static const char *const good[] = { "a@b", "ana.maria+x@mail.example.com",
                                        "o'hara@example.com" };
    static const char *const bad[] = {
        "",       "a",      "@b",      "a@",    "a@b@c",   "a b@c",   "a@b\r\nBcc: x@y",
        "a@b\nx", "<a@b>",  "a@b,c@d", "a@b;c", "\"a\"@b", "a@b\x7f", "ñ@b",
        "a@b>",   "a@b(c)", "a@b\x01"
    };
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        cr_expect(mail_message_address_valid(slice_of(good[i])), "%s", good[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct mail m = sample("s", "t");
        struct sbuf out;
        sbuf_init(&out);
        m.to = bad[i];
        cr_expect_eq(mail_message_write(&out, &m), E_BAD_REQUEST, "%s", bad[i]);
        m = sample("s", "t");
        m.from = bad[i];
        cr_expect_eq(mail_message_write(&out, &m), E_BAD_REQUEST, "%s", bad[i]);
        cr_expect_eq(out.len, 0);
        sbuf_fini(&out);
    }
}

/* It names a file, too. */
Test(worker_mail_message, ids)
{
    static const char *const bad[] = { "", "a b", "a\r\n", "../x", "a@b", ".", "a.eml" };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct mail m = sample("s", "t");
        struct sbuf out;
        sbuf_init(&out);
        m.id = bad[i];
        cr_expect_eq(mail_message_write(&out, &m), E_BAD_REQUEST, "%s", bad[i]);
        m = sample("s", "t");
        m.language = bad[i];
        cr_expect_eq(mail_message_write(&out, &m), E_BAD_REQUEST, "%s", bad[i]);
        cr_expect_eq(out.len, 0);
        sbuf_fini(&out);
    }
}

/* Lines of a message: none longer than 78, CR and LF only together, one field a line, ASCII only. Returns how many fields there are. */
static int check_shape(const char *raw)
{
    int fields = 0;
    bool body = false;
    for (const char *line = raw; *line;) {
        const char *end = strstr(line, "\r\n");
        cr_assert_not_null(end, "an open last line: %s", line);
        cr_assert_leq(end - line, 78, "%.*s", (int)(end - line), line);
        for (const char *p = line; p < end; p++) {
            cr_assert((*p >= ' ' && *p < 0x7f) || *p == '\t', "byte %02x", (unsigned char)*p);
        }
        body |= end == line;
        fields += !body && line[0] != ' ';
        line = end + 2;
    }
    return fields;
}

static uint32_t step(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* Random text of what is hard: breaks, blanks, equals, letters of two to four bytes, encoded words, field names. */
static void random_text(uint32_t *seed, struct sbuf *out)
{
    static const char *const parts[] = {
        "\r\n",  "\n",   "\r",       " ",          "\t",
        "=",     "ñ",    "漢",       "🦷",       "a",
        "From ", ".",    "Bcc: x@y", "=?UTF-8?B?", "?=",
        "\x01",  "\x7f", "word",     "=\r\n",      "aaaaaaaaaaaaaaaaaaaaaaaa"
    };
    size_t n = step(seed) % 120;
    for (size_t i = 0; i < n; i++) {
        sbuf_text(out, parts[step(seed) % ARRAY_LEN(parts)]);
    }
}

Test(worker_mail_message, no_text_breaks_the_form)
{
    uint32_t seed = 7;
    for (int i = 0; i < 5000; i++) {
        struct sbuf subject, text, out;
        sbuf_init(&subject);
        sbuf_init(&text);
        sbuf_init(&out);
        random_text(&seed, &subject);
        random_text(&seed, &text);
        struct mail m = sample("", "");
        m.subject = sbuf_slice(&subject);
        m.text = sbuf_slice(&text);
        cr_assert_eq(mail_message_write(&out, &m), OK);
        sbuf_char(&out, '\0');
        cr_assert_eq(check_shape(out.data), 10);
        sbuf_fini(&subject);
        sbuf_fini(&text);
        sbuf_fini(&out);
    }
}

Test(worker_mail_message, texts_name_what_they_are_given)
{
    const struct mail_values v = { .public_url = "https://gremio.example",
                                   .code = "CODE",
                                   .value = "{code}\nnew@example.com",
                                   .practice = "Uno\nDos" };
    for (int topic = 0; topic < MAIL_TOPIC_COUNT; topic++) {
        for (int lang = LANG_ES; lang <= LANG_EN; lang++) {
            struct sbuf out;
            sbuf_init(&out);
            mail_text_write(&out, (enum mail_topic)topic, (enum lang)lang, &v);
            cr_assert(!sbuf_failed(&out) && str_utf8_valid(sbuf_slice(&out)));
            sbuf_char(&out, '\0');
            const char *text = strchr(out.data, '\n');
            cr_assert(text && text > out.data && text[1]);
            bool has_link = strstr(text, "https://gremio.example/") != NULL;
            const char *page = topic == MAIL_OFFER    ? "https://gremio.example/o/CODE\n"
                               : topic == MAIL_BOOKED ? "https://gremio.example/i/CODE\n"
                                                      : NULL;
            bool offers = page != NULL; /* the server reads its code: no script does */
            cr_expect_eq(has_link && !offers, strstr(text, "#CODE\n") != NULL);
            cr_expect(!page || strstr(text, page), "%s", text);
            cr_expect_eq((has_link && !offers) || topic == MAIL_LINK_CODE,
                         strstr(text, "\nCODE\n") != NULL);
            cr_expect_eq(topic == MAIL_CHANGED || offers, strstr(text, "{code}") != NULL, "%s",
                         text);
            sbuf_fini(&out);
        }
    }
    cr_expect_eq(mail_text_lang("es-MX"), LANG_ES);
    cr_expect_eq(mail_text_lang("en-US"), LANG_EN);
    cr_expect_eq(mail_text_lang("pt-BR"), LANG_EN);
    cr_expect_eq(mail_text_lang(NULL), LANG_ES);
}
