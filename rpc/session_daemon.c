/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Starting another daemon of the same user (see the header). It lives on when we end, and ends by itself when nobody
 * needs it. Holds no state; any thread.
 */
#define LOG_SOURCE "rpc.session_daemon"
#include "rpc/session_daemon.h"

#include <glib.h>
#include <unistd.h>

#include "util/log.h"
#include "util/pidref.h"
#include "util/spawn.h"

/* Where clients find the daemons of a session, too; NULL: it is not installed. */
static char *program_of_daemon(const char *daemon)
{
    const char *dir = g_getenv("LIBVIRTD_PATH");
    g_autofree char *self = dir ? NULL : g_file_read_link("/proc/self/exe", NULL);
    g_autofree char *ours = self ? g_path_get_dirname(self) : NULL;
    g_autofree char *path = dir || ours ? g_build_filename(dir ? dir : ours, daemon, NULL) : NULL;

    return path && access(path, X_OK) == 0 ? g_steal_pointer(&path) : NULL;
}

bool session_daemon_start(const char *daemon)
{
    g_autofree char *path = program_of_daemon(daemon);
    g_autoptr(GError) error = NULL;
    const char *const argv[] = { path, "--timeout", "120", NULL };
    const Spawn spawn = { .argv = argv, .envp = (const char *const *)environ, .in = -1, .out = -1, .err = -1,
                          .new_session = true, .memlock = -1 };
    PidRef child = PIDREF_NONE;

    if (!path)
        return false;
    if (!spawn_start(&spawn, &child, &error)) {
        log_warn("cannot start %s: %s", path, error->message);
        return false;
    }
    pidref_done(&child);
    return true;
}
