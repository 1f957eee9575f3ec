/* SPDX-License-Identifier: LicenseRef-Gremio */
/* A frame has one form: whatever decodes is encoded again to the very same bytes. */
#include <string.h>

#include "common/frame.h"
#include "tests/fuzz/fuzz.h"

static struct route_map map;

/* Decodes and encodes; E_BAD_REQUEST when it does not decode. */
static enum err again(enum frame_type type, struct slice frame, struct sbuf *out)
{
    struct frame_hello hello = { .map = &map };
    struct frame_request request;
    struct frame_reply reply;
    uint64_t id;
    enum err e = OK;
    switch (type) {
    case FRAME_HELLO:
        TRY(frame_get_hello(frame, &hello));
        e = frame_put_hello(out, &hello);
        break;
    case FRAME_REQUEST:
        TRY(frame_get_request(frame, &request));
        e = frame_put_request(out, &request);
        break;
    case FRAME_REPLY:
        TRY(frame_get_reply(frame, &reply));
        e = frame_put_reply(out, &reply);
        break;
    case FRAME_STARTED:
    case FRAME_CANCEL:
    case FRAME_DRAIN:
    case FRAME_DYING:
        TRY(frame_get_id(frame, &id));
        frame_put_id(out, type, id);
        break;
    }
    FUZZ_CHECK(e == OK);
    return OK;
}

/* The stream as a reader of the socket sees it: frame after frame. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice in = { (const char *)data, n };
    enum frame_type type;
    size_t total;
    while (frame_peek(in, &type, &total) == OK && total <= in.n) {
        struct slice frame = { in.p, total };
        struct sbuf out;
        FUZZ_CHECK(total >= FRAME_HEAD && total <= FRAME_MAX);
        sbuf_init(&out);
        if (again(type, frame, &out) == OK) {
            FUZZ_CHECK(slice_eq(sbuf_slice(&out), frame));
        }
        sbuf_fini(&out);
        in.p += total;
        in.n -= total;
    }
    return 0;
}
