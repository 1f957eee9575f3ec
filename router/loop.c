/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The fixes of 2.1.12-stable-8+deb12u1 came together; the one that shows without a connection is that a field value with a
 * line break in it is refused. */
#include "router/loop.h"

#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <sys/queue.h>

#define OLDEST 0x02010c00u /* 2.1.12 */

static bool has_fixes(void)
{
    struct evkeyvalq fields;
    TAILQ_INIT(&fields);
    bool refused = evhttp_add_header(&fields, "x", "a\r\n b") < 0;
    evhttp_clear_headers(&fields);
    return refused;
}

enum err loop_floor(struct sbuf *why)
{
    unsigned version = event_get_version_number();
    if (version > OLDEST || (version == OLDEST && has_fixes())) {
        return OK;
    }
    sbuf_fmt(why,
             "libevent %s lacks the fixes of Debian's 2.1.12-stable-8+deb12u1 (apt-get install "
             "libevent-2.1-7)",
             event_get_version());
    return E_CONFIG;
}
