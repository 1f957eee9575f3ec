/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What each type of parameter accepts, one function per type. Texts come in as valid UTF-8 and go out in the form the
 * database gets: e-mail addresses and ids in lower case, phone numbers as +digits. */
#include <ctype.h>

#include "common/clock.h"
#include "common/str.h"
#include "worker/params.h"

#define FAULT(name, code_text, es, en) \
    static const struct params_fault name = { code_text, { es, en } }

FAULT(too_short, "too_short", "Es demasiado corto", "It is too short");
FAULT(too_long, "too_long", "Es demasiado largo", "It is too long");
FAULT(control, "invalid_character", "Contiene caracteres no permitidos",
      "It has characters that are not allowed");
FAULT(range, "out_of_range", "Está fuera de los límites", "It is out of range");
FAULT(not_integer, "wrong_type", "Debe ser un número entero", "It must be an integer");
FAULT(not_bool, "wrong_type", "Debe ser true o false", "It must be true or false");
FAULT(not_uuid, "invalid_id", "No es un identificador válido", "It is not a valid identifier");
FAULT(not_date, "invalid_date", "Debe ser una fecha AAAA-MM-DD", "It must be a date YYYY-MM-DD");
FAULT(not_time, "invalid_time", "Debe ser fecha y hora RFC 3339, con o sin desfase",
      "It must be an RFC 3339 date and time, with or without offset");
FAULT(not_moment, "invalid_time", "Debe ser una fecha, o fecha y hora RFC 3339",
      "It must be a date, or an RFC 3339 date and time");
FAULT(not_locale, "invalid_locale", "Debe ser un idioma como es o es-MX",
      "It must be a language like es or es-MX");
FAULT(not_email, "invalid_email", "No es un correo electrónico válido",
      "It is not a valid e-mail address");
FAULT(not_phone, "invalid_phone", "Debe ser un teléfono con código de país, como +525512345678",
      "It must be a phone number with country code, like +525512345678");
FAULT(not_currency, "invalid_currency", "Debe ser una moneda ISO 4217 de tres mayúsculas",
      "It must be an ISO 4217 currency of three capitals");
FAULT(not_color, "invalid_color", "Debe ser un color #rrggbb", "It must be a colour #rrggbb");
FAULT(not_zone, "invalid_time_zone", "No es una zona horaria IANA válida",
      "It is not a valid IANA time zone");
FAULT(not_choice, "invalid_choice", "No es uno de los valores permitidos",
      "It is not one of the allowed values");
FAULT(twice, "duplicate_value", "Está repetido", "It is there twice");
FAULT(not_span, "invalid_hours", "Debe ser como 09:00-14:00", "It must be like 09:00-14:00");
FAULT(not_weekly, "invalid_hours", "Debe ser como monday 09:00-14:00, con odd, even o break detrás",
      "It must be like monday 09:00-14:00, with odd, even or break behind it");
FAULT(too_many, "too_long", "Tiene demasiados elementos", "It has too many items");
FAULT(overlap, "overlapping_hours", "Deben ir en orden y sin traslaparse",
      "They must be in order, none over another");
FAULT(no_memory, "too_long", "La petición es demasiado grande", "The request is too large");

#define INT_SAFE   (INT64_C(9007199254740991)) /* what JSON can carry: 2^53 - 1 */
#define OFFSET_END (16 * 60)                   /* minutes */
#define DAY_MIN    (24 * 60)
#define SPANS_MAX  12
#define IDS_MAX    200 /* of one list */

void params_bounds(const struct param *row, int64_t *min, int64_t *max)
{
    *min = row->min;
    *max = row->max;
    if (row->min != 0 || row->max != 0) {
        return;
    }
    if (row->type == T_INT) {
        *min = -INT_SAFE;
        *max = INT_SAFE;
    } else {
        *min = 1;
        *max = row->type == T_EMAIL ? 254 : row->type == T_PASSWORD ? 256 : 200;
    }
}

static const struct params_fault *keep(struct slice s, struct arena *arena, struct value *out)
{
    out->text = arena_text(arena, s);
    return out->text ? NULL : &no_memory;
}

/* C0 but tab and newline, DEL, and C1 (U+0080 to U+009F) have no place in what people type. */
static bool has_control(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char b = (unsigned char)s.p[i];
        if ((b < 0x20 && b != '\n' && b != '\t') || b == 0x7f) {
            return true;
        }
        if (b == 0xc2 && i + 1 < s.n && (unsigned char)s.p[i + 1] < 0xa0) {
            return true;
        }
    }
    return false;
}

