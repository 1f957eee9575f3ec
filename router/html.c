/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Pages have no script at all, so the policy forbids it. They name their one style element by its hash. */
#include "router/html.h"

#include <openssl/evp.h>
#include <stdio.h>

#include "common/str.h"

#define HASH_BYTES 32

/* ";q=0", ";q=0.000": named in order to refuse it. */
static bool is_refused(struct slice parameters)
{
    while (parameters.p) {
        struct slice p = str_trim(str_cut(&parameters, ';'));
        if (p.n < 3 || (p.p[0] | 0x20) != 'q' || p.p[1] != '=') {
            continue;
        }
        size_t i = 2;
        while (i < p.n && (p.p[i] == '0' || p.p[i] == '.')) {
            i++;
        }
        return i == p.n;
    }
    return false;
}

bool html_wanted(struct slice accept)
{
    struct slice rest = accept;
    while (rest.p) {
        struct slice parameters = str_cut(&rest, ',');
        struct slice media = str_trim(str_cut(&parameters, ';'));
        if (str_ieq(media, SLICE("text/html"))) {
            return !is_refused(parameters);
        }
    }
    return false;
}

/* A style's hash comes from a slot: what is no Base64 does not become a part of the policy. */
static bool is_base64(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '+' || c == '/' || c == '=')) {
            return false;
        }
    }
    return s.n > 0 && s.n <= 64;
}

/* A link's own page must not tell its address to anybody. With no-referrer, though, browsers say "Origin: null" of forms (Fetch
 * 3.2), and a session's forms are told from other sites' by Origin: there the address is no secret, and is told to us only. */
static struct slice referrer_policy(const struct exchange *x)
{
    return x->by_link ? SLICE("no-referrer") : SLICE("same-origin");
}

void html_dress(struct http_answer *a, const struct exchange *x, enum lang lang, struct slice style,
                char policy[HTML_POLICY_MAX])
{
    bool styled = is_base64(style);
    snprintf(policy, HTML_POLICY_MAX,
             "default-src 'none'; style-src %s%.*s%s; img-src data: 'self'; form-action 'self'; "
             "base-uri 'none'; frame-ancestors 'none'",
             styled ? "'sha256-" : "'none'", styled ? (int)style.n : 0, styled ? style.p : "",
             styled ? "'" : "");
    a->csp = slice_of(policy);
    a->referrer_policy = referrer_policy(x);
    a->robots = SLICE("noindex");
    a->cache_control = SLICE("no-store");
    a->language = lang == LANG_EN ? SLICE("en") : SLICE("es");
}

/* ---- refusals ---- */

static const char css[] =
    ":root{color-scheme:light dark}"
    "body{margin:0;font:1.0625rem/1.6 system-ui,sans-serif;background:#f6f6f4;color:#1c1c1a}"
    "main{max-width:30rem;margin:12vh auto 2rem;padding:2rem 1.5rem;background:#fff;"
    "border-radius:1rem}"
    "h1{font-size:1.5rem;line-height:1.25;margin:0 0 .75rem}p{margin:0}"
    "@media(max-width:32rem){main{margin:1rem}}"
    "@media(prefers-color-scheme:dark){body{background:#161615;color:#ececea}"
    "main{background:#232322}}";

/* Several errors that a person cannot tell apart share a text; the last row is for all the rest. */
static const struct {
    enum err err;
    const char *title[2], *text[2]; /* by enum lang */
} sayings[] = {
    { E_LINK_EXPIRED,
      { "Este enlace no sirve", "This link does not work" },
      { "Puede estar incompleto, haber vencido o haber uno más nuevo. Ábralo de nuevo desde su "
        "mensaje, o pida otro a quien se lo envió.",
        "It may be incomplete, it may have expired, or there is a newer one. Open it again from "
        "your message, or ask whoever sent it for another." } },
    { E_UNAUTHENTICATED,
      { "Su visita terminó", "Your visit has ended" },
      { "Por su seguridad, la página se cierra al cabo de un rato. Abra otra vez el enlace de su "
        "mensaje.",
        "To keep you safe, the page closes after a while. Open the link in your message again." } },
    { E_FOREIGN_ORIGIN,
      { "No sabemos de dónde viene esta petición", "We cannot tell where this request comes from" },
      { "No se cambió nada. Abra otra vez el enlace de su mensaje y repítalo desde ahí.",
        "Nothing was changed. Open the link in your message again and repeat it from there." } },
    { E_SCOPE,
      { "Este enlace no lo permite", "This link does not allow it" },
      { "Si lo necesita, comuníquese con quien se lo envió.",
        "If you need it, contact whoever sent it to you." } },
    { E_TENANT_SUSPENDED,
      { "No está disponible por ahora", "Not available at the moment" },
      { "Comuníquese con quien le envió el enlace.",
        "Please contact whoever sent you the link." } },
    { E_TENANT_READ_ONLY,
      { "Por ahora no se puede cambiar nada", "Nothing can be changed at the moment" },
      { "Vuelva a intentarlo más tarde, o comuníquese con quien le envió el enlace.",
        "Try again later, or contact whoever sent you the link." } },
    { E_NOT_FOUND,
      { "Esta página no existe", "This page does not exist" },
      { "Abra otra vez el enlace de su mensaje.", "Open the link in your message again." } },
    { E_OUTCOME_UNKNOWN,
      { "No sabemos si se guardó", "We do not know whether it was saved" },
      { "Abra otra vez el enlace de su mensaje para verlo.",
        "Open the link in your message again to see." } },
    { E_OVERLOADED,
      { "Un momento, por favor", "One moment, please" },
      { "Hay mucho que hacer ahora mismo. Espere unos segundos y vuelva a cargar la página.",
        "There is a lot to do right now. Wait a few seconds and reload the page." } },
    { E_INTERNAL,
      { "Algo salió mal", "Something went wrong" },
      { "Vuelva a intentarlo. Si sigue así, comuníquese con quien le envió el enlace.",
        "Please try again. If it stays like this, contact whoever sent you the link." } },
};

static size_t saying_of(enum err e)
{
    enum err as = e == E_TOKEN_EXPIRED                               ? E_UNAUTHENTICATED
                  : e != E_OUTCOME_UNKNOWN && err_info(e)->retryable ? E_OVERLOADED
                                                                     : e;
    size_t i = 0;
    while (i + 1 < ARRAY_LEN(sayings) && sayings[i].err != as) {
        i++;
    }
    return i;
}

static struct slice css_hash(void)
{
    static char text[HASH_BYTES * 2];
    unsigned char hash[HASH_BYTES];
    if (!text[0] && EVP_Digest(css, sizeof(css) - 1, hash, NULL, EVP_sha256(), NULL) == 1) {
        EVP_EncodeBlock((unsigned char *)text, hash, sizeof(hash));
    }
    return slice_of(text);
}

/* The texts are ours: nothing to escape. */
void html_refusal(struct sbuf *out, enum err e, enum lang lang, struct slice *style)
{
    size_t i = saying_of(e);
    sbuf_fmt(out,
             "<!DOCTYPE html>\n<html lang=\"%s\">\n<head>\n<meta charset=\"utf-8\">\n"
             "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
             "<title>%s</title>\n<style>",
             lang == LANG_EN ? "en" : "es", sayings[i].title[lang]);
    sbuf_text(out, css);
    sbuf_fmt(
        out,
        "</style>\n</head>\n<body>\n<main>\n<h1>%s</h1>\n<p>%s</p>\n</main>\n</body>\n</html>\n",
        sayings[i].title[lang], sayings[i].text[lang]);
    *style = css_hash();
}
