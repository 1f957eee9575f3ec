/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Frames, field by field. Writers compute the exact size, reserve once and copy; readers carry one "bad" flag that
 * any short, over-long or out-of-range field sets. The slices of a message are named in a table, so that size,
 * writing and reading can never disagree about their order. */
#include "common/frame.h"

#include "common/str.h"

#define UUID_BYTES    16
#define REQUEST_FIXED (8 + 8 + 8 + 1 + 1 + 1) /* id, deadline, sent, method, language, flags */
#define TENANT_FIXED  (UUID_BYTES + 1 + 1 + 2 + 1 + 4)
#define WHO_FIXED     (4 * UUID_BYTES + 1 + 4 + 8 + 1)
#define REPLY_FIXED   (8 + 2 + 1 + 2 + 4 + 4 + 1 + 1 + 4)
#define HELLO_FIXED   (1 + 2 + 4 + 2 + 2)
#define ROW_FIXED     (1 + 1 + 1 + 4 + 1)

#define FLAG_TENANT    1u
#define FLAG_PRINCIPAL 2u
#define FLAG_ALONE     4u
#define FLAG_REPLAYED  1u
#define FLAG_NO_STORE  2u
#define FLAG_COOKIE    4u
#define ROW_OPEN       1u
#define ROW_BY_LINK    2u
#define ROW_FORM       4u
#define ROW_PAGE       8u

/* One borrowed text of a message: u32 length and bytes. */
struct text_field {
    size_t offset;
    size_t max;
};

static const struct text_field request_texts[] = {
    { offsetof(struct frame_request, request_id), FRAME_ID_MAX },
    { offsetof(struct frame_request, path), FRAME_MAX },
    { offsetof(struct frame_request, query), FRAME_MAX },
    { offsetof(struct frame_request, peer), FRAME_MAX },
    { offsetof(struct frame_request, user_agent), FRAME_MAX },
    { offsetof(struct frame_request, content_type), FRAME_MAX },
    { offsetof(struct frame_request, if_match), FRAME_MAX },
    { offsetof(struct frame_request, if_none_match), FRAME_MAX },
    { offsetof(struct frame_request, idempotency_key), FRAME_MAX },
    { offsetof(struct frame_request, body), FRAME_MAX },
};
static const struct text_field reply_texts[] = {
    { offsetof(struct frame_reply, route), FRAME_MAX },
    { offsetof(struct frame_reply, code), FRAME_MAX },
    { offsetof(struct frame_reply, etag), FRAME_MAX },
    { offsetof(struct frame_reply, location), FRAME_MAX },
    { offsetof(struct frame_reply, allow), FRAME_MAX },
    { offsetof(struct frame_reply, cookie), FRAME_MAX },
    { offsetof(struct frame_reply, style), FRAME_MAX },
    { offsetof(struct frame_reply, body), FRAME_MAX },
};

static const struct slice *text_at(const void *message, const struct text_field *f)
{
    return (const struct slice *)(const void *)((const char *)message + f->offset);
}

/* A final answer's status (RFC 9110 15). */
static bool is_final(uint16_t status)
{
    return status >= 200 && status <= 599;
}

/* ---- writing ---- */

/* Room for the whole frame is there before the first byte is written. */
struct writer {
    char *p;
};

static void put_u8(struct writer *w, uint8_t v)
{
    *w->p++ = (char)v;
}

static void put_u16(struct writer *w, uint16_t v)
{
    v = __builtin_bswap16(v);
    memcpy(w->p, &v, sizeof(v));
    w->p += sizeof(v);
}

static void put_u32(struct writer *w, uint32_t v)
{
    v = __builtin_bswap32(v);
    memcpy(w->p, &v, sizeof(v));
    w->p += sizeof(v);
}

static void put_u64(struct writer *w, uint64_t v)
{
    v = __builtin_bswap64(v);
    memcpy(w->p, &v, sizeof(v));
    w->p += sizeof(v);
}

static void put_bytes(struct writer *w, const void *p, size_t n)
{
    if (n > 0) {
        memcpy(w->p, p, n);
        w->p += n;
    }
}