static bool is_blank(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != ' ' && s.p[i] != '\n' && s.p[i] != '\t') {
            return false;
        }
    }
    return true;
}

static const struct params_fault *check_text(const struct param *row, struct slice s,
                                             struct arena *arena, struct value *out)
{
    int64_t min, max;
    params_bounds(row, &min, &max);
    if (has_control(s)) {
        return &control;
    }
    int64_t length = (int64_t)str_utf8_len(s);
    if (length > max) {
        return &too_long;
    }
    if (length < min || (min > 0 && is_blank(s))) {
        return &too_short;
    }
    return keep(s, arena, out);
}

static const struct params_fault *check_bytes(const struct param *row, struct slice s,
                                              struct arena *arena, struct value *out)
{
    int64_t min, max;
    params_bounds(row, &min, &max);
    if ((int64_t)s.n > max) {
        return &too_long;
    }
    return (int64_t)s.n < min ? &too_short : keep(s, arena, out);
}

static const struct params_fault *check_int(const struct param *row, struct slice s,
                                            struct arena *arena, struct value *out)
{
    int64_t min, max;
    params_bounds(row, &min, &max);
    int64_t v;
    if (str_int(s, INT64_MIN, INT64_MAX, &v) != OK) {
        return &not_integer;
    }
    if (v < min || v > max) {
        return &range;
    }
    out->number = v;
    return keep(s, arena, out);
}

/* A query may say 1 and 0 as well. */
static const struct params_fault *check_bool(const struct param *row, struct slice s,
                                             struct value *out)
{
    bool query = row->in == IN_QUERY;
    out->number = slice_eq(s, SLICE("true")) || (query && slice_eq(s, SLICE("1")));
    if (!out->number && !slice_eq(s, SLICE("false")) && !(query && slice_eq(s, SLICE("0")))) {
        return &not_bool;
    }
    out->text = out->number ? "true" : "false";
    return NULL;
}

static const struct params_fault *check_uuid(struct slice s, struct arena *arena, struct value *out)
{
    struct uuid id;
    if (uuid_parse(s, &id) != OK) {
        return &not_uuid;
    }
    char *text = arena_take(arena, UUID_TEXT);
    if (!text) {
        return &no_memory;
    }
    uuid_format(&id, text);
    out->text = text;
    return NULL;
}

/* n digits at *at, moved behind them; -1 when they are not all digits. */
static int take_digits(struct slice s, size_t *at, size_t n)
{
    int v = 0;
    for (size_t i = 0; i < n; i++) {
        if (*at + i >= s.n || !isdigit((unsigned char)s.p[*at + i])) {
            return -1;
        }
        v = v * 10 + (s.p[*at + i] - '0');
    }
    *at += n;
    return v;
}

static int days_in(int year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

static const struct params_fault *check_date(struct slice s, struct arena *arena, struct value *out)
{
    size_t at = 0;
    if (s.n != 10 || s.p[4] != '-' || s.p[7] != '-') {
        return &not_date;
    }
    int year = take_digits(s, &at, 4);
    at++;
    int month = year > 0 ? take_digits(s, &at, 2) : -1;
    at++;
    int day = month > 0 && month <= 12 ? take_digits(s, &at, 2) : -1;
    if (day < 1 || day > days_in(year, month)) {
        return &not_date;
    }
    return keep(s, arena, out);
}

/* PostgreSQL takes offsets of less than 16 hours; no clock on earth shows more than 14. */
static const struct params_fault *check_time(struct slice s, struct arena *arena, struct value *out)
{
    int64_t us;
    bool has_offset;
    int offset;
    if (clock_parse(s, &us, &has_offset, &offset) != OK || offset <= -OFFSET_END ||
        offset >= OFFSET_END) {
        return &not_time;
    }
    return keep(s, arena, out);
}

static const struct params_fault *check_moment(struct slice s, struct arena *arena,
                                               struct value *out)
{
    return check_date(s, arena, out) && check_time(s, arena, out) ? &not_moment : NULL;
}

/* Two or three small letters, then perhaps '-' and a region of two capitals or three digits. */
static const struct params_fault *check_locale(struct slice s, struct arena *arena,
                                               struct value *out)
{
    char shape[8] = "";
    if (s.n < 2 || s.n > 7) {
        return &not_locale;
    }
    for (size_t i = 0; i < s.n; i++) {
        unsigned char b = (unsigned char)s.p[i];
        shape[i] = (char)(islower(b) ? 'a' : isupper(b) ? 'A' : isdigit(b) ? '0' : (int)b);
    }
    static const char *const shapes[] = { "aa", "aaa", "aa-AA", "aaa-AA", "aa-000", "aaa-000" };
    for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
        if (strcmp(shape, shapes[i]) == 0) {
            return keep(s, arena, out);
        }
    }
    return &not_locale;
}

