/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * QMP commands with C types. Each blocks the calling worker until the reply or the default deadline,
 * and fails as qmp_call() does. Out values belong to the caller and are set on success only.
 */
#pragma once

#include "drivers/qemu/qmp.h"

/* Without arguments and answer. */
bool qmp_stop(Qmp *q, GError **err);
bool qmp_cont(Qmp *q, GError **err);
bool qmp_system_powerdown(Qmp *q, GError **err);
bool qmp_system_reset(Qmp *q, GError **err);
bool qmp_system_wakeup(Qmp *q, GError **err);
bool qmp_inject_nmi(Qmp *q, GError **err);
/* QEMU often hangs up instead of answering: that counts as success. */
bool qmp_quit(Qmp *q, GError **err);

/* QEMU's run states. */
typedef enum QmpRunState {
    QMP_RUN_DEBUG,
    QMP_RUN_INMIGRATE,
    QMP_RUN_INTERNAL_ERROR,
    QMP_RUN_IO_ERROR,
    QMP_RUN_PAUSED,
    QMP_RUN_POSTMIGRATE,
    QMP_RUN_PRELAUNCH,
    QMP_RUN_FINISH_MIGRATE,
    QMP_RUN_RESTORE_VM,
    QMP_RUN_RUNNING,
    QMP_RUN_SAVE_VM,
    QMP_RUN_SHUTDOWN,
    QMP_RUN_SUSPENDED,
    QMP_RUN_WATCHDOG,
    QMP_RUN_GUEST_PANICKED,
    QMP_RUN_COLO,
    QMP_RUN_UNKNOWN,
} QmpRunState;
typedef struct QmpStatus {
    bool running;
    int state; /* QmpRunState */
} QmpStatus;
bool qmp_query_status(Qmp *q, QmpStatus *ret, GError **err);

typedef struct QmpVersion {
    unsigned major, minor, micro;
    char *package; /* free */
} QmpVersion;
bool qmp_query_version(Qmp *q, QmpVersion *ret, GError **err);

/* VIR_ERR_OPERATION_INVALID when the guest has no balloon or its driver is not loaded. */
bool qmp_query_balloon(Qmp *q, uint64_t *ret_bytes, GError **err);
bool qmp_balloon(Qmp *q, uint64_t bytes, GError **err);
/* Statistics of the guest's balloon driver; UINT64_MAX: not told. Bytes, counts, seconds. */
typedef struct QmpBalloonStats {
    uint64_t swap_in, swap_out, major_faults, minor_faults, free, total, available, disk_caches,
        hugetlb_allocs, hugetlb_failures, last_update;
} QmpBalloonStats;
/* Of the property's value, as the next function gets it. */
void qmp_read_balloon_stats(JsonObject *value, QmpBalloonStats *ret);
/* qom_path: of the balloon device, see qmp_find_device(). */
bool qmp_balloon_stats(Qmp *q, const char *qom_path, QmpBalloonStats *ret, GError **err);
bool qmp_balloon_stats_period(Qmp *q, const char *qom_path, unsigned seconds, GError **err);

/* ret: the value, a reference. */
bool qmp_qom_get(Qmp *q, const char *path, const char *property, JsonObject **ret, GError **err);
/* value is taken. */
bool qmp_qom_set(Qmp *q, const char *path, const char *property, JsonObject *value, GError **err);
/* Names of an object's children and properties; NULL-terminated. types: the same, in parallel, may be
 * NULL. */
bool qmp_qom_list(Qmp *q, const char *path, char ***ret_names, char ***ret_types, GError **err);
/* Aliases of the devices that QEMU has ("/machine/peripheral"). */
bool qmp_device_list(Qmp *q, char ***ret_aliases, GError **err);
/* First object of a type ("virtio-balloon-pci") below /machine; NULL with success: none. */
bool qmp_find_device(Qmp *q, const char *type, char **ret_path, GError **err);

typedef struct QmpCpu {
    unsigned index;
    int64_t thread_id;
    char *qom_path;
    char *state; /* s390x only: "operating", "stopped", ... */
    int64_t socket, die, core, thread, node; /* -1: not told */
} QmpCpu;
/* Lists: g_array_unref() frees the members as well. qmp_read_X() is the second half of qmp_query_X(), for
 * replies that came otherwise (qmp_call_async). */
/* Of QmpCpu, in the order in which they came to be. */
GArray *qmp_read_cpus_fast(JsonObject *ret, GError **err);
GArray *qmp_query_cpus_fast(Qmp *q, GError **err);
bool qmp_cpu_halted(const QmpCpu *c); /* false where emulators do not tell */

typedef struct QmpIothread {
    char *id;
    int64_t thread_id;
    int64_t poll_max_ns, poll_grow, poll_shrink; /* -1: not told */
} QmpIothread;
GArray *qmp_read_iothreads(JsonObject *ret, GError **err);
GArray *qmp_query_iothreads(Qmp *q, GError **err);

typedef struct QmpBlock {
    char *device, *qdev; /* qdev: alias or QOM path of the frontend */
    bool removable, locked, tray_open;
    char *io_status;            /* "ok", "failed", "nospace" */
    char *file, *node, *driver; /* NULL: empty drive */
    uint64_t virtual_size;
} QmpBlock;
GArray *qmp_query_block(Qmp *q, GError **err);

