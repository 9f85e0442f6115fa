/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The documents that tell clients what guests can be had here. Any worker thread (emulators may be
 * probed).
 */
#pragma once

#include "drivers/qemu/caps.h"
#include "drivers/qemu/host.h"

/* virsh capabilities. */
char *qemu_capabilities_xml(GError **err);
/* The <guest> elements of one emulator. */
char *qemu_guest_caps_xml(const QemuCaps *caps, const char *emulator);

/* virsh domcapabilities. All may be NULL: this host's architecture, its emulator, the machine's
 * default, "kvm" when it is usable else "qemu". Unknown or contradicting values are refused. */
char *qemu_domain_capabilities(const char *emulator, const char *arch, const char *machine, const char *virt_type,
                               GError **err);
/* The same for given capabilities; for tests. machine must be one of caps'. loaders: firmware images
 * to offer, NULL-terminated; firmwares: "bios", "efi"; host_cpu is left out when caps has none. */
char *qemu_domain_capabilities_of(const QemuCaps *caps, const char *emulator, const char *machine, QemuAccel accel,
                                  const char *const *loaders, bool secure, const char *const *firmwares, GError **err);

/* virsh cpu-models ARCH; NULL-terminated. */
char **qemu_cpu_model_names(const char *arch, GError **err);
/* connectGetMaxVcpus for a type ("qemu", "kvm", NULL: kvm as today). */
int qemu_max_vcpus(const char *type, GError **err);
