/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest's state as a stream: out of its emulator into a file (save, dump) and back. What moves it is
 * QEMU's migration; a job tells how far it is and may end it. Workers, within a turn.
 */
#pragma once

#include "drivers/common/job.h"
#include "drivers/qemu/image_io.h"
#include "drivers/qemu/qmp.h"

/* The state of a paused or running guest into io. After a failure the emulator has given up, too, and
 * the guest can go on. */
bool guest_state_out(Qmp *q, ImageIo *io, DomainJob *job, GError **err);
/* Into an emulator that waits for it. */
bool guest_state_in(Qmp *q, ImageIo *io, GError **err);
/* Ends whatever moves, for a guest that is found in the middle of it. */
bool guest_state_cancel(Qmp *q, GError **err);

/* Contents of the guest's memory, in one of QEMU's formats ("elf", "kdump-zlib", …), into fd. */
bool guest_memory_out(Qmp *q, int fd, const char *format, DomainJob *job, GError **err);
/* The formats that this emulator knows. */
bool guest_memory_has_format(Qmp *q, const char *format, bool *ret, GError **err);
/* Waits, not for ever, for a dump that is found under way: such a guest cannot go on. */
bool guest_memory_settle(Qmp *q, GError **err);
