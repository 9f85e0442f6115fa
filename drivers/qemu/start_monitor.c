/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Steps of a start from the emulator's first answer to the guest's first instruction (start.h). The
 * last one puts the run on record. Workers, within the domain's turn.
 */
#include "drivers/common/emit.h"
#include "drivers/qemu/cpu_live.h"
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

static const QmpChardev *find_chardev(const GArray *found, const ChrDef *chr)
{
    g_autofree char *label = g_strconcat("char", chr->dev.info.alias, NULL);

    for (unsigned i = 0; chr->dev.info.alias && i < found->len; i++) {
        const QmpChardev *c = &g_array_index(found, QmpChardev, i);
        if (g_strcmp0(c->label, label) == 0)
            return c;
    }
    return NULL;
}

/* Who listens on virtio channels inside the guest: nobody, unless it ran before. */
static void note_channels(Start *s, const GArray *found)
{
    ChrDef *chr;

    for (guint i = 0; (chr = domain_next(s->def, DEVICE_CHANNEL, &i));) {
        if (chr->target != CHANNEL_VIRTIO)
            continue;
        const QmpChardev *c = find_chardev(found, chr);
        chr->state = c && c->frontend_open ? CHANNEL_CONNECTED : CHANNEL_DISCONNECTED;
        if (g_strcmp0(chr->target_name, AGENT_CHANNEL) == 0)
            emit_agent_lifecycle(s->t,
                                 chr->state == CHANNEL_CONNECTED
                                     ? VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_STATE_CONNECTED
                                     : VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_STATE_DISCONNECTED,
                                 VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_REASON_DOMAIN_STARTED);
    }
}

/* What only the emulator knows: the paths of ptys, who is connected. */
static bool read_chardevs(Start *s, GError **err)
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
            const QmpChardev *c = find_chardev(found, chr);
            if (c && c->pty) {
                g_free(chr->src.path);
                chr->src.path = g_strdup(c->pty);
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
    note_channels(s, found);
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
    return read_chardevs(s, err) && set_passwords(s, err) && cpu_live_follow(s->def, s->qmp, err) &&
           qemu_configure_run(s->def, s->qmp, err) && set_balloon(s, err);
}

bool start_state(Start *s, GError **err)
{
    return !s->how->load || s->how->load(s->qmp, s->how->data, err);
}

/* Resume --------------------------------------------------------------------------------------- */

/* State and events, in the order that clients know: a guest that boots is resumed before it is started. */
static void tell_start(DomainTurn *t, const StartHow *how)
{
    bool paused = how->flags & START_PAUSED, boots = !how->load;

    if (paused)
        turn_set_state(t, VIR_DOMAIN_PAUSED, how->paused_reason ? how->paused_reason : VIR_DOMAIN_PAUSED_USER);
    else
        turn_set_state(t, VIR_DOMAIN_RUNNING, how->running_reason ? how->running_reason : VIR_DOMAIN_RUNNING_BOOTED);
    if (!paused && boots)
        emit_lifecycle(t, VIR_DOMAIN_EVENT_RESUMED, how->resumed_detail);
    emit_lifecycle(t, VIR_DOMAIN_EVENT_STARTED, how->started_detail);
    if (paused)
        emit_lifecycle(t, VIR_DOMAIN_EVENT_SUSPENDED, how->suspended_detail);
    else if (!boots)
        emit_lifecycle(t, VIR_DOMAIN_EVENT_RESUMED, how->resumed_detail);
}

/* The guest runs; from here on it is on record. */
bool start_resume(Start *s, GError **err)
{
    unsigned flags = s->how->flags;

    s->status->starting = false;
    s->status->loaded_from = g_strdup(s->how->loaded_from);
    turn_set_status(s->t, driver_status_ref(&s->status->base));
    turn_set_live(s->t, s->def);
    s->def_given = true;
    turn_set_id(s->t, s->status->id);
    turn_set_autodestroy(s->t, flags & START_AUTODESTROY);
    turn_require_status(s->t, true);

    if (!(flags & START_PAUSED) && !qmp_cont(s->qmp, err))
        return false;
    tell_start(s->t, s->how);
    return (!(flags & START_AUTODESTROY) || process_watch_client(s->t, s->status->id, err)) &&
           turn_checkpoint(s->t, err);
}
