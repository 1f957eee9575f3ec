/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Reading, making and hashing passwords; the shape of an e-mail. */
#include "provisioning/account.h"

#include <stdio.h>

#include "common/str.h"

#define HASH_OPS    1
#define HASH_MEMORY (46u << 20)

void account_password_make(char out[ACCOUNT_PASSWORD_MAX])
{
    static const char alphabet[] = "abcdefghjkmnpqrstuvwxyz23456789";
    char *p = out;
    for (int i = 0; i < 20; i++) {
        if (i > 0 && i % 5 == 0) {
            *p++ = '-';
        }
        *p++ = alphabet[randombytes_uniform(sizeof(alphabet) - 1)];
    }
    *p = '\0';
}

/* The first line without its newline; false when it does not fit or cannot be read. */
static bool first_line(FILE *f, char out[ACCOUNT_PASSWORD_MAX])
{
    char line[ACCOUNT_PASSWORD_MAX + 2];
    if (!fgets(line, sizeof(line), f)) {
        return false;
    }
    size_t n = strcspn(line, "\r\n");
    bool fits = n < ACCOUNT_PASSWORD_MAX;
    if (fits) {
        memcpy(out, line, n);
        out[n] = '\0';
    }
    sodium_memzero(line, sizeof(line));
    return fits;
}

enum err account_password_check(struct slice password, struct sbuf *why)
{
    struct password_flaw flaw = password_rules_check(password, NULL);
    if (flaw.code) {
        sbuf_fmt(why, "The password cannot be taken (%s). %s.", flaw.code, flaw.text[LANG_EN]);
        return E_INVALID;
    }
    return OK;
}

enum err account_password_read(const char *file, char out[ACCOUNT_PASSWORD_MAX], struct sbuf *why)
{
    bool standard = strcmp(file, "-") == 0;
    FILE *f = standard ? stdin : fopen(file, "re");
    if (!f) {
        sbuf_fmt(why, "The password file %s cannot be opened.", file);
        return E_INVALID;
    }
    bool read = first_line(f, out);
    if (!standard) {
        fclose(f);
    }
    return account_password_check(slice_of(read ? out : ""), why);
}

enum err account_hash(const char *password, char out[ACCOUNT_HASH_MAX])
{
    int failed = crypto_pwhash_str(out, password, strlen(password), HASH_OPS, HASH_MEMORY);
    return failed ? E_NOMEM : OK;
}

static bool local_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           (c && strchr(".!#$%&'*+/=?^_`{|}~-", c));
}

static bool label_valid(struct slice label)
{
    if (label.n == 0 || label.n > 63 || label.p[0] == '-' || label.p[label.n - 1] == '-') {
        return false;
    }
    for (size_t i = 0; i < label.n; i++) {
        char c = label.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-')) {
            return false;
        }
    }
    return true;
}

static bool domain_valid(struct slice domain)
{
    size_t labels = 0;
    bool good = domain.n > 0 && domain.p[domain.n - 1] != '.';
    while (good && domain.n > 0) {
        good = label_valid(str_cut(&domain, '.'));
        labels++;
    }
    return good && labels >= 2;
}

static bool local_valid(struct slice local)
{
    if (local.n == 0 || local.n > 64 || local.p[0] == '.' || local.p[local.n - 1] == '.') {
        return false;
    }
    for (size_t i = 0; i < local.n; i++) {
        bool double_dot = i > 0 && local.p[i] == '.' && local.p[i - 1] == '.';
        if (!local_char(local.p[i]) || double_dot) {
            return false;
        }
    }
    return true;
}

enum err account_email(const char *text, char out[ACCOUNT_EMAIL_MAX])
{
    char lower[ACCOUNT_EMAIL_MAX];
    if (str_copy(slice_of(text), lower, sizeof(lower)) != OK) {
        return E_INVALID;
    }
    for (char *p = lower; *p; p++) {
        *p = *p >= 'A' && *p <= 'Z' ? (char)(*p + 32) : *p;
    }
    struct slice domain = slice_of(lower);
    struct slice local = str_cut(&domain, '@');
    if (!local_valid(local) || !domain_valid(domain)) {
        return E_INVALID;
    }
    memcpy(out, lower, sizeof(lower));
    return OK;
}
