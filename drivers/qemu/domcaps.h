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
/* The <guest> element of one emulator. */
char *qemu_guest_caps_xml(const QemuCaps *caps, const char *arch, const char *emulator, bool kvm);

/* virsh domcapabilities. All may be NULL: this host's architecture, its emulator, the machine's
 * default, "kvm" when it is usable else "qemu". Unknown or contradicting values are refused. */
char *qemu_domain_capabilities(const char *emulator, const char *arch, const char *machine, const char *virt_type,
                               GError **err);

/* Which emulator and accelerator a question is about: as above, every word may be NULL. *ret_emulator
 * (may be NULL) receives the path; machine is only checked. */
bool qemu_resolve_target(const char *emulator, const char *arch, const char *machine, const char *virt_type,
                         char **ret_emulator, QemuCaps **ret_caps, QemuAccel *ret_accel, GError **err);

/* What the host adds to what the emulator can do. */
typedef struct QemuHostOffer {
    char **loaders;      /* firmware images, NULL-terminated or NULL */
    bool firmware_bios, firmware_efi; /* automatic choice of firmware is possible */
    bool secure;         /* an image with secure boot is among them */
    bool vfio;           /* PCI devices can be assigned */
    char **tpm_versions; /* "1.2", "2.0" of the TPM emulator, NULL: none installed */
    const char *ppc_model; /* host's model on ppc64, NULL: other or unknown */
    bool same_arch;      /* guests of the emulator's architecture run on the host's processors */
} QemuHostOffer;
/* Generation of this host's processors on ppc64, NULL: another architecture or not known. */
const char *qemu_host_ppc_model(void);
void qemu_host_offer_clear(QemuHostOffer *o);
/* This host's, for guests of caps on that machine. */
void qemu_host_offer(QemuHostOffer *ret, const QemuCaps *caps, const char *machine);
/* Its firmware part, from the descriptors in dirs (NULL-terminated, the first hides the others). */
void qemu_host_offer_firmware(QemuHostOffer *o, const char *const *dirs, const char *arch, const char *machine);
/* Pure. machine: one of caps', NULL: the default one. */
char *qemu_domain_capabilities_of(const QemuCaps *caps, const char *emulator, const char *machine, QemuAccel accel,
                                  const QemuHostOffer *offer, GError **err);

/* virsh cpu-models ARCH; NULL-terminated. Empty: every name is accepted. */
char **qemu_cpu_model_names(const char *arch, GError **err);
/* connectGetMaxVcpus for a type ("qemu", "kvm", NULL: kvm as today). */
int qemu_max_vcpus(const char *type, GError **err);
