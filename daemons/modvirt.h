/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Our own procedures on the admin server. Loop thread. */
#pragma once

#include "daemons/daemon.h"
#include "protocols/modvirt_handlers.h"

extern const ModvirtHandlers modvirt_handlers;
void modvirt_init(Daemon *d);
