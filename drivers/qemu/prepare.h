/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From what a document says to what this run has: names of devices and block nodes, memory rounded
 * to what machines can have, paths that depend on the run. */
#pragma once

#include "conf/domain.h"
#include "drivers/qemu/caps.h"

typedef struct QemuRun {
    int id;
    bool resumes; /* a guest that ran before, elsewhere or in a file: nothing new for it */
    const char *channel_dir; /* parent of the sockets of virtio channels; NULL: they get no path */
    const char *nvram_dir;   /* NULL: "/var/lib/libvirt/qemu/nvram" */
    const char *const *firmware_dirs; /* as for firmware_files() */
} QemuRun;

/* Changes d, the live definition of a run that is about to start. Before qemu_cmdline_build(). */
bool qemu_prepare_run(DomainDef *d, const QemuCaps *caps, const QemuRun *run, GError **err);
/* Its part about the processor: what the document leaves to the host is made definite. */
bool qemu_prepare_cpu(DomainDef *d, const QemuCaps *caps, GError **err);
/* "3-name", the name cut to 20 characters so that socket paths stay short: the last part of private
 * directories. */
char *qemu_short_name(int id, const char *name);
/* Where a channel on a unix socket listens, if its document does not say: below parent, by run and name. */
void qemu_channel_path(ChrDef *c, int id, const char *domain, const char *parent);
/* The host side of any device that has one; NULL for others. */
const ChrSource *qemu_chr_source(const Device *dev);
