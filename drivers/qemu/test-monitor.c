/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Events decode to what handlers expect; what does not fit is passed on raw. */
#include <assert.h>
#include <string.h>

#include "drivers/qemu/monitor.h"
#include "util/error.h"

static MonEvent last;
static unsigned closed;

static void on_event(Qmp *q, QmpEvent *e, void *data)
{
    mon_event_clear(&last);
    mon_event_decode(e, &last);
}

static void on_closed(Qmp *q, const GError *why, void *data)
{
    closed++;
}

static const QmpOps ops = { on_event, on_closed, NULL };
static Qmp *q;

static void event(const char *name, const char *data)
{
    g_autofree char *line = g_strdup_printf("{\"timestamp\": {\"seconds\": 17, \"microseconds\": 5}, \"event\": \"%s\"%s%s}\r\n",
                                            name, data ? ", \"data\": " : "", data ? data : "");

    qmp_feed(q, line, strlen(line));
    assert(closed == 0 && strcmp(last.raw->name, name) == 0 && last.raw->seconds == 17 && last.raw->micros == 5);
}

static void test_events(void)
{
    event("SHUTDOWN", "{\"guest\": true, \"reason\": \"guest-shutdown\"}");
    assert(last.kind == MON_SHUTDOWN && last.shutdown.guest && last.shutdown.guest_known &&
           strcmp(last.shutdown.reason, "guest-shutdown") == 0);
    event("SHUTDOWN", NULL);
    assert(last.kind == MON_SHUTDOWN && !last.shutdown.guest_known && !last.shutdown.reason);
    event("STOP", NULL);
    assert(last.kind == MON_STOP);
    event("RTC_CHANGE", "{\"offset\": -3600, \"qom-path\": \"/machine/rtc\"}");
    assert(last.kind == MON_RTC_CHANGE && last.rtc.offset == -3600);
    event("RTC_CHANGE", "{}");
    assert(last.kind == MON_OTHER);
    event("WATCHDOG", "{\"action\": \"reset\"}");
    assert(last.kind == MON_WATCHDOG && strcmp(last.watchdog.action, "reset") == 0);
    event("BLOCK_IO_ERROR", "{\"device\": \"\", \"node-name\": \"n1\", \"action\": \"stop\", \"nospace\": true, "
                            "\"operation\": \"write\", \"reason\": \"No space left on device\"}");
    assert(last.kind == MON_BLOCK_IO_ERROR && last.io_error.nospace && strcmp(last.io_error.node, "n1") == 0);
    event("VNC_CONNECTED", "{\"server\": {\"auth\": \"none\", \"family\": \"ipv4\", \"service\": \"5900\", \"host\": "
                           "\"127.0.0.1\"}, \"client\": {\"family\": \"ipv4\", \"service\": \"4711\", \"host\": \"::1\"}}");
    assert(last.kind == MON_VNC_CONNECTED && strcmp(last.graphics.client.host, "::1") == 0 &&
           strcmp(last.graphics.auth, "none") == 0 && !last.graphics.x509_dname);
    event("SPICE_INITIALIZED", "{\"server\": {\"port\": \"5901\", \"family\": \"ipv4\", \"host\": \"a\"}, \"client\": "
                               "{\"port\": \"2\", \"family\": \"ipv4\", \"host\": \"b\"}}");
    assert(last.kind == MON_SPICE_INITIALIZED && strcmp(last.graphics.server.service, "5901") == 0);
    event("BALLOON_CHANGE", "{\"actual\": 1073741824}");
    assert(last.kind == MON_BALLOON_CHANGE && last.balloon.bytes == 1073741824);
    event("BALLOON_CHANGE", "{\"actual\": -1}");
    assert(last.kind == MON_OTHER);
    event("DEVICE_DELETED", "{\"path\": \"/machine/x\"}");
    assert(last.kind == MON_DEVICE_DELETED && !last.device.alias && strcmp(last.device.qom_path, "/machine/x") == 0);
    event("DEVICE_TRAY_MOVED", "{\"device\": \"cd\", \"id\": \"/machine/peripheral/cd0\", \"tray-open\": true}");
    assert(last.kind == MON_DEVICE_TRAY_MOVED && last.tray.open);
    event("VSERPORT_CHANGE", "{\"id\": \"channel0\", \"open\": true}");
    assert(last.kind == MON_VSERPORT_CHANGE && last.vserport.open && strcmp(last.vserport.alias, "channel0") == 0);
    event("JOB_STATUS_CHANGE", "{\"id\": \"j\", \"status\": \"concluded\"}");
    assert(last.kind == MON_JOB_STATUS_CHANGE && strcmp(last.job.status, "concluded") == 0);
    event("BLOCK_JOB_COMPLETED", "{\"type\": \"mirror\", \"device\": \"j\", \"len\": 5, \"offset\": 5, \"speed\": 0}");
    assert(last.kind == MON_BLOCK_JOB && strcmp(last.block_job.name, "BLOCK_JOB_COMPLETED") == 0 && last.block_job.len == 5);
    event("ACPI_DEVICE_OST", "{\"info\": {\"device\": \"d1\", \"slot\": \"0\", \"slot-type\": \"DIMM\", \"source\": 1, \"status\": 0}}");
    assert(last.kind == MON_ACPI_DEVICE_OST && last.ost.source == 1);
    event("MEMORY_FAILURE", "{\"recipient\": \"guest\", \"action\": \"inject\", \"flags\": {\"recursive\": true, \"action-required\": false}}");
    assert(last.kind == MON_MEMORY_FAILURE && last.memory_failure.recursive && !last.memory_failure.action_required);
    event("SOMETHING_NEW", "{\"x\": [1, 2]}");
    assert(last.kind == MON_OTHER && json_len(json_get(last.raw->data, "x")) == 2);
    for (unsigned k = MON_OTHER + 1; k < MON_EVENT_N_; k++)
        assert(mon_event_name(k));
    assert(!mon_event_name(MON_OTHER));
}

/* Half a line, then its rest; two lines at once. */
static void test_pieces(void)
{
    static const char text[] = "{\"event\": \"STOP\"}\n{\"event\": \"RESUME\"}\n{\"event\"";

    qmp_feed(q, text, 5);
    qmp_feed(q, text + 5, sizeof(text) - 1 - 5);
    assert(last.kind == MON_RESUME && last.raw->seconds == 0);
    qmp_feed(q, ": \"POWERDOWN\"}\n", 15);
    assert(last.kind == MON_POWERDOWN && closed == 0);
}

int main(void)
{
    Loop *loop = loop_new(NULL);

    q = qmp_new_detached(loop, &ops, NULL);
    test_events();
    test_pieces();
    mon_event_clear(&last);
    qmp_unref(q);
    loop_drain(loop);
    loop_free(loop);
    return 0;
}
