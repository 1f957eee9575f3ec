/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Writes RFC 9457 problem documents in the reader's language. */
#include "common/problem.h"

static void member(struct sbuf *out, const char *name, const char *value)
{
    sbuf_text(out, ",\"");
    sbuf_text(out, name);
    sbuf_text(out, "\":");
    sbuf_json(out, slice_of(value));
}

static void write_fields(struct sbuf *out, const struct problem *p, enum lang lang)
{
    sbuf_text(out, ",\"errors\":[");
    for (size_t i = 0; i < p->field_count; i++) {
        const struct problem_field *f = &p->fields[i];
        sbuf_text(out, i == 0 ? "{\"pointer\":" : ",{\"pointer\":");
        sbuf_json(out, slice_of(f->pointer));
        member(out, "code", f->code);
        if (f->text[lang]) {
            member(out, "detail", f->text[lang]);
        }
        sbuf_char(out, '}');
    }
    sbuf_char(out, ']');
}

void problem_write(struct sbuf *out, const struct problem *p, enum lang lang,
                   struct slice request_id)
{
    const struct err_info *info = err_info(p->err);
    sbuf_text(out, "{\"type\":\"urn:gremio:problem:");
    sbuf_text(out, info->code);
    sbuf_char(out, '"');
    member(out, "title", info->title[lang]);
    sbuf_text(out, ",\"status\":");
    sbuf_int(out, info->status);
    if (p->detail[lang]) {
        member(out, "detail", p->detail[lang]);
    }
    member(out, "code", info->code);
    sbuf_text(out, ",\"request_id\":");
    sbuf_json(out, request_id);
    if (p->field_count > 0) {
        write_fields(out, p, lang);
    }
    if (p->extra.n > 0) {
        sbuf_char(out, ',');
        sbuf_add(out, p->extra);
    }
    sbuf_char(out, '}');
}

void problem_add(struct problem *p, const char *pointer, const char *code, const char *es,
                 const char *en)
{
    if (p->err == OK) {
        p->err = E_INVALID;
    }
    if (p->field_count < PROBLEM_FIELDS_MAX) {
        p->fields[p->field_count++] = (struct problem_field){ pointer, code, { es, en } };
    }
}
