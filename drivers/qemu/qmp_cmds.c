/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Typed QMP commands. What repeats is a row: members of a reply are read by JSON rows, lists by one
 * function that reads each element, commands with a single string argument by one helper. A reply
 * that does not fit is an error of that call, never a crash: the other side may be a taken-over
 * emulator. Workers.
 */
#include "drivers/qemu/qmp_cmds.h"

#include <string.h>

#include "util/enum.h"
#include "util/error.h"

#define LIST_MAX       65536
#define FIND_DEPTH_MAX 4

/* Commands without arguments and answer. */

#define PLAIN(function, command)                                                                   \
    bool function(Qmp *q, GError **err)                                                            \
    {                                                                                              \
        return qmp_call(q, command, NULL, NULL, 0, err);                                           \
    }

PLAIN(qmp_stop, "stop")
PLAIN(qmp_cont, "cont")
PLAIN(qmp_system_powerdown, "system_powerdown")
PLAIN(qmp_system_reset, "system_reset")
PLAIN(qmp_system_wakeup, "system_wakeup")
PLAIN(qmp_inject_nmi, "inject-nmi")

bool qmp_quit(Qmp *q, GError **err)
{
    GError *why = NULL;

    if (qmp_call(q, "quit", NULL, NULL, 0, &why))
        return true;
    if (error_is(why, VIR_ERR_OPERATION_FAILED) && !qmp_is_open(q)) {
        g_error_free(why);
        return true;
    }
    g_propagate_error(err, why);
    return false;
}

/* Commands whose arguments come as one object, or as one string. */

#define WHOLE(function, command)                                                                   \
    bool function(Qmp *q, JsonObject *props, GError **err)                                         \
    {                                                                                              \
        return qmp_call(q, command, props, NULL, 0, err);                                          \
    }
#define NAMED(function, command, member)                                                           \
    bool function(Qmp *q, const char *name, GError **err)                                          \
    {                                                                                              \
        return qmp_call(q, command, json_make(J_STR(member, name)), NULL, 0, err);                 \
    }

WHOLE(qmp_device_add, "device_add")
WHOLE(qmp_netdev_add, "netdev_add")
WHOLE(qmp_object_add, "object-add")
WHOLE(qmp_blockdev_add, "blockdev-add")
WHOLE(qmp_chardev_add, "chardev-add")
NAMED(qmp_device_del, "device_del", "id")
NAMED(qmp_netdev_del, "netdev_del", "id")
NAMED(qmp_object_del, "object-del", "id")
NAMED(qmp_blockdev_del, "blockdev-del", "node-name")
NAMED(qmp_chardev_remove, "chardev-remove", "id")
NAMED(qmp_closefd, "closefd", "fdname")

/* Replies by rows. */

static bool query(Qmp *q, const char *cmd, JsonObject *args, const JsonRow *rows, size_t n,
                  void *out, GError **err)
{
    g_autoptr(JsonObject) ret = NULL;
    g_autofree char *what = g_strconcat("reply of ", cmd, NULL);

    return qmp_call(q, cmd, args, &ret, 0, err) && json_read(ret, what, rows, n, out, err);
}

/* How the elements of a list become structs: each is set to *init first, then read by the rows. */
typedef struct ListKind {
    const char *cmd; /* whose reply it is */
    const JsonRow *rows;
    size_t n, size;
    const void *init;
    GDestroyNotify clear;
} ListKind;

static GArray *read_list(JsonObject *ret, const ListKind *k, GError **err)
{
    g_autofree char *what = g_strconcat("reply of ", k->cmd, NULL);

    if (!json_object_is_type(ret, json_type_array) || json_len(ret) > LIST_MAX) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "%s is not a list of at most %d elements", what,
                  LIST_MAX);
        return NULL;
    }

    g_autoptr(GArray) a = g_array_sized_new(false, true, k->size, json_len(ret));
    g_array_set_clear_func(a, k->clear);
    for (size_t i = 0; i < json_len(ret); i++) {
        g_array_append_vals(a, k->init, 1);
        void *element = a->data + (a->len - 1) * k->size;
        if (!json_read(json_object_array_get_idx(ret, i), what, k->rows, k->n, element, err))
            return NULL;
    }
    return g_steal_pointer(&a);
}

