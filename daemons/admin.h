/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The administration program as a daemon answers it. */
#pragma once

#include "daemons/daemon.h"
#include "protocols/admin_handlers.h"

/* What core_admin_handlers does not answer. */
extern const AdminHandlers admin_handlers;
/* The daemon that is administered; before its admin server serves. */
void admin_init(Daemon *d);