/* RFC 5321 dot-atom without quotes and comments: what mail providers give out. */
static bool local_part_ok(struct slice s)
{
    if (s.n == 0 || s.n > 64 || s.p[0] == '.' || s.p[s.n - 1] == '.') {
        return false;
    }
    for (size_t i = 0; i < s.n; i++) {
        if (!isalnum((unsigned char)s.p[i]) && !memchr("!#$%&'*+-/=?^_`{|}~.", s.p[i], 20)) {
            return false;
        }
        if (s.p[i] == '.' && s.p[i + 1] == '.') {
            return false;
        }
    }
    return true;
}

static bool label_ok(struct slice s)
{
    if (s.n == 0 || s.n > 63 || s.p[0] == '-' || s.p[s.n - 1] == '-') {
        return false;
    }
    for (size_t i = 0; i < s.n; i++) {
        if (!isalnum((unsigned char)s.p[i]) && s.p[i] != '-') {
            return false;
        }
    }
    return true;
}

/* At least two labels, the last not of digits alone: that would be an address of a machine, not a name. */
static bool domain_ok(struct slice s)
{
    size_t labels = 0;
    struct slice label = { 0 };
    while (s.p) {
        label = str_cut(&s, '.');
        if (!label_ok(label)) {
            return false;
        }
        labels++;
    }
    size_t digits = 0;
    while (digits < label.n && isdigit((unsigned char)label.p[digits])) {
        digits++;
    }
    return labels >= 2 && digits < label.n;
}

static const struct params_fault *check_email(struct slice s, struct arena *arena,
                                              struct value *out)
{
    const char *sign = s.n ? memchr(s.p, '@', s.n) : NULL;
    if (s.n > 254 || !sign) {
        return s.n > 254 ? &too_long : &not_email;
    }
    struct slice domain = { .p = sign + 1, .n = s.n - (size_t)(sign - s.p) - 1 };
    if (!local_part_ok((struct slice){ .p = s.p, .n = (size_t)(sign - s.p) }) ||
        !domain_ok(domain)) {
        return &not_email;
    }
    char *text = arena_text(arena, s);
    if (!text) {
        return &no_memory;
    }
    for (char *p = text; *p; p++) {
        *p = (char)tolower((unsigned char)*p);
    }
    out->text = text;
    return NULL;
}

#define PHONE_DIGITS_MIN 7 /* country code and all: what islands have */

static const struct params_fault *check_phone(struct slice s, struct arena *arena,
                                              struct value *out)
{
    char digits[17] = "+";
    size_t n = 1;
    bool plus = false;
    for (size_t i = 0; i < s.n; i++) {
        if (memchr(" .-()", s.p[i], 5)) {
            continue;
        }
        if (s.p[i] == '+' && !plus && n == 1) {
            plus = true;
        } else if (isdigit((unsigned char)s.p[i]) && plus && n < 16) {
            digits[n++] = s.p[i];
        } else {
            return &not_phone;
        }
    }
    if (s.n > 40 || n <= PHONE_DIGITS_MIN || digits[1] == '0') {
        return &not_phone;
    }
    return keep((struct slice){ .p = digits, .n = n }, arena, out);
}

static const struct params_fault *check_currency(struct slice s, struct arena *arena,
                                                 struct value *out)
{
    bool ok = s.n == 3;
    for (size_t i = 0; ok && i < 3; i++) {
        ok = s.p[i] >= 'A' && s.p[i] <= 'Z';
    }
    return ok ? keep(s, arena, out) : &not_currency;
}