static GArray *query_list(Qmp *q, JsonObject *args, const ListKind *k, GError **err)
{
    g_autoptr(JsonObject) ret = NULL;

    return qmp_call(q, k->cmd, args, &ret, 0, err) ? read_list(ret, k, err) : NULL;
}

ENUM_TABLE(run_states, "run state", QMP_RUN_UNKNOWN, "debug", "inmigrate", "internal-error",
           "io-error", "paused", "postmigrate", "prelaunch", "finish-migrate", "restore-vm",
           "running", "save-vm", "shutdown", "suspended", "watchdog", "guest-panicked", "colo");

static const JsonRow status_rows[] = {
    JSON_BOOL(QmpStatus, running, "running", JSON_REQUIRED),
    JSON_ENUM(QmpStatus, state, "status", &run_states, JSON_OPTIONAL),
};

bool qmp_query_status(Qmp *q, QmpStatus *ret, GError **err)
{
    QmpStatus s = { .state = QMP_RUN_UNKNOWN };

    if (!query(q, "query-status", NULL, status_rows, G_N_ELEMENTS(status_rows), &s, err))
        return false;
    *ret = s;
    return true;
}

static const JsonRow version_rows[] = {
    JSON_UINT(QmpVersion, major, "qemu/major", JSON_REQUIRED),
    JSON_UINT(QmpVersion, minor, "qemu/minor", JSON_REQUIRED),
    JSON_UINT(QmpVersion, micro, "qemu/micro", JSON_REQUIRED),
    JSON_STR(QmpVersion, package, "package", JSON_OPTIONAL),
};

bool qmp_query_version(Qmp *q, QmpVersion *ret, GError **err)
{
    QmpVersion v = { 0 };

    if (!query(q, "query-version", NULL, version_rows, G_N_ELEMENTS(version_rows), &v, err))
        return false;
    *ret = v;
    return true;
}

/* Balloon. */

typedef struct Balloon {
    uint64_t actual;
} Balloon;

static const JsonRow balloon_rows[] = { JSON_U64(Balloon, actual, "actual", JSON_REQUIRED) };

/* QEMU's class for "no balloon" is DeviceNotActive or KVMMissingCap, which both come as plain
 * refusals; whatever it refuses here means that there is no balloon to talk to. */
static bool balloon_absent(GError *why, GError **err)
{
    if (error_is(why, VIR_ERR_INTERNAL_ERROR) &&
        g_str_has_prefix(why->message, "unable to execute")) {
        error_set(err, VIR_ERR_OPERATION_INVALID, "the guest has no active memory balloon: %s",
                  why->message);
        g_error_free(why);
    } else {
        g_propagate_error(err, why);
    }
    return false;
}

bool qmp_query_balloon(Qmp *q, uint64_t *ret_bytes, GError **err)
{
    GError *why = NULL;
    Balloon b;

    if (!query(q, "query-balloon", NULL, balloon_rows, G_N_ELEMENTS(balloon_rows), &b, &why))
        return balloon_absent(why, err);
    *ret_bytes = b.actual;
    return true;
}

bool qmp_balloon(Qmp *q, uint64_t bytes, GError **err)
{
    GError *why = NULL;

    if (!qmp_call(q, "balloon", json_make(J_UINT("value", bytes)), NULL, 0, &why))
        return balloon_absent(why, err);
    return true;
}

#define NOT_TOLD UINT64_MAX

static uint64_t told(JsonObject *o, const char *path)
{
    /* "Unknown" is written as -1, by older versions as 2^64-1. */
    JsonObject *v = json_get(o, path);

    return json_object_is_type(v, json_type_int) && json_object_get_int64(v) >= 0
               ? json_object_get_uint64(v)
               : NOT_TOLD;
}