/* u8 length and bytes; the caller knows that it fits. */
static void put_short(struct writer *w, const char *text)
{
    size_t n = strlen(text);
    put_u8(w, (uint8_t)n);
    put_bytes(w, text, n);
}

static void put_uuid(struct writer *w, const struct uuid *u)
{
    put_bytes(w, u->b, UUID_BYTES);
}

static void put_texts(struct writer *w, const void *message, const struct text_field *fields,
                      size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct slice *s = text_at(message, &fields[i]);
        put_u32(w, (uint32_t)s->n);
        put_bytes(w, s->p, s->n);
    }
}

/* Bytes of the texts together; false when one is over its limit. */
static bool texts_size(const void *message, const struct text_field *fields, size_t count,
                       size_t *total)
{
    for (size_t i = 0; i < count; i++) {
        const struct slice *s = text_at(message, &fields[i]);
        if (s->n > fields[i].max) {
            return false;
        }
        *total += 4 + s->n;
    }
    return true;
}

static void put_head(struct writer *w, enum frame_type type, size_t n)
{
    put_u32(w, FRAME_MAGIC);
    put_u8(w, (uint8_t)type);
    put_u8(w, 0);
    put_u16(w, 0);
    put_u32(w, (uint32_t)n);
}

/* Reserves a frame whose content takes n bytes and writes its header. E_NOMEM also shows in sbuf_failed. */
static enum err begin(struct sbuf *out, enum frame_type type, size_t n, struct writer *w)
{
    if (n > FRAME_MAX - FRAME_HEAD) {
        return E_BAD_REQUEST;
    }
    w->p = sbuf_room(out, FRAME_HEAD + n);
    if (!w->p) {
        return E_NOMEM;
    }
    put_head(w, type, n);
    return OK;
}

static void put_row(struct writer *w, const struct route_entry *e)
{
    put_u8(w, (uint8_t)e->method);
    put_u8(w, (uint8_t)e->kind);
    put_u8(w, (uint8_t)((e->open ? ROW_OPEN : 0) | (e->by_link ? ROW_BY_LINK : 0) |
                        (e->form ? ROW_FORM : 0) | (e->page ? ROW_PAGE : 0)));
    put_u32(w, e->max_body);
    put_short(w, e->pattern);
}

enum err frame_put_hello(struct sbuf *out, const struct frame_hello *h)
{
    struct writer w;
    size_t n = HELLO_FIXED;
    if (h->map->count > ROUTE_MAP_MAX) {
        return E_BAD_REQUEST;
    }
    for (size_t i = 0; i < h->map->count; i++) {
        const char *pattern = h->map->rows[i].pattern;
        struct slice text = { pattern, strnlen(pattern, ROUTE_PATTERN_MAX) };
        if (!route_map_pattern_valid(text)) {
            return E_BAD_REQUEST;
        }
        n += ROW_FIXED + text.n;
    }
    TRY(begin(out, FRAME_HELLO, n, &w));
    put_u8(&w, (uint8_t)h->kind);
    put_u16(&w, h->slot);
    put_u32(&w, h->pid);
    put_u16(&w, h->batch_max);
    put_u16(&w, (uint16_t)h->map->count);
    for (size_t i = 0; i < h->map->count; i++) {
        put_row(&w, &h->map->rows[i]);
    }
    sbuf_added(out, FRAME_HEAD + n);
    return OK;
}

static void put_tenant(struct writer *w, const struct tenant *t)
{
    put_uuid(w, &t->id);
    put_short(w, t->code);
    put_short(w, t->slug);
    put_u16(w, t->pool);
    put_u8(w, (uint8_t)t->state);
    put_u32(w, t->roles_version);
}

static void put_principal(struct writer *w, const struct principal *p)
{
    put_uuid(w, &p->account);
    put_uuid(w, &p->tenant);
    put_uuid(w, &p->member);
    put_uuid(w, &p->session);
    put_short(w, p->role);
    put_u32(w, p->epoch);
    put_u64(w, p->proved_s);
    put_u8(w, p->enrol);
}

static bool tenant_size(const struct tenant *t, size_t *n)
{
    struct slice code = { t->code, strnlen(t->code, sizeof(t->code)) };
    size_t slug = strnlen(t->slug, sizeof(t->slug));
    *n += TENANT_FIXED + code.n + slug;
    return tenant_code_valid(code) && slug < sizeof(t->slug) && t->pool < TENANT_POOLS_MAX;
}

