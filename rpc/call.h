/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A Call as a driver's handler sees it. The dispatcher has done every check before a handler runs.
 * A handler runs on a worker (lane normal, priority) or on the loop thread (lane inline, where it
 * may not block). A Call belongs to the thread that runs its handler.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "protocols/proc.h"

uint64_t call_id(const Call *c);
const ProcInfo *call_proc(const Call *c);
bool call_readonly(const Call *c);
/* Absolute monotonic time in microseconds, UINT64_MAX without deadline. */
uint64_t call_deadline(const Call *c);
/* True once the client is gone or an administrator cancelled it. */
bool call_cancelled(const Call *c);
/* uid of whom the client acts for, -1 when not known. */
int64_t call_uid(const Call *c);
/* Whom the client acts for, as access control tells users apart: a word for what is bounded for each ("uid 1000"). NULL: root or our
 * own user. */
char *call_user(const Call *c);
/* The turn that the call holds lets queries run beside it from here on: for long operations. */
void call_share_turn(Call *c);
/* What the call waits for, shown in the call table; a static string, NULL: nothing. */
void call_set_waiting(Call *c, const char *what);

/* Around a wait for something outside that may be long and is nobody else's affair (a guest's agent). A
 * query gives up its share of the turn for good; its view stays as it is. The worker does not count. */
void call_wait_begin(Call *c, const char *what);
void call_wait_end(Call *c);

/* Appends to the answer as it goes over the wire, which then takes the place of the struct that the handler is
 * given: for thousands of records, each of which is best encoded and freed while it is at hand. */
bool call_answer_add(Call *c, xdrproc_t xdr, const void *part, GError **err);

/* Fd i that came with the call; ownership moves to the caller; -1 when there is none. */
int call_take_fd(Call *c, unsigned i);
/* Sends fd (ownership moves) with the reply. */
bool call_add_reply_fd(Call *c, int fd, GError **err);

/* Does the caller have the permission on this object? For list filters and documents whose content
 * depends on rights. */
typedef struct AclObject {
    ObjectKind kind;
    const char *name; /* may be NULL */
    const uint8_t *uuid;
    /* What only some kinds have: the pool of a volume, the network of a port; the key of a volume, the
     * MAC address of an interface, what a secret is for; "volume", "ceph", … of a secret. */
    const char *parent_name;
    const uint8_t *parent_uuid;
    const char *key, *usage_type;
} AclObject;
/* Never waits for long; on the loop thread, where it may not wait at all, a question that cannot be
 * answered from what is known counts as no and the dispatcher runs the call again on a worker. */
bool call_allows(Call *c, const AclObject *o, const char *perm);
/* For what takes a while and is rarely needed (reading a file): false on the loop thread. Then the
 * handler gives up, with any error; it is run again on a worker, and it is asked again. */
bool call_may_wait(Call *c);

/* The client's connection, to tie things to it (autodestroy). The callback runs on the loop thread
 * when the connection ends; false when it has ended already. Whoever no longer cares ignores it. */
uint64_t call_client_id(const Call *c);
bool call_watch_close(Call *c, void (*fn)(uint64_t client_id, void *data), void *data);
