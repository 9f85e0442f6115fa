/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * QEMU's events as typed values. mon_event_decode() is pure; call it from QmpOps.event and queue the
 * result, or only the QmpEvent. Every string comes from the emulator: bytes until validated.
 */
#pragma once

#include "drivers/qemu/qmp.h"

typedef enum MonEventKind {
    MON_OTHER, /* not in the table: raw only */
    MON_SHUTDOWN, MON_POWERDOWN, MON_RESET, MON_STOP, MON_RESUME, MON_SUSPEND, MON_SUSPEND_DISK, MON_WAKEUP,
    MON_RTC_CHANGE, MON_WATCHDOG, MON_BLOCK_IO_ERROR,
    MON_VNC_CONNECTED, MON_VNC_INITIALIZED, MON_VNC_DISCONNECTED,
    MON_SPICE_CONNECTED, MON_SPICE_INITIALIZED, MON_SPICE_DISCONNECTED, MON_SPICE_MIGRATE_COMPLETED,
    MON_BALLOON_CHANGE, MON_DEVICE_DELETED, MON_DEVICE_UNPLUG_ERROR, MON_DEVICE_TRAY_MOVED,
    MON_GUEST_PANICKED, MON_GUEST_CRASHLOADED, MON_VSERPORT_CHANGE, MON_NIC_RX_FILTER_CHANGED,
    MON_JOB_STATUS_CHANGE, MON_BLOCK_JOB, MON_BLOCK_WRITE_THRESHOLD, MON_MIGRATION, MON_MIGRATION_PASS,
    MON_ACPI_DEVICE_OST, MON_PR_MANAGER_STATUS, MON_MEMORY_FAILURE, MON_MEMORY_DEVICE_SIZE_CHANGE,
    MON_NETDEV_STREAM_CONNECTED, MON_NETDEV_STREAM_DISCONNECTED, MON_DUMP_COMPLETED,
    MON_EVENT_N_
} MonEventKind;

typedef struct MonAddress {
    char *host, *service, *family; /* family: ipv4, ipv6, unix, vsock, unknown */
} MonAddress;

/* Strings are NULL when the event did not have them. */
typedef struct MonEvent {
    MonEventKind kind;
    QmpEvent *raw; /* a reference */
    struct { bool guest, guest_known; char *reason; } shutdown; /* SHUTDOWN, RESET: by the guest? why */
    struct { int64_t offset; char *qom_path; } rtc;             /* seconds */
    struct { char *action; } watchdog, panic;                   /* reset, shutdown, pause, … */
    struct { char *device, *node, *qom_path, *operation, *action, *reason; bool nospace; } io_error;
    struct { MonAddress server, client; char *auth, *sasl_username, *x509_dname; } graphics;
    struct { uint64_t bytes; } balloon;
    struct { char *alias, *qom_path, *message; } device;         /* DELETED, UNPLUG_ERROR, SIZE_CHANGE, RX_FILTER (alias) */
    struct { char *alias, *qom_path; bool open; } tray;          /* alias: of the device frontend ("id") */
    struct { char *alias; bool open; } vserport;
    struct { char *id, *status; } job;                           /* JOB_STATUS_CHANGE */
    struct { char *name, *type, *device, *error; int64_t len, offset, speed; } block_job; /* name: the event's */
    struct { char *node; uint64_t excess, threshold; } threshold;
    struct { char *status; uint64_t pass; } migration;
    struct { char *alias, *slot, *slot_type; unsigned source, status; } ost;
    struct { char *alias; bool connected; } pr_manager;
    struct { char *recipient, *action; bool action_required, recursive; } memory_failure;
    struct { uint64_t size; char *qom_path, *alias; } memory_size;
    struct { char *netdev; MonAddress address; } stream;
} MonEvent;

/* Always succeeds: an event that lacks what its kind requires becomes MON_OTHER. Free with
 * mon_event_clear(). */
void mon_event_decode(QmpEvent *e, MonEvent *ret);
void mon_event_clear(MonEvent *e);
const char *mon_event_name(MonEventKind k);
