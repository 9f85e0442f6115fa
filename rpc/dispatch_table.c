/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table of calls in flight: who waits too long for a turn, what an administrator sees, how it is
 * counted. Loop thread; of a call that somebody else has it reads what is atomic or constant.
 */
#include <string.h>

#include "rpc/dispatch-internal.h"
#include "util/error.h"

enum { SEC = 1000000 };

static void expire(Call *c, uint64_t now)
{
    TurnQueue *q = c->oc->queue(c->object);
    g_autofree char *what = NULL;
    uint64_t since = 0, holder = 0;
    bool held = turnqueue_holder(q, &what, &since, &holder);

    if (!call_leave_waiting(c))
        return;

    GError *error = NULL;
    uint64_t hung = c->oc->unresponsive_since ? c->oc->unresponsive_since(c->object) : 0;
    g_autofree char *why = hung ? g_strdup_printf("; its monitor has not answered for %llu s",
                                                  (unsigned long long)((now - hung) / SEC))
                                : g_strdup("");
    if (held)
        error_set(&error, VIR_ERR_OPERATION_TIMEOUT,
                  "%s waited %llu s for its turn behind %s (call %llu, running for %llu s)%s", c->proc->name,
                  (unsigned long long)((now - c->started) / SEC), what, (unsigned long long)holder,
                  (unsigned long long)((now - since) / SEC), why);
    else
        error_set(&error, VIR_ERR_OPERATION_TIMEOUT, "%s waited %llu s for its turn%s", c->proc->name,
                  (unsigned long long)((now - c->started) / SEC), why);
    call_fail(c, error);
}

int dispatch_on_tick(sd_event_source *s, uint64_t usec, void *data)
{
    Dispatcher *d = data;
    uint64_t now = now_usec();
    (void)usec;

    for (GList *l = d->calls.head, *next; l; l = next) {
        Call *c = l->data;
        next = l->next;
        lock_enter(&c->queue_lock);
        bool waiting = c->in_queue;
        lock_leave(&c->queue_lock);
        if (waiting && now > c->deadline)
            expire(c, now);
    }
    if (!g_queue_is_empty(&d->calls)) {
        (void)sd_event_source_set_time_relative(s, TICK_USEC);
        (void)sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
    }
    return 0;
}

unsigned dispatcher_calls_in_flight(const Dispatcher *d)
{
    return d->calls.length;
}

GArray *dispatcher_calls(Dispatcher *d)
{
    GArray *rows = g_array_new(false, true, sizeof(CallRow));
    uint64_t now = now_usec();

    for (GList *l = d->calls.head; l; l = l->next) {
        Call *c = l->data;
        CallRow r = { .id = c->id,
                      .client_id = c->cs->client->id,
                      .program = c->binding->info->name,
                      .procedure = c->proc->name,
                      .server = server_name(c->cs->service->server),
                      .waiting = atomic_load(&c->waiting),
                      .age_usec = now - c->started,
                      .uid = call_uid(c) };
        if (atomic_load(&c->object_known))
            memcpy(r.object, c->object_uuid, sizeof(r.object));
        g_array_append_val(rows, r);
    }
    return rows;
}

Metrics *dispatcher_metrics(Dispatcher *d)
{
    return d->metrics;
}

void dispatcher_render_metrics(Dispatcher *d, GString *out)
{
    unsigned turns = 0, access = 0, others = 0;

    for (GList *l = d->calls.head; l; l = l->next) {
        const Call *c = l->data;
        const char *waiting = atomic_load(&c->waiting);

        if (waiting)
            (*(strcmp(waiting, "turn") == 0 ? &turns : strcmp(waiting, "access") == 0 ? &access : &others))++;
    }
    metrics_family(out, "modvirt_calls_in_flight", "gauge", "Calls that are not answered yet.");
    metrics_sample(out, "modvirt_calls_in_flight", NULL, NULL, d->calls.length);
    metrics_family(out, "modvirt_calls_waiting", "gauge", "Calls that wait, by what for.");
    metrics_sample(out, "modvirt_calls_waiting", "what", "turn", turns);
    metrics_sample(out, "modvirt_calls_waiting", "what", "access", access);
    metrics_sample(out, "modvirt_calls_waiting", "what", "other", others);
    metrics_render(d->metrics, out);
}

bool dispatcher_cancel(Dispatcher *d, uint64_t id)
{
    for (GList *l = d->calls.head; l; l = l->next) {
        Call *c = l->data;
        if (c->id == id) {
            call_cancel(c);
            return true;
        }
    }
    return false;
}
