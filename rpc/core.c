/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Answers that every daemon gives alike: open and close, features, identity,
 * event subscriptions. A driver that fills one of these slots itself takes precedence. All of them
 * are lane inline: loop thread, nothing that waits.
 */
#define LOG_SOURCE "rpc.core"
#include <string.h>
#include <unistd.h>

#include "protocols/admin_handlers.h"
#include "protocols/qemu_handlers.h"
#include "protocols/remote_handlers.h"
#include "rpc/dispatch-internal.h"
#include "rpc/identity_params.h"
#include "util/error.h"
#include "util/log.h"

/* Features that clients ask for by number (CONNECT_SUPPORTS_FEATURE). The numbers are part of the
 * protocol; those that concern migration belong to the driver. */
enum {
    FEATURE_FD_PASSING = 8,
    FEATURE_TYPED_PARAM_STRING = 9,
    FEATURE_KEEPALIVE = 10,
    FEATURE_EVENT_CALLBACK = 14,
    FEATURE_CLOSE_CALLBACK = 15,
    FEATURE_NETWORK_UPDATE_ORDER = 16,
};

/* The part before "+", ":" or the end. */
static bool scheme_served(const Driver *d, const char *uri)
{
    size_t n = strcspn(uri, "+:");

    for (const char *const *s = d->schemes; *s; s++)
        if (strlen(*s) == n && strncmp(uri, *s, n) == 0)
            return true;
    return false;
}

/* Sent along by clients that may start a session's daemon; no part of the interface. */
enum { CLIENT_STARTED_US = 1 << 2 };

static bool core_connect_open(Call *c, const remote_connect_open_args *a, GError **err)
{
    ClientState *cs = c->cs;
    const Driver *d = c->driver;
    const char *name = a->name;

    if (cs->opened) {
        error_set(err, VIR_ERR_OPERATION_FAILED, "the connection is open already");
        return false;
    }
    if (!d) {
        error_set(err, VIR_ERR_NO_CONNECT, "this daemon has no driver");
        return false;
    }
    if (name && !*name)
        name = NULL;
    if (name && !scheme_served(d, name)) {
        g_autofree char *schemes = g_strjoinv(", ", (char **)d->schemes);
        error_set(err, VIR_ERR_NO_CONNECT, "no connection driver available for %s; this daemon serves %s", name,
                  schemes);
        return false;
    }
    bool ro = a->flags & VIR_CONNECT_RO;
    char *uri = NULL;
    if (d->open && !d->open(c, name, ro || cs->client->readonly, &uri, err))
        return false;
    g_free(cs->uri); /* of an opening that was closed since */
    cs->uri = uri;
    cs->open_readonly = ro;
    cs->opened = true;
    return true;
}

static bool core_connect_close(Call *c, GError **err)
{
    (void)err;
    /* The client drops its socket next; what it holds ends with that. */
    c->cs->opened = false;
    if (c->cs->siblings)
        session_drop_secondaries(c->cs->siblings);
    return true;
}

static bool core_connect_get_type(Call *c, remote_connect_get_type_ret *r, GError **err)
{
    (void)err;
    r->type = g_strdup(c->driver->name);
    return true;
}

static bool core_connect_get_uri(Call *c, remote_connect_get_uri_ret *r, GError **err)
{
    (void)err;
    r->uri = g_strdup(c->cs->uri ? c->cs->uri : "");
    return true;
}

static bool core_connect_get_lib_version(Call *c, remote_connect_get_lib_version_ret *r, GError **err)
{
    (void)c;
    (void)err;
    r->lib_ver = LIBVIR_VERSION_NUMBER;
    return true;
}

static bool core_connect_get_hostname(Call *c, remote_connect_get_hostname_ret *r, GError **err)
{
    char name[256] = "";
    (void)c;

    if (gethostname(name, sizeof(name) - 1) < 0) {
        error_set_errno(err, errno, "cannot get the host's name");
        return false;
    }
    r->hostname = g_strdup(name);
    return true;
}

