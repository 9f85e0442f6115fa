/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Interfaces by their names (net.h). Pure, any thread. */
#include "drivers/qemu/net.h"

#include <string.h>

const NetDef *net_find(const DomainDef *def, const char *word)
{
    const NetDef *n;
    MacAddr mac;
    bool is_mac = mac_parse(word, &mac);

    for (guint i = 0; (n = domain_next(def, DEVICE_INTERFACE, &i));)
        if (is_mac ? memcmp(n->mac.b, mac.b, sizeof(mac.b)) == 0 : g_strcmp0(n->ifname, word) == 0)
            return n;
    return NULL;
}

NetType net_actual_type(const NetDef *n)
{
    return n->actual ? n->actual->type : n->type;
}

bool net_shares_host_view(const NetDef *n)
{
    return net_actual_type(n) == NET_DIRECT;
}
