/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a start opens or reserves on the host before the emulator runs: descriptors it inherits,
 * display ports, directories. Everything is given back by resources_release() unless the start
 * succeeded. Worker that runs the start.
 */
#pragma once

#include "conf/domain.h"
#include "drivers/qemu/cmdline.h"
#include "util/spawn.h"

typedef struct Resources {
    GArray *fds;       /* SpawnFd; 'fd' is ours to close, except the monitor's */
    int monitor_fd;    /* borrowed */
    GPtrArray *unlink; /* paths of sockets that we made */
    GArray *ports;     /* uint32_t: reserved display ports */
    int next_target;
} Resources;

void resources_init(Resources *r, int monitor_fd);
/* QemuCmdlineContext.fd; opaque is the Resources. */
int resources_fd(void *opaque, QemuFdRole role, const Device *dev, unsigned index, GError **err);
/* Chooses display ports for graphics that leave them open, in the definition. */
bool resources_assign_ports(Resources *r, DomainDef *def, GError **err);
/* The child has its copies: ours must not keep its sockets alive. */
void resources_close_fds(Resources *r);
/* Removes a listening socket of a run, and the run's directory of channels with the last of them. */
void resources_remove_socket(const char *path);
/* failed: removes what was made. Ports are free again either way when the guest ends: see
 * resources_free_ports(). */
void resources_release(Resources *r, bool failed);
/* The ports that this definition's guest used. */
void resources_free_ports(const DomainDef *def);
/* After a restart of ours: they are in use. */
void resources_note_ports(const DomainDef *def);
