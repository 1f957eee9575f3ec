/* SPDX-License-Identifier: LicenseRef-Gremio */
/* libical owns what is added to a component; a text that it gives is freed by us. */
#include "worker/ical.h"

#include <libical/ical.h>
#include <stdlib.h>

/* Values are texts: RFC 5545 3.3.11 has no control characters but the line break. */
static char *clean(const char *text)
{
    char *copy = strdup(text);
    for (char *p = copy; p && *p; p++) {
        if (((unsigned char)*p < ' ' && *p != '\n') || *p == 0x7f) {
            *p = ' ';
        }
    }
    return copy;
}

typedef icalproperty *(*text_property_fn)(const char *text);

static bool add_text(icalcomponent *c, text_property_fn make, const char *text)
{
    char *copy = text ? clean(text) : NULL;
    icalproperty *p = copy ? make(copy) : NULL;
    free(copy);
    if (p) {
        icalcomponent_add_property(c, p);
    }
    return p || !text;
}

static bool add(icalcomponent *c, icalproperty *p)
{
    if (p) {
        icalcomponent_add_property(c, p);
    }
    return p != NULL;
}

static struct icaltimetype utc(int64_t s)
{
    return icaltime_from_timet_with_zone((time_t)s, 0, icaltimezone_get_utc_timezone());
}

static enum icalproperty_status status_of(const char *state)
{
    static const struct {
        const char *state;
        enum icalproperty_status status;
    } all[] = {
        { "held", ICAL_STATUS_TENTATIVE },
        { "requested", ICAL_STATUS_TENTATIVE },
        { "awaiting_client", ICAL_STATUS_TENTATIVE },
        { "awaiting_payment", ICAL_STATUS_TENTATIVE },
        { "cancelled", ICAL_STATUS_CANCELLED },
        { "declined", ICAL_STATUS_CANCELLED },
        { "expired", ICAL_STATUS_CANCELLED },
        { "no_show", ICAL_STATUS_CANCELLED },
    };
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        if (strcmp(all[i].state, state) == 0) {
            return all[i].status;
        }
    }
    return ICAL_STATUS_CONFIRMED;
}

static bool fill_event(icalcomponent *v, const struct ical_event *e)
{
    return add_text(v, icalproperty_new_uid, e->uid) &&
           add(v, icalproperty_new_dtstamp(utc(e->changed_s))) &&
           add(v, icalproperty_new_lastmodified(utc(e->changed_s))) &&
           add(v, icalproperty_new_sequence(e->sequence)) &&
           add(v, icalproperty_new_dtstart(utc(e->starts_s))) &&
           add(v, icalproperty_new_dtend(utc(e->ends_s))) &&
           add(v, icalproperty_new_status(status_of(e->state))) &&
           add_text(v, icalproperty_new_summary, e->summary) &&
           add_text(v, icalproperty_new_location, e->location);
}

/* A name of the calendar, and how often it is worth looking: an hour (RFC 7986 5.7). Older programs know the name as X-WR-CALNAME. */
static bool fill_head(icalcomponent *cal, const char *name)
{
    icalproperty *shown = icalproperty_new_x("");
    char *copy = clean(name);
    if (!shown || !copy) {
        free(copy);
        return false;
    }
    icalproperty_set_x_name(shown, "X-WR-CALNAME");
    icalproperty_set_value(shown, icalvalue_new_text(copy));
    free(copy);
    return add(cal, icalproperty_new_version("2.0")) &&
           add(cal, icalproperty_new_prodid("-//Gremio//Gremio//ES")) &&
           add(cal, icalproperty_new_method(ICAL_METHOD_PUBLISH)) && add(cal, shown) &&
           add(cal, icalproperty_new_from_string("REFRESH-INTERVAL;VALUE=DURATION:PT1H"));
}

static bool fill(icalcomponent *cal, const char *name, const struct ical_event *events, size_t n)
{
    if (!fill_head(cal, name)) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        icalcomponent *v = icalcomponent_new(ICAL_VEVENT_COMPONENT);
        if (!v) {
            return false;
        }
        icalcomponent_add_component(cal, v);
        if (!fill_event(v, &events[i])) {
            return false;
        }
    }
    return true;
}

enum err ical_write(const char *name, const struct ical_event *events, size_t n, struct sbuf *out)
{
    icalcomponent *cal = icalcomponent_new(ICAL_VCALENDAR_COMPONENT);
    char *text = cal && fill(cal, name, events, n) ? icalcomponent_as_ical_string_r(cal) : NULL;
    if (text) {
        sbuf_text(out, text);
    }
    free(text);
    if (cal) {
        icalcomponent_free(cal);
    }
    return text && !sbuf_failed(out) ? OK : E_NOMEM;
}
