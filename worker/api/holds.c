/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Time that is kept free for some minutes while a booking is talked over: an allocation that expires, and a token by which the booking takes its place. What
 * nobody books is swept away before the next booking, and by the jobs slot. */
#include "worker/api/holds.h"

#include <sodium.h>

#include "common/str.h"
#include "worker/api/appointment.h"
#include "worker/api/openings.h"
#include "worker/visit_sql.h"

#define SECRET_BYTES 32
#define HOLDS_MAX    "20" /* of one caller at a time */

#define HOLD_OUT                                                                            \
    "h.service_id, h.staff_id, h.starts_at, h.starts_at AT TIME ZONE b.time_zone AS local," \
    " h.ends_at, h.ends_at AT TIME ZONE b.time_zone AS local_end, b.time_zone, x.expires_at"
#define ZONE "(SELECT (SELECT time_zone FROM business) AS time_zone) b"

const struct column hold_columns[] = {
    { "service_id", T_UUID, NULL },
    { "staff_id", T_UUID, NULL },
    { "starts_at", T_ZONED, NULL },
    { "ends_at", T_ZONED, NULL },
    { "time_zone", T_TEXT, "IANA zone of starts_at and ends_at" },
    { "expires_at", T_INSTANT, "It is free again then" },
    { "token", T_ADDED, "Books it, or gives it up; shown only when it is made" },
    { 0 },
};

#define TOKEN_PARAM .name = "token", .in = IN_PATH, .type = T_TEXT, .max = 100

static const struct param hold_make_params[] = {
    { .name = "service_id", .in = IN_BODY, .type = T_UUID, .required = true },
    { .name = "staff_id", .in = IN_BODY, .type = T_UUID, .required = true },
    { .name = "starts_at", .in = IN_BODY, .type = T_TIME, .required = true },
    { .name = "duration_min",
      .in = IN_BODY,
      .type = T_INT,
      .min = 1,
      .max = 1440,
      .nullable = true,
      .doc = "As long as it takes them when absent" },
    { 0 },
};

static const struct param hold_one_params[] = {
    { TOKEN_PARAM },
    { 0 },
};

static const struct param hold_book_params[] = {
    { TOKEN_PARAM },
    { .name = "client_id", .in = IN_BODY, .type = T_UUID, .required = true },
    APPOINTMENT_BOOK_PARAMS,
    { 0 },
};

static const struct param hold_make_vars[] = {
    APPOINTMENT_PLACE_VARS,
    OPENINGS_VARS,
    HOLD_MAKE_VARS,
    { 0 },
};
static const struct param hold_book_vars[] = {
    APPOINTMENT_BOOK_VARS,
    { .name = "secret_hash", .type = T_TEXT },
    { 0 },
};
static const struct param hold_one_vars[] = { { .name = "secret_hash", .type = T_TEXT }, { 0 } };

/* How many there are of a caller, of strangers, and of strangers of one address. */
#define ALIVE_OF(whose)                                                                 \
    "(SELECT count(*) FROM hold o JOIN allocation y ON y.id = o.id WHERE " whose " AND" \
    " y.expires_at > now())"

/* clang-format off */
const struct stmt hold_make = {
    "make",
    "WITH taken AS (INSERT INTO allocation AS x(id, resource_id, busy, kind, expires_at)"
    " SELECT :new_id, t.id, tstzrange(v.starts_at - make_interval(mins => s.buffer_before_min),"
    " v.ends_at + make_interval(mins => s.buffer_after_min)), 'hold',"
    " now() + make_interval(mins => coalesce((SELECT (rules->>'hold_min')::int"
    " FROM booking_policy), 10)) FROM service s, staff t, LATERAL (SELECT"
    " :instant::timestamptz AS starts_at, :instant::timestamptz"
    " + make_interval(mins => coalesce(:to_minutes::int, s.duration_min)) AS ends_at) v"
    " WHERE s.id = :to_service AND t.id = :to_staff AND CASE WHEN :made_from::text IS NULL"
    " THEN " ALIVE_OF("o.made_by = :me_member") " < " HOLDS_MAX
    " ELSE " ALIVE_OF("o.made_from IS NOT NULL") " < " HOLD_STRANGERS_MAX
    " AND " ALIVE_OF("o.made_from = :made_from::bytea") " < " HOLD_ADDRESS_MAX " END"
    " FOR KEY SHARE OF s, t RETURNING x.id, x.expires_at, x.busy),"
    " besides AS (INSERT INTO allocation(id, resource_id, busy, kind, expires_at, held_with)"
    " SELECT gen_random_uuid(), f.id, x.busy, 'hold', x.expires_at, x.id FROM taken x"
    " CROSS JOIN unnest(:assets::uuid[]) f(id)),"
    " h AS (INSERT INTO hold AS h(id, secret_hash, service_id, staff_id, starts_at, ends_at,"
    " made_by, made_from) SELECT x.id, :secret_hash::bytea, s.id, :to_staff, :instant::timestamptz,"
    " :instant::timestamptz + make_interval(mins => coalesce(:to_minutes::int, s.duration_min)),"
    " :me_member, :made_from::bytea FROM taken x, service s WHERE s.id = :to_service"
    " RETURNING h.id, h.service_id, h.staff_id, h.starts_at, h.ends_at)"
    " SELECT " HOLD_OUT " FROM h JOIN taken x ON x.id = h.id, " ZONE
    " WHERE ext.work_due('agenda', x.expires_at)",
};
/* clang-format on */

