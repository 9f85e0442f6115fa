/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Running a list of steps and taking it back (plug_run.h). Taking back goes on after a refusal: one backend
 * that stays is better than several. A descriptor that was handed over by name is consumed by the command
 * after it and has nothing to be taken back unless that command failed.
 */
#define LOG_SOURCE "qemu.plug"
#include "drivers/qemu/plug_run.h"

#include <string.h>

#include "drivers/qemu/qmp_cmds.h"
#include "util/error.h"
#include "util/log.h"

static const struct {
    const char *run, *back, *member; /* back: by this member */
} commands[_PLUG_COMMAND_N] = {
    [PLUG_OBJECT] = { "object-add", "object-del", "id" },
    [PLUG_CHARDEV] = { "chardev-add", "chardev-remove", "id" },
    [PLUG_BLOCK] = { "blockdev-add", "blockdev-del", "node-name" },
    [PLUG_NETDEV] = { "netdev_add", "netdev_del", "id" },
    [PLUG_DEVICE] = { "device_add", "device_del", "id" },
    [PLUG_GETFD] = { "getfd", "closefd", "fdname" },
    [PLUG_ADD_FD] = { "add-fd", NULL, NULL },
    [PLUG_WATCHDOG] = { "watchdog-set-action", NULL, NULL },
    [PLUG_THROTTLE] = { "block_set_io_throttle", NULL, NULL },
    [PLUG_LINK] = { "set_link", NULL, NULL },
};

/* ---- descriptor sets ----------------------------------------------------------------------------- */

enum { FDSETS_MAX = 1 << 20 };

bool plug_next_fdset(Qmp *mon, unsigned *ret, GError **err)
{
    g_autoptr(JsonObject) sets = NULL;
    int64_t next = 0;

    if (!qmp_call(mon, "query-fdsets", NULL, &sets, 0, err))
        return false;
    for (size_t i = 0; i < json_len(sets); i++)
        next = MAX(next, json_get_i64(json_object_array_get_idx(sets, i), "fdset-id", -1) + 1);
    if (next >= FDSETS_MAX) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "the emulator has a descriptor set with number %" G_GINT64_FORMAT, next - 1);
        return false;
    }
    *ret = (unsigned)next;
    return true;
}

/* Sets are known by what was written on them when they were made. */
static bool remove_fdset(Qmp *mon, const char *opaque, GError **err)
{
    g_autoptr(JsonObject) sets = NULL;

    if (!qmp_call(mon, "query-fdsets", NULL, &sets, 0, err))
        return false;
    for (size_t i = 0; i < json_len(sets); i++) {
        JsonObject *set = json_object_array_get_idx(sets, i), *fds = json_get(set, "fds");
        int64_t id = json_get_i64(set, "fdset-id", -1);
        for (size_t k = 0; k < json_len(fds); k++) {
            if (g_strcmp0(json_get_str(json_object_array_get_idx(fds, k), "opaque"), opaque) == 0)
                return qmp_call(mon, "remove-fd", json_make(J_INT("fdset-id", id)), NULL, 0, err);
        }
    }
    return true;
}

/* ---- the list ------------------------------------------------------------------------------------ */

static bool run_step(PlugStep *s, Qmp *mon, GError **err)
{
    g_autoptr(JsonObject) ret = NULL;

    if (!qmp_call_with_fd(mon, commands[s->command].run, json_object_get(s->args), s->fd, &ret, 0, err))
        return false;
    if (s->command == PLUG_CHARDEV)
        s->pty = g_strdup(json_get_str(ret, "pty"));
    return true;
}

static void take_back(const PlugStep *s, Qmp *mon)
{
    g_autoptr(GError) error = NULL;
    const char *back = commands[s->command].back;
    bool ok = true;

    if (s->command == PLUG_ADD_FD)
        ok = remove_fdset(mon, s->id, &error);
    else if (back && s->id)
        ok = qmp_call(mon, back, json_make(J_STR(commands[s->command].member, s->id)), NULL, 0, &error);
    if (!ok && !error_is(error, VIR_ERR_DEVICE_MISSING))
        log_warn("what '%s' made stays in the emulator: %s", commands[s->command].run, error->message);
}

bool plug_run(PlugSteps *s, Qmp *mon, GError **err)
{
    unsigned n = 0;

    while (n < s->list->len && run_step(s->list->pdata[n], mon, err))
        ((PlugStep *)s->list->pdata[n++])->done = true;
    if (n == s->list->len)
        return true;
    bool failed_device = ((const PlugStep *)s->list->pdata[n])->command == PLUG_DEVICE;
    for (unsigned i = n; i > 0; i--) {
        const PlugStep *step = s->list->pdata[i - 1];
        bool consumed = step->command == PLUG_GETFD && (i < n || failed_device);
        if (!consumed)
            take_back(step, mon);
    }
    return false;
}

void plug_run_back(PlugSteps *s, Qmp *mon)
{
    for (unsigned i = s->list->len; i > 0; i--) {
        const PlugStep *step = s->list->pdata[i - 1];
        if (step->command != PLUG_DEVICE && step->command != PLUG_GETFD)
            take_back(step, mon);
    }
}
