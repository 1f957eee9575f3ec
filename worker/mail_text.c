/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The code stands behind the link's "#": a browser keeps that part to itself, so that it is in no server's log, and who only fetches the link
 * (a mail scanner does) learns and changes nothing. It also stands alone, to be pasted. */
#include "worker/mail_text.h"

#include "common/str.h"

struct topic {
    const char *name;
    const char *page; /* of the web application */
    const char *subject[2], *text[2];
};

#define LINK_ES "{link}\n\nO escriba este código donde se le pida:\n\n{code}\n\n"
#define LINK_EN "{link}\n\nOr enter this code where you are asked for it:\n\n{code}\n\n"

static const struct topic topics[MAIL_TOPIC_COUNT] = {
    [MAIL_RESET] = {
        .name = "password_reset",
        .page = "/auth/reset",
        .subject = { "Elija una contraseña nueva", "Choose a new password" },
        .text = {
            "Hola:\n\nAlguien pidió una contraseña nueva para esta cuenta. Para elegirla abra este enlace:\n\n"
            LINK_ES
            "Sirve una sola vez, durante una hora. Si no lo pidió usted, no haga nada: su contraseña"
            " sigue siendo la misma.\n",
            "Hello,\n\nSomebody asked for a new password for this account. To choose it open this link:\n\n"
            LINK_EN
            "It works once, for one hour. If it was not you, do nothing: your password stays as it"
            " is.\n",
        },
    },
    [MAIL_VERIFY] = {
        .name = "email_verification",
        .page = "/auth/verify",
        .subject = { "Confirme su correo", "Confirm your e-mail address" },
        .text = {
            "Hola:\n\nPara confirmar que este correo es suyo abra este enlace:\n\n" LINK_ES
            "Sirve una sola vez, durante un día. Si no lo pidió usted, no haga nada.\n",
            "Hello,\n\nTo confirm that this address is yours open this link:\n\n" LINK_EN
            "It works once, for one day. If it was not you, do nothing.\n",
        },
    },
    [MAIL_CHANGE] = {
        .name = "email_change",
        .page = "/auth/verify",
        .subject = { "Confirme su nuevo correo", "Confirm your new e-mail address" },
        .text = {
            "Hola:\n\nPara entrar a su cuenta con este correo de ahora en adelante abra este enlace:\n\n" LINK_ES
            "Sirve una sola vez, durante un día. Si no lo pidió usted, no haga nada.\n",
            "Hello,\n\nTo log in to your account with this address from now on open this link:\n\n" LINK_EN
            "It works once, for one day. If it was not you, do nothing.\n",
        },
    },
    [MAIL_CHANGED] = {
        .name = "email_changed",
        .page = "",
        .subject = { "Su cuenta usa otro correo", "Your account uses another address" },
        .text = {
            "Hola:\n\nDesde ahora se entra a su cuenta con el correo {value} y ya no con este.\n\n"
            "Si no fue usted, avise a su práctica o a quien opera el servicio.\n",
            "Hello,\n\nFrom now on your account is entered with the address {value} and no longer with this"
            " one.\n\nIf it was not you, tell your practice or whoever runs the service.\n",
        },
    },
    [MAIL_INVITATION] = {
        .name = "staff_invitation",
        .page = "/invitation",
        .subject = { "Invitación a trabajar en {practice}", "Invitation to work in {practice}" },
        .text = {
            "Hola:\n\n{practice} le invita a trabajar con su equipo. Para aceptar abra este enlace:\n\n" LINK_ES
            "Sirve una sola vez, durante siete días. Si no esperaba esta invitación, no haga nada.\n",
            "Hello,\n\n{practice} invites you to work with its team. To accept open this link:\n\n" LINK_EN
            "It works once, for seven days. If you did not expect this invitation, do nothing.\n",
        },
    },
    [MAIL_LINK_CODE] = {
        .name = "link_code",
        .page = "",
        .subject = { "Código de {practice}", "Code of {practice}" },
        .text = {
            "Hola:\n\nPara ver sus citas en {practice} escriba este código donde se le pide:\n\n{code}\n\n"
            "Sirve una sola vez, durante diez minutos. Si no lo pidió usted, no haga nada.\n",
            "Hello,\n\nTo see your appointments at {practice} enter this code where you are asked for it:\n\n"
            "{code}\n\nIt works once, for ten minutes. If it was not you, do nothing.\n",
        },
    },
    [MAIL_OFFER] = {
        .name = "waitlist_offer",
        .page = "/o/",
        .subject = { "Hay lugar en {practice}", "There is a place at {practice}" },
        .text = {
            "Hola:\n\nSe liberó un horario que usted esperaba en {practice}:\n\n{value}\n\n"
            "Para tomarlo o dejarlo pasar abra este enlace:\n\n{page}\n\n"
            "Se le guarda hasta la hora que dice ahí; después se ofrece a quien sigue.\n",
            "Hello,\n\nA time that you waited for at {practice} is free:\n\n{value}\n\n"
            "To take it or to let it go open this link:\n\n{page}\n\n"
            "It is kept for you until the time it says; then it is offered to whoever is next.\n",
        },
    },
    [MAIL_BOOKED] = {
        .name = "booked",
        .page = "/i/",
        .subject = { "Su cita en {practice}", "Your appointment at {practice}" },
        .text = {
            "Hola:\n\nPidió una cita en {practice}:\n\n{value}\n\n"
            "Con este enlace la ve, la cambia o la cancela:\n\n{page}\n\n"
            "No lo comparta. Si no fue usted, cancélela ahí o llame a la práctica.\n",
            "Hello,\n\nYou asked for an appointment at {practice}:\n\n{value}\n\n"
            "With this link you see it, change it or cancel it:\n\n{page}\n\n"
            "Do not share it. If it was not you, cancel it there or call the practice.\n",
        },
    },
};

