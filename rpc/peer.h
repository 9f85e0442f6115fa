/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A driver as a client of another daemon of this host: virtqemud asks virtsecretd for a passphrase and virtstoraged for
 * a volume. Calls wait on the worker that makes them, with a deadline, and are aborted with the
 * call they are made for; never on the loop thread. A Peer belongs to one thread.
 *
 * A connection is for a few calls that belong together, and is not kept: so it holds up no idle exit, and a daemon
 * that was restarted in between is connected again. A call that only reads is then sent a second time; one that
 * changes something is, unless nothing of it had been sent, not.
 *
 * Errors are the other daemon's with its name in front ("virtsecretd: no secret with matching uuid …").
 */
#pragma once

#include "protocols/client_call.h"

typedef struct Peer Peer;

/* c: on whose behalf, so that the other daemon's access rules see that client; NULL: our own. Beside it the
 * other daemon learns that one of this host's daemons asks. daemon: one that serves a kind of object
 * (ROUTE_SECRET, …). Connected at the first call. Never NULL. */
Peer *peer_new(Route daemon, Call *c);
Peer *peer_free(Peer *p);
/* Bound of each further call and the connecting before it; default 10 s. */
void peer_set_timeout(Peer *p, unsigned sec);
/* For generated stubs: remote_client_secret_get_value(peer_calls(p), &args, &ret, err). Args and replies are wiped
 * from the connection's buffers; what the stubs hand out is the caller's to wipe. */
ClientCall *peer_calls(Peer *p);
const char *peer_daemon(const Peer *p); /* "virtsecretd" */

/* Whether another daemon of this host asks, on behalf of whom the call acts for. Reads a file: ask where
 * call_may_wait(). Never true on a read-only connection. */
bool call_from_daemon(Call *c);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Peer, peer_free)
