/* SPDX-License-Identifier: LicenseRef-Gremio */
/* QR codes (ISO/IEC 18004) as SVG: black on white with the quiet zone of four modules, whatever the page's colours are. */
#ifndef GREMIO_QR_H
#define GREMIO_QR_H

#include "common/err.h"
#include "common/sbuf.h"

#define QR_TEXT_MAX 1000 /* bytes; longer codes are hard to read with a phone */

/* Appends one <svg> element that shows text (bytes as they are, error correction M); title is its name for screen readers.
 * E_BAD_REQUEST when text is longer than QR_TEXT_MAX, E_NOMEM without memory: out is not to be used then. */
MUST_USE enum err qr_svg(const char *text, const char *title, struct sbuf *out);

#endif