#define ALIVE                                                                \
    " FROM hold h JOIN allocation x ON x.id = h.id AND x.expires_at > now()" \
    " JOIN staff t ON t.id = h.staff_id AND :scope(staff t)"
#define BY_TOKEN " WHERE h.secret_hash = :secret_hash::bytea"

static const struct stmt hold_one = {
    "one",
    "SELECT " HOLD_OUT ALIVE " CROSS JOIN " ZONE BY_TOKEN,
};

const struct stmt hold_find = {
    "hold",
    "SELECT h.service_id, h.staff_id, h.starts_at,"
    " extract(epoch FROM h.ends_at - h.starts_at)::int / 60 AS minutes, (SELECT"
    " array_agg(y.resource_id) FROM allocation y WHERE y.held_with = h.id) AS assets,"
    " h.made_from IS NOT NULL AS by_stranger" ALIVE BY_TOKEN,
};

const struct stmt hold_use = {
    "use",
    "DELETE FROM allocation l WHERE l.id = (SELECT h.id" ALIVE BY_TOKEN ") RETURNING l.id",
};

static const struct stmt *const hold_make_stmts[] = {
    &appointment_lock, &appointment_sweep, &appointment_check, &openings_world, &hold_make, NULL,
};
static const struct stmt *const hold_book_stmts[] = {
    &hold_find,
    &appointment_lock,
    &appointment_sweep,
    &appointment_check,
    &hold_use,
    &appointment_book,
    NULL,
};
static const struct stmt *const hold_one_stmts[] = { &hold_one, NULL };
static const struct stmt hold_wake = { "wake", "SELECT " VISIT_WAKES_WAITLIST };

static const struct stmt *const hold_drop_stmts[] = { &hold_use, &hold_wake, NULL };

static enum err answer_with_token(struct call *c, const PGresult *rows, const char *token)
{
    char member[100];
    TRY(call_answer(c, rows));
    int n = snprintf(member, sizeof(member), "\"token\":\"%s\"", token);
    return call_answer_once(c, (struct slice){ member, (size_t)n });
}

static enum err refuse_more(struct call *c)
{
    return call_get(c, "made_from")->text
               ? call_refuse(c, E_LIMIT, "Hay demasiados horarios apartados; reserve o espere",
                             "Too many times are held; book, or wait")
               : call_refuse(c, E_LIMIT, "A lo más 20 apartados a la vez",
                             "At most 20 holds at a time");
}

enum err hold_take(struct call *c)
{
    uint8_t secret[SECRET_BYTES];
    char token[STR_BASE64_SIZE(SECRET_BYTES)];
    PGresult *rows;
    if (call_get(c, "to_group")->text) {
        return call_refuse_field(c, "/starts_at", "group",
                                 "Un grupo no se aparta: dé la cita, que toma un lugar",
                                 "A group is not held: book, which takes a seat");
    }
    randombytes_buf(secret, sizeof(secret));
    str_base64url(secret, sizeof(secret), token);
    call_set_digest(c, "secret_hash", slice_of(token));
    TRY(call_query(c, &hold_make, &rows));
    return PQntuples(rows) ? answer_with_token(c, rows, token) : refuse_more(c);
}