void qmp_read_balloon_stats(JsonObject *o, QmpBalloonStats *ret)
{
    *ret = (QmpBalloonStats){
        .swap_in = told(o, "stats/stat-swap-in"),
        .swap_out = told(o, "stats/stat-swap-out"),
        .major_faults = told(o, "stats/stat-major-faults"),
        .minor_faults = told(o, "stats/stat-minor-faults"),
        .free = told(o, "stats/stat-free-memory"),
        .total = told(o, "stats/stat-total-memory"),
        .available = told(o, "stats/stat-available-memory"),
        .disk_caches = told(o, "stats/stat-disk-caches"),
        .hugetlb_allocs = told(o, "stats/stat-htlb-pgalloc"),
        .hugetlb_failures = told(o, "stats/stat-htlb-pgfail"),
        .last_update = told(o, "last-update"),
    };
}

bool qmp_balloon_stats(Qmp *q, const char *qom_path, QmpBalloonStats *ret, GError **err)
{
    g_autoptr(JsonObject) o = NULL;

    if (!qmp_qom_get(q, qom_path, "guest-stats", &o, err))
        return false;
    qmp_read_balloon_stats(o, ret);
    return true;
}

bool qmp_balloon_stats_period(Qmp *q, const char *qom_path, unsigned seconds, GError **err)
{
    return qmp_qom_set(q, qom_path, "guest-stats-polling-interval", json_object_new_int64(seconds),
                       err);
}

/* Objects. */

bool qmp_qom_get(Qmp *q, const char *path, const char *property, JsonObject **ret, GError **err)
{
    return qmp_call(q, "qom-get", json_make(J_STR("path", path), J_STR("property", property)), ret,
                    0, err);
}

bool qmp_qom_set(Qmp *q, const char *path, const char *property, JsonObject *value, GError **err)
{
    return qmp_call(
        q, "qom-set",
        json_make(J_STR("path", path), J_STR("property", property), J_OBJ("value", value)), NULL, 0,
        err);
}

typedef struct QomItem {
    char *name, *type;
} QomItem;

static const JsonRow qom_rows[] = {
    JSON_STR(QomItem, name, "name", JSON_REQUIRED),
    JSON_STR(QomItem, type, "type", JSON_REQUIRED),
};

static void qom_item_clear(void *p)
{
    json_rows_clear(qom_rows, G_N_ELEMENTS(qom_rows), p);
}

static const QomItem no_qom_item;
static const ListKind qom_list = { "qom-list",      qom_rows,     G_N_ELEMENTS(qom_rows),
                                   sizeof(QomItem), &no_qom_item, qom_item_clear };

static GArray *qom_items(Qmp *q, const char *path, GError **err)
{
    return query_list(q, json_make(J_STR("path", path)), &qom_list, err);
}

bool qmp_qom_list(Qmp *q, const char *path, char ***ret_names, char ***ret_types, GError **err)
{
    g_autoptr(GArray) items = qom_items(q, path, err);
    if (!items)
        return false;

    char **names = g_new0(char *, items->len + 1), **types = g_new0(char *, items->len + 1);
    for (unsigned i = 0; i < items->len; i++) {
        QomItem *it = &g_array_index(items, QomItem, i);
        names[i] = g_steal_pointer(&it->name);
        types[i] = g_steal_pointer(&it->type);
    }
    *ret_names = names;
    if (ret_types)
        *ret_types = types;
    else
        g_strfreev(types);
    return true;
}

bool qmp_device_list(Qmp *q, char ***ret_aliases, GError **err)
{
    g_autoptr(GArray) items = qom_items(q, "/machine/peripheral", err);
    if (!items)
        return false;

    g_autoptr(GStrvBuilder) b = g_strv_builder_new();
    for (unsigned i = 0; i < items->len; i++) {
        const QomItem *it = &g_array_index(items, QomItem, i);
        if (g_str_has_prefix(it->type, "child<"))
            g_strv_builder_add(b, it->name);
    }
    *ret_aliases = g_strv_builder_end(b);
    return true;
}

