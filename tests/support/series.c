/* SPDX-License-Identifier: LicenseRef-Gremio */
#include "tests/support/series.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "tests/support/db.h"

struct series_desk series_desk_open(const char *email, const char *slug)
{
    struct series_desk d = { .owner = api_login(email), .db = db_super() };
    char *code = db_code(d.db, slug);
    db_do(d.db, api_text("SET search_path = t_%s, ext, public", code));
    free(code);
    d.client = api_new_client(&d.owner, api_unique("Ana"));
    d.service = api_new_service(&d.owner, api_unique("Terapia"), 30);
    d.staff = api_new_staff(&d.owner, api_unique("Beto"));
    return d;
}

void series_desk_close(struct series_desk *d)
{
    PQfinish(d->db);
    api_close(&d->owner);
    api_release();
}

const char *series_body(const struct series_desk *d, const char *starts_at, const char *rrule)
{
    return api_text("\"client_id\":\"%s\",\"service_id\":\"%s\",\"staff_id\":\"%s\","
                    "\"starts_at\":\"%s\",\"rrule\":\"%s\"",
                    d->client, d->service, d->staff, starts_at, rrule);
}

struct answer *series_post(struct series_desk *d, const char *path, const char *starts_at,
                           const char *rrule, const char *more)
{
    return api_post(&d->owner, path, "{%s%s}", series_body(d, starts_at, rrule), more);
}

const char *series_make(struct series_desk *d, const char *starts_at, const char *rrule,
                        const char *more)
{
    struct answer *r = series_post(d, SERIES, starts_at, rrule, more);
    cr_assert_eq(r->status, 201, "%s %s: %s", starts_at, rrule, r->http.body);
    return answer_text(r, "id");
}

static char *version_of(struct series_desk *d, const char *id)
{
    struct answer *r = api_get(&d->owner, SERIES "/%s", id);
    return api_text("If-Match: \"%d\"\r\n", (int)answer_int(r, "version"));
}

struct answer *series_change(struct series_desk *d, const char *id, const char *members)
{
    return api_send(&d->owner, "PATCH", api_text(SERIES "/%s", id), api_text("{%s}", members),
                    version_of(d, id));
}

struct answer *series_cancel(struct series_desk *d, const char *id, const char *members)
{
    return api_send(&d->owner, "POST", api_text(SERIES "/%s/cancel", id), api_text("{%s}", members),
                    version_of(d, id));
}

const char *series_stored(struct series_desk *d)
{
    char *sum = db_value(
        d->db,
        "WITH a AS (SELECT * FROM appointment WHERE client_id = $1::uuid OR staff_id = $2::uuid),"
        " s AS (SELECT * FROM series WHERE client_id = $1::uuid OR staff_id = $2::uuid)"
        " SELECT md5(string_agg(x, '|' ORDER BY x)) FROM (SELECT s::text AS x FROM s"
        " UNION ALL SELECT e::text FROM series_exception e JOIN s ON s.id = e.series_id"
        " UNION ALL SELECT a::text FROM a UNION ALL SELECT l::text FROM allocation l"
        " WHERE resource_id = $2::uuid OR appointment_id IN (SELECT id FROM a)"
        " UNION ALL SELECT y::text FROM client_busy y WHERE client_id = $1::uuid"
        " OR appointment_id IN (SELECT id FROM a) UNION ALL SELECT v::text FROM appointment_event v"
        " JOIN a ON a.id = v.appointment_id) rows",
        d->client, d->staff, NULL);
    const char *text = api_text("%s", sum);
    free(sum);
    return text;
}

long series_overlaps(struct series_desk *d)
{
    return db_number(d->db,
                     "SELECT (SELECT count(*) FROM allocation x JOIN allocation y"
                     " ON x.resource_id = y.resource_id AND x.lane = y.lane AND x.id < y.id"
                     " AND x.busy && y.busy) + (SELECT count(*) FROM client_busy x JOIN client_busy"
                     " y ON x.client_id = y.client_id AND x.appointment_id < y.appointment_id"
                     " AND x.busy && y.busy)",
                     NULL);
}

void series_block(struct series_desk *d, const char *starts_at)
{
    const char *other = api_new_client(&d->owner, api_unique("Eva"));
    struct answer *r = api_book(&d->owner, other, d->service, d->staff, starts_at);
    cr_assert_eq(r->status, 201, "%s: %s", starts_at, r->http.body);
}

const char *series_of(const struct answer *r, const char *path, const char *key, const char *member)
{
    for (int i = 0; i < answer_count(r, path); i++) {
        const char *its = answer_text(r, api_text("%s.%d.series_key", path, i));
        if (its && strcmp(its, key) == 0) {
            const char *text = answer_text(r, api_text("%s.%d.%s", path, i, member));
            return text ? text : "";
        }
    }
    return "";
}
