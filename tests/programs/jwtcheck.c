/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Judges what standard input brings, a line each, as the product would, and prints "accepted" or "refused" a line each:
 *   jwtcheck PEM_FILE KID SECONDS   tokens, the router's only key being that one, at that time (Unix seconds)
 *   jwtcheck --hmac                 "KEY MESSAGE CODE" in hex, as refresh tokens are checked (HMAC-SHA-256, 32-byte keys) */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/str.h"
#include "router/token.h"

#define LINE_CAP (16u << 20)

static bool load_key(const char *path, const char *kid, struct token_keys *keys)
{
    struct token_key *key = &keys->rows[0];
    FILE *f = fopen(path, "rb");
    size_t n = f ? fread(key->pem, 1, sizeof(key->pem) - 1, f) : 0;
    if (f) {
        fclose(f);
    }
    keys->count = 1;
    snprintf(key->kid, sizeof(key->kid), "%s", kid);
    return n > 0 && token_key_usable(key->pem);
}

static bool token_good(const struct token_keys *keys, struct slice token, int64_t now_s)
{
    struct token_rules rules = { .issuer = "gremio", .audience = "gremio-api", .keys = keys };
    struct token_claims claims;
    return token_verify(&rules, token, now_s, &claims) == OK;
}

static bool code_good(struct slice line)
{
    static unsigned char key[crypto_auth_hmacsha256_KEYBYTES], code[crypto_auth_hmacsha256_BYTES];
    static unsigned char message[65536];
    struct slice rest = line;
    struct slice key_hex = str_cut(&rest, ' ');
    struct slice message_hex = str_cut(&rest, ' ');
    return str_unhex(key_hex, key, sizeof(key)) == OK && message_hex.n / 2 <= sizeof(message) &&
           str_unhex(message_hex, message, message_hex.n / 2) == OK &&
           str_unhex(rest, code, sizeof(code)) == OK &&
           crypto_auth_hmacsha256_verify(code, message, message_hex.n / 2, key) == 0;
}

int main(int argc, char **argv)
{
    static struct token_keys keys;
    bool hmac = argc == 2 && strcmp(argv[1], "--hmac") == 0;
    char *line = malloc(LINE_CAP);
    if (!line || sodium_init() < 0 ||
        (!hmac && (argc != 4 || !load_key(argv[1], argv[2], &keys)))) {
        fprintf(stderr, "usage: jwtcheck PEM_FILE KID SECONDS | jwtcheck --hmac\n");
        free(line);
        return 2;
    }
    int64_t now_s = hmac ? 0 : strtoll(argv[3], NULL, 10);
    while (fgets(line, (int)LINE_CAP, stdin)) {
        struct slice s = { line, strcspn(line, "\n") };
        puts((hmac ? code_good(s) : token_good(&keys, s, now_s)) ? "accepted" : "refused");
    }
    free(line);
    return 0;
}
