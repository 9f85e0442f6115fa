/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the monitor's events about devices mean for the domain (events.h). Each runs in a turn of its own,
 * in order of arrival; what is said of a device that the definition does not have is passed over.
 */
#include "drivers/qemu/events.h"

#include <string.h>

#include "drivers/common/emit.h"
#include "drivers/qemu/disk.h"
#include "drivers/qemu/guest.h"
#include "util/api.h"

/* The same device in the turn's own copy. */
static Device *editable(DomainTurn *t, const Device *dev)
{
    return domain_find_alias(turn_edit_live(t), dev->info.alias);
}

void on_block_threshold(DomainTurn *t, const MonEvent *e)
{
    const StorageSource *layer;
    const DiskDef *d = disk_by_node(turn_view(t)->live->def, e->threshold.node, &layer);

    if (!d)
        return;
    /* Named as the client named it when it set the threshold. */
    bool top = layer == &d->src,
         by_index = layer->priv && layer->priv->threshold_by_index == TRI_YES;
    g_autofree char *indexed = g_strdup_printf("%s[%u]", d->dst, layer->index);
    emit_block_threshold(t, top && !by_index ? d->dst : indexed, layer->path,
                         e->threshold.threshold, e->threshold.excess);
}

void on_memory_failure(DomainTurn *t, const MonEvent *e)
{
    static const struct {
        const char *word;
        int action;
    } actions[] = {
        { "ignore", VIR_DOMAIN_EVENT_MEMORY_FAILURE_ACTION_IGNORE },
        { "inject", VIR_DOMAIN_EVENT_MEMORY_FAILURE_ACTION_INJECT },
        { "fatal", VIR_DOMAIN_EVENT_MEMORY_FAILURE_ACTION_FATAL },
        { "reset", VIR_DOMAIN_EVENT_MEMORY_FAILURE_ACTION_RESET },
    };
    bool guest = strcmp(e->memory_failure.recipient, "guest") == 0;

    for (unsigned i = 0; i < G_N_ELEMENTS(actions); i++)
        if (strcmp(e->memory_failure.action, actions[i].word) == 0)
            emit_memory_failure(
                t,
                guest ? VIR_DOMAIN_EVENT_MEMORY_FAILURE_RECIPIENT_GUEST
                      : VIR_DOMAIN_EVENT_MEMORY_FAILURE_RECIPIENT_HYPERVISOR,
                actions[i].action,
                (e->memory_failure.action_required ? VIR_DOMAIN_MEMORY_FAILURE_ACTION_REQUIRED
                                                   : 0) |
                    (e->memory_failure.recursive ? VIR_DOMAIN_MEMORY_FAILURE_RECURSIVE : 0));
}

void on_memory_device_size(DomainTurn *t, const MonEvent *e)
{
    const Device *dev = e->memory_size.alias
                            ? domain_find_alias(turn_view(t)->live->def, e->memory_size.alias)
                            : NULL;

    if (!dev || dev->kind != DEVICE_MEMORY)
        return;
    MemoryDef *m = (MemoryDef *)editable(t, dev);
    m->current.set = true;
    m->current.v = e->memory_size.size / 1024;
    emit_memory_device_size_change(t, m->dev.info.alias, m->current.v);
}

void on_tray(DomainTurn *t, const MonEvent *e)
{
    const char *words[] = { e->tray.qom_path, e->tray.alias };
    const DiskDef *d = NULL;

    for (unsigned i = 0; !d && i < G_N_ELEMENTS(words); i++)
        d = disk_by_qdev(turn_view(t)->live->def, words[i]);
    if (!d)
        return;
    DiskDef *mine = (DiskDef *)editable(t, &d->dev);
    mine->tray = e->tray.open ? DISK_TRAY_OPEN : DISK_TRAY_CLOSED;
    emit_tray_change(t, mine->dev.info.alias,
                     e->tray.open ? VIR_DOMAIN_EVENT_TRAY_CHANGE_OPEN
                                  : VIR_DOMAIN_EVENT_TRAY_CHANGE_CLOSE);
}

/* QEMU counts from the date that it was started with; a clock that was given as an offset goes on from
 * there. */
void on_rtc_change(DomainTurn *t, const MonEvent *e)
{
    const ClockDef *clock = &turn_view(t)->live->def->clock;
    const QemuStatus *s = view_status(turn_view(t));
    int64_t offset = e->rtc.offset;

    if (clock->offset == CLOCK_VARIABLE) {
        if (!s->clock_base_set) {
            QemuStatus *n = qemu_status_copy(s);
            n->clock_base_set = true;
            n->clock_base = clock->adjustment;
            turn_set_status(t, &n->base);
            s = n;
        }
        offset += s->clock_base;
        turn_edit_live(t)->clock.adjustment = offset;
    }
    emit_rtc_change(t, offset);
}
