/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The plain text is wiped once it is sealed. */
#include "worker/mail_seal.h"

#include <sodium.h>

#include "common/secret.h"
#include "common/str.h"

enum err mail_seal(const char *mail_key, enum mail_topic t, enum lang lang,
                   const struct mail_values *v, struct sbuf *out)
{
    struct sbuf plain, sealed;
    sbuf_init(&plain);
    sbuf_init(&sealed);
    mail_text_write(&plain, t, lang, v);
    enum err e = sbuf_failed(&plain) ? E_NOMEM : secret_seal(mail_key, sbuf_slice(&plain), &sealed);
    char *room = e == OK ? sbuf_room(out, 2 * sealed.len + 3) : NULL;
    if (room) {
        room[0] = '\\';
        room[1] = 'x';
        str_hex(sealed.data, sealed.len, room + 2);
        sbuf_added(out, 2 * sealed.len + 2);
    }
    if (plain.data) {
        sodium_memzero(plain.data, plain.len);
    }
    sbuf_fini(&plain);
    sbuf_fini(&sealed);
    return e == OK && !room ? E_NOMEM : e;
}

enum err mail_unseal(const char *mail_key, struct slice hex, struct sbuf *text,
                     struct slice *subject, struct slice *body)
{
    struct sbuf sealed;
    sbuf_init(&sealed);
    size_t n = hex.n / 2;
    char *room = sbuf_room(&sealed, n + 1);
    enum err e = room ? str_unhex(hex, room, n) : E_NOMEM;
    if (e == OK) {
        e = secret_open(mail_key, (struct slice){ room, n }, text);
    }
    sbuf_fini(&sealed);
    if (e == OK) {
        *body = sbuf_slice(text);
        *subject = str_cut(body, '\n');
    }
    return e;
}