static bool principal_size(const struct principal *p, size_t *n)
{
    size_t role = strnlen(p->role, sizeof(p->role));
    *n += WHO_FIXED + role;
    return role < sizeof(p->role);
}

enum err frame_put_request(struct sbuf *out, const struct frame_request *r)
{
    struct writer w;
    size_t n = REQUEST_FIXED;
    if (!texts_size(r, request_texts, ARRAY_LEN(request_texts), &n) ||
        (r->has_tenant && !tenant_size(&r->tenant, &n)) ||
        (r->principal.present && !principal_size(&r->principal, &n))) {
        return E_BAD_REQUEST;
    }
    TRY(begin(out, FRAME_REQUEST, n, &w));
    put_u64(&w, r->id);
    put_u64(&w, (uint64_t)r->deadline_us);
    put_u64(&w, (uint64_t)r->sent_us);
    put_u8(&w, (uint8_t)r->method);
    put_u8(&w, (uint8_t)r->lang);
    put_u8(&w,
           (uint8_t)((r->has_tenant ? FLAG_TENANT : 0) |
                     (r->principal.present ? FLAG_PRINCIPAL : 0) | (r->alone ? FLAG_ALONE : 0)));
    if (r->has_tenant) {
        put_tenant(&w, &r->tenant);
    }
    if (r->principal.present) {
        put_principal(&w, &r->principal);
    }
    put_texts(&w, r, request_texts, ARRAY_LEN(request_texts));
    sbuf_added(out, FRAME_HEAD + n);
    return OK;
}

enum err frame_put_reply(struct sbuf *out, const struct frame_reply *r)
{
    struct writer w;
    size_t n = REPLY_FIXED;
    if (!is_final(r->status) || !texts_size(r, reply_texts, ARRAY_LEN(reply_texts), &n)) {
        return E_BAD_REQUEST;
    }
    TRY(begin(out, FRAME_REPLY, n, &w));
    put_u64(&w, r->id);
    put_u16(&w, r->status);
    put_u8(&w, (uint8_t)r->content);
    put_u16(&w, r->retry_after);
    put_u32(&w, r->queue_us);
    put_u32(&w, r->db_us);
    put_u8(&w, (uint8_t)((r->replayed ? FLAG_REPLAYED : 0) | (r->no_store ? FLAG_NO_STORE : 0) |
                         (r->sets_cookie ? FLAG_COOKIE : 0)));
    put_u8(&w, (uint8_t)r->lang);
    put_u32(&w, r->cookie_age_s);
    put_texts(&w, r, reply_texts, ARRAY_LEN(reply_texts));
    sbuf_added(out, FRAME_HEAD + n);
    return OK;
}

void frame_put_id(struct sbuf *out, enum frame_type type, uint64_t id)
{
    struct writer w;
    if (begin(out, type, sizeof(id), &w) == OK) {
        put_u64(&w, id);
        sbuf_added(out, FRAME_HEAD + sizeof(id));
    }
}

void frame_write_id(char out[FRAME_ID_SIZE], enum frame_type type, uint64_t id)
{
    struct writer w = { out };
    put_head(&w, type, sizeof(id));
    put_u64(&w, id);
}

/* ---- reading ---- */

/* After the first field that does not fit, bad is set and every further field reads as zero. */
struct reader {
    const unsigned char *p;
    size_t left;
    bool bad;
};

/* n bytes, or NULL with bad set. */
static const void *take(struct reader *r, size_t n)
{
    if (r->bad || n > r->left) {
        r->bad = true;
        return NULL;
    }
    const void *p = r->p;
    r->p += n;
    r->left -= n;
    return p;
}

static uint8_t get_u8(struct reader *r)
{
    const uint8_t *p = take(r, 1);
    return p ? *p : 0;
}

static uint16_t get_u16(struct reader *r)
{
    uint16_t v = 0;
    const void *p = take(r, sizeof(v));
    if (p) {
        memcpy(&v, p, sizeof(v));
    }
    return __builtin_bswap16(v);
}

