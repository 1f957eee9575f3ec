/* SPDX-License-Identifier: LicenseRef-Gremio */
/* libical parses and steps through yearly rules; what it makes of an event is copied out, so that nothing of it outlives the call. */
#include "worker/ical_days.h"

#include <libical/ical.h>
#include <stdio.h>
#include <stdlib.h>

#define SPAN_MAX 731 /* days, as of any exception */

static void date_text(struct icaltimetype t, char out[11])
{
    char text[40];
    snprintf(text, sizeof(text), "%04d-%02d-%02d", t.year, t.month, t.day);
    memcpy(out, text, 10);
    out[10] = '\0';
}

/* libical takes "2027020v" for the 0th of February. */
static bool is_day(struct icaltimetype t)
{
    return !icaltime_is_null_time(t) && t.is_date && t.year >= 1970 && t.year < 2200 &&
           t.month >= 1 && t.month <= 12 && t.day >= 1 &&
           t.day <= icaltime_days_in_month(t.month, t.year);
}

/* Without control characters, cut at a character. */
static void copy_text(const char *text, char *out, size_t cap)
{
    struct slice s = slice_of(text ? text : "");
    s.n = size_min(s.n, cap);
    while (s.n > 0 && !str_utf8_valid(s)) {
        s.n--;
    }
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        out[i] = c < 0x20 || c == 0x7f ? ' ' : s.p[i];
    }
    out[s.n] = '\0';
}

static enum err skip(struct ical_days *out, const char *uid, const char *why)
{
    if (out->skipped_count == ICAL_DAYS_MAX) {
        return E_LIMIT;
    }
    struct ical_skipped *s = &out->skipped[out->skipped_count++];
    copy_text(uid, s->uid, ICAL_DAYS_UID_MAX);
    s->why = why;
    return OK;
}

/* What one event says. */
struct event {
    const char *uid, *summary;
    struct icaltimetype first;
    int days;
    bool gone, yearly;
    struct icalrecurrencetype rule;
};

struct bounds {
    const char *from, *to;
    struct ical_days *out;
};

/* One occurrence, if it is within bounds. */
static enum err keep(const struct bounds *b, const struct event *e, struct icaltimetype first)
{
    struct icaltimetype last = first;
    char from[11], to[11];
    icaltime_adjust(&last, e->days - 1, 0, 0, 0);
    date_text(first, from);
    date_text(last, to);
    if (!is_day(last) || strcmp(to, b->from) < 0 || strcmp(from, b->to) >= 0) {
        return OK;
    }
    if (b->out->count == ICAL_DAYS_MAX) {
        return E_LIMIT;
    }
    struct ical_day *d = &b->out->rows[b->out->count++];
    *d = (struct ical_day){ .gone = e->gone };
    snprintf(d->uid, sizeof(d->uid), e->yearly ? "%s/%s" : "%s", e->uid, from);
    memcpy(d->first, from, sizeof(from));
    memcpy(d->last, to, sizeof(to));
    copy_text(e->summary, d->reason, ICAL_DAYS_REASON_MAX);
    return OK;
}

static bool is_empty(const short *list)
{
    return list[0] == ICAL_RECURRENCE_ARRAY_MAX;
}

/* Some month of the rule has that day; from its end too. */
static bool has_day(const struct icalrecurrencetype *r, int day)
{
    bool has = is_empty(r->by_month) && abs(day) >= 1 && abs(day) <= 31;
    for (int i = 0; r->by_month[i] != ICAL_RECURRENCE_ARRAY_MAX; i++) {
        int month = r->by_month[i];
        has |= month >= 1 && month <= 12 && abs(day) >= 1 &&
               abs(day) <= icaltime_days_in_month(month, 2000);
    }
    return has;
}

/* Of a yearly rule: it comes true again and again. libical looks for the next time of one that never does until the end of its calendar, which takes long: what
 * holidays have is followed (a month, a day of it, the nth of a weekday), nothing else. */
static bool is_followed(const struct icalrecurrencetype *r)
{
    bool plain = r->freq == ICAL_YEARLY_RECURRENCE && !r->rscale && r->interval == 1 &&
                 is_empty(r->by_second) && is_empty(r->by_minute) && is_empty(r->by_hour) &&
                 is_empty(r->by_year_day) && is_empty(r->by_week_no) && is_empty(r->by_set_pos);
    bool days = !is_empty(r->by_month_day);
    for (int i = 0; plain && r->by_month_day[i] != ICAL_RECURRENCE_ARRAY_MAX; i++) {
        plain = has_day(r, r->by_month_day[i]);
    }
    for (int i = 0; plain && r->by_day[i] != ICAL_RECURRENCE_ARRAY_MAX; i++) {
        int nth = abs(icalrecurrencetype_day_position(r->by_day[i]));
        plain = nth == 0 || (!days && nth <= 4);
    }
    return plain;
}

/* Ends with the bounds: a rule that goes on for ever is followed to there, and a hundred years at most. */
static enum err keep_yearly(const struct bounds *b, const struct event *e)
{
    if (b->out->yearly++ == ICAL_DAYS_YEARLY_MAX) {
        return E_LIMIT;
    }
    icalrecur_iterator *i = icalrecur_iterator_new(e->rule, e->first);
    enum err err = i ? OK : skip(b->out, e->uid, "recurrence");
    for (int n = 0; i && err == OK && n < 400; n++) {
        struct icaltimetype t = icalrecur_iterator_next(i);
        char from[11];
        if (!is_day(t)) {
            break;
        }
        date_text(t, from);
        if (strcmp(from, b->to) >= 0) {
            break;
        }
        err = keep(b, e, t);
    }
    if (i) {
        icalrecur_iterator_free(i);
    }
    return err;
}

