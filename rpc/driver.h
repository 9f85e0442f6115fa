/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a driver module exports: one symbol 'driver' of type Driver. One driver per process.
 */
#pragma once

#include "rpc/call.h"

struct TurnQueue;

/* How the dispatcher finds objects of a kind and gets capabilities for them. All functions may be
 * called on any thread and must not block (find_xml parses a bounded document). */
typedef struct ObjectClass {
    /* wire: the remote_nonnull_* struct in the arguments. Returns a reference, or NULL and *err. */
    void *(*find)(Call *c, const void *wire, GError **err);
    /* The object that a document names (PROC_OBJECT_XML): an existing one, or with creates a fresh
     * one that nobody else sees until its first commit. */
    void *(*find_xml)(Call *c, const char *xml, bool creates, GError **err);
    void (*unref)(void *object);
    void (*describe)(void *object, AclObject *ret); /* strings live as long as the object */
    struct TurnQueue *(*queue)(void *object);
    /* Capability for job; for MODIFY, OP and DESTROY the turn is held by now. NULL and *err when it
     * cannot be had (object vanished while waiting). require_active: refuse inactive objects. */
    void *(*begin)(void *object, Call *c, JobKind job, bool require_active, GError **err);
    /* After the handler: success commits (may fail: then the call fails), failure aborts. Frees cap. */
    bool (*end)(void *object, void *cap, JobKind job, bool success, GError **err);
    /* JOB_DESTROY and JOB_ABORT, before queueing: makes what runs on the object fail soon. */
    void (*interrupt)(void *object, Call *c, JobKind job);
    /* Since when the object does not answer (monotonic usec), 0: it does; for timeout messages. */
    uint64_t (*unresponsive_since)(void *object);
    /* The call that interrupted has failed, before its turn or in it: make the object usable again. */
    void (*interrupt_failed)(void *object);
} ObjectClass;

typedef struct DriverContext {
    const char *daemon; /* "virtqemud" */
    /* Any thread: run fn(data) on a worker. */
    void (*run_on_worker)(void (*fn)(void *data), void *data);
    /* The host's identity as the daemon's configuration gives it, 16 bytes that stay; NULL: the driver
     * finds one. */
    const uint8_t *host_uuid;
} DriverContext;

struct RemoteHandlers;
struct QemuHandlers;
struct LxcHandlers;

typedef struct Driver {
    const char *name;         /* answer to CONNECT_GET_TYPE: "QEMU" */
    const char *const *schemes; /* "qemu", NULL-terminated */
    int error_source;         /* VIR_FROM_QEMU */
    const struct RemoteHandlers *remote;
    const struct QemuHandlers *qemu;
    const struct LxcHandlers *lxc;
    const ObjectClass *objects[_OBJECT_N];
    /* Before READY; fast: nothing that can hang. */
    bool (*init)(const DriverContext *ctx, GError **err);
    /* After READY, on a worker: reconnect, autostart. May be NULL. */
    void (*start)(void);
    /* Before exit, workers idle: nothing may start on a worker from here on. Guests go on. */
    void (*stop)(void);
    /* The workers have ended: frees what is left. May be NULL. */
    void (*done)(void);
    /* Loop thread. Number of things that forbid idle exit (active guests …). */
    unsigned (*busy)(void);
    /* Loop thread, and it may not wait: adds families of figures of its objects in OpenMetrics text. May be
     * NULL. */
    void (*render_metrics)(GString *out);
    /* CONNECT_OPEN: may this URI be served? scheme has been checked. ret_uri: canonical URI. */
    bool (*open)(Call *c, const char *uri, bool readonly, char **ret_uri, GError **err);
    /* CONNECT_SUPPORTS_FEATURE beyond what the core knows; 1 or 0. */
    int (*supports_feature)(int feature);
} Driver;

#define DRIVER_SYMBOL "driver"
