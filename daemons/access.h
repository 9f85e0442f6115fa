/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Access control and polkit of a daemon: from configuration to the parts of rpc. Loop thread. */
#pragma once

#include "daemons/daemon.h"

/* After the servers are there and before they listen. */
bool access_open(Daemon *d, GError **err);
/* The configuration was read again. Which backends there are stays until a restart; what they read is
 * read again. */
void access_reread(Daemon *d);
/* The workers have ended, the servers are gone. */
void access_close(Daemon *d);
