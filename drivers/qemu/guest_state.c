/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Streams of guests' state and memory (guest_state.h). The emulator is asked how far it is, soon at
 * first and then at most ten times a second. A question that is not answered in time is no failure: an
 * emulator that writes to a slow disk answers late.
 */
#define LOG_SOURCE "qemu.state"
#include "drivers/qemu/guest_state.h"

#include <string.h>

#include "drivers/qemu/qmp_cmds.h"
#include "util/enum.h"
#include "util/error.h"
#include "util/log.h"
#include "util/loop.h"

enum { MSEC = 1000, FIRST_LOOK = 2 * MSEC, LOOK_MAX = 100 * MSEC, CANCEL_WAIT = 20000 * MSEC, END_WAIT = 2000 * MSEC };
/* As much as QEMU takes for a number: a file is as fast as it is. */
#define BANDWIDTH_MAX INT64_C(0x7fffffffffffffff)

typedef enum MoveState {
    MOVE_NONE, MOVE_SETUP, MOVE_CANCELLING, MOVE_CANCELLED, MOVE_ACTIVE, MOVE_COMPLETED, MOVE_FAILED, MOVE_DEVICE,
    MOVE_WAIT_UNPLUG, MOVE_OTHER,
} MoveState;
ENUM_TABLE(move_states, "state of a migration", MOVE_OTHER, "none", "setup", "cancelling", "cancelled", "active",
           "completed", "failed", "device", "wait-unplug");

typedef struct Move {
    int state; /* MoveState */
    char *why;
    int64_t total_time, downtime, expected_downtime, setup_time;
    int64_t total, transferred, remaining, duplicate, normal, normal_bytes, dirty_rate, passes, page_size, postcopy;
    double mbps;
} Move;

static const JsonRow move_rows[] = {
    JSON_ENUM(Move, state, "status", &move_states, JSON_OPTIONAL),
    JSON_STR(Move, why, "error-desc", JSON_OPTIONAL),
    JSON_I64(Move, downtime, "downtime", JSON_OPTIONAL),
    JSON_I64(Move, expected_downtime, "expected-downtime", JSON_OPTIONAL),
    JSON_I64(Move, setup_time, "setup-time", JSON_OPTIONAL),
    JSON_I64(Move, total, "ram/total", JSON_OPTIONAL),
    JSON_I64(Move, transferred, "ram/transferred", JSON_OPTIONAL),
    JSON_I64(Move, remaining, "ram/remaining", JSON_OPTIONAL),
    JSON_I64(Move, duplicate, "ram/duplicate", JSON_OPTIONAL),
    JSON_I64(Move, normal, "ram/normal", JSON_OPTIONAL),
    JSON_I64(Move, normal_bytes, "ram/normal-bytes", JSON_OPTIONAL),
    JSON_I64(Move, dirty_rate, "ram/dirty-pages-rate", JSON_OPTIONAL),
    JSON_I64(Move, passes, "ram/dirty-sync-count", JSON_OPTIONAL),
    JSON_I64(Move, page_size, "ram/page-size", JSON_OPTIONAL),
    JSON_I64(Move, postcopy, "ram/postcopy-requests", JSON_OPTIONAL),
    JSON_DOUBLE(Move, mbps, "ram/mbps", JSON_OPTIONAL),
};

static void move_clear(Move *m)
{
    json_rows_clear(move_rows, G_N_ELEMENTS(move_rows), m);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Move, move_clear)

static bool ask(Qmp *q, Move *ret, GError **err)
{
    g_autoptr(JsonObject) reply = NULL;

    *ret = (Move){ .state = MOVE_NONE };
    if (!qmp_call(q, "query-migrate", NULL, &reply, 0, err))
        return false;
    if (json_get_str(reply, "status"))
        ret->state = MOVE_OTHER; /* unless a row knows it */
    return json_read(reply, "reply of query-migrate", move_rows, G_N_ELEMENTS(move_rows), ret, err);
}

static uint64_t positive(int64_t v)
{
    return v > 0 ? (uint64_t)v : 0;
}

static void tell_job(DomainJob *job, const Move *m)
{
    bool ended = m->state == MOVE_COMPLETED;
    JobFigures f = {
        .stream = m->total > 0,
        .downtime = positive(ended ? m->downtime : m->expected_downtime),
        .setup_time = positive(m->setup_time),
        .memory_total = positive(m->total),
        .memory_processed = positive(m->transferred),
        .memory_remaining = positive(m->remaining),
        .memory_bps = m->mbps > 0 && m->mbps < 1e12 ? (uint64_t)(m->mbps * 1e6 / 8) : 0,
        .memory_constant = positive(m->duplicate),
        .memory_normal = positive(m->normal),
        .memory_normal_bytes = positive(m->normal_bytes),
        .memory_dirty_rate = positive(m->dirty_rate),
        .memory_iteration = positive(m->passes),
        .memory_page_size = positive(m->page_size),
        .memory_postcopy_requests = positive(m->postcopy),
    };
    if (job)
        job_set_figures(job, &f);
}