static bool find_below(Qmp *q, const char *path, const char *type, unsigned depth, char **ret,
                       GError **err)
{
    g_autoptr(GArray) items = qom_items(q, path, err);
    if (!items)
        return false;

    g_autofree char *wanted = g_strdup_printf("child<%s>", type);
    for (unsigned i = 0; i < items->len && !*ret; i++) {
        const QomItem *it = &g_array_index(items, QomItem, i);
        if (strcmp(it->type, wanted) == 0)
            *ret = g_strconcat(path, "/", it->name, NULL);
    }
    /* Only containers: devices have hundreds of children that are no devices. */
    for (unsigned i = 0; i < items->len && !*ret && depth > 0; i++) {
        const QomItem *it = &g_array_index(items, QomItem, i);
        g_autofree char *below = g_strconcat(path, "/", it->name, NULL);
        if (strcmp(it->type, "child<container>") == 0 &&
            !find_below(q, below, type, depth - 1, ret, err))
            return false;
    }
    return true;
}

bool qmp_find_device(Qmp *q, const char *type, char **ret_path, GError **err)
{
    *ret_path = NULL;
    return find_below(q, "/machine", type, FIND_DEPTH_MAX, ret_path, err);
}

/* Lists. */

static const JsonRow cpu_rows[] = {
    JSON_UINT(QmpCpu, index, "cpu-index", JSON_REQUIRED),
    JSON_I64(QmpCpu, thread_id, "thread-id", JSON_REQUIRED),
    JSON_STR(QmpCpu, qom_path, "qom-path", JSON_OPTIONAL),
    JSON_STR(QmpCpu, state, "cpu-state", JSON_OPTIONAL),
    JSON_I64(QmpCpu, socket, "props/socket-id", JSON_OPTIONAL),
    JSON_I64(QmpCpu, die, "props/die-id", JSON_OPTIONAL),
    JSON_I64(QmpCpu, core, "props/core-id", JSON_OPTIONAL),
    JSON_I64(QmpCpu, thread, "props/thread-id", JSON_OPTIONAL),
    JSON_I64(QmpCpu, node, "props/node-id", JSON_OPTIONAL),
};

static void cpu_clear(void *p)
{
    json_rows_clear(cpu_rows, G_N_ELEMENTS(cpu_rows), p);
}

static const QmpCpu no_cpu = { .socket = -1, .die = -1, .core = -1, .thread = -1, .node = -1 };
static const ListKind cpu_list = { "query-cpus-fast", cpu_rows, G_N_ELEMENTS(cpu_rows),
                                   sizeof(QmpCpu),    &no_cpu,  cpu_clear };

GArray *qmp_read_cpus_fast(JsonObject *ret, GError **err)
{
    return read_list(ret, &cpu_list, err);
}

GArray *qmp_query_cpus_fast(Qmp *q, GError **err)
{
    return query_list(q, NULL, &cpu_list, err);
}

bool qmp_cpu_halted(const QmpCpu *c)
{
    return g_strcmp0(c->state, "stopped") == 0 || g_strcmp0(c->state, "check-stop") == 0;
}

static const JsonRow iothread_rows[] = {
    JSON_STR(QmpIothread, id, "id", JSON_REQUIRED),
    JSON_I64(QmpIothread, thread_id, "thread-id", JSON_REQUIRED),
    JSON_I64(QmpIothread, poll_max_ns, "poll-max-ns", JSON_OPTIONAL),
    JSON_I64(QmpIothread, poll_grow, "poll-grow", JSON_OPTIONAL),
    JSON_I64(QmpIothread, poll_shrink, "poll-shrink", JSON_OPTIONAL),
};

