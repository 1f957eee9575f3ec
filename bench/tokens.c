/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Signs access tokens for the benchmarks, which cannot wait for ten thousand logins: with the installation's own
 * key, as an auth slot would. Reads "ACCOUNT TENANT MEMBER" lines, writes "TOKEN MEMBER" lines. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/conf.h"
#include "common/secret.h"
#include "common/str.h"
#include "worker/token_sign.h"

#define TTL_SECONDS 3600 /* the router takes no longer life */

static enum err open_signer(const char *kid, const char *sealed_hex, const char *key_file,
                            struct token_signer **out)
{
    char key[SECRET_KEY_TEXT], sealed[1024];
    size_t n = strlen(sealed_hex) / 2;
    struct sbuf why, pem;
    sbuf_init(&why);
    sbuf_init(&pem);
    TRY(secret_init());
    TRY(n <= sizeof(sealed) ? OK : E_CONFIG);
    TRY(conf_secret(key_file, key, sizeof(key), &why));
    TRY(str_unhex(slice_of(sealed_hex), sealed, n));
    TRY(secret_open(key, (struct slice){ .p = sealed, .n = n }, &pem));
    TRY(token_sign_open(out, kid, sbuf_slice(&pem), &why));
    sbuf_fini(&why);
    sbuf_fini(&pem);
    return OK;
}

static enum err sign_line(const struct token_signer *signer, char *line)
{
    struct token_claims c = { .issuer = "gremio",
                              .audience = "gremio-api",
                              .role = "owner",
                              .session = uuid_v7(),
                              .issued_s = time(NULL),
                              .proved_s = time(NULL),
                              .ttl_s = TTL_SECONDS };
    struct slice rest = { line, strcspn(line, "\n") };
    TRY(uuid_parse(str_cut(&rest, ' '), &c.account));
    TRY(uuid_parse(str_cut(&rest, ' '), &c.tenant));
    TRY(uuid_parse(rest, &c.member));
    struct sbuf token;
    sbuf_init(&token);
    TRY(token_sign_make(signer, &c, &token));
    printf("%.*s %.*s\n", (int)token.len, token.data, (int)rest.n, rest.p);
    sbuf_fini(&token);
    return OK;
}

int main(int argc, char **argv)
{
    struct token_signer *signer;
    char line[256];
    if (argc != 4 || open_signer(argv[1], argv[2], argv[3], &signer) != OK) {
        fprintf(stderr, "usage: bench_tokens KID SEALED_HEX SEALING_KEY_FILE <LINES\n");
        return 2;
    }
    while (fgets(line, sizeof(line), stdin)) {
        if (sign_line(signer, line) != OK) {
            fprintf(stderr, "bench_tokens: not a line of three ids: %s", line);
            return 1;
        }
    }
    token_sign_close(signer);
    return 0;
}
