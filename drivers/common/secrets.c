/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Two calls: which secret it is, then its value. What passes through our memory is wiped behind it. Any worker; no
 * state.
 */
#include "drivers/common/secrets.h"

#include <string.h>

#include "protocols/remote_client.h"
#include "protocols/xdr_buf.h"
#include "util/api.h"
#include "util/error.h"

static const char *const usage_names[] = { "none", "volume", "ceph", "iscsi", "tls", "vtpm" };

char *secret_ref_text(const SecretRef *ref)
{
    char text[37];

    if (!ref->uuid.set)
        return g_strdup_printf("usage '%s'", ref->usage ? ref->usage : "");
    uuid_format(ref->uuid.v, text);
    return g_strdup_printf("uuid '%s'", text);
}

int secret_ref_usage(const SecretRef *ref)
{
    switch (ref->type) {
    case SECRET_CEPH: return VIR_SECRET_USAGE_TYPE_CEPH;
    case SECRET_ISCSI: return VIR_SECRET_USAGE_TYPE_ISCSI;
    case SECRET_PASSPHRASE: case SECRET_VOLUME: return VIR_SECRET_USAGE_TYPE_VOLUME;
    case SECRET_TLS: return VIR_SECRET_USAGE_TYPE_TLS;
    case SECRET_NONE: case _SECRET_TYPE_N: break;
    }
    return VIR_SECRET_USAGE_TYPE_NONE;
}

/* Fills ret, whose usageID is to be freed. */
static bool look_up(ClientCall *cc, const SecretRef *ref, int usage, remote_nonnull_secret *ret, GError **err)
{
    if (ref->uuid.set) {
        remote_secret_lookup_by_uuid_args a;
        remote_secret_lookup_by_uuid_ret r;

        memcpy(a.uuid, ref->uuid.v, sizeof(a.uuid));
        if (!remote_client_secret_lookup_by_uuid(cc, &a, &r, err))
            return false;
        *ret = r.secret;
        return true;
    }
    remote_secret_lookup_by_usage_args a = { .usageType = usage, .usageID = ref->usage };
    remote_secret_lookup_by_usage_ret r;

    if (!remote_client_secret_lookup_by_usage(cc, &a, &r, err))
        return false;
    *ret = r.secret;
    return true;
}

bool secret_find_usage(Peer *p, int usage, const char *name, Uuid ret)
{
    SecretRef ref = { .usage = (char *)name };
    remote_nonnull_secret s;

    if (!look_up(peer_calls(p), &ref, usage, &s, NULL))
        return false;
    memcpy(ret, s.uuid, sizeof(Uuid));
    g_free(s.usageID);
    return true;
}

static SecretValue *get_value(ClientCall *cc, const remote_nonnull_secret *secret, GError **err)
{
    remote_secret_get_value_args a = { .secret = *secret };
    remote_secret_get_value_ret r;

    if (!remote_client_secret_get_value(cc, &a, &r, err))
        return NULL;

    SecretValue *v = secret_value_new(r.value.value_val, r.value.value_len, err);

    if (r.value.value_len)
        explicit_bzero(r.value.value_val, r.value.value_len);
    proc_free((xdrproc_t)xdr_remote_secret_get_value_ret, &r);
    return v;
}

SecretValue *secret_fetch(Peer *p, const SecretRef *ref, int usage, const char *what, GError **err)
{
    g_autofree char *text = secret_ref_text(ref);
    g_autoptr(GError) error = NULL;
    remote_nonnull_secret s = { 0 };
    SecretValue *v = NULL;

    if (look_up(peer_calls(p), ref, usage, &s, &error)) {
        if (s.usageType == usage)
            v = get_value(peer_calls(p), &s, &error);
        else
            error_set(&error, VIR_ERR_INVALID_ARG, "it is of type '%s' not expected '%s' type",
                      s.usageType >= 0 && s.usageType < (int)G_N_ELEMENTS(usage_names) ? usage_names[s.usageType] : "unknown",
                      usage_names[usage]);
        g_free(s.usageID);
    }
    if (v && v->len == 0) {
        v = secret_value_unref(v);
        error_set(&error, VIR_ERR_INVALID_SECRET, "its value is empty");
    }
    if (!v) {
        g_prefix_error(&error, "secret with %s, needed by %s: ", text, what);
        g_propagate_error(err, g_steal_pointer(&error));
    }
    return v;
}
