/* SPDX-License-Identifier: LicenseRef-Gremio */
/* One line that says what it is about, the link in a line of its own: messengers make a link of it wherever it stands. */
#include "worker/link_text.h"

#include <time.h>

#include "common/clock.h"

static const char *const days[2][7] = {
    { "domingo", "lunes", "martes", "miércoles", "jueves", "viernes", "sábado" },
    { "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday" },
};

static const char *const months[2][12] = {
    { "enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre",
      "octubre", "noviembre", "diciembre" },
    { "January", "February", "March", "April", "May", "June", "July", "August", "September",
      "October", "November", "December" },
};

void link_text_time(struct sbuf *out, enum lang lang, const char *local)
{
    int64_t us;
    struct tm at;
    if (clock_parse_pg(slice_of(local), &us) != OK) {
        return;
    }
    time_t s = (time_t)(us / 1000000);
    if (!gmtime_r(&s, &at)) {
        return;
    }
    sbuf_fmt(out, lang == LANG_ES ? "%s %d de %s de %d, %02d:%02d" : "%s %d %s %d, %02d:%02d",
             days[lang][at.tm_wday], at.tm_mday, months[lang][at.tm_mon], at.tm_year + 1900,
             at.tm_hour, at.tm_min);
}

void link_text_write(struct sbuf *out, enum lang lang, const struct link_words *w)
{
    bool es = lang == LANG_ES;
    sbuf_fmt(out, es ? "Hola, %s: " : "Hello %s, ", w->given_name);
    if (w->local_start) {
        sbuf_fmt(out, es ? "su cita en %s es: %s, " : "your appointment at %s: %s, ", w->practice,
                 w->service);
        link_text_time(out, lang, w->local_start);
        sbuf_text(out, es ? ". Véala aquí:\n" : ". See it here:\n");
    } else {
        sbuf_fmt(out, es ? "vea aquí sus citas en %s:\n" : "see your appointments at %s here:\n",
                 w->practice);
    }
    sbuf_text(out, w->url);
}

void link_text_whatsapp(struct sbuf *out, const char *phone, struct slice text)
{
    sbuf_text(out, "https://wa.me/");
    for (; phone && *phone; phone++) {
        if (*phone >= '0' && *phone <= '9') {
            sbuf_char(out, *phone);
        }
    }
    sbuf_text(out, "?text=");
    sbuf_percent(out, text);
}