static uint32_t get_u32(struct reader *r)
{
    uint32_t v = 0;
    const void *p = take(r, sizeof(v));
    if (p) {
        memcpy(&v, p, sizeof(v));
    }
    return __builtin_bswap32(v);
}

static uint64_t get_u64(struct reader *r)
{
    uint64_t v = 0;
    const void *p = take(r, sizeof(v));
    if (p) {
        memcpy(&v, p, sizeof(v));
    }
    return __builtin_bswap64(v);
}

/* A byte below limit: an enum value, a flag, a set of flags. */
static unsigned get_below(struct reader *r, unsigned limit)
{
    unsigned v = get_u8(r);
    if (v >= limit) {
        r->bad = true;
        return 0;
    }
    return v;
}

static void get_uuid(struct reader *r, struct uuid *out)
{
    const void *p = take(r, UUID_BYTES);
    if (p) {
        memcpy(out->b, p, UUID_BYTES);
    }
}

/* u8 length and text without NUL, into out[cap]. */
static struct slice get_short(struct reader *r, char *out, size_t cap)
{
    size_t n = get_u8(r);
    struct slice s = { take(r, n), n };
    if (!s.p || str_copy(s, out, cap) != OK) {
        r->bad = true;
        out[0] = '\0';
        return (struct slice){ 0 };
    }
    return s;
}

static void get_texts(struct reader *r, void *message, const struct text_field *fields,
                      size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct slice *s = (struct slice *)(void *)((char *)message + fields[i].offset);
        size_t n = get_u32(r);
        const char *p = n <= fields[i].max ? take(r, n) : NULL;
        if (!p) {
            r->bad = true;
            n = 0;
        }
        *s = (struct slice){ p, n };
    }
}

enum err frame_peek(struct slice in, enum frame_type *type, size_t *total)
{
    if (in.n < FRAME_HEAD) {
        return E_AGAIN;
    }
    struct reader r = { (const unsigned char *)in.p, FRAME_HEAD, false };
    uint32_t magic = get_u32(&r);
    unsigned kind = get_u8(&r);
    unsigned reserved = get_u8(&r) | get_u16(&r);
    uint32_t n = get_u32(&r);
    if (magic != FRAME_MAGIC || kind < FRAME_HELLO || kind > FRAME_DYING || reserved != 0 ||
        n > FRAME_MAX - FRAME_HEAD) {
        return E_BAD_REQUEST;
    }
    *type = (enum frame_type)kind;
    *total = FRAME_HEAD + (size_t)n;
    return OK;
}

/* The content of one whole frame of the type wanted. */
static enum err open_frame(struct slice frame, enum frame_type want, struct reader *r)
{
    enum frame_type type;
    size_t total;
    if (frame_peek(frame, &type, &total) != OK || type != want || total != frame.n) {
        return E_BAD_REQUEST;
    }
    *r = (struct reader){ (const unsigned char *)frame.p + FRAME_HEAD, frame.n - FRAME_HEAD,
                          false };
    return OK;
}

static enum err finish(const struct reader *r)
{
    return r->bad || r->left > 0 ? E_BAD_REQUEST : OK;
}

static void get_row(struct reader *r, struct route_entry *e)
{
    e->method = (enum method)get_below(r, METHOD_COUNT);
    e->kind = (enum slot_kind)get_below(r, KIND_COUNT);
    unsigned flags = get_below(r, (ROW_OPEN | ROW_BY_LINK | ROW_FORM | ROW_PAGE) + 1);
    e->open = (flags & ROW_OPEN) != 0;
    e->by_link = (flags & ROW_BY_LINK) != 0;
    e->form = (flags & ROW_FORM) != 0;
    e->page = (flags & ROW_PAGE) != 0;
    e->max_body = get_u32(r);
    struct slice pattern = get_short(r, e->pattern, sizeof(e->pattern));
    if (!r->bad && !route_map_pattern_valid(pattern)) {
        r->bad = true;
    }
}

