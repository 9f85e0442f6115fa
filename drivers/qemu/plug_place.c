/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From a client's document to a device of this running guest: defaults, a free place on the buses that there
 * are, a name, numbers for its block nodes. A running guest gets no new buses by the way, so a device that
 * would need one is refused. Works on the definition alone.
 */
#include <string.h>

#include "drivers/qemu/address.h"
#include "drivers/qemu/alias.h"
#include "drivers/qemu/plug.h"
#include "drivers/qemu/plug_live.h"
#include "drivers/qemu/prepare.h"
#include "util/error.h"

Device *plug_settle(PlugLive *l, Device *raw, GError **err)
{
    g_autoptr(DomainDef) whole = domain_copy(l->def);
    ConfPolicy policy = *l->policy;
    DeviceKind kind = raw->kind;
    guint at;

    policy.domain_assign = NULL; /* its place is found among the buses that there are */
    domain_add_device(whole, raw);
    if (!domain_complete(whole, 0, &policy, (void *)l->policy_data, err))
        return NULL;
    if (!g_ptr_array_find(whole->devices, raw, &at)) {
        error_set(err, VIR_ERR_OPERATION_UNSUPPORTED, "a %s of this kind can only be there from the start",
                  device_kind_element(kind));
        return NULL;
    }
    return g_ptr_array_steal_index(whole->devices, at);
}

static bool chain_ends(StorageFormat f)
{
    switch (f) {
    case FORMAT_QCOW: case FORMAT_QCOW2: case FORMAT_QED: case FORMAT_VMDK: case FORMAT_COW: case FORMAT_AUTO: return false;
    default: return true;
    }
}

void plug_number_nodes(PlugLive *l, StorageSource *top)
{
    for (StorageSource *s = top; s; s = s->backing) {
        s->index = ++*l->next_node;
        if (!s->backing && chain_ends(s->format) && s->type != STORAGE_NONE && s->type != STORAGE_VHOSTUSER)
            s->backing_none = 1;
    }
}

/* Who looks at a running guest sees where the helper is that we run for it. */
static void note_helper(Reservations *r, const char *socket)
{
    if (!r || !tri_is_yes(r->managed) || r->source_path || !socket)
        return;
    r->source_type = g_strdup("unix");
    r->source_path = g_strdup(socket);
    r->source_mode = g_strdup("client");
}

bool plug_place(PlugLive *l, Device *dev, GError **err)
{
    if (!qemu_assign_device_address(l->def, dev, l->caps, err))
        return false;
    /* Names that are not the user's are given by us. */
    if (dev->info.alias && !g_str_has_prefix(dev->info.alias, "ua-"))
        g_clear_pointer(&dev->info.alias, g_free);
    qemu_assign_device_alias(l->def, dev);
    if (dev->kind == DEVICE_DISK && ((DiskDef *)dev)->src.type != STORAGE_VHOSTUSER) {
        plug_number_nodes(l, &((DiskDef *)dev)->src);
        note_helper(((DiskDef *)dev)->src.reservations, l->ctx->pr_socket);
    }
    if (dev->kind == DEVICE_CHANNEL && l->channel_dir)
        qemu_channel_path((ChrDef *)dev, l->ctx->id, l->def->name, l->channel_dir);
    return true;
}