static void iothread_clear(void *p)
{
    json_rows_clear(iothread_rows, G_N_ELEMENTS(iothread_rows), p);
}

static const QmpIothread no_iothread = { .poll_max_ns = -1, .poll_grow = -1, .poll_shrink = -1 };
static const ListKind iothread_list = {
    "query-iothreads",   iothread_rows, G_N_ELEMENTS(iothread_rows),
    sizeof(QmpIothread), &no_iothread,  iothread_clear
};

GArray *qmp_read_iothreads(JsonObject *ret, GError **err)
{
    return read_list(ret, &iothread_list, err);
}

GArray *qmp_query_iothreads(Qmp *q, GError **err)
{
    return query_list(q, NULL, &iothread_list, err);
}

static const JsonRow block_rows[] = {
    JSON_STR(QmpBlock, device, "device", JSON_REQUIRED),
    JSON_STR(QmpBlock, qdev, "qdev", JSON_OPTIONAL),
    JSON_BOOL(QmpBlock, removable, "removable", JSON_REQUIRED),
    JSON_BOOL(QmpBlock, locked, "locked", JSON_REQUIRED),
    JSON_BOOL(QmpBlock, tray_open, "tray_open", JSON_OPTIONAL),
    JSON_STR(QmpBlock, io_status, "io-status", JSON_OPTIONAL),
    JSON_STR(QmpBlock, file, "inserted/file", JSON_OPTIONAL),
    JSON_STR(QmpBlock, node, "inserted/node-name", JSON_OPTIONAL),
    JSON_STR(QmpBlock, driver, "inserted/drv", JSON_OPTIONAL),
    JSON_U64(QmpBlock, virtual_size, "inserted/image/virtual-size", JSON_OPTIONAL),
};

static void block_clear(void *p)
{
    json_rows_clear(block_rows, G_N_ELEMENTS(block_rows), p);
}

static const QmpBlock no_block;
static const ListKind block_list = { "query-block",    block_rows, G_N_ELEMENTS(block_rows),
                                     sizeof(QmpBlock), &no_block,  block_clear };

GArray *qmp_query_block(Qmp *q, GError **err)
{
    return query_list(q, NULL, &block_list, err);
}

static const JsonRow node_rows[] = {
    JSON_STR(QmpNode, name, "node-name", JSON_OPTIONAL),
    JSON_U64(QmpNode, virtual_size, "image/virtual-size", JSON_OPTIONAL),
    JSON_U64(QmpNode, actual_size, "image/actual-size", JSON_OPTIONAL),
    JSON_U64(QmpNode, write_threshold, "write_threshold", JSON_OPTIONAL),
};

static void node_clear(void *p)
{
    json_rows_clear(node_rows, G_N_ELEMENTS(node_rows), p);
}

static const QmpNode no_node;
static const ListKind node_list = { "query-named-block-nodes", node_rows, G_N_ELEMENTS(node_rows),
                                    sizeof(QmpNode),           &no_node,  node_clear };

GArray *qmp_read_nodes(JsonObject *ret, GError **err)
{
    return read_list(ret, &node_list, err);
}

GArray *qmp_query_nodes(Qmp *q, GError **err)
{
    return query_list(q, json_make(J_BOOL("flat", true)), &node_list, err);
}

