/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Shared by dispatch*.c, call.c, stream.c, event.c, acl.c and core.c only: what a call, a client's
 * state and the dispatcher are made of.
 *
 * Ownership of a Call: it moves. The loop makes it, a worker (or the loop, lane inline) runs it, a
 * turn queue keeps it while it waits, the loop finishes and frees it. At any time one of them has it;
 * what others may touch meanwhile is atomic or marked.
 */
#pragma once

#include "rpc/access.h"
#include "rpc/dispatch.h"
#include "rpc/event.h"
#include "rpc/forward.h"
#include "rpc/metrics.h"
#include "rpc/stream.h"
#include "rpc/turnqueue.h"

enum {
    BACKLOG_BYTES_MAX = 64 << 20, /* calls of one client waiting for a slot; then reading pauses */
    BACKLOG_OVERHEAD = 256,       /* what a waiting call costs besides its bytes */
    PRIORITY_MAX = 64,            /* priority calls of one client at once; beyond it they are ordinary */
    STREAM_IN_HIGH = 1 << 20,     /* bytes a slow sink may hold back; then reading pauses */
    STREAMS_PER_CLIENT = 64,
    STREAM_DRAIN_USEC = 60 * 1000000,
    OUT_LOW = 128 << 10, OUT_HIGH = 512 << 10, /* output queue marks: streams pause in between */
    EVENT_QUOTA = 16 << 20,       /* queued event bytes of a client that does not read */
};

typedef struct Stream Stream;
typedef struct ClientState ClientState;
typedef struct Relay Relay;

typedef struct CloseWatch {
    void (*fn)(uint64_t client_id, void *data);
    void *data;
} CloseWatch;

/* One per client; lives until the client is closed and its last call is finished. Loop thread,
 * except 'watches' and 'closed' under the lock. */
struct ClientState {
    unsigned refs;
    Dispatcher *d;
    Client *client;
    const struct Service *service;
    bool opened, open_readonly;
    char *uri;
    unsigned running;    /* calls of the normal lane that count against max_client_requests */
    unsigned running_priority;
    GQueue backlog;      /* Message, waiting for a slot */
    size_t backlog_bytes;
    bool paused;         /* reading is paused because of the backlog */
    bool congested;      /* the client does not take what we send */
    GQueue calls;        /* Call.client_link */
    GQueue streams;      /* Stream, started ones */
    atomic_uint n_streams; /* attached ones as well */
    GQueue subscriptions;/* of event.c */
    int next_callback_id;
    Relay *relay;        /* what comes in is not for us any more; NULL: it is */
    Session *siblings;   /* its calls that other daemons serve; NULL until the first */

    Lock lock;
    bool closed;
    GArray *watches; /* CloseWatch */
};

typedef struct Service {
    Dispatcher *d;
    Server *server;
    ProgramBinding *programs;
    unsigned n_programs;
    bool preauthenticated; /* no program of it knows authentication: the socket's rights are all */
    ServerLimits *limits;
} Service;

struct Dispatcher {
    Loop *loop;
    Pool *pool;
    const Driver *driver;
    uint64_t next_call_id;
    GQueue calls; /* Call.link; loop thread */
    sd_event_source *deadline_timer;
    GPtrArray *services;
    bool draining;
    Metrics *metrics;
    Access *access; /* NULL: every right is granted; borrowed */
    Forwarder *siblings; /* NULL: calls of other daemons are not supported; borrowed */
    uint64_t stream_drain_usec; /* how long the descriptor of a finished stream may take nothing */
};

struct Call {
    Dispatcher *d;
    ClientState *cs;
    Identity *identity;
    Message *msg;
    const ProgramBinding *binding;
    const ProcInfo *proc;
    const HandlerSlot *slot;
    const Driver *driver;
    uint64_t id, started, deadline;
    uint64_t handed_over; /* when a worker was done with it; 0: the loop was */
    bool counts;          /* against max_client_requests */
    bool counts_priority; /* against PRIORITY_MAX */
    bool readonly;        /* as the connection was when the call came in */
    bool interrupted;     /* it made others on its object fail, so it is not cancelled any more; written
                           * before the call waits */
    GList link, client_link;

    AclObject acl_object; /* of the object; its strings live as long as that */
    unsigned acl_at;      /* rules before this one are granted */
    bool inline_;         /* runs on the loop thread, where it may not wait */
    bool home_loop;       /* its handler must run on the loop thread, though its checks may wait */
    bool must_wait;       /* an inline call that wanted what must be waited for: it is run again */
    bool asked;           /* the handler asked for a permission */

    void *args, *ret;
    const ObjectClass *oc;
    void *object;
    TurnWaiter waiter;
    bool in_queue; /* loop may cancel the waiter; guarded by queue_lock */
    Lock queue_lock;
    atomic_bool cancelled;
    _Atomic(const char *) waiting;
    char object_uuid[37];
    atomic_bool object_known; /* object_uuid is written; the call table may read it */

