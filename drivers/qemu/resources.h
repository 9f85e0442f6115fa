/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a start opens or reserves on the host before the emulator runs: descriptors it inherits,
 * display ports, sockets. Worker that runs the start.
 */
#pragma once

#include "conf/domain.h"
#include "drivers/qemu/cmdline.h"
#include "util/spawn.h"

typedef struct Guest Guest;
typedef struct Secrets Secrets;

typedef struct Resources {
    GArray *fds;    /* SpawnFd; 'fd' is ours to close */
    int monitor_fd; /* borrowed */
    int next_target;
    GArray *kept; /* KeptFd: made before the command line asks for them */
    Guest *guest;
    Secrets *secrets; /* secrets.h; NULL: none are needed any more */
} Resources;

/* guest: whose descriptors by name they are. */
void resources_init(Resources *r, Guest *guest);
/* QemuCmdlineContext.fd; opaque is the Resources. */
int resources_fd(void *opaque, QemuFdRole role, const Device *dev, unsigned index, GError **err);
/* QemuCmdlineContext.fd_group */
bool resources_fd_group(void *opaque, const char *name, GArray *fds, GError **err);
/* QemuCmdlineContext.secret */
bool resources_secret(void *opaque, const SecretRef *ref, const char *alias, char **ret_data, char **ret_iv, GError **err);
/* The emulator's end of what a helper serves for this device; taken. */
void resources_keep_fd(Resources *r, const Device *dev, int fd);
/* Whether it can, in this version. */
bool resources_can(QemuFdRole role);
/* The child has its copies: ours must not keep its sockets alive. */
void resources_close_fds(Resources *r);
void resources_release(Resources *r);
/* Chooses display ports for graphics that leave them open, in the definition. They belong to the run
 * with this id until it gives them back. */
bool resources_assign_ports(DomainDef *def, int id, GError **err);
void resources_free_ports(const DomainDef *def, int id);
/* After a restart of ours: they are in use. */
void resources_note_ports(const DomainDef *def, int id);
/* Is the port that the document names taken, by a guest or by anybody else? */
bool resources_port_free(uint32_t port, int id);
/* Removes a listening socket of a run, and the run's directory of channels with the last of them. */
void resources_remove_socket(const char *path);
