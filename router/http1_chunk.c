/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Chunked bodies (RFC 9112 7.1) as one table of states: what the table does not name is refused. Extensions and
 * trailers are checked byte by byte and dropped. */
#include "common/str.h"
#include "router/http1.h"
#include "router/http1_bytes.h"

#define SIZE_DIGITS_MAX 8 /* a chunk is less than 4 GiB */

enum state {
    REFUSED, /* 0: what a row leaves out */
    SIZE_FIRST,
    SIZE,
    EXT,
    EXT_NAME,
    EXT_VALUE,
    EXT_TOKEN,
    EXT_QUOTED,
    EXT_ESCAPE,
    EXT_END,
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILER,
    TRAILER_NAME,
    TRAILER_VALUE,
    TRAILER_LF,
    END_LF,
    DONE,
    STATE_COUNT,
};

enum kind { BAD, HEX, TOKEN, SEMI, EQUALS, QUOTE, ESCAPE, COLON, OTHER, CR, LF, BYTE_KINDS };

#define ANY_TOKEN(s) [HEX] = (s), [TOKEN] = (s)
#define ANY_VALUE(s)                                                                          \
    ANY_TOKEN(s), [SEMI] = (s), [EQUALS] = (s), [QUOTE] = (s), [ESCAPE] = (s), [COLON] = (s), \
                  [OTHER] = (s)

static const uint8_t next_state[STATE_COUNT][BYTE_KINDS] = {
    [SIZE_FIRST] = { [HEX] = SIZE },
    [SIZE] = { [HEX] = SIZE, [SEMI] = EXT, [CR] = SIZE_LF },
    [EXT] = { ANY_TOKEN(EXT_NAME) },
    [EXT_NAME] = { ANY_TOKEN(EXT_NAME), [EQUALS] = EXT_VALUE, [SEMI] = EXT, [CR] = SIZE_LF },
    [EXT_VALUE] = { ANY_TOKEN(EXT_TOKEN), [QUOTE] = EXT_QUOTED },
    [EXT_TOKEN] = { ANY_TOKEN(EXT_TOKEN), [SEMI] = EXT, [CR] = SIZE_LF },
    [EXT_QUOTED] = { ANY_TOKEN(EXT_QUOTED), [SEMI] = EXT_QUOTED, [EQUALS] = EXT_QUOTED,
                     [COLON] = EXT_QUOTED, [OTHER] = EXT_QUOTED, [ESCAPE] = EXT_ESCAPE,
                     [QUOTE] = EXT_END },
    [EXT_ESCAPE] = { ANY_VALUE(EXT_QUOTED) },
    [EXT_END] = { [SEMI] = EXT, [CR] = SIZE_LF },
    [SIZE_LF] = { [LF] = DATA },
    [DATA_CR] = { [CR] = DATA_LF },
    [DATA_LF] = { [LF] = SIZE_FIRST },
    [TRAILER] = { ANY_TOKEN(TRAILER_NAME), [CR] = END_LF },
    [TRAILER_NAME] = { ANY_TOKEN(TRAILER_NAME), [COLON] = TRAILER_VALUE },
    [TRAILER_VALUE] = { ANY_VALUE(TRAILER_VALUE), [CR] = TRAILER_LF },
    [TRAILER_LF] = { [LF] = TRAILER },
    [END_LF] = { [LF] = DONE },
};

/* What must not come behind the body (RFC 9110 6.5.1): a reader that merges trailers into the head would understand the
 * request otherwise than we do. */
static const struct slice refused_trailers[] = {
    /* framing and connection */
    SLICE("Content-Length"),
    SLICE("Transfer-Encoding"),
    SLICE("Trailer"),
    SLICE("TE"),
    SLICE("Connection"),
    SLICE("Keep-Alive"),
    SLICE("Proxy-Connection"),
    SLICE("Upgrade"),
    /* routing */
    SLICE("Host"),
    SLICE("Forwarded"),
    SLICE("X-Forwarded-For"),
    SLICE("X-Forwarded-Host"),
    SLICE("X-Forwarded-Proto"),
    /* authentication */
    SLICE("Authorization"),
    SLICE("Proxy-Authorization"),
    SLICE("Cookie"),
    /* conditions and controls */
    SLICE("Cache-Control"),
    SLICE("Expect"),
    SLICE("Idempotency-Key"),
    SLICE("If-Match"),
    SLICE("If-None-Match"),
    SLICE("If-Modified-Since"),
    SLICE("If-Unmodified-Since"),
    SLICE("If-Range"),
    SLICE("Max-Forwards"),
    SLICE("Pragma"),
    SLICE("Range"),
    SLICE("X-Request-Id"),
    /* content */
    SLICE("Content-Encoding"),
    SLICE("Content-Range"),
    SLICE("Content-Type"),
};

