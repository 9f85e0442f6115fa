/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A running guest's memory, or its whole state, in a file for people who look for faults. Workers, within
 * the domain's turn. */
#pragma once

#include "drivers/common/turn.h"

/* format: VIR_DOMAIN_CORE_DUMP_FORMAT_*; flags: VIR_DUMP_*. */
bool dump_guest(DomainTurn *t, const char *path, unsigned format, unsigned flags, GError **err);
/* To where qemu.conf wants dumps of guests that crashed. */
bool dump_guest_automatically(DomainTurn *t, GError **err);