enum err frame_get_hello(struct slice frame, struct frame_hello *out)
{
    struct reader r;
    TRY(open_frame(frame, FRAME_HELLO, &r));
    out->kind = (enum slot_kind)get_below(&r, KIND_COUNT);
    out->slot = get_u16(&r);
    out->pid = get_u32(&r);
    out->batch_max = get_u16(&r);
    size_t count = get_u16(&r);
    out->map->count = 0;
    if (count > ROUTE_MAP_MAX) {
        return E_BAD_REQUEST;
    }
    for (size_t i = 0; i < count && !r.bad; i++) {
        get_row(&r, &out->map->rows[i]);
    }
    TRY(finish(&r));
    out->map->count = count;
    return OK;
}

static void get_tenant(struct reader *r, struct tenant *t)
{
    get_uuid(r, &t->id);
    struct slice code = get_short(r, t->code, sizeof(t->code));
    (void)get_short(r, t->slug, sizeof(t->slug));
    t->pool = get_u16(r);
    t->state = (enum tenant_state)get_below(r, TENANT_STATE_COUNT);
    t->roles_version = get_u32(r);
    if (!tenant_code_valid(code) || t->pool >= TENANT_POOLS_MAX) {
        r->bad = true;
    }
}

static void get_principal(struct reader *r, struct principal *p)
{
    p->present = true;
    get_uuid(r, &p->account);
    get_uuid(r, &p->tenant);
    get_uuid(r, &p->member);
    get_uuid(r, &p->session);
    (void)get_short(r, p->role, sizeof(p->role));
    p->epoch = get_u32(r);
    p->proved_s = get_u64(r);
    p->enrol = get_below(r, 2) != 0;
}

enum err frame_get_request(struct slice frame, struct frame_request *out)
{
    struct reader r;
    TRY(open_frame(frame, FRAME_REQUEST, &r));
    *out = (struct frame_request){ 0 };
    out->id = get_u64(&r);
    out->deadline_us = (int64_t)get_u64(&r);
    out->sent_us = (int64_t)get_u64(&r);
    out->method = (enum method)get_below(&r, METHOD_COUNT);
    out->lang = (enum lang)get_below(&r, LANG_EN + 1);
    unsigned flags = get_below(&r, (FLAG_TENANT | FLAG_PRINCIPAL | FLAG_ALONE) + 1);
    out->alone = (flags & FLAG_ALONE) != 0;
    out->has_tenant = (flags & FLAG_TENANT) != 0;
    if (out->has_tenant) {
        get_tenant(&r, &out->tenant);
    }
    if (flags & FLAG_PRINCIPAL) {
        get_principal(&r, &out->principal);
    }
    get_texts(&r, out, request_texts, ARRAY_LEN(request_texts));
    return finish(&r);
}

enum err frame_get_reply(struct slice frame, struct frame_reply *out)
{
    struct reader r;
    TRY(open_frame(frame, FRAME_REPLY, &r));
    *out = (struct frame_reply){ 0 };
    out->id = get_u64(&r);
    out->status = get_u16(&r);
    out->content = (enum frame_content)get_below(&r, CONTENT_COUNT);
    out->retry_after = get_u16(&r);
    out->queue_us = get_u32(&r);
    out->db_us = get_u32(&r);
    unsigned flags = get_below(&r, (FLAG_REPLAYED | FLAG_NO_STORE | FLAG_COOKIE) + 1);
    out->replayed = (flags & FLAG_REPLAYED) != 0;
    out->no_store = (flags & FLAG_NO_STORE) != 0;
    out->sets_cookie = (flags & FLAG_COOKIE) != 0;
    out->lang = (enum lang)get_below(&r, LANG_EN + 1);
    out->cookie_age_s = get_u32(&r);
    get_texts(&r, out, reply_texts, ARRAY_LEN(reply_texts));
    if (!is_final(out->status)) {
        return E_BAD_REQUEST;
    }
    return finish(&r);
}

enum err frame_get_id(struct slice frame, uint64_t *id)
{
    enum frame_type type;
    size_t total;
    struct reader r;
    if (frame_peek(frame, &type, &total) != OK || (type != FRAME_STARTED && type != FRAME_CANCEL &&
                                                   type != FRAME_DRAIN && type != FRAME_DYING)) {
        return E_BAD_REQUEST;
    }
    TRY(open_frame(frame, type, &r));
    uint64_t v = get_u64(&r);
    TRY(finish(&r));
    *id = v;
    return OK;
}
