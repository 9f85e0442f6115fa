/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Leaving when there is nothing to do. Loop thread. */
#pragma once

#include "daemons/daemon.h"

Idle *idle_new(Daemon *d, unsigned timeout_sec);
Idle *idle_free(Idle *i);
/* Something that counts has changed: look again. */
void idle_update(Idle *i);
void idle_set_timeout(Idle *i, unsigned timeout_sec); /* 0: stay */
