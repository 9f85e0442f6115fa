/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any bytes from a monitor, in pieces of any size, while commands are in flight: calls end exactly
 * once, events decode and clear, the monitor closes at the first thing that is not QMP.
 */
#include <stdlib.h>
#include <string.h>

#include "drivers/qemu/monitor.h"
#include "drivers/qemu/qmp.h"
#include "util/error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned ended;

static void on_event(Qmp *q, QmpEvent *e, void *data)
{
    MonEvent m;

    mon_event_decode(e, &m);
    if (m.kind != MON_OTHER && !mon_event_name(m.kind))
        abort();
    mon_event_clear(&m);
    if (e->data)
        g_free(json_text(e->data));
}

static void on_closed(Qmp *q, const GError *why, void *data)
{
    if (!why || qmp_is_open(q) || qmp_in_flight(q))
        abort();
}

static const QmpOps ops = { on_event, on_closed, NULL };

static void on_done(JsonObject *ret, const GError *err, void *data)
{
    ended++;
    if (ret && err)
        abort();
    if (ret)
        g_free(json_text(ret));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static Loop *loop;
    static const char greeting[] = "{\"QMP\": {}}\n{\"return\": {}, \"id\": \"libvirt-4\"}\n";
    size_t piece = size ? 1 + data[0] : 1;

    if (!loop)
        loop = loop_new(NULL);

    Qmp *q = qmp_new_detached(loop, &ops, NULL);
    QmpExpect *x = qmp_expect(q, "DEVICE_DELETED", "device", "a");
    ended = 0;
    for (unsigned i = 0; i < 3; i++)
        qmp_call_async(q, "query-status", json_make(J_INT("n", i)), 0, on_done, NULL);
    loop_drain(loop);
    if (size && (data[0] & 1))
        qmp_feed(q, greeting, sizeof(greeting) - 1);
    for (size_t i = 1; i < size; i += piece)
        qmp_feed(q, (const char *)data + i, MIN(piece, size - i));
    loop_drain(loop);
    qmp_expect_free(x);
    qmp_unref(q);
    loop_drain(loop);
    if (ended != 3)
        abort();
    return 0;
}
