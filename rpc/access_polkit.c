/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Access by polkit: permission P of object O is the action org.libvirt.api.O.P (underscores become
 * dashes), and what the object is called stands in details that rules of administrators look at. The
 * names of the details are those that rules on today's hosts use. Any thread checks, the loop asks.
 */
#include <string.h>

#include "rpc/access.h"
#include "rpc/polkit.h"
#include "util/uuid.h"

enum { DETAILS_MAX = 2 * 6 + 1 };

typedef struct DetailNames {
    const char *name, *uuid, *parent_name, *parent_uuid, *key;
} DetailNames;

static const DetailNames detail_names[_OBJECT_N] = {
    [OBJECT_DOMAIN] = { "domain_name", "domain_uuid", NULL, NULL, NULL },
    [OBJECT_NETWORK] = { "network_name", "network_uuid", NULL, NULL, NULL },
    [OBJECT_NETWORK_PORT] = { NULL, "network_port_uuid", "network_name", "network_uuid", NULL },
    [OBJECT_INTERFACE] = { "interface_name", NULL, NULL, NULL, "interface_macaddr" },
    [OBJECT_STORAGE_POOL] = { "pool_name", "pool_uuid", NULL, NULL, NULL },
    [OBJECT_STORAGE_VOL] = { "vol_name", NULL, "pool_name", "pool_uuid", "vol_key" },
    [OBJECT_NODE_DEVICE] = { "node_device_name", NULL, NULL, NULL, NULL },
    [OBJECT_SECRET] = { NULL, "secret_uuid", NULL, NULL, NULL },
    [OBJECT_NWFILTER] = { "nwfilter_name", "nwfilter_uuid", NULL, NULL, NULL },
    [OBJECT_NWFILTER_BINDING] = { "nwfilter_binding_portdev", NULL, NULL, NULL, NULL },
};

/* Key and value pairs; what they point to is the question's or in here. */
typedef struct Built {
    char action[96], usage_key[48];
    char uuid[37], parent_uuid[37];
    const char *details[DETAILS_MAX];
    PolkitQuestion q;
} Built;

static void build(const AccessQuestion *q, Built *b)
{
    const DetailNames *n = &detail_names[q->on.kind < _OBJECT_N ? q->on.kind : OBJECT_NONE];
    unsigned i = 0;

    g_snprintf(b->action, sizeof(b->action), "org.libvirt.api.%s.%s", q->object, q->perm);
    g_strdelimit(b->action, "_", '-');
#define DETAIL(k, v)                                                                                                   \
    if ((k) && (v)) {                                                                                                  \
        b->details[i++] = (k);                                                                                         \
        b->details[i++] = (v);                                                                                         \
    }
    DETAIL("connect_driver", q->driver);
    DETAIL(n->name, q->on.name);
    if (q->on.uuid) {
        uuid_format(q->on.uuid, b->uuid);
        DETAIL(n->uuid, b->uuid);
    }
    DETAIL(n->parent_name, q->on.parent_name);
    if (q->on.parent_uuid) {
        uuid_format(q->on.parent_uuid, b->parent_uuid);
        DETAIL(n->parent_uuid, b->parent_uuid);
    }
    DETAIL(n->key, q->on.key);
    if (q->on.kind == OBJECT_SECRET && q->on.usage_type) {
        g_snprintf(b->usage_key, sizeof(b->usage_key), "secret_usage_%s", q->on.usage_type);
        DETAIL(b->usage_key, q->on.key);
    }
#undef DETAIL
    b->details[i] = NULL;
    b->q = (PolkitQuestion){ q->who, b->action, b->details, q->interactive };
}

static char *explain(const Built *b, const char *why)
{
    return g_strdup_printf("%s; the host's administrator can grant the polkit action %s to uid %u", why, b->action,
                           (unsigned)b->q.who->uid);
}

static AccessAnswer check(void *self, const AccessQuestion *q, char **why)
{
    Built b;

    build(q, &b);
    switch (polkit_cached(self, &b.q)) {
    case POLKIT_YES:
        return ACCESS_YES;
    case POLKIT_NO:
        if (why)
            *why = explain(&b, q->who->has_unix && q->who->pid ? "polkit does not allow it"
                                                                : "polkit cannot judge a client that is no local process");
        return ACCESS_NO;
    case POLKIT_NOT_KNOWN:
        break;
    }
    return ACCESS_ASK;
}

typedef struct Pending {
    AccessFn fn;
    void *data;
    AccessQuestion *q;
} Pending;

static void answered(PolkitOutcome outcome, const char *why, void *data)
{
    bool allowed = outcome == POLKIT_ALLOWED;
    Pending *p = data;
    Built b;
    g_autofree char *text = NULL;

    build(p->q, &b);
    if (!allowed)
        text = explain(&b, why);
    p->fn(allowed, text, p->data);
    access_question_free(p->q);
    g_free(p);
}

static void ask(void *self, const AccessQuestion *q, AccessFn fn, void *data)
{
    Pending *p = g_new(Pending, 1);
    Built b;

    *p = (Pending){ fn, data, access_question_copy(q) };
    build(p->q, &b);
    polkit_ask(self, &b.q, answered, p);
}

static void stop(void *self)
{
    polkit_stop(self);
}

static void done(void *self)
{
    polkit_unref(self);
}

void *access_polkit_new(Loop *loop, const char *bus_address)
{
    return polkit_new(loop, bus_address);
}

const AccessBackend access_polkit = { "polkit", check, ask, NULL, stop, done };
