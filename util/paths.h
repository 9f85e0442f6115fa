/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where things are on this host. One place builds every path, so that a scratch root (MODVIRT_ROOT
 * or --root) moves all of them: sandboxes, tests and session daemons need nothing else. MODVIRT_ROOT
 * changes our own state, run, cache, log and config directories, never those of the host (/proc,
 * /sys, /usr). With no scratch root the directories are those of today's hosts: SYSCONFDIR/libvirt,
 * LOCALSTATEDIR/lib/libvirt, RUNDIR/libvirt, LOCALSTATEDIR/cache/libvirt, LOCALSTATEDIR/log/libvirt;
 * a session daemon (uid != 0) uses the XDG directories.
 * Set up once by paths_init() before threads; read-only afterwards.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct Paths {
    char *root;     /* NULL: none */
    bool session;   /* unprivileged, per-user daemon */
    char *etc;      /* .../etc/libvirt */
    char *lib;      /* .../var/lib/libvirt */
    char *run;      /* .../run/libvirt: sockets, pid files, status */
    char *cache;    /* .../var/cache/libvirt */
    char *log;      /* .../var/log/libvirt */
    char *modules;  /* where driver modules are (MODVIRT_MODULE_DIR or the installed one) */
    char *libexec;  /* helpers such as virt-launch (MODVIRT_LIBEXEC_DIR or the installed one) */
} Paths;

bool paths_init(const char *root, bool session, GError **err);
const Paths *paths(void);
/* mkdir -p with a mode for the last component. */
bool path_make_dir(const char *path, unsigned mode, GError **err);
/* One file name (domain, pool, …) that is safe as a path component: not empty, no '/', not "." or
 * "..", at most 255 bytes with suffix, valid UTF-8 without control characters. */
bool path_component_ok(const char *name, const char *suffix, GError **err);