static const struct params_fault *check_color(struct slice s, struct arena *arena,
                                              struct value *out)
{
    uint8_t rgb[3];
    if (s.n != 7 || s.p[0] != '#' ||
        str_unhex((struct slice){ .p = s.p + 1, .n = 6 }, rgb, 3) != OK) {
        return &not_color;
    }
    char text[8] = "#";
    str_hex(rgb, 3, text + 1);
    return keep((struct slice){ .p = text, .n = 7 }, arena, out);
}

/* "America/Argentina/Buenos_Aires": parts of letters, digits, '_', '+' and '-', each starting with a letter. */
static const struct params_fault *check_zone(struct slice s, struct arena *arena, struct value *out)
{
    if (s.n == 0 || s.n > 64) {
        return &not_zone;
    }
    bool start = true;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char b = (unsigned char)s.p[i];
        bool fits = start ? isalpha(b)
                          : (isalnum(b) || b == '_' || b == '+' || b == '-' || b == '/');
        if (!fits) {
            return &not_zone;
        }
        start = b == '/';
    }
    return start ? &not_zone : keep(s, arena, out);
}

static const struct params_fault *check_choice(const struct param *row, struct slice s,
                                               struct arena *arena, struct value *out)
{
    struct slice rest = slice_of(row->choices);
    while (rest.p) {
        struct slice word = str_cut(&rest, ' ');
        if (word.n && slice_eq(word, s)) {
            return keep(s, arena, out);
        }
    }
    return &not_choice;
}

/* "{" and what is between the commas, "}". */
static const struct params_fault *keep_list(struct slice s, struct arena *arena, struct value *out)
{
    char *text = arena_take(arena, s.n + 3);
    if (!text) {
        return &no_memory;
    }
    text[0] = '{';
    memcpy(text + 1, s.n ? s.p : "", s.n);
    text[s.n + 1] = '}';
    out->text = text;
    return NULL;
}

static const struct params_fault *check_words(const struct param *row, struct slice s,
                                              struct arena *arena, struct value *out)
{
    struct slice rest = s;
    while (s.n && rest.p) {
        struct value one;
        struct slice word = str_cut(&rest, ','), later = rest;
        if (check_choice(row, word, arena, &one)) {
            return &not_choice;
        }
        while (later.p) {
            if (slice_eq(str_cut(&later, ','), word)) {
                return &twice;
            }
        }
    }
    return s.n ? keep_list(s, arena, out) : &too_short;
}

/* Minutes of "HH:MM" at *at, moved behind it; -1 when it is none. 24:00 is the end of a day. */
static int take_clock(struct slice s, size_t *at)
{
    int hours = take_digits(s, at, 2);
    if (hours < 0 || *at >= s.n || s.p[*at] != ':') {
        return -1;
    }
    (*at)++;
    int minutes = take_digits(s, at, 2);
    return minutes < 0 || minutes > 59 || hours * 60 + minutes > DAY_MIN ? -1
                                                                         : hours * 60 + minutes;
}

/* Minutes of "HH:MM-HH:MM" at *at, moved behind it. */
static bool take_span(struct slice s, size_t *at, int *from, int *to)
{
    *from = take_clock(s, at);
    if (*from < 0 || *from >= DAY_MIN || *at >= s.n || s.p[(*at)++] != '-') {
        return false;
    }
    *to = take_clock(s, at);
    return *to >= 0;
}

/* Each starts when the one before is over; only the last may go on behind midnight. */
static const struct params_fault *check_day(struct slice s)
{
    struct slice rest = s;
    int free_from = 0, count = 0;
    while (s.n && rest.p) {
        struct slice span = str_cut(&rest, ',');
        size_t at = 0;
        int from, to;
        if (++count > SPANS_MAX) {
            return &too_long;
        }
        if (!take_span(span, &at, &from, &to) || at != span.n) {
            return &not_span;
        }
        if (from < free_from || free_from < 0) {
            return &overlap;
        }
        free_from = to > from ? to : -1;
    }
    return NULL;
}

/* "monday 09:00-14:00", then perhaps " odd" or " even", then perhaps " break". */
static bool weekly_ok(const struct param *row, struct slice s, struct arena *arena)
{
    struct value day;
    struct slice rest = s;
    if (check_choice(row, str_cut(&rest, ' '), arena, &day) || !rest.p) {
        return false;
    }
    struct slice span = str_cut(&rest, ' '),
                 word = rest.p ? str_cut(&rest, ' ') : (struct slice){ 0 };
    size_t at = 0;
    int from, to;
    if (!take_span(span, &at, &from, &to) || at != span.n) {
        return false;
    }
    if (slice_eq(word, SLICE("odd")) || slice_eq(word, SLICE("even"))) {
        word = rest.p ? str_cut(&rest, ' ') : (struct slice){ 0 };
    }
    return !rest.p && (!word.p || slice_eq(word, SLICE("break")));
}