typedef struct QmpNode { /* query-named-block-nodes; sizes 0: not told */
    char *name;
    uint64_t virtual_size, actual_size, write_threshold;
} QmpNode;
GArray *qmp_read_nodes(JsonObject *ret, GError **err);
GArray *qmp_query_nodes(Qmp *q, GError **err); /* of QmpNode, each once */

typedef struct QmpBlockStats {
    char *device, *qdev, *node;
    int64_t rd_bytes, wr_bytes, rd_operations, wr_operations, flush_operations, rd_total_time_ns,
        wr_total_time_ns, flush_total_time_ns;
    uint64_t wr_highest_offset;
} QmpBlockStats;
GArray *qmp_read_blockstats(JsonObject *ret, GError **err);
GArray *qmp_query_blockstats(Qmp *q, GError **err);

typedef struct QmpChardev {
    char *label;    /* "charserial0" */
    char *filename; /* "pty:/dev/pts/4" */
    char *pty;      /* "/dev/pts/4", NULL: no pty */
    bool frontend_open;
} QmpChardev;
GArray *qmp_query_chardev(Qmp *q, GError **err);

typedef struct QmpVnc {
    bool enabled;
    char *host, *service, *family, *auth;
} QmpVnc;
bool qmp_query_vnc(Qmp *q, QmpVnc *ret, GError **err);
void qmp_vnc_clear(QmpVnc *v);

typedef enum QmpDirtyRateStatus { /* numbers as clients know them: VIR_DOMAIN_DIRTYRATE_* */
                                  QMP_DIRTY_RATE_UNSTARTED,
                                  QMP_DIRTY_RATE_MEASURING,
                                  QMP_DIRTY_RATE_MEASURED,
                                  _QMP_DIRTY_RATE_N
} QmpDirtyRateStatus;
typedef struct QmpVcpuDirtyRate {
    int64_t id, mb_per_second;
} QmpVcpuDirtyRate;
typedef struct QmpDirtyRate {
    int status;
    int64_t start_time, calc_time, mb_per_second; /* seconds; MiB/s, -1: not measured */
    char *mode;                                   /* "page-sampling" */
    GArray *by_vcpu; /* of QmpVcpuDirtyRate; NULL: of the guest as a whole */
} QmpDirtyRate;
bool qmp_read_dirty_rate(JsonObject *ret, QmpDirtyRate *out, GError **err);
void qmp_dirty_rate_clear(QmpDirtyRate *d);
bool qmp_calc_dirty_rate(Qmp *q, unsigned seconds, const char *mode, GError **err);
/* 0: no threshold. */
bool qmp_block_resize(Qmp *q, const char *node, uint64_t bytes, GError **err);
bool qmp_block_set_write_threshold(Qmp *q, const char *node, uint64_t threshold, GError **err);
/* Copies guest memory to a file that exists. */
bool qmp_memsave(Qmp *q, bool physical, uint64_t offset, uint64_t size, const char *file,
                 GError **err);
bool qmp_display_reload_vnc(Qmp *q, GError **err);

/* NULL: leave that action as it is. */
bool qmp_set_action(Qmp *q, const char *reboot, const char *shutdown, const char *panic,
                    const char *watchdog, GError **err);
/* protocol "vnc" or "spice"; connected NULL, "keep", "fail" or "disconnect". */
bool qmp_set_password(Qmp *q, const char *protocol, const char *password, const char *connected,
                      GError **err);
/* when: "now", "never", "+SECONDS" or seconds since 1970. */
bool qmp_expire_password(Qmp *q, const char *protocol, const char *when, GError **err);

/* Whole argument objects, taken. */
bool qmp_device_add(Qmp *q, JsonObject *props, GError **err);
bool qmp_device_del(Qmp *q, const char *alias, GError **err);
bool qmp_netdev_add(Qmp *q, JsonObject *props, GError **err);
bool qmp_netdev_del(Qmp *q, const char *id, GError **err);
bool qmp_object_add(Qmp *q, JsonObject *props, GError **err);
bool qmp_object_del(Qmp *q, const char *id, GError **err);
bool qmp_blockdev_add(Qmp *q, JsonObject *props, GError **err);
bool qmp_blockdev_del(Qmp *q, const char *node, GError **err);
bool qmp_chardev_add(Qmp *q, JsonObject *props, GError **err);
bool qmp_chardev_remove(Qmp *q, const char *id, GError **err);

/* Key codes are QKeyCode numbers of the "number" kind (Linux scan codes set 1). hold 0: default. */
bool qmp_send_key(Qmp *q, const unsigned *codes, unsigned n, unsigned hold_ms, GError **err);
/* device NULL: the primary display; format NULL: ppm. */
bool qmp_screendump(Qmp *q, const char *file, const char *device, unsigned head, const char *format,
                    GError **err);
bool qmp_getfd(Qmp *q, const char *name, int fd, GError **err);
/* A set of its own for a copy of fd: QEMU opens "/dev/fdset/SET" instead of a path. */
bool qmp_add_fd(Qmp *q, int fd, const char *opaque, int64_t *ret_set, GError **err);
bool qmp_remove_fd(Qmp *q, int64_t set, GError **err);
/* A copy of fd, a socket, becomes a client of a display server: "vnc", "spice", "@dbus-display". */
bool qmp_add_client(Qmp *q, const char *protocol, int fd, bool skip_auth, GError **err);
bool qmp_closefd(Qmp *q, const char *name, GError **err);
/* A human monitor command; its output. */
bool qmp_hmp(Qmp *q, const char *command, char **ret, uint64_t deadline, GError **err);
