/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Only two header fields hold what somebody chose. Addresses are taken or refused, never repaired; the subject goes out as it is when it is plain
 * ASCII, else as encoded words, each of whole characters (RFC 2047 5). The body is quoted-printable, so that a person can read the file. */
#include "worker/mail_message.h"

#include <stdio.h>
#include <time.h>

#include "common/str.h"

enum { LINE_MAX_CHARS = 76, WORD_BYTES = 42 /* 56 of base64 and 12 around them */ };

bool mail_message_address_valid(struct slice address)
{
    size_t at = 0, ats = 0;
    for (size_t i = 0; i < address.n; i++) {
        char c = address.p[i];
        bool plain = c > ' ' && c < 0x7f && !strchr("()<>[]:;,\\\"", c);
        if (!plain) {
            return false;
        }
        if (c == '@') {
            at = i;
            ats++;
        }
    }
    return ats == 1 && at > 0 && at + 1 < address.n && address.n <= MAIL_ADDRESS_MAX;
}

static bool is_token(const char *text)
{
    size_t n = strlen(text);
    for (size_t i = 0; i < n; i++) {
        char c = text[i];
        bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '-';
        if (!fine) {
            return false;
        }
    }
    return n > 0 && n <= 64;
}

/* Bytes of the first character of s, which is valid UTF-8. */
static size_t char_bytes(struct slice s)
{
    size_t n = 1;
    while (n < s.n && ((unsigned char)s.p[n] & 0xc0) == 0x80) {
        n++;
    }
    return n;
}

/* ---- headers ---- */

static struct slice cut_subject(struct slice s)
{
    size_t n = 0;
    while (n < s.n) {
        struct slice rest = { s.p + n, s.n - n };
        size_t next = char_bytes(rest);
        if (n + next > MAIL_SUBJECT_MAX) {
            break;
        }
        n += next;
    }
    return (struct slice){ s.p, n };
}

static bool is_plain(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] > 0x7e) {
            return false;
        }
    }
    /* A field name and this much fit in a line; "=?" would be read as an encoded word. */
    return s.n <= 60 && !(s.n > 1 && memmem(s.p, s.n, "=?", 2));
}

static void put_base64(struct sbuf *out, const char *p, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)(unsigned char)p[i] << 16;
        v |= i + 1 < n ? (uint32_t)(unsigned char)p[i + 1] << 8 : 0;
        v |= i + 2 < n ? (uint32_t)(unsigned char)p[i + 2] : 0;
        sbuf_char(out, digits[v >> 18]);
        sbuf_char(out, digits[v >> 12 & 63]);
        sbuf_char(out, i + 1 < n ? digits[v >> 6 & 63] : '=');
        sbuf_char(out, i + 2 < n ? digits[v & 63] : '=');
    }
}

static void put_encoded_words(struct sbuf *out, struct slice s)
{
    while (s.n > 0) {
        size_t n = 0;
        while (n < s.n) {
            size_t next = char_bytes((struct slice){ s.p + n, s.n - n });
            if (n + next > WORD_BYTES) {
                break;
            }
            n += next;
        }
        sbuf_text(out, "=?UTF-8?B?");
        put_base64(out, s.p, n);
        sbuf_text(out, s.n > n ? "?=\r\n " : "?=");
        s.p += n;
        s.n -= n;
    }
}

static void put_subject(struct sbuf *out, struct slice subject)
{
    char clean[MAIL_SUBJECT_MAX];
    struct slice s = cut_subject(subject);
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        clean[i] = c < 0x20 || c == 0x7f ? ' ' : (char)c;
    }
    s = str_trim((struct slice){ clean, s.n });
    sbuf_text(out, "Subject: ");
    if (is_plain(s)) {
        sbuf_add(out, s);
    } else {
        put_encoded_words(out, s);
    }
    sbuf_text(out, "\r\n");
}

static void put_date(struct sbuf *out, int64_t seconds)
{
    static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
    static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    time_t t = (time_t)seconds;
    struct tm u = { 0 };
    gmtime_r(&t, &u);
    sbuf_fmt(out, "Date: %s, %02d %s %d %02d:%02d:%02d +0000\r\n", days[u.tm_wday], u.tm_mday,
             months[u.tm_mon], u.tm_year + 1900, u.tm_hour, u.tm_min, u.tm_sec);
}

/* ---- body ---- */

struct lines {
    struct sbuf *out;
    size_t column;
};

/* One byte of the body; a line that gets too long is broken softly. last: the text's line ends behind it. */
static void put_body_byte(struct lines *l, unsigned char c, bool last)
{
    bool blank = c == ' ' || c == '\t';
    bool plain = (c > ' ' && c < 0x7f && c != '=') || (blank && !last);
    size_t width = plain ? 1 : 3;
    if (l->column + width > LINE_MAX_CHARS - 1) {
        sbuf_text(l->out, "=\r\n");
        l->column = 0;
    }
    /* "From " and "." at the start of a line mean something to older mailers. */
    if (plain && l->column == 0 && (c == 'F' || c == '.')) {
        plain = false;
        width = 3;
    }
    if (plain) {
        sbuf_char(l->out, (char)c);
    } else {
        sbuf_fmt(l->out, "=%02X", c);
    }
    l->column += width;
}

static void put_body(struct sbuf *out, struct slice text)
{
    struct lines l = { out, 0 };
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c == '\n') {
            sbuf_text(out, "\r\n");
            l.column = 0;
        } else {
            put_body_byte(&l, c, i + 1 == text.n || text.p[i + 1] == '\n');
        }
    }
    if (l.column > 0) {
        sbuf_text(out, "\r\n");
    }
}

enum err mail_message_write(struct sbuf *out, const struct mail *m)
{
    struct slice from = slice_of(m->from), to = slice_of(m->to);
    size_t begun = out->len;
    if (!mail_message_address_valid(from) || !mail_message_address_valid(to) || !is_token(m->id) ||
        !is_token(m->language) || !str_utf8_valid(m->subject) || !str_utf8_valid(m->text)) {
        return E_BAD_REQUEST;
    }
    sbuf_fmt(out, "From: <%s>\r\nTo: <%s>\r\n", m->from, m->to);
    put_subject(out, m->subject);
    put_date(out, m->date_s);
    sbuf_fmt(out, "Message-ID: <%s@%s>\r\n", m->id, strchr(m->from, '@') + 1);
    sbuf_fmt(out,
             "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
             "Content-Transfer-Encoding: quoted-printable\r\nContent-Language: %s\r\n"
             "Auto-Submitted: auto-generated\r\n\r\n",
             m->language);
    put_body(out, m->text);
    if (sbuf_failed(out)) {
        out->len = begun;
        return E_NOMEM;
    }
    return OK;
}
