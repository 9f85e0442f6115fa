/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Events to subscribed clients. A driver makes an Event (encoded once) and publishes it; the hub
 * (loop thread) sends it to every subscriber whose filter and rights match, in order of publishing.
 */
#pragma once

#include <glib.h>
#include <rpc/rpc.h>
#include <stdbool.h>
#include <stdint.h>

#include "protocols/proc.h"

typedef struct Event Event;

/* For a callback-family message (its first member is the int callbackID, left 0 by the caller).
 * proc: number of that message in the remote program, e.g. REMOTE_PROC_DOMAIN_EVENT_CALLBACK_REBOOT.
 * uuid (16 bytes) and name identify the object for filters and rights; key: filter for objects
 * without uuid, may be NULL. Never fails: a message that cannot be encoded is a bug and is logged. */
Event *event_new(ObjectKind kind, int32_t proc, const uint8_t *uuid, const char *name,
                 xdrproc_t xdr, const void *msg);
/* A message of the qemu program (monitor events): matched by event name of the subscription. */
Event *event_new_qemu_monitor(const uint8_t *uuid, const char *dom_name, const char *event,
                              xdrproc_t xdr, const void *msg);
Event *event_ref(Event *e);
Event *event_unref(Event *e);
/* Any thread; takes the reference. */
void event_publish(Event *e);
/* True when somebody subscribed to this callback message; lets rare, costly events be skipped. */
bool event_wanted(int32_t proc);
bool event_wanted_qemu_monitor(void);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Event, event_unref)