static bool has_ended(int state)
{
    return state == MOVE_NONE || state == MOVE_CANCELLED || state == MOVE_COMPLETED || state == MOVE_FAILED;
}

/* An answer that is late, not one that says no. */
static bool is_late(const GError *e)
{
    return error_is(e, VIR_ERR_OPERATION_TIMEOUT);
}

bool guest_state_cancel(Qmp *q, GError **err)
{
    uint64_t until = now_usec() + CANCEL_WAIT;

    if (!qmp_call(q, "migrate_cancel", NULL, NULL, 0, err))
        return false;
    for (uint64_t look = FIRST_LOOK;; look = MIN(look * 2, (uint64_t)LOOK_MAX)) {
        g_auto(Move) m = { 0 };
        if (!ask(q, &m, err))
            return false;
        if (has_ended(m.state))
            return true;
        if (now_usec() > until) {
            error_set(err, VIR_ERR_OPERATION_TIMEOUT, "the emulator does not give up the migration that was cancelled");
            return false;
        }
        g_usleep(look);
    }
}

/* True: completed. */
static bool wait_end(Qmp *q, DomainJob *job, GError **err)
{
    for (uint64_t look = FIRST_LOOK;; look = MIN(look * 2, (uint64_t)LOOK_MAX)) {
        g_auto(Move) m = { 0 };
        g_autoptr(GError) error = NULL;

        if (job)
            (void)job_wait(job, look);
        else
            g_usleep(look);
        if (job && !job_go_on(job, err))
            return false;
        if (!ask(q, &m, &error)) {
            if (is_late(error))
                continue;
            g_propagate_error(err, g_steal_pointer(&error));
            return false;
        }
        tell_job(job, &m);
        if (m.state == MOVE_COMPLETED)
            return true;
        /* "none": it has not begun, because nothing came to it yet. */
        if (m.state != MOVE_NONE && has_ended(m.state)) {
            error_set(err, VIR_ERR_OPERATION_FAILED, "%s",
                      m.why                        ? m.why
                      : m.state == MOVE_CANCELLED ? "the emulator's migration was cancelled"
                                                  : "the emulator's migration failed");
            return false;
        }
    }
}

static bool set_bandwidth(Qmp *q, int64_t bytes, GError **err)
{
    return qmp_call(q, "migrate-set-parameters", json_make(J_INT("max-bandwidth", bytes)), NULL, 0, err);
}

static int64_t bandwidth(Qmp *q)
{
    g_autoptr(JsonObject) reply = NULL;
    return qmp_call(q, "query-migrate-parameters", NULL, &reply, 0, NULL) ? json_get_i64(reply, "max-bandwidth", -1) : -1;
}

static bool move_out(Qmp *q, ImageIo *io, DomainJob *job, GError **err)
{
    if (!qmp_getfd(q, "state", image_io_fd(io), err))
        return false;
    image_io_handed_over(io);
    if (!qmp_call(q, "migrate", json_make(J_STR("uri", "fd:state")), NULL, 0, err)) {
        (void)qmp_closefd(q, "state", NULL);
        return false;
    }
    return wait_end(q, job, err);
}

/* Parts of ours may take longer than the emulator. */
static bool wait_parts(ImageIo *io, DomainJob *job, GError **err)
{
    while (!image_io_ended(io, LOOK_MAX))
        if (!job_go_on(job, err))
            return false;
    return image_io_finish(io, err);
}

bool guest_state_out(Qmp *q, ImageIo *io, DomainJob *job, GError **err)
{
    g_autoptr(GError) error = NULL;
    int64_t before = bandwidth(q);

    if (!set_bandwidth(q, BANDWIDTH_MAX, err))
        return false;
    if (move_out(q, io, job, &error) && wait_parts(io, job, &error))
        return true;
    /* First what it writes to, so that it is not stuck there. */
    image_io_stop(io);
    if (!error_is(error, VIR_ERR_OPERATION_ABORTED))
        image_io_explain(io, &error);
    g_autoptr(GError) stays = NULL;
    if (!guest_state_cancel(q, &stays))
        log_warn("%s", stays->message);
    if (before > 0)
        (void)set_bandwidth(q, before, NULL);
    g_propagate_error(err, g_steal_pointer(&error));
    return false;
}

