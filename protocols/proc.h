/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the dispatcher knows of a procedure: one generated row per procedure of the .x files. The
 * row is data; the checks it asks for are performed in rpc/dispatch.c, nowhere else.
 */
#pragma once

#include <glib.h>
#include <rpc/rpc.h> /* libtirpc: XDR, xdrproc_t */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Call Call;

/* Kinds of objects that arguments can name. The typed capability of kind Domain is DomainView
 * (job none), DomainQuery, DomainTurn (modify, op, destroy) or DomainAbort; other kinds likewise. */
typedef enum ObjectKind {
    OBJECT_NONE,
    OBJECT_DOMAIN,
    OBJECT_NETWORK,
    OBJECT_NETWORK_PORT,
    OBJECT_INTERFACE,
    OBJECT_STORAGE_POOL,
    OBJECT_STORAGE_VOL,
    OBJECT_NODE_DEVICE,
    OBJECT_SECRET,
    OBJECT_NWFILTER,
    OBJECT_NWFILTER_BINDING,
    _OBJECT_N
} ObjectKind;

typedef enum JobKind {
    JOB_NONE,    /* reads a published view; never waits */
    JOB_QUERY,   /* asks the guest; shared */
    JOB_MODIFY,  /* exclusive turn */
    JOB_OP,      /* exclusive turn that may be long: own deadline class, shown as an operation */
    JOB_ABORT,   /* passes the queue, interrupts what runs */
    JOB_DESTROY, /* interrupts what runs, then gets the next turn */
    _JOB_N
} JobKind;

typedef enum Lane { LANE_NORMAL, LANE_INLINE, LANE_PRIORITY } Lane;

/* Who answers, seen from the proxy. */
typedef enum Route {
    ROUTE_LOCAL,     /* the proxy itself */
    ROUTE_PRIMARY,   /* the daemon of the connection's URI */
    ROUTE_NETWORK,
    ROUTE_INTERFACE,
    ROUTE_STORAGE,
    ROUTE_NODEDEV,
    ROUTE_SECRET,
    ROUTE_NWFILTER,
    _ROUTE_N
} Route;

typedef enum DeadlineClass {
    DEADLINE_NONE,   /* streams that live as long as their client */
    DEADLINE_SHORT,  /* reads: 10 s */
    DEADLINE_NORMAL, /* 30 s */
    DEADLINE_LONG,   /* save, migrate, volume work: no deadline for the work, 30 s for the turn */
} DeadlineClass;

enum { /* ProcInfo.bits */
    PROC_AUTH = 1 << 0,      /* allowed before authentication */
    PROC_RO_OK = 1 << 1,     /* allowed on read-only connections */
    PROC_ACTIVE = 1 << 2,    /* the object must be running */
    PROC_STREAM_IN = 1 << 3, /* client to daemon */
    PROC_STREAM_OUT = 1 << 4,
    PROC_FDS_IN = 1 << 5,
    PROC_FDS_OUT = 1 << 6,
    PROC_EVENT = 1 << 7,     /* a message, never callable */
    PROC_OBJECT_XML = 1 << 8,/* object_off is a string: a document that names the object */
    PROC_CREATES = 1 << 9,   /* with OBJECT_XML: the object may be new */
    PROC_PREOPEN = 1 << 10,  /* allowed between authentication and CONNECT_OPEN */
    PROC_SENSITIVE = 1 << 11, /* nothing of its messages stays in memory that was freed */
};

enum { ACL_CONNECT = 255 }; /* AclRule.object: the connection itself */

/* One permission; the rule applies when all its conditions hold (if_all_flags: all of these are set;
 * if_none_of_flags: none is). A rule of another kind than the procedure's object (look-ups: a rule
 * on a domain, but no object in the arguments) is asked by the handler, of the object it found.
 * PROC_RO_OK regards unconditional rules only: on a read-only connection a conditional rule that
 * applies must be getattr, read or search_* as well. */
typedef struct AclRule {
    uint8_t object; /* ObjectKind, or ACL_CONNECT */
    const char *object_name; /* "domain", "connect", … as polkit actions spell it */
    const char *perm;        /* "read_secure" */
    uint32_t if_all_flags;   /* 0: always */
    uint32_t if_none_of_flags;
    uint16_t if_param_off; /* with if_param_size != 0: this argument must equal if_value */
    uint8_t if_param_size;
    int32_t if_value;
} AclRule;

/* A slot of a handler table; the typed tables in the generated headers have this layout. */
typedef struct HandlerSlot {
    void (*fn)(void);
    uint32_t flags; /* the flags argument may hold these bits only */
} HandlerSlot;

/* Calls the typed handler in its slot: cap is the capability for the object (NULL without). */
typedef bool (*ProcThunk)(const HandlerSlot *slot, Call *c, void *cap, void *args, void *ret, GError **err);

typedef struct ProcInfo {
    const char *name;      /* "domain_suspend" */
    const char *api;       /* "virDomainSuspend": what users know it as */
    int32_t number;
    ProcThunk thunk;       /* NULL for events */
    xdrproc_t args_xdr, ret_xdr; /* NULL: no payload; of an event, args_xdr is the message */
    uint32_t args_size, ret_size;
    uint32_t object_off;   /* of the wire object (or XML string) inside args */
    int32_t flags_off;     /* -1: none */
    uint8_t flags_size;    /* 4 or 8 */
    uint16_t handler_off;  /* of the HandlerSlot in the program's handler table */
    uint8_t object, job, lane, route, deadline;
    uint16_t bits;
    const AclRule *acl;    /* all applicable must pass; ends with perm == NULL */
    const AclRule *acl_filter; /* permission that listed objects need; NULL: no filter */
} ProcInfo;

typedef struct ProgramInfo {
    const char *name;
    uint32_t number, version;
    const ProcInfo *procs; /* indexed by procedure number; holes have name == NULL */
    uint32_t n_procs;      /* highest number + 1 */
} ProgramInfo;

/* One row per event that clients can subscribe to. */
typedef struct EventInfo {
    uint8_t object;        /* OBJECT_DOMAIN, … */
    int32_t event_id;      /* VIR_*_EVENT_ID_* */
    int32_t legacy_proc;   /* message without callback id, 0: none */
    int32_t callback_proc; /* message with callback id, 0: none */
    const char *name;
} EventInfo;

static inline const ProcInfo *program_find(const ProgramInfo *p, int32_t proc)
{
    return proc > 0 && (uint32_t)proc < p->n_procs && p->procs[proc].name ? &p->procs[proc] : NULL;
}
