/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Events by table: QEMU's name, the kind, and the rows that read its data into MonEvent. An event that
 * does not fit its rows is passed on as MON_OTHER, so that a misbehaving emulator cannot make a
 * handler see half an event. Pure, any thread.
 */
#include "drivers/qemu/monitor.h"

#include <string.h>

#include "util/error.h"

typedef MonEvent E;

/* clang-format off */
static const JsonRow shutdown_rows[] = {
    JSON_BOOL(E, shutdown.guest,        "guest",             JSON_OPTIONAL),
    JSON_STR (E, shutdown.reason,       "reason",            JSON_OPTIONAL),
};
static const JsonRow rtc_rows[] = {
    JSON_I64 (E, rtc.offset,            "offset",            JSON_REQUIRED),
    JSON_STR (E, rtc.qom_path,          "qom-path",          JSON_OPTIONAL),
};
static const JsonRow watchdog_rows[] = {
    JSON_STR (E, watchdog.action,       "action",            JSON_REQUIRED),
};
static const JsonRow panic_rows[] = {
    JSON_STR (E, panic.action,          "action",            JSON_OPTIONAL),
};
static const JsonRow io_error_rows[] = {
    JSON_STR (E, io_error.device,       "device",            JSON_REQUIRED),
    JSON_STR (E, io_error.node,         "node-name",         JSON_OPTIONAL),
    JSON_STR (E, io_error.qom_path,     "qom-path",          JSON_OPTIONAL),
    JSON_STR (E, io_error.operation,    "operation",         JSON_OPTIONAL),
    JSON_STR (E, io_error.action,       "action",            JSON_REQUIRED),
    JSON_STR (E, io_error.reason,       "reason",            JSON_OPTIONAL),
    JSON_BOOL(E, io_error.nospace,      "nospace",           JSON_OPTIONAL),
};
static const JsonRow vnc_rows[] = {
    JSON_STR (E, graphics.server.host,    "server/host",     JSON_REQUIRED),
    JSON_STR (E, graphics.server.service, "server/service",  JSON_REQUIRED),
    JSON_STR (E, graphics.server.family,  "server/family",   JSON_REQUIRED),
    JSON_STR (E, graphics.auth,           "server/auth",     JSON_OPTIONAL),
    JSON_STR (E, graphics.client.host,    "client/host",     JSON_REQUIRED),
    JSON_STR (E, graphics.client.service, "client/service",  JSON_REQUIRED),
    JSON_STR (E, graphics.client.family,  "client/family",   JSON_REQUIRED),
    JSON_STR (E, graphics.sasl_username,  "client/sasl_username", JSON_OPTIONAL),
    JSON_STR (E, graphics.x509_dname,     "client/x509_dname",    JSON_OPTIONAL),
};
static const JsonRow spice_rows[] = {
    JSON_STR (E, graphics.server.host,    "server/host",     JSON_REQUIRED),
    JSON_STR (E, graphics.server.service, "server/port",     JSON_REQUIRED),
    JSON_STR (E, graphics.server.family,  "server/family",   JSON_REQUIRED),
    JSON_STR (E, graphics.auth,           "server/auth",     JSON_OPTIONAL),
    JSON_STR (E, graphics.client.host,    "client/host",     JSON_REQUIRED),
    JSON_STR (E, graphics.client.service, "client/port",     JSON_REQUIRED),
    JSON_STR (E, graphics.client.family,  "client/family",   JSON_REQUIRED),
};
static const JsonRow balloon_rows[] = {
    JSON_U64 (E, balloon.bytes,         "actual",            JSON_REQUIRED),
};
static const JsonRow deleted_rows[] = {
    JSON_STR (E, device.alias,          "device",            JSON_OPTIONAL),
    JSON_STR (E, device.qom_path,       "path",              JSON_OPTIONAL),
    JSON_STR (E, device.message,        "msg",               JSON_OPTIONAL),
};
static const JsonRow tray_rows[] = {
    JSON_STR (E, tray.alias,            "device",            JSON_OPTIONAL),
    JSON_STR (E, tray.qom_path,         "id",                JSON_OPTIONAL),
    JSON_BOOL(E, tray.open,             "tray-open",         JSON_REQUIRED),
};
static const JsonRow vserport_rows[] = {
    JSON_STR (E, vserport.alias,        "id",                JSON_REQUIRED),
    JSON_BOOL(E, vserport.open,         "open",              JSON_REQUIRED),
};
static const JsonRow rx_filter_rows[] = {
    JSON_STR (E, device.alias,          "name",              JSON_REQUIRED),
    JSON_STR (E, device.qom_path,       "path",              JSON_OPTIONAL),
};
static const JsonRow job_rows[] = {
    JSON_STR (E, job.id,                "id",                JSON_REQUIRED),
    JSON_STR (E, job.status,            "status",            JSON_REQUIRED),
};
static const JsonRow block_job_rows[] = {
    JSON_STR (E, block_job.type,        "type",              JSON_OPTIONAL),
    JSON_STR (E, block_job.device,      "device",            JSON_OPTIONAL),
    JSON_STR (E, block_job.error,       "error",             JSON_OPTIONAL),
    JSON_I64 (E, block_job.len,         "len",               JSON_OPTIONAL),
    JSON_I64 (E, block_job.offset,      "offset",            JSON_OPTIONAL),
    JSON_I64 (E, block_job.speed,       "speed",             JSON_OPTIONAL),
};
static const JsonRow threshold_rows[] = {
    JSON_STR (E, threshold.node,        "node-name",         JSON_REQUIRED),
    JSON_U64 (E, threshold.excess,      "amount-exceeded",   JSON_REQUIRED),
    JSON_U64 (E, threshold.threshold,   "write-threshold",   JSON_REQUIRED),
};
static const JsonRow migration_rows[] = {
    JSON_STR (E, migration.status,      "status",            JSON_REQUIRED),
};
static const JsonRow pass_rows[] = {
    JSON_U64 (E, migration.pass,        "pass",              JSON_REQUIRED),
};
static const JsonRow ost_rows[] = {
    JSON_STR (E, ost.alias,             "info/device",       JSON_OPTIONAL),
    JSON_STR (E, ost.slot,              "info/slot",         JSON_REQUIRED),
    JSON_STR (E, ost.slot_type,         "info/slot-type",    JSON_REQUIRED),
    JSON_UINT(E, ost.source,            "info/source",       JSON_REQUIRED),
    JSON_UINT(E, ost.status,            "info/status",       JSON_REQUIRED),
};
static const JsonRow pr_rows[] = {
    JSON_STR (E, pr_manager.alias,      "id",                JSON_REQUIRED),
    JSON_BOOL(E, pr_manager.connected,  "connected",         JSON_REQUIRED),
};
static const JsonRow memory_failure_rows[] = {
    JSON_STR (E, memory_failure.recipient, "recipient",      JSON_REQUIRED),
    JSON_STR (E, memory_failure.action,    "action",         JSON_REQUIRED),
    JSON_BOOL(E, memory_failure.action_required, "flags/action-required", JSON_OPTIONAL),
    JSON_BOOL(E, memory_failure.recursive, "flags/recursive", JSON_OPTIONAL),
};
static const JsonRow memory_size_rows[] = {
    JSON_STR (E, memory_size.alias,     "id",                JSON_OPTIONAL),
    JSON_STR (E, memory_size.qom_path,  "qom-path",          JSON_OPTIONAL),
    JSON_U64 (E, memory_size.size,      "size",              JSON_REQUIRED),
};
static const JsonRow stream_rows[] = {
    JSON_STR (E, stream.netdev,          "netdev-id",        JSON_REQUIRED),
    JSON_STR (E, stream.address.host,    "addr/host",        JSON_OPTIONAL),
    JSON_STR (E, stream.address.service, "addr/port",        JSON_OPTIONAL),
    JSON_STR (E, stream.address.family,  "addr/type",        JSON_OPTIONAL),
};

