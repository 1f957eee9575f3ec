/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Opens a libpq connection with the settings every session of ours has, asks single statements, and says what a
 * failed one means. Settings travel in the startup packet: no login needs set_config for them. */
#include "common/pg.h"

#include <stdio.h>

#include "common/str.h"

#define PG_OLDEST 150011 /* as PQlibVersion says 15.11 */

/* Text of libpq as one line. */
static void add_message(struct sbuf *why, const char *message)
{
    struct slice rest = slice_of(message);
    bool first = true;
    while (rest.p) {
        struct slice line = str_trim(str_cut(&rest, '\n'));
        if (line.n > 0) {
            sbuf_text(why, first ? "" : "; ");
            sbuf_add(why, line);
            first = false;
        }
    }
}

static void ignore_notice(void *arg, const PGresult *notice)
{
    UNUSED(arg);
    UNUSED(notice);
}

PGconn *pg_open(const struct pg_target *t, int connect_s, int statement_ms, int lock_ms,
                struct sbuf *why)
{
    char options[384];
    char seconds[16];
    snprintf(seconds, sizeof(seconds), "%d", connect_s);
    snprintf(options, sizeof(options),
             "-c TimeZone=UTC -c DateStyle=ISO,YMD -c search_path= -c client_min_messages=error"
             " -c client_connection_check_interval=5s -c jit=off -c statement_timeout=%d"
             " -c lock_timeout=%d -c plan_cache_mode=%s",
             statement_ms, lock_ms, t->generic ? "force_generic_plan" : "auto");
    const char *const pairs[][2] = {
        { "host", t->host },
        { "port", t->port },
        { "dbname", t->dbname },
        { "user", t->user },
        { "password", t->password },
        { "application_name", t->app },
        { "connect_timeout", seconds },
        { "options", options },
        { "client_encoding", "UTF8" },
        { "keepalives_idle", "30" }, /* these four matter over TCP only */
        { "keepalives_interval", "10" },
        { "keepalives_count", "3" },
        { "tcp_user_timeout", "30000" },
        { NULL, NULL },
    };
    const char *names[ARRAY_LEN(pairs)];
    const char *values[ARRAY_LEN(pairs)];
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        names[i] = pairs[i][0];
        values[i] = pairs[i][1];
    }
    PGconn *c = PQconnectdbParams(names, values, 0);
    if (c && PQstatus(c) == CONNECTION_OK) {
        PQsetNoticeReceiver(c, ignore_notice, NULL);
        return c;
    }
    add_message(why, c ? PQerrorMessage(c) : "out of memory");
    PQfinish(c);
    return NULL;
}

/* Empty when the failure did not come from the server. */
static const char *field(const PGresult *r, int code)
{
    const char *text = r ? PQresultErrorField(r, code) : NULL;
    return text ? text : "";
}

enum err pg_ask(PGconn *c, const char *sql, int n, const char *const *values, PGresult **out,
                struct sbuf *why)
{
    *out = NULL;
    PGresult *r = PQexecParams(c, sql, n, NULL, values, NULL, NULL, 0);
    ExecStatusType status = PQresultStatus(r);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
        *out = r;
        return OK;
    }
    const char *sqlstate = field(r, PG_DIAG_SQLSTATE);
    const char *message = field(r, PG_DIAG_MESSAGE_PRIMARY);
    enum err e = pg_err(sqlstate, field(r, PG_DIAG_CONSTRAINT_NAME));
    if (sqlstate[0]) {
        sbuf_text(why, sqlstate);
        sbuf_char(why, ' ');
    }
    if (!sqlstate[0] && PQstatus(c) == CONNECTION_OK) { /* COPY or an empty text: our mistake */
        message = PQresStatus(status);
        e = E_INTERNAL;
    }
    add_message(why, message[0] ? message : PQerrorMessage(c));
    PQclear(r);
    return e;
}

enum err pg_do(PGconn *c, const char *sql, int n, const char *const *values, struct sbuf *why)
{
    PGresult *r;
    TRY(pg_ask(c, sql, n, values, &r, why));
    PQclear(r);
    return OK;
}

/* A state, or a class when it is shorter than five characters; with a constraint, only that one. */
static const struct {
    const char *state;
    const char *constraint;
    enum err err;
} meanings[] = {
    { "23P01", "allocation_no_overlap", E_SLOT_TAKEN },
    { "23P01", "client_busy_no_overlap", E_CLIENT_CONFLICT },
    /* Whom an appointment names was renamed between reading the name and writing it: the next run reads the new one. */
    { "23503", "appointment_client_name", E_AGAIN },
    { "23503", "appointment_service_name", E_AGAIN },
    { "23503", "appointment_staff_name", E_AGAIN },
    { "23505", NULL, E_ALREADY_EXISTS },
    { "57014", NULL, E_DEADLINE },
    { "55P03", NULL, E_BUSY },
    { "40001", NULL, E_AGAIN },
    { "40P01", NULL, E_AGAIN },
    { "25006", NULL, E_TENANT_READ_ONLY },
    { "57P0", NULL, E_DB_UNAVAILABLE },
    { "08", NULL, E_DB_UNAVAILABLE },
    { "53100", NULL, E_STORAGE_FULL },
    { "53", NULL, E_DB_UNAVAILABLE },
};

enum err pg_err(const char *sqlstate, const char *constraint)
{
    struct slice state = slice_of(sqlstate);
    struct slice name = slice_of(constraint);
    if (state.n == 0) {
        return E_DB_UNAVAILABLE;
    }
    for (size_t i = 0; i < ARRAY_LEN(meanings); i++) {
        if (str_starts(state, slice_of(meanings[i].state)) &&
            (!meanings[i].constraint || slice_eq(name, slice_of(meanings[i].constraint)))) {
            return meanings[i].err;
        }
    }
    return E_INTERNAL;
}

enum err pg_floor(int version, struct sbuf *why)
{
    if (version >= PG_OLDEST) {
        return OK;
    }
    sbuf_fmt(why, "libpq %d.%d has known holes: 15.11 or later is needed (apt-get install libpq5)",
             version / 10000, version % 10000);
    return E_CONFIG;
}