    int reply_fds[MESSAGE_FDS_MAX];
    unsigned n_reply_fds;
    GByteArray *body; /* encoded by the handler; NULL: ret is the answer */
    Stream *stream;  /* attached by the handler */
    Message *reply;  /* made where the handler ran, sent by the loop */
    bool failed;
    bool suppress_reply;
};

/* dispatch_call.c; gives the turn back when the call holds one. The thread that runs the call. */
void dispatch_leave_queue(Call *c);

static inline ClientState *client_state(const Client *c) { return c->data; }

/* dispatch.c */
enum { TICK_USEC = 200000 };
void client_state_unref(ClientState *cs);

/* dispatch_admit.c; loop thread */
void admit_call(ClientState *cs, Message *m);
/* Starts a call, or keeps it until others of its client have ended. */
void admit_start_or_keep(ClientState *cs, Message *m, const ProgramBinding *b, const ProcInfo *p,
                         const HandlerSlot *slot, Lane lane);
/* A frame of a stream that another daemon serves; false: it is for us. */
bool admit_sibling_stream(const ClientState *cs, Message *m);
/* One of the client's calls has ended: the next of those that were kept. */
void admit_backlog(ClientState *cs);

/* dispatch_call.c */
/* A call that was made; it may be gone afterwards. Worker, or loop thread for lane inline. */
void call_step_decode(void *call);
/* Where the call is; error is taken. */
void call_fail(Call *c, GError *error);
/* Loop thread. A call that waits ends at once; one that runs sees call_cancelled(). */
void call_cancel(Call *c);
/* Loop thread: takes a waiting call out of its object's queue; false when its turn has come. */
bool call_leave_waiting(Call *c);

/* dispatch_table.c; the deadlines of those that wait */
int dispatch_on_tick(sd_event_source *s, uint64_t usec, void *dispatcher);

/* acl.c */
/* From c->acl_at on. NO with *err; ASK: the rule at c->acl_at must be asked. */
AccessAnswer acl_check_rules(Call *c, GError **err);
void acl_question(const Call *c, const AclRule *r, AccessQuestion *ret);
void acl_refuse(const Call *c, const AclRule *r, const char *why, GError **err);
/* After the handler: false when it should have asked for a permission and did not. */
bool acl_check_asked(const Call *c, GError **err);
/* May a subscriber see this object's events? False: the event is about no object. */
bool acl_event_question(const Identity *who, const char *driver, ObjectKind kind, const char *name,
                        const uint8_t *uuid, AccessQuestion *ret);

/* stream.c; loop thread */
/* fd -1: with a queue */
Stream *stream_new(Call *c, int fd, StreamDir dir, const StreamOps *ops, void *data, GError **err);
StreamQueue *stream_queue_of(Stream *s);
void stream_start(Stream *s);   /* the reply has been sent */
void stream_discard(Stream *s); /* never started, or the client is gone */
void stream_incoming(ClientState *cs, Message *m);
void stream_congestion(ClientState *cs, bool on);
void stream_close_all(ClientState *cs);
void stream_resume(Stream *s);  /* its sink has room again */

/* stream_queue.c; loop thread */
StreamQueue *stream_queue_new(Stream *s, Loop *loop);
StreamQueue *stream_queue_ref(StreamQueue *q);
bool stream_queue_put(StreamQueue *q, Message *m); /* true: it is full, and stream_resume() will be called */
void stream_queue_end(StreamQueue *q);
void stream_queue_leave(StreamQueue *q); /* the stream is over; drops its reference */

/* event.c; loop thread */
void event_hub_init(Dispatcher *d);
void event_hub_done(void);
void event_client_closed(ClientState *cs);
typedef struct SubscribeRequest {
    ObjectKind kind;
    int event_id;
    bool legacy;
    const uint8_t *uuid;     /* filter, NULL: all */
    const char *key;         /* filter by name for kinds without uuid */
    const char *qemu_event;  /* qemu monitor events: pattern, NULL: all */
    unsigned qemu_flags;
    bool qemu;
} SubscribeRequest;
bool event_subscribe(Call *c, const SubscribeRequest *r, int *ret_callback_id, GError **err);
bool event_unsubscribe(Call *c, ObjectKind kind, bool qemu, int callback_id, GError **err);
bool event_unsubscribe_legacy(Call *c, ObjectKind kind, int event_id, GError **err);

/* relay.c; loop thread */
void relay_send(Relay *r, Message *m);
void relay_client_congested(Relay *r, bool on);
Relay *relay_free(Relay *r);

/* core.c: answers that every daemon shares */
extern const struct RemoteHandlers core_remote_handlers;
extern const struct QemuHandlers core_qemu_handlers;