const char *mail_text_name(enum mail_topic t)
{
    return topics[t].name;
}

enum lang mail_text_lang(const char *locale)
{
    return !locale || strncmp(locale, "es", 2) == 0 ? LANG_ES : LANG_EN;
}

static void put_value(struct sbuf *out, const struct topic *t, const struct mail_values *v,
                      struct slice name)
{
    if (slice_eq(name, SLICE("link"))) {
        sbuf_text(out, v->public_url);
        sbuf_text(out, t->page);
        sbuf_char(out, '#');
        sbuf_text(out, v->code);
    } else if (slice_eq(name, SLICE("page"))) { /* read by the server, without scripts */
        sbuf_text(out, v->public_url);
        sbuf_text(out, t->page);
        sbuf_text(out, v->code);
    } else if (slice_eq(name, SLICE("code"))) {
        sbuf_text(out, v->code);
    } else if (slice_eq(name, SLICE("value"))) {
        sbuf_text(out, v->value);
    } else if (slice_eq(name, SLICE("practice"))) {
        sbuf_text(out, v->practice);
    }
}

static void fill(struct sbuf *out, const struct topic *t, const char *text,
                 const struct mail_values *v)
{
    struct slice rest = slice_of(text);
    while (rest.n > 0) {
        sbuf_add(out, str_cut(&rest, '{'));
        if (rest.n > 0) {
            put_value(out, t, v, str_cut(&rest, '}'));
        }
    }
}

/* A subject is one line, whatever a value holds. */
static void fill_line(struct sbuf *out, const struct topic *t, const char *text,
                      const struct mail_values *v)
{
    size_t begun = out->len;
    fill(out, t, text, v);
    for (size_t i = begun; i < out->len; i++) {
        out->data[i] = out->data[i] == '\n' ? ' ' : out->data[i];
    }
    sbuf_char(out, '\n');
}

void mail_text_write(struct sbuf *out, enum mail_topic topic, enum lang lang,
                     const struct mail_values *v)
{
    const struct topic *t = &topics[topic];
    fill_line(out, t, t->subject[lang], v);
    fill(out, t, t->text[lang], v);
}
