/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What generated client stubs need of a client: one synchronous call. libclient implements it;
 * tests may implement it with a table.
 */
#pragma once

#include "protocols/proc.h"

typedef struct ClientCall ClientCall;

/* Sends args (NULL without) and decodes the reply into ret (NULL without; all zero before, to be
 * freed with proc_free() after success). False with *err: the peer's error or a failure to talk. */
struct ClientCall {
    bool (*call)(void *self, const ProgramInfo *program, const ProcInfo *proc, const void *args, void *ret,
                 GError **err);
    void *self;
};
