/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The table behind enum err, and the choice of language for what people read. */
#include "common/err.h"

static const struct err_info infos[ERR_COUNT] = { [OK] = { 200, "ok", false, { "Correcto", "OK" } },
#define ERR_ROW(name, status, code, retry, es, en) [name] = { status, code, retry, { es, en } },
                                                  ERR_TABLE(ERR_ROW)
#undef ERR_ROW
};

const struct err_info *err_info(enum err e)
{
    return &infos[(unsigned)e < ERR_COUNT ? e : E_INTERNAL];
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct slice trim(struct slice s)
{
    while (s.n > 0 && is_blank(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n > 0 && is_blank(s.p[s.n - 1])) {
        s.n--;
    }
    return s;
}

/* What stands before sep; *rest moves behind it. */
static struct slice cut(struct slice *rest, char sep)
{
    const char *end = rest->n > 0 ? memchr(rest->p, sep, rest->n) : NULL;
    size_t n = end ? (size_t)(end - rest->p) : rest->n;
    struct slice head = { rest->p, n };
    size_t skip = end ? n + 1 : n;
    rest->p = skip > 0 ? rest->p + skip : rest->p;
    rest->n -= skip;
    return head;
}

/* "q=0.75" in thousandths; 1000 when absent, 0 when malformed (a range nobody can read is not preferred). */
static int quality(struct slice s)
{
    s = trim(s);
    if (s.n == 0) {
        return 1000;
    }
    bool shaped = s.n >= 3 && s.n <= 7 && (s.p[0] | 0x20) == 'q' && s.p[1] == '=';
    if (!shaped || (s.n > 3 && s.p[3] != '.') || (s.p[2] != '0' && s.p[2] != '1')) {
        return 0;
    }
    int q = (s.p[2] - '0') * 1000;
    int unit = 100;
    for (size_t i = 4; i < s.n; i++, unit /= 10) {
        if (s.p[i] < '0' || s.p[i] > '9') {
            return 0;
        }
        q += (s.p[i] - '0') * unit;
    }
    return q <= 1000 ? q : 0;
}

/* "es", "es-MX", "ES": the primary subtag is the two letters of tag. */
static bool names_language(struct slice range, const char *tag)
{
    return range.n >= 2 && (range.p[0] | 0x20) == tag[0] && (range.p[1] | 0x20) == tag[1] &&
           (range.n == 2 || range.p[2] == '-');
}

enum lang err_lang(struct slice accept_language)
{
    static const char *const tags[2] = { "es", "en" };
    int best[2] = { -1, -1 }; /* quality by enum lang; -1: not named */
    int any = -1;
    bool english_first = false;

    while (accept_language.n > 0) {
        struct slice params = cut(&accept_language, ',');
        struct slice range = trim(cut(&params, ';'));
        int q = quality(params);
        for (int lang = LANG_ES; lang <= LANG_EN; lang++) {
            if (names_language(range, tags[lang]) && q > best[lang]) {
                english_first |= lang == LANG_EN && best[LANG_ES] < 0;
                best[lang] = q;
            }
        }
        if (range.n == 1 && range.p[0] == '*' && q > any) {
            any = q;
        }
    }
    int es = best[LANG_ES] >= 0 ? best[LANG_ES] : any;
    int en = best[LANG_EN] >= 0 ? best[LANG_EN] : any;
    bool english = en > es || (en == es && en > 0 && english_first);
    return english && en > 0 ? LANG_EN : LANG_ES;
}
