/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Rows go to the server as one JSON document per table: few statements, values never in the SQL text. The agenda is
 * laid out here in days from today and minutes of the day; dates and zones are PostgreSQL's. */
#include "provisioning/demo.h"

#include <stdio.h>

#include "common/str.h"

#define DAYS_BACK    16
#define DAYS_AHEAD   15
#define GRID         15 /* minutes */
#define STAFF_MAX    8
#define SERVICES_MAX 16

struct filling {
    PGconn *db;
    const struct demo_practice *practice;
    struct sbuf *why;
    struct sbuf json; /* document being built */
    uint64_t random;  /* state of the generator */
    int picked;       /* clients booked so far */
    char staff[STAFF_MAX][UUID_TEXT];
    char services[SERVICES_MAX][UUID_TEXT];
    char clients[DEMO_CLIENTS][UUID_TEXT];
    int staff_count, service_count;
};

/* splitmix64: the same seed gives the same agenda on every machine. */
static unsigned random_below(struct filling *f, unsigned bound)
{
    uint64_t z = f->random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (unsigned)((z ^ (z >> 31)) % bound);
}

static void new_id(char out[UUID_TEXT])
{
    struct uuid id = uuid_v7();
    uuid_format(&id, out);
}

static void row_begin(struct filling *f)
{
    sbuf_text(&f->json, f->json.len ? ",{" : "[{");
}

static void row_text(struct filling *f, const char *name, const char *value)
{
    sbuf_fmt(&f->json, "\"%s\":", name);
    sbuf_json(&f->json, slice_of(value));
    sbuf_char(&f->json, ',');
}

/* The last member of a row. */
static void row_end(struct filling *f, const char *name, int value)
{
    sbuf_fmt(&f->json, "\"%s\":%d}", name, value);
}

/* Sends the document as $1 of sql and a second text as $2, then starts a new one. */
static enum err send_rows(struct filling *f, const char *sql, const char *second)
{
    sbuf_text(&f->json, "]");
    sbuf_char(&f->json, '\0');
    if (sbuf_failed(&f->json)) {
        return E_NOMEM;
    }
    const char *params[] = { f->json.data, second };
    enum err e = pg_do(f->db, sql, second ? 2 : 1, params, f->why);
    sbuf_reset(&f->json, SIZE_MAX);
    return e;
}

static enum err fill_business(struct filling *f)
{
    const struct demo_practice *p = f->practice;
    const char *params[] = { p->legal_name, p->phone, p->address };
    return pg_do(f->db, "update business set legal_name = $1, phone = $2, address = $3", 3, params,
                 f->why);
}

/* Lunch is no time for clients to choose. */
static enum err fill_hours(struct filling *f)
{
    static const char sql[] =
        "insert into opening_hours(weekday, starts, minutes)"
        " select d, make_time(h.from_min / 60, h.from_min % 60, 0), h.to_min - h.from_min"
        " from generate_series(1, 6) d, lateral (select case when d < 6 then $4::int else $5::int"
        "  end as closes) c, lateral (values ($1::int, least($2::int, c.closes)), ($3::int, "
        "c.closes)"
        " ) h(from_min, to_min) where h.to_min > h.from_min";
    const struct demo_practice *p = f->practice;
    const int minutes[] = { p->opens_min, p->lunch_from_min, p->lunch_to_min, p->closes_min,
                            p->saturday_closes_min };
    char text[ARRAY_LEN(minutes)][12];
    const char *params[ARRAY_LEN(minutes)];
    for (size_t i = 0; i < ARRAY_LEN(minutes); i++) {
        snprintf(text[i], sizeof(text[i]), "%d", minutes[i]);
        params[i] = text[i];
    }
    TRY(pg_do(f->db, "delete from opening_hours", 0, NULL, f->why));
    return pg_do(f->db, sql, ARRAY_LEN(minutes), params, f->why);
}