static const char *text_of(icalcomponent *c, icalproperty_kind kind)
{
    icalproperty *p = icalcomponent_get_first_property(c, kind);
    icalvalue *v = p ? icalproperty_get_value(p) : NULL;
    return v && icalvalue_isa(v) == ICAL_TEXT_VALUE ? icalvalue_get_text(v) : NULL;
}

/* DTEND of whole days does not count (RFC 5545 3.6.1); without one it is one day, or DURATION. */
static int days_of(icalcomponent *c, struct icaltimetype first)
{
    icalproperty *end = icalcomponent_get_first_property(c, ICAL_DTEND_PROPERTY);
    icalproperty *length = icalcomponent_get_first_property(c, ICAL_DURATION_PROPERTY);
    if (end) {
        struct icaltimetype t = icalproperty_get_dtend(end);
        return is_day(t) ? (int)((icaltime_as_timet(t) - icaltime_as_timet(first)) / 86400) : -1;
    }
    if (length) {
        int s = icaldurationtype_as_int(icalproperty_get_duration(length));
        return s > 0 && s % 86400 == 0 ? s / 86400 : -1;
    }
    return 1;
}

static enum err take_event(icalcomponent *c, const struct bounds *b)
{
    icalproperty *start = icalcomponent_get_first_property(c, ICAL_DTSTART_PROPERTY);
    icalproperty *rule = icalcomponent_get_first_property(c, ICAL_RRULE_PROPERTY);
    icalproperty *status = icalcomponent_get_first_property(c, ICAL_STATUS_PROPERTY);
    char uid[ICAL_DAYS_UID_MAX + 1];
    const char *said = text_of(c, ICAL_UID_PROPERTY);
    struct event e = { .uid = uid, .summary = text_of(c, ICAL_SUMMARY_PROPERTY) };
    if (!said || !said[0] || strlen(said) > ICAL_DAYS_UID_MAX || !str_utf8_valid(slice_of(said))) {
        return skip(b->out, "", "no_uid");
    }
    copy_text(said, uid, ICAL_DAYS_UID_MAX);
    e.first = start ? icalproperty_get_dtstart(start) : icaltime_null_time();
    e.days = is_day(e.first) ? days_of(c, e.first) : -1;
    e.gone = status && icalproperty_get_status(status) == ICAL_STATUS_CANCELLED;
    if (e.days < 1) {
        return skip(b->out, uid, "not_whole_days");
    }
    if (e.days > SPAN_MAX) {
        return skip(b->out, uid, "too_long");
    }
    if (!rule) {
        return keep(b, &e, e.first);
    }
    e.rule = icalproperty_get_rrule(rule);
    e.yearly = is_followed(&e.rule);
    return e.yearly ? keep_yearly(b, &e) : skip(b->out, uid, "recurrence");
}

static enum err take_calendar(icalcomponent *c, const struct bounds *b)
{
    enum err e = OK;
    if (icalcomponent_isa(c) == ICAL_VEVENT_COMPONENT) {
        return take_event(c, b);
    }
    if (icalcomponent_isa(c) != ICAL_VCALENDAR_COMPONENT &&
        icalcomponent_isa(c) != ICAL_XROOT_COMPONENT) {
        return OK;
    }
    icalcompiter i = icalcomponent_begin_component(c, ICAL_ANY_COMPONENT);
    for (icalcomponent *part; e == OK && (part = icalcompiter_deref(&i)); icalcompiter_next(&i)) {
        e = take_calendar(part, b);
    }
    return e;
}

/* Parts that end before they begin, or lie a hundred deep in one another, are no calendar of anybody's. */
static bool is_sane(struct slice text)
{
    int deep = 0, deepest = 0;
    struct slice rest = text;
    while (rest.p && deep >= 0) {
        struct slice line = str_cut(&rest, '\n');
        deep += str_starts(line, SLICE("BEGIN:"));
        deep -= str_starts(line, SLICE("END:"));
        deepest = deep > deepest ? deep : deepest;
    }
    return text.n > 0 && text.n <= ICAL_DAYS_TEXT_MAX && deepest > 0 && deepest <= 4 && deep == 0 &&
           !memchr(text.p, '\0', text.n) && str_utf8_valid(text);
}

enum err ical_days_read(struct slice text, const char *from, const char *to, struct ical_days *out)
{
    const struct bounds b = { .from = from, .to = to, .out = out };
    out->count = out->skipped_count = out->yearly = 0;
    if (!is_sane(text)) {
        return E_BAD_REQUEST;
    }
    char *copy = strndup(text.p, text.n);
    icalerror_set_errors_are_fatal(false);
    icalcomponent *c = copy ? icalparser_parse_string(copy) : NULL;
    enum err e = copy ? E_BAD_REQUEST : E_NOMEM;
    if (c && (icalcomponent_isa(c) == ICAL_VCALENDAR_COMPONENT ||
              icalcomponent_isa(c) == ICAL_XROOT_COMPONENT)) {
        e = take_calendar(c, &b);
    }
    if (c) {
        icalcomponent_free(c);
    }
    free(copy);
    return e;
}
