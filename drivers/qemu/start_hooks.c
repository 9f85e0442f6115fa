/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The administrator's hooks as steps of a start (start.h, util/hook.h): 'prepare' before anything is made,
 * 'start' before the emulator, 'started' before its first instruction; each may refuse the start. 'stopped'
 * when the emulator has ended and 'release' when nothing is left, also after a start that failed: whoever
 * was told of a beginning is told of the end. Workers, within the domain's turn.
 */
#define LOG_SOURCE "qemu.hooks"
#include "drivers/qemu/start.h"
#include "util/error.h"
#include "util/hook.h"
#include "util/log.h"

bool qemu_hook(const char *name, const char *op, const char *sub_op, const DomainDef *def, int id,
               GError **err)
{
    const DomainFormatContext ctx = { .id = id };

    if (!hook_present("qemu"))
        return true;
    g_autofree char *xml = domain_format(def, 0, &ctx, err);
    const Hook h = {
        .name = "qemu", .object = name, .operation = op, .suboperation = sub_op, .input = xml
    };
    return xml && hook_run(&h, NULL, err);
}

bool qemu_hook_restore(const char *name, const char *xml, char **changed, GError **err)
{
    const Hook h = {
        .name = "qemu", .object = name, .operation = "restore", .suboperation = "begin", .input = xml
    };

    return hook_run(&h, changed, err);
}

static bool tell(const Start *s, const char *op, GError **err)
{
    return qemu_hook(s->def->name, op, "begin", s->def, s->status->id, err);
}

bool start_hook_prepare(Start *s, GError **err)
{
    atomic_store(&s->g->stopped_told, false);
    return tell(s, "prepare", err);
}

bool start_hook_start(Start *s, GError **err)
{
    return tell(s, "start", err);
}

bool start_hook_started(Start *s, GError **err)
{
    return tell(s, "started", err);
}

static void tell_end(const Run *r, const char *op)
{
    g_autoptr(GError) error = NULL;

    if (!qemu_hook(r->name, op, "end", r->def, -1, &error)) /* it has no id any more */
        log_warn("'%s' ends all the same: %s", r->name, error->message);
}

void start_undo_hook_start(const Run *r)
{
    if (!atomic_exchange(&r->guest->stopped_told, true))
        tell_end(r, "stopped");
}

void start_undo_hook_prepare(const Run *r)
{
    start_undo_hook_start(r); /* of a start that did not come so far */
    tell_end(r, "release");
    atomic_store(&r->guest->stopped_told, false);
}