static const JsonRow blockstats_rows[] = {
    JSON_STR(QmpBlockStats, device, "device", JSON_OPTIONAL),
    JSON_STR(QmpBlockStats, qdev, "qdev", JSON_OPTIONAL),
    JSON_STR(QmpBlockStats, node, "node-name", JSON_OPTIONAL),
    JSON_I64(QmpBlockStats, rd_bytes, "stats/rd_bytes", JSON_REQUIRED),
    JSON_I64(QmpBlockStats, wr_bytes, "stats/wr_bytes", JSON_REQUIRED),
    JSON_I64(QmpBlockStats, rd_operations, "stats/rd_operations", JSON_REQUIRED),
    JSON_I64(QmpBlockStats, wr_operations, "stats/wr_operations", JSON_REQUIRED),
    JSON_I64(QmpBlockStats, flush_operations, "stats/flush_operations", JSON_OPTIONAL),
    JSON_I64(QmpBlockStats, rd_total_time_ns, "stats/rd_total_time_ns", JSON_OPTIONAL),
    JSON_I64(QmpBlockStats, wr_total_time_ns, "stats/wr_total_time_ns", JSON_OPTIONAL),
    JSON_I64(QmpBlockStats, flush_total_time_ns, "stats/flush_total_time_ns", JSON_OPTIONAL),
    JSON_U64(QmpBlockStats, wr_highest_offset, "parent/stats/wr_highest_offset", JSON_OPTIONAL),
};

static void blockstats_clear(void *p)
{
    json_rows_clear(blockstats_rows, G_N_ELEMENTS(blockstats_rows), p);
}

static const QmpBlockStats no_blockstats = { .flush_operations = -1,
                                             .rd_total_time_ns = -1,
                                             .wr_total_time_ns = -1,
                                             .flush_total_time_ns = -1 };
static const ListKind blockstats_list = {
    "query-blockstats",    blockstats_rows, G_N_ELEMENTS(blockstats_rows),
    sizeof(QmpBlockStats), &no_blockstats,  blockstats_clear
};

GArray *qmp_read_blockstats(JsonObject *ret, GError **err)
{
    return read_list(ret, &blockstats_list, err);
}

GArray *qmp_query_blockstats(Qmp *q, GError **err)
{
    return query_list(q, NULL, &blockstats_list, err);
}

static const JsonRow chardev_rows[] = {
    JSON_STR(QmpChardev, label, "label", JSON_REQUIRED),
    JSON_STR(QmpChardev, filename, "filename", JSON_REQUIRED),
    JSON_BOOL(QmpChardev, frontend_open, "frontend-open", JSON_OPTIONAL),
};

static void chardev_clear(void *p)
{
    json_rows_clear(chardev_rows, G_N_ELEMENTS(chardev_rows), p);
    g_clear_pointer(&((QmpChardev *)p)->pty, g_free);
}

static const QmpChardev no_chardev;
static const ListKind chardev_list = { "query-chardev",    chardev_rows, G_N_ELEMENTS(chardev_rows),
                                       sizeof(QmpChardev), &no_chardev,  chardev_clear };

GArray *qmp_query_chardev(Qmp *q, GError **err)
{
    GArray *a = query_list(q, NULL, &chardev_list, err);

    for (unsigned i = 0; a && i < a->len; i++) {
        QmpChardev *c = &g_array_index(a, QmpChardev, i);
        /* The path is opened by us: only what a pty can be called. */
        const char *path = g_str_has_prefix(c->filename, "pty:") ? c->filename + 4 : NULL;
        if (path && g_str_has_prefix(path, "/dev/") && !strstr(path, ".."))
            c->pty = g_strdup(path);
    }
    return a;
}

static const JsonRow vnc_rows[] = {
    JSON_BOOL(QmpVnc, enabled, "enabled", JSON_REQUIRED),
    JSON_STR(QmpVnc, host, "host", JSON_OPTIONAL),
    JSON_STR(QmpVnc, service, "service", JSON_OPTIONAL),
    JSON_STR(QmpVnc, family, "family", JSON_OPTIONAL),
    JSON_STR(QmpVnc, auth, "auth", JSON_OPTIONAL),
};

bool qmp_query_vnc(Qmp *q, QmpVnc *ret, GError **err)
{
    QmpVnc v = { 0 };

    if (!query(q, "query-vnc", NULL, vnc_rows, G_N_ELEMENTS(vnc_rows), &v, err))
        return false;
    *ret = v;
    return true;
}

void qmp_vnc_clear(QmpVnc *v)
{
    json_rows_clear(vnc_rows, G_N_ELEMENTS(vnc_rows), v);
}

