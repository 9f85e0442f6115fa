/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the tools of tests/conformance know of an emulator that is only a name and a list of flags. */
#include "drivers/qemu/recorded.h"

#include <string.h>

const char *recorded_emulator_path(void *opaque, const char *arch)
{
    static char path[64];
    g_snprintf(path, sizeof(path), "/usr/bin/qemu-system-%s", arch && !strcmp(arch, "i686") ? "i386" : arch);
    return path;
}

void recorded_set_flags(QemuCaps *c, const char *flags)
{
    g_auto(GStrv) names = g_strsplit(flags, ",", -1);
    for (char **n = names; *n; n++) {
        QemuCap cap = qemu_cap_from_identifier(*n);
        if (cap < QEMU_CAP_N_)
            qemu_caps_set(c, cap);
    }
}

/* An emulator that is only a list of flags, with the usual default machine of its architecture. */
QemuCaps *recorded_caps_of_flags(const char *arch, const char *flags)
{
    static const char *const machines[][2] = {
        { "x86_64", "pc" }, { "i686", "pc" }, { "aarch64", "virt" }, { "armv7l", "virt" }, { "ppc64", "pseries" },
        { "ppc64le", "pseries" }, { "s390x", "s390-ccw-virtio" }, { "riscv64", "virt" }, { "riscv32", "virt" },
    };
    QemuCaps *c = qemu_caps_new(recorded_emulator_path(NULL, arch), arch);
    recorded_set_flags(c, flags);
    if (strcmp(arch, "x86_64") == 0 || strcmp(arch, "i686") == 0 || strcmp(arch, "aarch64") == 0)
        qemu_caps_set(c, QEMU_CAP_NO_ACPI); /* never asked, known by the architecture */
    for (unsigned i = 0; i < G_N_ELEMENTS(machines); i++) {
        if (strcmp(arch, machines[i][0]) != 0)
            continue;
        for (unsigned a = 0; a < QEMU_ACCEL_N_; a++)
            qemu_caps_add_machine(c, a, machines[i][1])->is_default = true;
    }
    return c;
}