static bool trailer_refused(struct slice name)
{
    for (size_t i = 0; i < ARRAY_LEN(refused_trailers); i++) {
        if (str_ieq(refused_trailers[i], name)) {
            return true;
        }
    }
    return false;
}

static enum kind kind_of(unsigned char byte)
{
    switch (byte) {
    case ';':
        return SEMI;
    case '=':
        return EQUALS;
    case '"':
        return QUOTE;
    case '\\':
        return ESCAPE;
    case ':':
        return COLON;
    case '\r':
        return CR;
    case '\n':
        return LF;
    default: /* not an enum: every other byte goes by the table */
        return http1_is(byte, HTTP1_HEX)     ? HEX
               : http1_is(byte, HTTP1_TOKEN) ? TOKEN
               : http1_is(byte, HTTP1_VALUE) ? OTHER
                                             : BAD;
    }
}

static unsigned hex_value(unsigned char c)
{
    return c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a' + 10);
}

void http1_chunk_init(struct http1_chunk *c, uint64_t max, size_t trailer_max)
{
    *c = (struct http1_chunk){ .max = max, .trailer_left = trailer_max, .state = SIZE_FIRST };
}

/* The size line is over. */
static enum err begin_data(struct http1_chunk *c)
{
    if (c->left > c->max - c->total) {
        return E_BODY_TOO_LARGE;
    }
    c->total += c->left;
    c->digits = 0;
    c->state = c->left > 0 ? DATA : TRAILER;
    return OK;
}

/* One byte of the trailer section, which has what the head left of its budget. */
static enum err step_trailer(struct http1_chunk *c, unsigned char byte)
{
    if (c->trailer_left == 0) {
        return E_HEADERS_TOO_LARGE;
    }
    c->trailer_left--;
    if (c->state == TRAILER) {
        c->name_n = 0;
    } else if (c->state == TRAILER_NAME && c->name_n < HTTP1_TRAILER_NAME) {
        c->name[c->name_n++] = (char)byte;
    } else if (c->state == TRAILER_VALUE && c->name_n > 0) {
        struct slice name = { c->name, c->name_n };
        c->name_n = 0; /* judged once, at its colon */
        return trailer_refused(name) ? E_BAD_REQUEST : OK;
    }
    return OK;
}

/* Follows one byte outside of data, counting what is limited. */
static enum err step(struct http1_chunk *c, unsigned char byte)
{
    uint8_t to = next_state[c->state][kind_of(byte)];
    c->state = to;
    if (to == REFUSED) {
        return E_BAD_REQUEST;
    }
    if (to == SIZE) {
        c->left = c->left << 4 | hex_value(byte);
        return ++c->digits <= SIZE_DIGITS_MAX ? OK : E_BAD_REQUEST;
    }
    if (to >= EXT && to <= EXT_END) {
        return ++c->extensions <= HTTP1_EXTENSION_MAX ? OK : E_BAD_REQUEST;
    }
    if (to == DATA) {
        return begin_data(c);
    }
    return to >= TRAILER && to <= TRAILER_LF ? step_trailer(c, byte) : OK;
}

enum err http1_chunk_read(struct http1_chunk *c, struct slice in, size_t *used, struct slice *data)
{
    *data = (struct slice){ 0 };
    size_t i = 0;
    while (i < in.n && c->state != DONE && c->state != DATA) {
        enum err e = step(c, (unsigned char)in.p[i++]);
        if (e != OK) {
            *used = i;
            c->state = REFUSED;
            return e;
        }
    }
    if (c->state == DATA) {
        size_t n = (size_t)(c->left < in.n - i ? c->left : in.n - i);
        *data = (struct slice){ in.p + i, n };
        i += n;
        c->left -= n;
        c->state = c->left > 0 ? DATA : DATA_CR;
    }
    *used = i;
    return c->state == DONE ? OK : E_AGAIN;
}