/* Before the agenda, so that its visits carry these rules. */
static enum err fill_rules(struct filling *f)
{
    const char *cutoff[] = { f->practice->cutoff_min }, *color[] = { f->practice->color };
    TRY(fill_hours(f));
    TRY(pg_do(f->db,
              "update booking_policy set rules = rules || jsonb_build_object('cancel_cutoff_min',"
              " $1::int, 'reschedule_cutoff_min', $1::int)",
              1, cutoff, f->why));
    return pg_do(f->db, "update branding set color = $1", 1, color, f->why);
}

static enum err fill_staff(struct filling *f, const char *owner_id)
{
    static const char sql[] =
        "with people as (select * from jsonb_to_recordset($1::jsonb)"
        "  r(id uuid, name text, email text, phone text, title text, color text)),"
        " resources as (insert into resource(id, kind) select id, 'staff' from people"
        "  where id <> $2)"
        " insert into staff(id, role, name, email, phone, title, color)"
        " select id, 'professional', name, email, phone, title, color from people"
        " on conflict (id) do update set phone = excluded.phone, title = excluded.title,"
        "  color = excluded.color";
    for (const struct demo_staff *s = f->practice->staff; s->name; s++) {
        char *id = f->staff[f->staff_count];
        if (f->staff_count == 0) {
            snprintf(id, UUID_TEXT, "%s", owner_id);
        } else {
            new_id(id);
        }
        row_begin(f);
        row_text(f, "id", id);
        row_text(f, "name", s->name);
        row_text(f, "email", s->email);
        row_text(f, "phone", s->phone);
        row_text(f, "title", s->title);
        row_text(f, "color", s->color);
        row_end(f, "n", f->staff_count++);
    }
    return send_rows(f, sql, owner_id);
}

static enum err fill_services(struct filling *f)
{
    static const char sql[] =
        "insert into service(id, name, category, description, color, duration_min,"
        " buffer_after_min, price_minor, currency)"
        " select id, name, category, description, color, minutes, after, price * 100, $2"
        " from jsonb_to_recordset($1::jsonb) r(id uuid, name text, category text,"
        "  description text, color text, minutes int, after int, price bigint)";
    for (const struct demo_service *s = f->practice->services; s->name; s++) {
        new_id(f->services[f->service_count]);
        row_begin(f);
        row_text(f, "id", f->services[f->service_count++]);
        row_text(f, "name", s->name);
        row_text(f, "category", s->category);
        row_text(f, "description", s->description);
        row_text(f, "color", s->color);
        sbuf_fmt(&f->json, "\"minutes\":%d,\"after\":%d,", s->duration_min, s->buffer_after_min);
        row_end(f, "price", s->price);
    }
    return send_rows(f, sql, f->practice->spec.currency);
}

static enum err fill_clients(struct filling *f)
{
    static const char sql[] =
        "insert into client(id, given_name, family_name, email, phone, birth_date, locale,"
        "  created_at, updated_at)"
        " select id, given, family, email, phone, birth, $2, now() - make_interval(days => 200 - "
        "n),"
        "  now() - make_interval(days => 200 - n)"
        " from jsonb_to_recordset($1::jsonb) r(id uuid, given text, family text, email text,"
        "  phone text, birth date, n int)";
    for (int i = 0; i < DEMO_CLIENTS; i++) {
        struct demo_client c;
        demo_people_client(f->practice->first_client + i, &c);
        new_id(f->clients[i]);
        row_begin(f);
        row_text(f, "id", f->clients[i]);
        row_text(f, "given", c.given);
        row_text(f, "family", c.family);
        row_text(f, "email", c.email);
        row_text(f, "phone", c.phone);
        row_text(f, "birth", c.birth);
        row_end(f, "n", i);
    }
    return send_rows(f, sql, f->practice->spec.locale);
}

