/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The table behind http1_bytes.h. A byte that is not named may stand nowhere. */
#include "router/http1_bytes.h"

#define T HTTP1_TOKEN
#define V HTTP1_VALUE
#define P HTTP1_PATH
#define Q HTTP1_QUERY
#define H HTTP1_HOST
#define I HTTP1_IPV6
#define X HTTP1_HEX

const uint8_t http1_bytes[256] = {
    ['\t'] = V,
    [' '] = V,
    ['0' ... '9'] = T | V | P | Q | H | I | X,
    ['a' ... 'f'] = T | V | P | Q | H | I | X,
    ['A' ... 'F'] = T | V | P | Q | H | I | X,
    ['g' ... 'z'] = T | V | P | Q | H,
    ['G' ... 'Z'] = T | V | P | Q | H,
    ['!'] = T | V | P | Q,
    ['"'] = V,
    ['#'] = T | V,
    ['$'] = T | V | P | Q,
    ['%'] = T | V | P | Q,
    ['&'] = T | V | P | Q,
    ['\''] = T | V | P | Q,
    ['('] = V | P | Q,
    [')'] = V | P | Q,
    ['*'] = T | V | P | Q,
    ['+'] = T | V | P | Q,
    [','] = V | P | Q,
    ['-'] = T | V | P | Q | H,
    ['.'] = T | V | P | Q | H | I,
    ['/'] = V | P | Q,
    [':'] = V | P | Q | I,
    [';'] = V | P | Q,
    ['<'] = V,
    ['='] = V | P | Q,
    ['>'] = V,
    ['?'] = V | Q,
    ['@'] = V | P | Q,
    ['['] = V | Q,
    ['\\'] = V,
    [']'] = V | Q,
    ['^'] = T | V | Q,
    ['_'] = T | V | P | Q | H,
    ['`'] = T | V | Q,
    ['{'] = V | Q,
    ['|'] = T | V | Q,
    ['}'] = V | Q,
    ['~'] = T | V | P | Q,
    [0x80 ... 0xff] = V,
};