static bool core_connect_supports_feature(Call *c, const remote_connect_supports_feature_args *a,
                                          remote_connect_supports_feature_ret *r, GError **err)
{
    (void)err;
    switch (a->feature) {
    case FEATURE_FD_PASSING:
        r->supported = conn_can_fds(c->cs->client->conn);
        break;
    case FEATURE_TYPED_PARAM_STRING:
    case FEATURE_KEEPALIVE:
    case FEATURE_EVENT_CALLBACK:
    case FEATURE_CLOSE_CALLBACK:
    case FEATURE_NETWORK_UPDATE_ORDER:
        r->supported = 1;
        break;
    default:
        r->supported = c->driver && c->driver->supports_feature ? c->driver->supports_feature(a->feature) : 0;
    }
    return true;
}

/* Who the client acts for. Believed only from a peer that is root or runs as ourselves. */
static bool core_connect_set_identity(Call *c, const remote_connect_set_identity_args *a, GError **err)
{
    Client *client = c->cs->client;

    if (!identity_may_delegate(client->peer, err))
        return false;
    g_autoptr(Identity) id = identity_from_params(a->params.params_val, a->params.params_len, err);
    if (!id)
        return false;
    client_act_for(client, g_steal_pointer(&id));
    if (c->cs->siblings)
        session_drop_secondaries(c->cs->siblings);
    return true;
}

static bool core_connect_register_close_callback(Call *c, GError **err)
{
    (void)c;
    (void)err;
    return true; /* only a driver whose own connection can break has something to tell */
}

static bool core_connect_unregister_close_callback(Call *c, GError **err)
{
    (void)c;
    (void)err;
    return true;
}

/* Events ------------------------------------------------------------------------------------- */

static bool core_connect_domain_event_register(Call *c, remote_connect_domain_event_register_ret *r, GError **err)
{
    int id;
    SubscribeRequest q = { .kind = OBJECT_DOMAIN, .event_id = VIR_DOMAIN_EVENT_ID_LIFECYCLE, .legacy = true };

    if (!event_subscribe(c, &q, &id, err))
        return false;
    r->cb_registered = 1;
    return true;
}

static bool core_connect_domain_event_deregister(Call *c, remote_connect_domain_event_deregister_ret *r, GError **err)
{
    if (!event_unsubscribe_legacy(c, OBJECT_DOMAIN, VIR_DOMAIN_EVENT_ID_LIFECYCLE, err))
        return false;
    r->cb_registered = 0;
    return true;
}

static bool core_connect_domain_event_register_any(Call *c, const remote_connect_domain_event_register_any_args *a,
                                                   GError **err)
{
    int id;
    SubscribeRequest q = { .kind = OBJECT_DOMAIN, .event_id = a->eventID, .legacy = true };

    return event_subscribe(c, &q, &id, err);
}

static bool core_connect_domain_event_deregister_any(Call *c, const remote_connect_domain_event_deregister_any_args *a,
                                                     GError **err)
{
    return event_unsubscribe_legacy(c, OBJECT_DOMAIN, a->eventID, err);
}

/* The modern families differ in their types only: one row each. */
#define EVENT_FAMILY(KIND, reg, dereg, member, uuid_of, key_of)                                                        \
    static bool core_##reg(Call *c, const remote_##reg##_args *a, remote_##reg##_ret *r, GError **err)                 \
    {                                                                                                                  \
        SubscribeRequest q = { .kind = KIND, .event_id = a->eventID };                                                 \
        if (a->member) {                                                                                               \
            q.uuid = uuid_of;                                                                                          \
            q.key = key_of;                                                                                            \
        }                                                                                                              \
        return event_subscribe(c, &q, &r->callbackID, err);                                                            \
    }                                                                                                                  \
    static bool core_##dereg(Call *c, const remote_##dereg##_args *a, GError **err)                                    \
    {                                                                                                                  \
        return event_unsubscribe(c, KIND, false, a->callbackID, err);                                                  \
    }

#define UUID_OF(member) (a->member->uuid)
/* clang-format off */
EVENT_FAMILY(OBJECT_DOMAIN, connect_domain_event_callback_register_any, connect_domain_event_callback_deregister_any,
             dom, UUID_OF(dom), NULL)
EVENT_FAMILY(OBJECT_NETWORK, connect_network_event_register_any, connect_network_event_deregister_any,
             net, UUID_OF(net), NULL)
EVENT_FAMILY(OBJECT_STORAGE_POOL, connect_storage_pool_event_register_any, connect_storage_pool_event_deregister_any,
             pool, UUID_OF(pool), NULL)