/* Dirty rate. */

ENUM_TABLE(dirty_rate_status, "status of a dirty rate", _QMP_DIRTY_RATE_N, "unstarted", "measuring",
           "measured");

static const JsonRow dirty_rate_rows[] = {
    JSON_ENUM(QmpDirtyRate, status, "status", &dirty_rate_status, JSON_REQUIRED),
    JSON_I64(QmpDirtyRate, start_time, "start-time", JSON_REQUIRED),
    JSON_I64(QmpDirtyRate, calc_time, "calc-time", JSON_REQUIRED),
    JSON_STR(QmpDirtyRate, mode, "mode", JSON_OPTIONAL),
    JSON_I64(QmpDirtyRate, mb_per_second, "dirty-rate", JSON_OPTIONAL),
};
static const JsonRow vcpu_dirty_rate_rows[] = {
    JSON_I64(QmpVcpuDirtyRate, id, "id", JSON_REQUIRED),
    JSON_I64(QmpVcpuDirtyRate, mb_per_second, "dirty-rate", JSON_REQUIRED),
};
static const QmpVcpuDirtyRate no_vcpu_dirty_rate;
static const ListKind vcpu_dirty_rate_list = {
    "query-dirty-rate",       vcpu_dirty_rate_rows, G_N_ELEMENTS(vcpu_dirty_rate_rows),
    sizeof(QmpVcpuDirtyRate), &no_vcpu_dirty_rate,  NULL
};

bool qmp_read_dirty_rate(JsonObject *o, QmpDirtyRate *ret, GError **err)
{
    QmpDirtyRate d = { .mb_per_second = -1 };

    if (!json_read(o, "reply of query-dirty-rate", dirty_rate_rows, G_N_ELEMENTS(dirty_rate_rows),
                   &d, err))
        return false;
    JsonObject *by_vcpu = json_get(o, "vcpu-dirty-rate");
    if (by_vcpu && !(d.by_vcpu = read_list(by_vcpu, &vcpu_dirty_rate_list, err))) {
        qmp_dirty_rate_clear(&d);
        return false;
    }
    *ret = d;
    return true;
}

void qmp_dirty_rate_clear(QmpDirtyRate *d)
{
    json_rows_clear(dirty_rate_rows, G_N_ELEMENTS(dirty_rate_rows), d);
    g_clear_pointer(&d->by_vcpu, g_array_unref);
}

bool qmp_calc_dirty_rate(Qmp *q, unsigned seconds, const char *mode, GError **err)
{
    return qmp_call(q, "calc-dirty-rate",
                    json_make(J_UINT("calc-time", seconds), J_STR("mode", mode)), NULL, 0, err);
}

/* Commands with several arguments. */

bool qmp_block_resize(Qmp *q, const char *node, uint64_t bytes, GError **err)
{
    return qmp_call(q, "block_resize", json_make(J_STR("node-name", node), J_UINT("size", bytes)), NULL, 0, err);
}

bool qmp_block_set_write_threshold(Qmp *q, const char *node, uint64_t threshold, GError **err)
{
    return qmp_call(q, "block-set-write-threshold",
                    json_make(J_STR("node-name", node), J_UINT("write-threshold", threshold)), NULL,
                    0, err);
}

bool qmp_memsave(Qmp *q, bool physical, uint64_t offset, uint64_t size, const char *file,
                 GError **err)
{
    return qmp_call(q, physical ? "pmemsave" : "memsave",
                    json_make(J_UINT("val", offset), J_UINT("size", size), J_STR("filename", file)),
                    NULL, 0, err);
}

bool qmp_display_reload_vnc(Qmp *q, GError **err)
{
    return qmp_call(q, "display-reload", json_make(J_STR("type", "vnc"), J_BOOL("tls-certs", true)),
                    NULL, 0, err);
}

