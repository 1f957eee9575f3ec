/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Parser of heads, paths and chunked bodies: no memory fault, and the same outcome however the bytes are cut. The first
 * input byte chooses the cut. */
#include "router/http1.h"
#include "tests/fuzz/fuzz.h"

#define DATA_MAX 4096

static const struct http1_limits limits = { .line_max = 200, .block_max = 400, .fields_max = 8 };

/* Reads a head from copies of exactly the bytes that have arrived, so that any look behind them is seen. */
static enum err read_head(struct slice in, size_t step, struct http1_head *h)
{
    http1_head_init(h);
    enum err e = E_AGAIN;
    for (size_t n = 0; e == E_AGAIN;) {
        n = size_min(n + step, in.n);
        char *copy = malloc(n);
        FUZZ_CHECK(copy != NULL);
        memcpy(copy, in.p, n);
        e = http1_head_read(h, (struct slice){ copy, n }, &limits);
        free(copy);
        if (n == in.n) {
            break;
        }
    }
    return e;
}

struct body {
    enum err e;
    size_t taken, n;
    char data[DATA_MAX];
};

static void read_body(struct slice in, size_t step, struct body *b)
{
    struct http1_chunk c;
    http1_chunk_init(&c, DATA_MAX, 200);
    memset(b, 0, sizeof(*b));
    b->e = E_AGAIN;
    while (b->taken < in.n && b->e == E_AGAIN) {
        struct slice data, part = { in.p + b->taken, size_min(step, in.n - b->taken) };
        size_t used = 0;
        b->e = http1_chunk_read(&c, part, &used, &data);
        FUZZ_CHECK(used > 0 && used <= part.n && b->n + data.n <= DATA_MAX);
        if (data.n > 0) {
            memcpy(b->data + b->n, data.p, data.n);
        }
        b->n += data.n;
        b->taken += used;
    }
}

static void check_path(const char *head, const struct http1_head *h)
{
    struct slice raw = http1_text(head, h->path);
    char out[256];
    size_t n = 0;
    if (raw.p == NULL || http1_path(raw, out, &n) != OK) {
        return;
    }
    FUZZ_CHECK(n > 0 && n <= raw.n && out[0] == '/' && memchr(out, 0, n) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > DATA_MAX) {
        return 0;
    }
    size_t step = 1 + data[0] % 16;
    struct slice in = { (const char *)data + 1, size - 1 };
    static struct http1_head whole, cut;
    enum err e = read_head(in, size, &whole);
    FUZZ_CHECK(read_head(in, step, &cut) == e);
    struct slice rest = in;
    if (e == OK) {
        FUZZ_CHECK(memcmp(&whole, &cut, sizeof(whole)) == 0 && whole.size <= in.n);
        check_path(in.p, &whole);
        rest = (struct slice){ in.p + whole.size, in.n - whole.size };
    }
    static struct body one, pieces;
    read_body(rest, size, &one);
    read_body(rest, step, &pieces);
    FUZZ_CHECK(one.e == pieces.e && one.taken == pieces.taken && one.n == pieces.n &&
               memcmp(one.data, pieces.data, one.n) == 0);
    return 0;
}