static enum err make(struct call *c)
{
    call_set(c, "to_service", call_get(c, "service_id")->text);
    call_set(c, "to_staff", call_get(c, "staff_id")->text);
    call_set(c, "to_minutes", call_get(c, "duration_min")->text);
    TRY(appointment_ask_time(c, call_get(c, "starts_at")->text));
    TRY(appointment_check_place(
        c, (struct appointment_ask){ .service = true, .staff = true, .time = true }));
    TRY(appointment_judge(c, NULL));
    return hold_take(c);
}

/* By the token in the path. No row: it is over, or there was none. */
static enum err find(struct call *c, const struct stmt *s, enum err none, PGresult **rows)
{
    call_set_digest(c, "secret_hash", slice_of(call_get(c, "token")->text));
    TRY(call_query(c, s, rows));
    return PQntuples(*rows) ? OK : call_refuse(c, none, NULL, NULL);
}

static enum err read_one(struct call *c)
{
    PGresult *rows;
    TRY(find(c, &hold_one, E_NOT_FOUND, &rows));
    return call_answer(c, rows);
}

static enum err give_up(struct call *c)
{
    PGresult *rows;
    TRY(find(c, &hold_use, E_NOT_FOUND, &rows));
    TRY(call_post(c, &hold_wake));
    return call_answer_none(c);
}

/* What is held is what is booked: it was judged when it was made. Whoever comes second finds it used, behind the lock. */
static enum err book(struct call *c)
{
    static const struct {
        const char *var, *column;
    } same[] = {
        { "to_service", "service_id" }, { "to_staff", "staff_id" }, { "to_time", "starts_at" },
        { "to_minutes", "minutes" },    { "assets", "assets" },
    };
    PGresult *hold, *rows;
    TRY(find(c, &hold_find, E_HOLD_EXPIRED, &hold));
    appointment_ask_book(c);
    TRY(appointment_ask_payment(c));
    for (size_t i = 0; i < ARRAY_LEN(same); i++) {
        call_set(c, same[i].var, call_cell(hold, 0, same[i].column));
    }
    call_set(c, "has_offset", "t");
    TRY(appointment_check_place(c, (struct appointment_ask){ true, true, true, false }));
    TRY(find(c, &hold_use, E_HOLD_EXPIRED, &rows));
    TRY(call_query(c, &appointment_book, &rows));
    return call_answer(c, rows);
}

const struct route hold_routes[] = {
    {
        .method = M_POST,
        .path = "/api/v1/holds",
        .summary = "Keep a time free for some minutes, until it is booked by the token",
        .need = PERM_APPOINTMENT_BOOK,
        .cost = COST_FAST,
        .params = hold_make_params,
        .vars = hold_make_vars,
        .columns = hold_columns,
        .stmts = hold_make_stmts,
        .handler = make,
        .shape = SHAPE_ONE,
        .success = 201,
    },
    {
        .method = M_GET,
        .path = "/api/v1/holds/{token}",
        .summary = "Read a hold that is alive",
        .need = PERM_APPOINTMENT_BOOK,
        .cost = COST_FAST,
        .params = hold_one_params,
        .vars = hold_one_vars,
        .columns = hold_columns,
        .stmts = hold_one_stmts,
        .handler = read_one,
        .shape = SHAPE_ONE,
        .success = 200,
    },
    {
        .method = M_DELETE,
        .path = "/api/v1/holds/{token}",
        .summary = "Give a held time up",
        .need = PERM_APPOINTMENT_BOOK,
        .cost = COST_FAST,
        .params = hold_one_params,
        .vars = hold_one_vars,
        .stmts = hold_drop_stmts,
        .handler = give_up,
        .shape = SHAPE_NONE,
        .success = 204,
        .any_version = true,
    },
    {
        .method = M_POST,
        .path = "/api/v1/holds/{token}/book",
        .summary = "Book what is held for a client",
        .need = PERM_APPOINTMENT_BOOK,
        .cost = COST_FAST,
        .params = hold_book_params,
        .vars = hold_book_vars,
        .columns = appointment_columns,
        .stmts = hold_book_stmts,
        .handler = book,
        .shape = SHAPE_ONE,
        .success = 201,
        .etag = true,
        .location = "/api/v1/appointments/{id}",
    },
    { 0 },
};