#define ROWS(r) r, G_N_ELEMENTS(r)
static const struct {
    const char *name;
    MonEventKind kind;
    const JsonRow *rows;
    unsigned n_rows;
} events[] = {
    { "SHUTDOWN",                  MON_SHUTDOWN,                  ROWS(shutdown_rows) },
    { "POWERDOWN",                 MON_POWERDOWN,                 NULL, 0 },
    { "RESET",                     MON_RESET,                     ROWS(shutdown_rows) },
    { "STOP",                      MON_STOP,                      NULL, 0 },
    { "RESUME",                    MON_RESUME,                    NULL, 0 },
    { "SUSPEND",                   MON_SUSPEND,                   NULL, 0 },
    { "SUSPEND_DISK",              MON_SUSPEND_DISK,              NULL, 0 },
    { "WAKEUP",                    MON_WAKEUP,                    NULL, 0 },
    { "RTC_CHANGE",                MON_RTC_CHANGE,                ROWS(rtc_rows) },
    { "WATCHDOG",                  MON_WATCHDOG,                  ROWS(watchdog_rows) },
    { "BLOCK_IO_ERROR",            MON_BLOCK_IO_ERROR,            ROWS(io_error_rows) },
    { "VNC_CONNECTED",             MON_VNC_CONNECTED,             ROWS(vnc_rows) },
    { "VNC_INITIALIZED",           MON_VNC_INITIALIZED,           ROWS(vnc_rows) },
    { "VNC_DISCONNECTED",          MON_VNC_DISCONNECTED,          ROWS(vnc_rows) },
    { "SPICE_CONNECTED",           MON_SPICE_CONNECTED,           ROWS(spice_rows) },
    { "SPICE_INITIALIZED",         MON_SPICE_INITIALIZED,         ROWS(spice_rows) },
    { "SPICE_DISCONNECTED",        MON_SPICE_DISCONNECTED,        ROWS(spice_rows) },
    { "SPICE_MIGRATE_COMPLETED",   MON_SPICE_MIGRATE_COMPLETED,   NULL, 0 },
    { "BALLOON_CHANGE",            MON_BALLOON_CHANGE,            ROWS(balloon_rows) },
    { "DEVICE_DELETED",            MON_DEVICE_DELETED,            ROWS(deleted_rows) },
    { "DEVICE_UNPLUG_GUEST_ERROR", MON_DEVICE_UNPLUG_ERROR,       ROWS(deleted_rows) },
    { "MEM_UNPLUG_ERROR",          MON_DEVICE_UNPLUG_ERROR,       ROWS(deleted_rows) },
    { "DEVICE_TRAY_MOVED",         MON_DEVICE_TRAY_MOVED,         ROWS(tray_rows) },
    { "GUEST_PANICKED",            MON_GUEST_PANICKED,            ROWS(panic_rows) },
    { "GUEST_CRASHLOADED",         MON_GUEST_CRASHLOADED,         ROWS(panic_rows) },
    { "VSERPORT_CHANGE",           MON_VSERPORT_CHANGE,           ROWS(vserport_rows) },
    { "NIC_RX_FILTER_CHANGED",     MON_NIC_RX_FILTER_CHANGED,     ROWS(rx_filter_rows) },
    { "JOB_STATUS_CHANGE",         MON_JOB_STATUS_CHANGE,         ROWS(job_rows) },
    { "BLOCK_JOB_COMPLETED",       MON_BLOCK_JOB,                 ROWS(block_job_rows) },
    { "BLOCK_JOB_CANCELLED",       MON_BLOCK_JOB,                 ROWS(block_job_rows) },
    { "BLOCK_JOB_READY",           MON_BLOCK_JOB,                 ROWS(block_job_rows) },
    { "BLOCK_JOB_ERROR",           MON_BLOCK_JOB,                 ROWS(block_job_rows) },
    { "BLOCK_WRITE_THRESHOLD",     MON_BLOCK_WRITE_THRESHOLD,     ROWS(threshold_rows) },
    { "MIGRATION",                 MON_MIGRATION,                 ROWS(migration_rows) },
    { "MIGRATION_PASS",            MON_MIGRATION_PASS,            ROWS(pass_rows) },
    { "ACPI_DEVICE_OST",           MON_ACPI_DEVICE_OST,           ROWS(ost_rows) },
    { "PR_MANAGER_STATUS_CHANGED", MON_PR_MANAGER_STATUS,         ROWS(pr_rows) },
    { "MEMORY_FAILURE",            MON_MEMORY_FAILURE,            ROWS(memory_failure_rows) },
    { "MEMORY_DEVICE_SIZE_CHANGE", MON_MEMORY_DEVICE_SIZE_CHANGE, ROWS(memory_size_rows) },
    { "NETDEV_STREAM_CONNECTED",   MON_NETDEV_STREAM_CONNECTED,   ROWS(stream_rows) },
    { "NETDEV_STREAM_DISCONNECTED", MON_NETDEV_STREAM_DISCONNECTED, ROWS(stream_rows) },
    { "DUMP_COMPLETED",            MON_DUMP_COMPLETED,            NULL, 0 },
};
/* clang-format on */