bool guest_state_in(Qmp *q, ImageIo *io, GError **err)
{
    g_autoptr(GError) error = NULL;

    if (!qmp_getfd(q, "state", image_io_fd(io), err))
        return false;
    image_io_handed_over(io);
    if (qmp_call(q, "migrate-incoming", json_make(J_STR("uri", "fd:state")), NULL, 0, &error) &&
        wait_end(q, NULL, &error))
        return true;
    image_io_stop(io);
    image_io_explain(io, &error);
    /* It ends when it cannot read its state, and what it says then is the reason. */
    for (uint64_t until = now_usec() + END_WAIT; qmp_is_open(q) && now_usec() < until;)
        g_usleep(FIRST_LOOK);
    g_propagate_error(err, g_steal_pointer(&error));
    return false;
}

/* Memory --------------------------------------------------------------------------------------- */

typedef enum DumpState { DUMP_NONE, DUMP_ACTIVE, DUMP_COMPLETED, DUMP_FAILED, DUMP_STATES } DumpState;
ENUM_TABLE(dump_states, "state of a dump", DUMP_STATES, "none", "active", "completed", "failed");

typedef struct Dump {
    int state;
    int64_t completed, total;
} Dump;

static const JsonRow dump_rows[] = {
    JSON_ENUM(Dump, state, "status", &dump_states, JSON_REQUIRED),
    JSON_I64(Dump, completed, "completed", JSON_REQUIRED),
    JSON_I64(Dump, total, "total", JSON_REQUIRED),
};

static bool ask_dump(Qmp *q, Dump *ret, GError **err)
{
    g_autoptr(JsonObject) reply = NULL;

    return qmp_call(q, "query-dump", NULL, &reply, 0, err) &&
           json_read(reply, "reply of query-dump", dump_rows, G_N_ELEMENTS(dump_rows), ret, err);
}

bool guest_memory_has_format(Qmp *q, const char *format, bool *ret, GError **err)
{
    g_autoptr(JsonObject) reply = NULL;

    if (!qmp_call(q, "query-dump-guest-memory-capability", NULL, &reply, 0, err))
        return false;
    JsonObject *formats = json_get(reply, "formats");
    *ret = false;
    for (size_t i = 0; i < json_len(formats); i++)
        *ret |= g_strcmp0(json_object_get_string(json_object_array_get_idx(formats, i)), format) == 0;
    return true;
}

/* What the event of its end says; the question after a dump tells only that it failed. */
static void dump_failed(QmpExpect *end, GError **err)
{
    g_autoptr(QmpEvent) e = NULL;
    const char *why = qmp_expect_wait(end, now_usec() + G_USEC_PER_SEC, &e, NULL) && e->data
                          ? json_get_str(e->data, "error")
                          : NULL;

    error_set(err, VIR_ERR_OPERATION_FAILED, "memory-only dump failed: %s", why ? why : "the emulator does not say why");
}

bool guest_memory_out(Qmp *q, int fd, const char *format, DomainJob *job, GError **err)
{
    g_autoptr(QmpExpect) end = qmp_expect(q, "DUMP_COMPLETED", NULL, NULL);
    JsonObject *args = json_make(J_BOOL("paging", false), J_STR("protocol", "fd:dump"), J_BOOL("detach", true),
                                 J_STR("format", format));

    if (!qmp_getfd(q, "dump", fd, err)) {
        json_object_put(args);
        return false;
    }
    if (!qmp_call(q, "dump-guest-memory", args, NULL, 0, err)) {
        (void)qmp_closefd(q, "dump", NULL);
        return false;
    }
    for (uint64_t look = FIRST_LOOK;; look = MIN(look * 2, (uint64_t)LOOK_MAX)) {
        g_autoptr(GError) error = NULL;
        Dump d = { 0 };

        (void)job_wait(job, look);
        if (!ask_dump(q, &d, &error)) {
            if (is_late(error))
                continue;
            g_propagate_error(err, g_steal_pointer(&error));
            return false;
        }
        JobFigures f = { .memory_total = positive(d.total), .memory_processed = positive(d.completed),
                         .memory_remaining = positive(d.total - d.completed) };
        job_set_figures(job, &f);
        if (d.state == DUMP_COMPLETED)
            return true;
        if (d.state != DUMP_ACTIVE) {
            dump_failed(end, err);
            return false;
        }
    }
}

bool guest_memory_settle(Qmp *q, GError **err)
{
    uint64_t until = now_usec() + CANCEL_WAIT;
    Dump d = { 0 };

    do {
        if (!ask_dump(q, &d, err))
            return false;
        if (d.state != DUMP_ACTIVE)
            return true;
        g_usleep(LOOK_MAX);
    } while (now_usec() < until);
    error_set(err, VIR_ERR_OPERATION_TIMEOUT, "the emulator is still dumping the guest's memory");
    return false;
}