static void add_appointment(struct filling *f, int day, int minute, int staff, unsigned service)
{
    char id[UUID_TEXT];
    new_id(id);
    /* 37 steps through 60 clients: nobody comes twice before all others came, so nobody is in two places. */
    int client = f->picked++ * 37 % DEMO_CLIENTS;
    row_begin(f);
    row_text(f, "id", id);
    row_text(f, "client", f->clients[client]);
    row_text(f, "service", f->services[service]);
    row_text(f, "staff", f->staff[staff]);
    sbuf_fmt(&f->json, "\"day\":%d,\"minute\":%d,", day, minute);
    row_end(f, "luck", (int)random_below(f, 100));
}

/* Percent of the free time that is booked: past days nearly full, the coming ones less and less. */
static unsigned occupation(int day)
{
    return day <= 2 ? 72 : (unsigned)(72 - 3 * day);
}

/* One person's day, from opening to closing; minute is when the chair is free. */
static void fill_day(struct filling *f, int day, int staff, int closes)
{
    const struct demo_practice *p = f->practice;
    for (int minute = p->opens_min; minute < closes;) {
        unsigned service = random_below(f, (unsigned)f->service_count);
        const struct demo_service *s = &p->services[service];
        int end = minute + s->duration_min + s->buffer_after_min;
        bool over_lunch = minute < p->lunch_to_min && end > p->lunch_from_min;
        if (over_lunch && minute >= p->lunch_from_min) {
            minute = p->lunch_to_min;
        } else if (over_lunch || end > closes || random_below(f, 100) >= occupation(day)) {
            minute += 2 * GRID;
        } else {
            add_appointment(f, day, minute, staff, service);
            minute = (end + GRID - 1) / GRID * GRID;
        }
    }
}

static void lay_out_agenda(struct filling *f, int weekday)
{
    for (int day = -DAYS_BACK; day <= DAYS_AHEAD; day++) {
        int on = (weekday - 1 + day + 7 * DAYS_BACK) % 7 + 1; /* 1 Monday .. 7 Sunday */
        int closes = on == 6 ? f->practice->saturday_closes_min : f->practice->closes_min;
        for (int staff = 0; on != 7 && staff < f->staff_count; staff++) {
            fill_day(f, day, staff, closes);
        }
    }
}

/* What became of each visit follows from the clock and its luck. */
static const char appointment_sql[] =
    "insert into appointment(id, client_id, client_name, service_id, service_name, staff_id,"
    " staff_name, state, starts_at, ends_at, local_start, local_end, time_zone, buffer_before_min,"
    " buffer_after_min, price_minor, currency, cancelled_by, cancel_reason, version, created_at, "
    "updated_at, policy)"
    " select r.id, r.client, c.name, r.service, s.name, r.staff, p.name, o.state, t.starts_at,"
    "  t.ends_at, l.starts,"
    "  t.ends_at at time zone $2, $2, s.buffer_before_min, s.buffer_after_min, s.price_minor,"
    "  s.currency, case o.state when 'cancelled' then 'client' end,"
    "  case o.state when 'cancelled' then 'El cliente avisó que no podía venir' end,"
    "  case o.state when 'completed' then 4 when 'in_progress' then 3 when 'confirmed' then 1"
    "   else 2 end,"
    "  b.created_at, case o.state when 'completed' then t.ends_at"
    "   when 'in_progress' then t.starts_at when 'no_show' then t.starts_at + interval '15 min'"
    "   when 'cancelled' then b.cancelled_at else b.created_at end,"
    "  (select rules from booking_policy)"
    " from jsonb_to_recordset($1::jsonb) r(id uuid, client uuid, service uuid, staff uuid,"
    "   day int, minute int, luck int)"
    " join client c on c.id = r.client join service s on s.id = r.service"
    " join staff p on p.id = r.staff"
    " cross join lateral (select ((now() at time zone $2)::date + r.day)"
    "   + make_interval(mins => r.minute) as starts) l"
    " cross join lateral (select l.starts at time zone $2 as starts_at,"
    "   (l.starts at time zone $2) + make_interval(mins => s.duration_min) as ends_at) t"
    " cross join lateral (select case when r.luck < 7 then 'cancelled'"
    "   when t.starts_at > now() then 'confirmed' when t.ends_at > now() then 'in_progress'"
    "   when r.luck < 13 then 'no_show' else 'completed' end as state) o"
    " cross join lateral (select least(t.starts_at - make_interval(days => 2 + r.luck % 12),"
    "   now() - make_interval(days => 2, mins => r.luck)) as created_at) a"
    " cross join lateral (select a.created_at, greatest(a.created_at + interval '1 hour',"
    "   least(t.starts_at - interval '1 day', now() - interval '2 hours')) as cancelled_at) b";

