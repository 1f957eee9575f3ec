/* SPDX-License-Identifier: LicenseRef-Gremio */
/* One parameter is known, since it changes nothing: all text is UTF-8. */
#include "common/media.h"

#include "common/str.h"

bool media_is(struct slice type, struct slice name)
{
    struct slice rest = type;
    struct slice media = str_trim(str_cut(&rest, ';'));
    struct slice parameter = str_trim(rest);
    return str_ieq(media, name) &&
           (parameter.n == 0 || str_ieq(parameter, SLICE("charset=utf-8")) ||
            str_ieq(parameter, SLICE("charset=\"utf-8\"")));
}