EVENT_FAMILY(OBJECT_NODE_DEVICE, connect_node_device_event_register_any, connect_node_device_event_deregister_any,
             dev, NULL, a->dev->name)
EVENT_FAMILY(OBJECT_SECRET, connect_secret_event_register_any, connect_secret_event_deregister_any,
             secret, UUID_OF(secret), NULL)
/* clang-format on */

static bool core_monitor_event_register(Call *c, const qemu_connect_domain_monitor_event_register_args *a,
                                        qemu_connect_domain_monitor_event_register_ret *r, GError **err)
{
    SubscribeRequest q = { .kind = OBJECT_DOMAIN,
                           .qemu = true,
                           .uuid = a->dom ? a->dom->uuid : NULL,
                           .qemu_event = a->event,
                           .qemu_flags = a->flags };

    return event_subscribe(c, &q, &r->callbackID, err);
}

static bool core_monitor_event_deregister(Call *c, const qemu_connect_domain_monitor_event_deregister_args *a,
                                          GError **err)
{
    return event_unsubscribe(c, OBJECT_DOMAIN, true, a->callbackID, err);
}

/* Administration: open and close are about the connection; the rest is the daemon's. */
static bool core_admin_open(Call *c, const admin_connect_open_args *a, GError **err)
{
    (void)a;
    if (c->cs->opened) {
        error_set(err, VIR_ERR_OPERATION_FAILED, "the connection is open already");
        return false;
    }
    c->cs->opened = true;
    return true;
}

static bool core_admin_get_lib_version(Call *c, admin_connect_get_lib_version_ret *r, GError **err)
{
    (void)c;
    (void)err;
    r->libVer = LIBVIR_VERSION_NUMBER;
    return true;
}

/* clang-format off */
const RemoteHandlers core_remote_handlers = {
    .connect_open = { core_connect_open, VIR_CONNECT_RO | VIR_CONNECT_NO_ALIASES | CLIENT_STARTED_US },
    .connect_close = { core_connect_close },
    .connect_get_type = { core_connect_get_type },
    .connect_get_uri = { core_connect_get_uri },
    .connect_get_lib_version = { core_connect_get_lib_version },
    .connect_get_hostname = { core_connect_get_hostname },
    .connect_supports_feature = { core_connect_supports_feature },
    .connect_set_identity = { core_connect_set_identity },
    .connect_register_close_callback = { core_connect_register_close_callback },
    .connect_unregister_close_callback = { core_connect_unregister_close_callback },
    .connect_domain_event_register = { core_connect_domain_event_register },
    .connect_domain_event_deregister = { core_connect_domain_event_deregister },
    .connect_domain_event_register_any = { core_connect_domain_event_register_any },
    .connect_domain_event_deregister_any = { core_connect_domain_event_deregister_any },
    .connect_domain_event_callback_register_any = { core_connect_domain_event_callback_register_any },
    .connect_domain_event_callback_deregister_any = { core_connect_domain_event_callback_deregister_any },
    .connect_network_event_register_any = { core_connect_network_event_register_any },
    .connect_network_event_deregister_any = { core_connect_network_event_deregister_any },
    .connect_storage_pool_event_register_any = { core_connect_storage_pool_event_register_any },
    .connect_storage_pool_event_deregister_any = { core_connect_storage_pool_event_deregister_any },
    .connect_node_device_event_register_any = { core_connect_node_device_event_register_any },
    .connect_node_device_event_deregister_any = { core_connect_node_device_event_deregister_any },
    .connect_secret_event_register_any = { core_connect_secret_event_register_any },
    .connect_secret_event_deregister_any = { core_connect_secret_event_deregister_any },
};

const QemuHandlers core_qemu_handlers = {
    .connect_domain_monitor_event_register = { core_monitor_event_register,
        VIR_CONNECT_DOMAIN_QEMU_MONITOR_EVENT_REGISTER_REGEX | VIR_CONNECT_DOMAIN_QEMU_MONITOR_EVENT_REGISTER_NOCASE },
    .connect_domain_monitor_event_deregister = { core_monitor_event_deregister },
};

const AdminHandlers core_admin_handlers = {
    .connect_open = { core_admin_open },
    .connect_close = { core_connect_close },
    .connect_get_lib_version = { core_admin_get_lib_version },
};
/* clang-format on */