bool qmp_set_action(Qmp *q, const char *reboot, const char *shutdown, const char *panic,
                    const char *watchdog, GError **err)
{
    return qmp_call(q, "set-action",
                    json_make(J_STR("reboot", reboot), J_STR("shutdown", shutdown),
                              J_STR("panic", panic), J_STR("watchdog", watchdog)),
                    NULL, 0, err);
}

bool qmp_set_password(Qmp *q, const char *protocol, const char *password, const char *connected,
                      GError **err)
{
    return qmp_call(q, "set_password",
                    json_make(J_STR("protocol", protocol), J_STR("password", password),
                              J_STR("connected", connected)),
                    NULL, 0, err);
}

bool qmp_expire_password(Qmp *q, const char *protocol, const char *when, GError **err)
{
    return qmp_call(q, "expire_password",
                    json_make(J_STR("protocol", protocol), J_STR("time", when)), NULL, 0, err);
}

bool qmp_send_key(Qmp *q, const unsigned *codes, unsigned n, unsigned hold_ms, GError **err)
{
    JsonObject *keys = json_object_new_array();

    for (unsigned i = 0; i < n; i++)
        json_object_array_add(keys, json_make(J_STR("type", "number"), J_UINT("data", codes[i])));
    JsonObject *args = json_make(J_OBJ("keys", keys));
    if (hold_ms)
        json_object_object_add(args, "hold-time", json_object_new_int64(hold_ms));
    return qmp_call(q, "send-key", args, NULL, 0, err);
}

bool qmp_screendump(Qmp *q, const char *file, const char *device, unsigned head, const char *format,
                    GError **err)
{
    JsonObject *args =
        json_make(J_STR("filename", file), J_STR("device", device), J_STR("format", format));

    if (device)
        json_object_object_add(args, "head", json_object_new_int64(head));
    return qmp_call(q, "screendump", args, NULL, 0, err);
}

bool qmp_getfd(Qmp *q, const char *name, int fd, GError **err)
{
    return qmp_call_with_fd(q, "getfd", json_make(J_STR("fdname", name)), fd, NULL, 0, err);
}

bool qmp_add_client(Qmp *q, const char *protocol, int fd, bool skip_auth, GError **err)
{
    /* Calls may overtake each other between the two commands. */
    static unsigned last;
    g_autofree char *name = g_strdup_printf("client-%u", __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED));

    if (!qmp_getfd(q, name, fd, err))
        return false;
    if (qmp_call(q, "add_client",
                 json_make(J_STR("protocol", protocol), J_STR("fdname", name), J_BOOL("skipauth", skip_auth)), NULL, 0, err))
        return true;
    (void)qmp_closefd(q, name, NULL);
    return false;
}

bool qmp_add_fd(Qmp *q, int fd, const char *opaque, int64_t *ret_set, GError **err)
{
    g_autoptr(JsonObject) ret = NULL;

    if (!qmp_call_with_fd(q, "add-fd", json_make(J_STR("opaque", opaque)), fd, &ret, 0, err))
        return false;
    JsonObject *set = json_get(ret, "fdset-id");
    if (!json_object_is_type(set, json_type_int)) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "reply of add-fd has no number of a set");
        return false;
    }
    *ret_set = json_object_get_int64(set);
    return true;
}

bool qmp_remove_fd(Qmp *q, int64_t set, GError **err)
{
    return qmp_call(q, "remove-fd", json_make(J_INT("fdset-id", set)), NULL, 0, err);
}

bool qmp_hmp(Qmp *q, const char *command, char **ret, uint64_t deadline, GError **err)
{
    g_autoptr(JsonObject) o = NULL;

    if (!qmp_call(q, "human-monitor-command", json_make(J_STR("command-line", command)), &o,
                  deadline, err))
        return false;
    if (!json_object_is_type(o, json_type_string)) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "reply of human-monitor-command is not a string");
        return false;
    }
    *ret = g_strdup(json_object_get_string(o));
    return true;
}
