/* SPDX-License-Identifier: LicenseRef-Gremio */
/* "16:00-02:00" in SQL: what a T_SPANS lists is stored as a start and a length, and shown as it came. */
#ifndef GREMIO_SPANS_H
#define GREMIO_SPANS_H

/* starts, minutes of the text s.span: "16:00-02:00" is ten hours, "00:00-24:00" and "08:00-08:00" a whole day. */
#define SPANS_PARSED                                                                   \
    "split_part(s.span, '-', 1)::time, (mod((extract(epoch FROM"                       \
    " split_part(s.span, '-', 2)::time - split_part(s.span, '-', 1)::time) / 60)::int" \
    " + 1439, 1440) + 1)"
/* The text of columns starts and minutes. */
#define SPANS_TEXT                      \
    "to_char(starts, 'HH24:MI') || '-'" \
    " || to_char(starts + make_interval(mins => minutes), 'HH24:MI')"

#endif
