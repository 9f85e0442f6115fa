/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Text from outside (text.h). Pure. */
#include "util/text.h"

#include <glib.h>

bool text_can_be_said(const char *text)
{
    if (!text)
        return true;
    if (!g_utf8_validate(text, -1, NULL))
        return false;
    for (const char *p = text; *p; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);
        if (g_unichar_iscntrl(c) || c == 0xfffe || c == 0xffff)
            return false;
    }
    return true;
}
