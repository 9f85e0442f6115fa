/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pools that are iSCSI targets, which the kernel logs in to: open-iscsi's program does what is to be done, and
 * a session is a SCSI host (backend_scsi.c) whose units are the volumes. Workers.
 */
#include <stdio.h>
#include <string.h>

#include "drivers/storage/backend-device.h"
#include "drivers/storage/tools.h"
#include "util/api.h"
#include "util/error.h"

enum { ISCSI_USEC = 45 * 1000 * 1000 };

static const char *target_of(const StoragePoolDef *d)
{
    return ((PoolDevice *)list_at(d->source.devices, 0))->path; /* a definition without one is refused */
}

/* The program gives up on a dead server by itself, but late. */
static StorageJob bounded(const StorageJob *job)
{
    StorageJob b = job ? *job : (StorageJob){ 0 };

    b.usec = b.usec ? MIN(b.usec, ISCSI_USEC) : ISCSI_USEC;
    return b;
}

static bool run(Argv *take, const StorageJob *job, char **ret, GError **err)
{
    const StorageJob b = bounded(job);
    return storage_run_take(take, &b, ret, err);
}

/* *ret NULL: we are not logged in. */
static bool find_session(const StoragePoolDef *d, const StorageJob *job, char **ret, GError **err)
{
    g_autofree char *said = NULL;
    g_autoptr(GError) why = NULL;

    *ret = NULL;
    if (run(iscsi_sessions(), job, &said, &why)) {
        *ret = iscsi_parse_session(said, target_of(d));
        return true;
    }
    /* Its way to say that there is no session at all. */
    if (error_is(why, VIR_ERR_OPERATION_FAILED) && strstr(why->message, "with status 21"))
        return true;
    g_propagate_error(err, g_steal_pointer(&why));
    return false;
}

/* *ret NULL: this initiator has no interface. */
static bool find_iface(const char *initiator, const StorageJob *job, char **ret, GError **err)
{
    g_autofree char *said = NULL;

    if (!run(iscsi_ifaces(), job, &said, err))
        return false;
    *ret = iscsi_parse_iface(said, initiator);
    return true;
}

static bool need_iface(const StoragePoolSource *s, const char *portal, const StorageJob *job, char **ret, GError **err)
{
    *ret = NULL;
    if (!s->initiator)
        return true;
    if (!find_iface(s->initiator, job, ret, err))
        return false;
    if (*ret)
        return true;
    *ret = g_strdup_printf("libvirt-iface-%08x", g_random_int());
    return run(iscsi_new_iface(*ret, err), job, NULL, err) && run(iscsi_name_iface(*ret, s->initiator, err), job, NULL, err) &&
           run(iscsi_discover(portal, *ret, true, err), job, NULL, err);
}

static bool iscsi_check(const StoragePoolDef *d, bool *ret, GError **err)
{
    g_autofree char *session = NULL;

    if (!find_session(d, NULL, &session, err))
        return false;
    *ret = session != NULL;
    return true;
}

/* The program takes the password as a word, and keeps it in its records of nodes. */
static bool set_auth(const StoragePoolDef *d, const char *portal, const StorageJob *job, GError **err)
{
    SecretValue *secret;

    if (!backend_secret(d, job, &secret, err))
        return false;
    if (!secret)
        return true;
    g_autofree char *password = g_strndup((const char *)secret->bytes, secret->len);
    bool is_word = strlen(password) == secret->len;
    secret_value_unref(secret);
    if (!is_word) {
        explicit_bzero(password, strlen(password));
        error_set(err, VIR_ERR_INVALID_ARG, "pool '%s': its secret is no password, there is a zero byte in it", d->name);
        return false;
    }
    const char *const words[][2] = {
        { "node.session.auth.authmethod", "CHAP" },
        { "node.session.auth.username", d->source.auth->username },
        { "node.session.auth.password", password },
    };
    bool ok = true;
    for (unsigned i = 0; ok && i < G_N_ELEMENTS(words); i++)
        ok = run(iscsi_set(portal, target_of(d), words[i][0], words[i][1], err), job, NULL, err);
    explicit_bzero(password, strlen(password));
    return ok;
}

