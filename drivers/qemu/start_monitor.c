/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Steps of a start from the emulator's first answer to the guest's first instruction (start.h). The
 * last one puts the run on record. Workers, within the domain's turn.
 */
#include "drivers/common/emit.h"
#include "drivers/qemu/configure.h"
#include "drivers/qemu/driver.h"
#include "drivers/qemu/process.h"
#include "drivers/qemu/qmp_cmds.h"
#include "drivers/qemu/start.h"
#include "util/error.h"
#include "util/loop.h"

enum { CONNECT_WAIT = 30 * 1000000 };

bool start_monitor(Start *s, GError **err)
{
    s->qmp = qemu_launch_connect(s->launch, now_usec() + CONNECT_WAIT, &guest_qmp_ops,
                                 domain_ref(s->g->domain), err);
    if (s->qmp)
        guest_set_qmp(s->g, qmp_ref(s->qmp));
    return s->qmp != NULL;
}

/* Paths that only the emulator knows: ptys. */
static bool read_ptys(Start *s, GError **err)
{
    static const DeviceKind kinds[] = { DEVICE_SERIAL, DEVICE_PARALLEL, DEVICE_CONSOLE,
                                        DEVICE_CHANNEL };
    g_autoptr(GArray) found = qmp_query_chardev(s->qmp, err);
    ChrDef *chr;
    const char *serial0 = NULL;

    if (!found)
        return false;
    for (unsigned k = 0; k < G_N_ELEMENTS(kinds); k++) {
        for (guint i = 0; (chr = domain_next(s->def, kinds[k], &i));) {
            if (chr->src.type != CHR_PTY || !chr->dev.info.alias)
                continue;
            g_autofree char *label = g_strconcat("char", chr->dev.info.alias, NULL);
            for (unsigned j = 0; j < found->len; j++) {
                const QmpChardev *c = &g_array_index(found, QmpChardev, j);
                if (c->pty && g_strcmp0(c->label, label) == 0) {
                    g_free(chr->src.path);
                    chr->src.path = g_strdup(c->pty);
                }
            }
            if (kinds[k] == DEVICE_SERIAL && !serial0)
                serial0 = chr->src.path;
            if (kinds[k] == DEVICE_CONSOLE) {
                if (chr->is_serial_alias && serial0) {
                    g_free(chr->src.path);
                    chr->src.path = g_strdup(serial0);
                }
                g_free(chr->tty);
                chr->tty = g_strdup(chr->src.path);
            }
        }
    }
    return true;
}

static bool set_passwords(Start *s, GError **err)
{
    GraphicsDef *g;

    for (guint i = 0; (g = domain_next(s->def, DEVICE_GRAPHICS, &i));) {
        bool vnc = g->type == GRAPHICS_VNC, spice = g->type == GRAPHICS_SPICE;
        const char *word = g->passwd ? g->passwd
                           : vnc     ? qemu.config->vnc_password
                                     : qemu.config->spice_password;
        if ((!vnc && !spice) || !word)
            continue;
        if (!qmp_set_password(s->qmp, vnc ? "vnc" : "spice", word, NULL, err))
            return false;
    }
    return true;
}

/* The guest's driver will follow the target when it is there; until then the guest has all its memory. */
static bool set_balloon(Start *s, GError **err)
{
    guint i = 0;
    const MemballoonDef *b = domain_next(s->def, DEVICE_MEMBALLOON, &i);
    uint64_t actual = s->def->memory * 1024;

    if (s->def->current_memory >= s->def->memory)
        return true;
    if (b && b->model != BALLOON_NONE &&
        (!qmp_balloon(s->qmp, s->def->current_memory * 1024, err) || !qmp_query_balloon(s->qmp, &actual, err)))
        return false;
    s->def->current_memory = actual / 1024;
    return true;
}

bool start_set_up(Start *s, GError **err)
{
    return read_ptys(s, err) && set_passwords(s, err) && qemu_configure_run(s->def, s->qmp, err) && set_balloon(s, err);
}

bool start_state(Start *s, GError **err)
{
    return !s->how->load || s->how->load(s->qmp, s->how->data, err);
}

/* Resume --------------------------------------------------------------------------------------- */

/* The guest runs; from here on it is on record. */
bool start_resume(Start *s, GError **err)
{
    unsigned flags = s->how->flags;

    s->status->starting = false;
    turn_set_status(s->t, driver_status_ref(&s->status->base));
    turn_set_live(s->t, s->def);
    s->def_given = true;
    turn_set_id(s->t, s->status->id);
    turn_set_autodestroy(s->t, flags & START_AUTODESTROY);
    turn_require_status(s->t);

    if (flags & START_PAUSED) {
        turn_set_state(s->t, VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_USER);
    } else {
        int reason = s->how->running_reason;
        if (!qmp_cont(s->qmp, err))
            return false;
        turn_set_state(s->t, VIR_DOMAIN_RUNNING, reason ? reason : VIR_DOMAIN_RUNNING_BOOTED);
        emit_lifecycle(s->t, VIR_DOMAIN_EVENT_RESUMED, VIR_DOMAIN_EVENT_RESUMED_UNPAUSED);
    }
    emit_lifecycle(s->t, VIR_DOMAIN_EVENT_STARTED, s->how->started_detail);
    if (flags & START_PAUSED)
        emit_lifecycle(s->t, VIR_DOMAIN_EVENT_SUSPENDED, VIR_DOMAIN_EVENT_SUSPENDED_PAUSED);
    return (!(flags & START_AUTODESTROY) || process_watch_client(s->t, s->status->id, err)) &&
           turn_checkpoint(s->t, err);
}
