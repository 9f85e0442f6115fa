/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What clients' key codes mean to the emulator. */
#include "drivers/qemu/keycodes.h"

#include "util/error.h"

typedef struct Case {
    unsigned codeset, code;
    int number; /* -1: there is no such key */
} Case;

static const Case cases[] = {
    { VIR_KEYCODE_SET_LINUX, 30, 30 },      /* KEY_A */
    { VIR_KEYCODE_SET_LINUX, 111, 211 },    /* KEY_DELETE */
    { VIR_KEYCODE_SET_LINUX, 524, 0 },      /* KEY_RFKILL: on no PC keyboard */
    { VIR_KEYCODE_SET_LINUX, 266, -1 },
    { VIR_KEYCODE_SET_LINUX, 999, -1 },
    { VIR_KEYCODE_SET_XT, 0x1e, 0x1e },
    { VIR_KEYCODE_SET_ATSET1, 0xe053, 0xd3 },
    { VIR_KEYCODE_SET_ATSET1, 0x153, -1 },
    { VIR_KEYCODE_SET_XT_KBD, 0x153, 0xd3 },
    { VIR_KEYCODE_SET_XT_KBD, 0xe053, -1 },
    { VIR_KEYCODE_SET_XT, 0xd3, -1 },
    { VIR_KEYCODE_SET_XT, 0xe0d3, -1 },
    { VIR_KEYCODE_SET_ATSET2, 28, 30 },
    { VIR_KEYCODE_SET_ATSET2, 0xe071, 211 },
    { VIR_KEYCODE_SET_ATSET3, 28, 30 },
    { VIR_KEYCODE_SET_OSX, 0, 30 },
    { VIR_KEYCODE_SET_USB, 4, 30 },
    { VIR_KEYCODE_SET_USB, 3, -1 },
    { VIR_KEYCODE_SET_WIN32, 0x41, 30 },
    { VIR_KEYCODE_SET_WIN32, 0x2e, 211 },
    { VIR_KEYCODE_SET_QNUM, 211, 211 },
    { VIR_KEYCODE_SET_QNUM + 1, 1, -1 },
    { 0xffffffff, 0xffffffff, -1 },
};

int main(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        unsigned number = 0;
        bool ok = keycode_number(cases[i].codeset, cases[i].code, &number, &error);
        g_assert_cmpint(ok ? (int)number : -1, ==, cases[i].number);
        g_assert_true(ok == !error);
    }
    /* Runs ascend without overlap, or a code behind one would not be found. */
    for (unsigned s = 0; s < G_N_ELEMENTS(key_tables); s++)
        for (unsigned i = 1; i < key_tables[s].n; i++)
            g_assert_cmpuint(key_tables[s].runs[i].first, >=, key_tables[s].runs[i - 1].first + key_tables[s].runs[i - 1].n);
    return 0;
}