static bool iscsi_start(const StoragePoolDef *d, const StorageJob *job, GError **err)
{
    g_autofree char *portal = iscsi_portal(&d->source, err), *session = NULL, *iface = NULL;

    if (portal) { /* shown from now on */
        PoolHost *h = list_at(d->source.hosts, 0);
        h->port = h->port ? h->port : ISCSI_PORT;
    }
    if (!portal || !find_session(d, job, &session, err))
        return false;
    return session || (run(iscsi_new_node(portal, target_of(d), err), job, NULL, err) &&
                       need_iface(&d->source, portal, job, &iface, err) && set_auth(d, portal, job, err) &&
                       run(iscsi_login(portal, target_of(d), iface, true, err), job, NULL, err));
}

static bool iscsi_stop(const StoragePoolDef *d, const StorageJob *job, GError **err)
{
    g_autofree char *portal = iscsi_portal(&d->source, err), *session = NULL, *iface = NULL;

    if (!portal || !find_session(d, job, &session, err))
        return false;
    if (!session)
        return true;
    if (d->source.initiator && !find_iface(d->source.initiator, job, &iface, err))
        return false;
    return run(iscsi_login(portal, target_of(d), iface, false, err), job, NULL, err);
}

/* The host of a session is in the name of what is below it: "target5:0:0". */
static bool host_of(const StoragePoolDef *d, const char *session, unsigned *ret, GError **err)
{
    g_autoptr(GPtrArray) below = sysfs_list("class/iscsi_session/session%s/device", session);

    for (guint i = 0; i < below->len; i++)
        if (sscanf(below->pdata[i], "target%u:", ret) == 1)
            return true;
    error_set(err, VIR_ERR_INTERNAL_ERROR, "the session with '%s' has no SCSI host", target_of(d));
    return false;
}

static bool need_session(const StoragePoolDef *d, const StorageJob *job, char **ret, GError **err)
{
    if (!find_session(d, job, ret, err))
        return false;
    if (!*ret)
        error_set(err, VIR_ERR_INTERNAL_ERROR, "there is no session with '%s'", target_of(d));
    return *ret;
}

static bool iscsi_list(const StoragePoolDef *d, VolumeFoundFn *found, void *data, const StorageJob *job, GError **err)
{
    g_autofree char *session = NULL;
    unsigned host;

    return need_session(d, job, &session, err) && host_of(d, session, &host, err) && scsi_host_list(d, host, found, data, err);
}

/* A refresh measures first: units that are new show by then. */
static bool iscsi_measure(StoragePoolDef *d, PoolFigures *ret, const StorageJob *job, GError **err)
{
    g_autofree char *session = NULL;
    unsigned host;

    if (!need_session(d, job, &session, err) || !run(iscsi_rescan(session, err), job, NULL, err) || !host_of(d, session, &host, err))
        return false;
    device_settle(host, job);
    return device_measure(&backend_iscsi, d, ret, job, err);
}

static StorageVolumeDef *iscsi_vol_look(const StoragePoolDef *d, const char *name, GError **err)
{
    return device_look(&backend_iscsi, d, name, err);
}

static StorageSourceList *iscsi_find(const StoragePoolSource *like, const StorageJob *job, GError **err)
{
    g_autofree char *portal = NULL, *iface = NULL, *said = NULL;

    if (list_len(like->hosts) != 1) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "hostname must be specified for iscsi sources");
        return NULL;
    }
    if (like->initiator && !find_iface(like->initiator, job, &iface, err))
        return NULL;
    if (like->initiator && !iface) {
        error_set(err, VIR_ERR_OPERATION_FAILED, "no iSCSI interface defined for IQN %s", like->initiator);
        return NULL;
    }
    if (!(portal = iscsi_portal(like, err)) || !run(iscsi_discover(portal, iface, false, err), job, &said, err))
        return NULL;
    g_autoptr(GPtrArray) targets = iscsi_parse_targets(said);
    return sources_of_targets(like, targets);
}

const PoolBackend backend_iscsi = {
    .type = POOL_ISCSI, .programs = { "iscsiadm" }, .check = iscsi_check, .start = iscsi_start, .stop = iscsi_stop,
    .measure = iscsi_measure, .list = iscsi_list, .find_sources = iscsi_find, .vol_look = iscsi_vol_look,
};