static bool is_among(struct slice item, struct slice list)
{
    while (list.p) {
        if (slice_eq(str_cut(&list, ','), item)) {
            return true;
        }
    }
    return false;
}

static const struct params_fault *check_week(const struct param *row, struct slice s,
                                             struct arena *arena)
{
    struct slice rest = s;
    while (s.n && rest.p) {
        struct slice item = str_cut(&rest, ',');
        if (!weekly_ok(row, item, arena)) {
            return &not_weekly;
        }
        if (is_among(item, rest)) {
            return &twice;
        }
    }
    return NULL;
}

static int64_t count_items(struct slice s)
{
    int64_t n = 0;
    for (struct slice rest = s; s.n && rest.p; n++) {
        (void)str_cut(&rest, ',');
    }
    return n;
}

static const struct params_fault *check_spans(const struct param *row, struct slice s,
                                              struct arena *arena, struct value *out)
{
    if (row->max && count_items(s) > row->max) {
        return &too_many;
    }
    const struct params_fault *fault = row->choices ? check_week(row, s, arena) : check_day(s);
    return fault ? fault : keep_list(s, arena, out);
}

/* "ID" or "ID:45". */
static const struct params_fault *check_numbered(const struct param *row, struct slice item,
                                                 struct arena *arena, struct uuid *id)
{
    struct slice number = item;
    struct value one;
    if (uuid_parse(str_cut(&number, ':'), id) != OK) {
        return &not_uuid;
    }
    return number.p ? check_int(row, number, arena, &one) : NULL;
}

static const struct params_fault *check_ids(const struct param *row, struct slice s,
                                            struct arena *arena, struct value *out)
{
    struct uuid ids[IDS_MAX];
    size_t n = 0;
    for (struct slice rest = s; s.n && rest.p; n++) {
        if (n == IDS_MAX) {
            return &too_many;
        }
        const struct params_fault *fault = check_numbered(row, str_cut(&rest, ','), arena, &ids[n]);
        for (size_t i = 0; !fault && i < n; i++) {
            fault = memcmp(&ids[i], &ids[n], sizeof(ids[n])) == 0 ? &twice : NULL;
        }
        if (fault) {
            return fault;
        }
    }
    return keep_list(s, arena, out);
}

const struct params_fault *params_text(const struct param *row, struct slice s, struct arena *arena,
                                       struct value *out)
{
    switch (row->type) {
    case T_TEXT:
        return check_text(row, s, arena, out);
    case T_PASSWORD:
    case T_FILE:
    case T_DOCUMENT:
        return check_bytes(row, s, arena, out);
    case T_INT:
        return check_int(row, s, arena, out);
    case T_BOOL:
        return check_bool(row, s, out);
    case T_UUID:
        return check_uuid(s, arena, out);
    case T_DATE:
        return check_date(s, arena, out);
    case T_MOMENT:
        return check_moment(s, arena, out);
    case T_LOCALE:
        return check_locale(s, arena, out);
    case T_TIME:
        return check_time(s, arena, out);
    case T_EMAIL:
        return check_email(s, arena, out);
    case T_PHONE:
        return check_phone(s, arena, out);
    case T_CURRENCY:
        return check_currency(s, arena, out);
    case T_COLOR:
        return check_color(s, arena, out);
    case T_ZONE:
        return check_zone(s, arena, out);
    case T_CHOICE:
        return check_choice(row, s, arena, out);
    case T_WORDS:
        return check_words(row, s, arena, out);
    case T_SPANS:
        return check_spans(row, s, arena, out);
    case T_IDS:
        return check_ids(row, s, arena, out);
    case T_CURSOR: /* page.c looks inside */
        return s.n > 4096 ? &too_long : keep(s, arena, out);
    case T_INSTANT:
    case T_ZONED:
    case T_JSON:
    case T_ADDED:
        break; /* params_compile refuses them */
    }
    return &not_choice;
}
