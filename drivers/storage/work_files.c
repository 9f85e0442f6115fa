/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The process that works on files (work.c) needs no library: its row is that of directories. */
#include "drivers/storage/library.h"

const PoolBackend *const work_row = &backend_dir;
