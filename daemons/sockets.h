/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The local sockets of a daemon: bound here or passed by systemd. Loop thread. */
#pragma once

#include "daemons/daemon.h"

/* Makes the servers listen. */
Sockets *sockets_open(Daemon *d, GError **err);
Sockets *sockets_free(Sockets *s);
/* Takes our socket files out of the clients' sight, and back: while they are away, no new connection
 * can come in unseen. Sockets of systemd stay where they are, it keeps what arrives. */
void sockets_hide(Sockets *s, bool hide);
