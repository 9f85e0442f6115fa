/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Things that no guest of this driver has yet, because the calls that make them are not supported:
 * snapshots, checkpoints, messages. Clients ask for them on
 * their way to other things (undefine, dominfo), and "there are none" is the true answer. Inline.
 */
#include "drivers/qemu/handlers.h"

#define ANSWER(name)                                                                                                   \
    bool qemu_##name(Call *c, const DomainView *v, const remote_##name##_args *a, remote_##name##_ret *r, GError **err)

/* The reply is all zero when it gets here: empty lists, count 0, "no". */
#define NONE(name)                                                                                                     \
    ANSWER(name)                                                                                                       \
    {                                                                                                                  \
        (void)c, (void)v, (void)a, (void)r, (void)err;                                                                 \
        return true;                                                                                                   \
    }

NONE(domain_snapshot_num)
NONE(domain_snapshot_list_names)
NONE(domain_list_all_snapshots)
NONE(domain_has_current_snapshot)
NONE(domain_list_all_checkpoints)
NONE(domain_get_messages)
