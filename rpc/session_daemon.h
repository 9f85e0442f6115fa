/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A user's daemons have no service manager that listens for them: who needs another one, starts it, as clients start
 * the first.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* How long one that was started may take until it listens. */
enum { SESSION_DAEMON_PATIENCE_USEC = 15 * 1000000 };

/* True: it will listen soon. False: it is not installed, or could not be started, which the log says. Several at the
 * same time do no harm: only one gets the socket. Any thread; does not wait. */
bool session_daemon_start(const char *daemon);