static const char event_sql[] =
    "insert into appointment_event(appointment_id, seq, at, actor_kind, actor_id, from_state,"
    " to_state)"
    " select a.id, e.seq, e.at, e.actor, case e.actor when 'staff' then a.staff_id end,"
    "  e.from_state, e.to_state from appointment a"
    " cross join lateral (values"
    "  (1, a.created_at, 'staff', null, 'confirmed', true),"
    "  (2, a.starts_at - interval '5 min', 'staff', 'confirmed', 'checked_in',"
    "   a.state in ('in_progress', 'completed')),"
    "  (3, a.starts_at, 'staff', 'checked_in', 'in_progress',"
    "   a.state in ('in_progress', 'completed')),"
    "  (4, a.ends_at, 'staff', 'in_progress', 'completed', a.state = 'completed'),"
    "  (2, a.updated_at, 'staff', 'confirmed', 'no_show', a.state = 'no_show'),"
    "  (2, a.updated_at, 'client', 'confirmed', 'cancelled', a.state = 'cancelled'))"
    " e(seq, at, actor, from_state, to_state, happened) where e.happened";

/* Time is taken for every visit that was not cancelled, buffers included; the client's own time without them. One
 * visit has one allocation here, so the visit's id serves for both. */
static const char allocation_sql[] =
    "insert into allocation(id, resource_id, busy, kind, appointment_id)"
    " select id, staff_id,"
    "  tstzrange(starts_at - make_interval(mins => buffer_before_min),"
    "   ends_at + make_interval(mins => buffer_after_min)), 'visit', id"
    " from appointment where state <> 'cancelled'";

static const char client_busy_sql[] =
    "insert into client_busy(appointment_id, client_id, busy)"
    " select id, client_id, tstzrange(starts_at, ends_at) from appointment"
    " where state <> 'cancelled'";

static enum err fill_agenda(struct filling *f)
{
    char weekday[8];
    const char *zone = f->practice->spec.time_zone;
    PGresult *r;
    TRY(pg_ask(f->db, "select extract(isodow from now() at time zone $1)::int", 1, &zone, &r,
               f->why));
    int64_t today = 1;
    enum err e = str_copy(slice_of(PQgetvalue(r, 0, 0)), weekday, sizeof(weekday));
    PQclear(r);
    TRY(e);
    TRY(str_int(slice_of(weekday), 1, 7, &today));
    lay_out_agenda(f, (int)today);
    TRY(send_rows(f, appointment_sql, zone));
    TRY(pg_do(f->db, event_sql, 0, NULL, f->why));
    TRY(pg_do(f->db, allocation_sql, 0, NULL, f->why));
    return pg_do(f->db, client_busy_sql, 0, NULL, f->why);
}

static enum err fill_all(struct filling *f, const char *owner_id)
{
    TRY(fill_business(f));
    TRY(fill_rules(f));
    TRY(fill_staff(f, owner_id));
    TRY(fill_services(f));
    TRY(fill_clients(f));
    return fill_agenda(f);
}

enum err demo_fill(PGconn *c, const struct practice_made *made, void *context, struct sbuf *why)
{
    const struct demo_practice *practice = context;
    struct filling f = { .db = c, .practice = practice, .why = why };
    f.random = str_hash(slice_of(practice->spec.slug));
    sbuf_init(&f.json);
    enum err e = fill_all(&f, made->owner_id);
    sbuf_fini(&f.json);
    return e;
}
