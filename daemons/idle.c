/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Idle exit. A daemon is idle when it has no client, no call in flight and its driver keeps nothing
 * that needs it. The time counts from the last client's end (not every call and guest reports its
 * end, so the rest is looked at when the time is over). Then the daemon leaves in two phases, so
 * that a client that arrives in the last moment is served: first nothing is accepted and our sockets
 * are out of sight, then all is looked at once more, the backlog of the listeners included. Only
 * then it stops; otherwise it goes on as if nothing had been. Sockets of systemd outlive us: what
 * arrives there starts the next daemon.
 */
#define LOG_SOURCE "daemon.idle"
#include "daemons/idle.h"

#include "daemons/sockets.h"
#include "util/log.h"

struct Idle {
    Daemon *d;
    unsigned timeout_sec;
    sd_event_source *timer;
    bool counting; /* the timer runs */
};

static bool has_clients(const Daemon *d)
{
    return server_n_clients(d->main) > 0 || server_n_clients(d->admin) > 0;
}

static bool is_idle(const Daemon *d)
{
    return !has_clients(d) && dispatcher_calls_in_flight(d->dispatcher) == 0 &&
           (!d->driver || !d->driver->busy || d->driver->busy() == 0);
}

static void accept_on(Daemon *d, bool on)
{
    server_set_accepting(d->main, on);
    server_set_accepting(d->admin, on);
}

static int on_time(sd_event_source *s, uint64_t usec, void *data)
{
    Idle *i = data;
    Daemon *d = i->d;

    i->counting = false;
    if (!is_idle(d)) {
        idle_update(i);
        return 0;
    }
    accept_on(d, false);
    sockets_hide(d->sockets, true);
    if (!is_idle(d) || server_has_pending(d->main) || server_has_pending(d->admin)) {
        sockets_hide(d->sockets, false);
        accept_on(d, true);
        idle_update(i);
        return 0;
    }
    log_info("%s: nothing to do for %u s, leaving", d->spec->name, i->timeout_sec);
    daemon_stop(d);
    return 0;
}

Idle *idle_new(Daemon *d, unsigned timeout_sec)
{
    Idle *i = g_new0(Idle, 1);

    i->d = d;
    i->timeout_sec = timeout_sec;
    return i;
}

Idle *idle_free(Idle *i)
{
    if (!i)
        return NULL;
    sd_event_source_disable_unref(i->timer);
    g_free(i);
    return NULL;
}

static void start_timer(Idle *i)
{
    i->counting = true;
    loop_timer_set(i->d->loop, &i->timer, (uint64_t)i->timeout_sec * G_USEC_PER_SEC, on_time, i);
}

void idle_update(Idle *i)
{
    bool count = i->timeout_sec > 0 && !i->d->stopping && !has_clients(i->d);

    if (count == i->counting)
        return;
    if (count) {
        start_timer(i);
        return;
    }
    i->counting = false;
    i->timer = sd_event_source_disable_unref(i->timer);
}

void idle_set_timeout(Idle *i, unsigned timeout_sec)
{
    i->timeout_sec = timeout_sec;
    i->counting = false;
    i->timer = sd_event_source_disable_unref(i->timer);
    idle_update(i);
}
