/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What goes out with a link: the words, the local time, and WhatsApp's link around them. */
#include <criterion/criterion.h>

#include "worker/link_text.h"

static struct sbuf out;

static void setup(void)
{
    sbuf_init(&out);
}

static void teardown(void)
{
    sbuf_fini(&out);
}

TestSuite(link_text, .init = setup, .fini = teardown);

static const struct link_words visit = {
    .given_name = "Ana",
    .practice = "Sonrisa & Co",
    .url = "https://g.example/i/x",
    .service = "Limpieza",
    .local_start = "2026-03-02 09:05:00",
};

Test(link_text, one_visit)
{
    link_text_write(&out, LANG_ES, &visit);
    cr_expect_str_eq(out.data,
                     "Hola, Ana: su cita en Sonrisa & Co es: Limpieza, lunes 2 de marzo de"
                     " 2026, 09:05. Véala aquí:\nhttps://g.example/i/x");
    sbuf_reset(&out, 0);
    link_text_write(&out, LANG_EN, &visit);
    cr_expect_str_eq(out.data,
                     "Hello Ana, your appointment at Sonrisa & Co: Limpieza, Monday 2 March"
                     " 2026, 09:05. See it here:\nhttps://g.example/i/x");
}

Test(link_text, all_visits)
{
    struct link_words all = visit;
    all.local_start = NULL;
    link_text_write(&out, LANG_ES, &all);
    cr_expect_str_eq(out.data,
                     "Hola, Ana: vea aquí sus citas en Sonrisa & Co:\nhttps://g.example/i/x");
}

Test(link_text, days_and_months)
{
    static const char *const local[] = { "2026-12-31 23:59:00", "2028-02-29 00:00:00",
                                         "2026-11-01 01:30:00" };
    static const char *const es[] = { "jueves 31 de diciembre de 2026, 23:59",
                                      "martes 29 de febrero de 2028, 00:00",
                                      "domingo 1 de noviembre de 2026, 01:30" };
    for (size_t i = 0; i < ARRAY_LEN(local); i++) {
        sbuf_reset(&out, 0);
        link_text_time(&out, LANG_ES, local[i]);
        cr_expect_str_eq(out.data, es[i]);
    }
    sbuf_reset(&out, 0);
    link_text_time(&out, LANG_ES, "tomorrow");
    cr_expect_eq(out.len, 0);
}

Test(link_text, whatsapp)
{
    link_text_whatsapp(&out, "+525512345678", SLICE("¿Hola, 50% & más?\nx=1#+"));
    cr_expect_str_eq(out.data, "https://wa.me/525512345678?text="
                               "%C2%BFHola%2C%2050%25%20%26%20m%C3%A1s%3F%0Ax%3D1%23%2B");
    sbuf_reset(&out, 0);
    link_text_whatsapp(&out, NULL, SLICE("a"));
    cr_expect_str_eq(out.data, "https://wa.me/?text=a");
}
