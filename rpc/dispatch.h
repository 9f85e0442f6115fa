/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From bytes to a handler that cannot be reached unchecked (docs/architecture.md, "Dispatch").
 * One Dispatcher per process; a Service binds programs and their handler tables to a Server.
 */
#pragma once

#include "protocols/proc.h"
#include "rpc/driver.h"
#include "rpc/server.h"
#include "util/pool.h"

typedef struct Dispatcher Dispatcher;
struct Access;
struct Forwarder;

typedef struct ProgramBinding {
    const ProgramInfo *info;
    const void *handlers;      /* the driver's table; may be NULL */
    const void *core_handlers; /* answers for slots that the driver leaves empty; may be NULL */
} ProgramBinding;

Dispatcher *dispatcher_new(Loop *loop, Pool *pool, const Driver *driver, GError **err);
/* Who may do what, from now on; NULL: everybody everything. Borrowed: it must outlive the calls. */
void dispatcher_set_access(Dispatcher *d, struct Access *access);
/* Calls that are other daemons' business go there, in the name of the client; NULL: they are not
 * supported. Borrowed: it must outlive the servers. */
void dispatcher_set_siblings(Dispatcher *d, struct Forwarder *siblings);
/* Refuses new calls and waits (on the loop) until those in flight are done or usec passed. */
void dispatcher_drain(Dispatcher *d, uint64_t usec);
Dispatcher *dispatcher_free(Dispatcher *d);

/* Makes a server whose clients may call these programs. When none of them has a procedure to
 * authenticate with (admin), clients count as authenticated from the start. */
Server *dispatcher_serve(Dispatcher *d, const char *name, const ServerLimits *limits, UserRegistry *users,
                         const ProgramBinding *programs, unsigned n_programs);

/* For forward.c: the same entry points as its ServerOps, for messages that the proxy answers itself. */
bool dispatch_client_opened(Client *c, void *dispatcher);
void dispatch_message(Client *c, Message *m, void *dispatcher);
void dispatch_client_closed(Client *c, void *dispatcher);

unsigned dispatcher_calls_in_flight(const Dispatcher *d);

/* The call table: one row per call in flight. Loop thread. */
typedef struct CallRow {
    uint64_t id, client_id;
    const char *program, *procedure, *server;
    const char *waiting; /* "turn", "monitor", …; NULL: running */
    char object[37];     /* uuid or empty */
    uint64_t age_usec;
    int64_t uid; /* whom the client acts for; -1: not known */
} CallRow;
GArray *dispatcher_calls(Dispatcher *d); /* of CallRow */
bool dispatcher_cancel(Dispatcher *d, uint64_t call_id);

/* Figures about calls, as OpenMetrics text. Loop thread. */
/* For others in this process who answer calls. */
struct Metrics *dispatcher_metrics(Dispatcher *d);
void dispatcher_render_metrics(Dispatcher *d, GString *out);

/* For administration: would this be granted? As call_allows(), but about somebody else, with the reason
 * of a refusal. */
struct AccessQuestion;
bool call_would_allow(Call *c, const struct AccessQuestion *q, char **why);

/* Client and Server of a call, for admin handlers and the core's own (never for drivers). */
Client *call_client(const Call *c);
Dispatcher *call_dispatcher(const Call *c);

/* Inline handlers: from the reply on, all messages of this client go to that socket and come from there. */
bool call_hand_over(Call *c, const char *socket_path, GError **err);

struct RemoteHandlers;
struct QemuHandlers;
struct AdminHandlers;
/* core.c: what every daemon answers alike; for ProgramBinding.core_handlers. */
extern const struct RemoteHandlers core_remote_handlers;
extern const struct QemuHandlers core_qemu_handlers;
extern const struct AdminHandlers core_admin_handlers;