/* Index into events; G_N_ELEMENTS(events) when it is another. */
static unsigned find(const char *name)
{
    unsigned i = 0;

    while (i < G_N_ELEMENTS(events) && strcmp(events[i].name, name) != 0)
        i++;
    return i;
}

void mon_event_decode(QmpEvent *e, MonEvent *ret)
{
    unsigned i = find(e->name);

    *ret = (MonEvent){ .kind = MON_OTHER, .raw = qmp_event_ref(e) };
    if (i == G_N_ELEMENTS(events))
        return;
    if (events[i].rows) {
        g_autoptr(JsonObject) none = e->data ? NULL : json_object_new_object();

        if (!json_read(e->data ? e->data : none, e->name, events[i].rows, events[i].n_rows, ret, NULL))
            return;
    }
    ret->kind = events[i].kind;
    if (ret->kind == MON_SHUTDOWN || ret->kind == MON_RESET)
        ret->shutdown.guest_known = e->data && json_get(e->data, "guest");
    if (ret->kind == MON_BLOCK_JOB)
        ret->block_job.name = g_strdup(e->name);
}

void mon_event_clear(MonEvent *e)
{
    if (e->raw) {
        unsigned i = find(e->raw->name);

        if (e->kind != MON_OTHER && i < G_N_ELEMENTS(events) && events[i].rows)
            json_rows_clear(events[i].rows, events[i].n_rows, e);
    }
    g_clear_pointer(&e->block_job.name, g_free);
    g_clear_pointer(&e->raw, qmp_event_unref);
    e->kind = MON_OTHER;
}

const char *mon_event_name(MonEventKind k)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(events); i++)
        if (events[i].kind == k)
            return events[i].name;
    return NULL;
}
