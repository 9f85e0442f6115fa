/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Translation of key codes. The scan code sets differ from the key numbers only in how they mark the
 * codes behind 0xe0, so they have no table: their codes are turned into numbers, and a number is
 * looked up among those that keys have. Pure, any thread.
 */
#include "drivers/qemu/keycodes.h"

#include "util/enum.h"
#include "util/error.h"

ENUM_TABLE(codeset_names, "key code set", VIR_KEYCODE_SET_QNUM + 1, "linux", "xt", "atset1", "atset2", "atset3",
                  "os_x", "xt_kbd", "usb", "win32", "qnum");

static bool find(const KeyTable *t, unsigned code, unsigned *ret)
{
    for (unsigned i = 0; i < t->n && t->runs[i].first <= code; i++) {
        const KeyRun *r = &t->runs[i];
        if (code - r->first < r->n) {
            *ret = r->number + (code - r->first) * r->step;
            return true;
        }
    }
    return false;
}

/* extended: what stands before the codes that follow 0xe0. */
static bool find_scan_code(unsigned code, unsigned extended, unsigned *ret)
{
    const KeyTable *t = &key_tables[VIR_KEYCODE_SET_QNUM];

    if (code < 0x80)
        return find(t, code, ret);
    return (code & ~0x7fu) == extended && find(t, (code & 0x7f) | 0x80, ret);
}

bool keycode_number(unsigned codeset, unsigned code, unsigned *ret, GError **err)
{
    const char *name = enum_name(&codeset_names, codeset);
    bool found;

    if (!name) {
        error_set(err, VIR_ERR_INVALID_ARG, "unknown key code set %u", codeset);
        return false;
    }
    switch (codeset) {
    case VIR_KEYCODE_SET_QNUM:
        *ret = code;
        return true;
    case VIR_KEYCODE_SET_XT:
    case VIR_KEYCODE_SET_ATSET1:
        found = find_scan_code(code, 0xe000, ret);
        break;
    case VIR_KEYCODE_SET_XT_KBD:
        found = find_scan_code(code, 0x100, ret);
        break;
    default:
        found = find(&key_tables[codeset], code, ret);
        break;
    }
    if (!found)
        error_set(err, VIR_ERR_INTERNAL_ERROR, "cannot translate keycode %u of %s codeset to qnum keycode", code, name);
    return found;
}
