/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table of the kind: what the general code asks about secrets. The key is what a secret is for, so two
 * secrets are never for the same thing. Any thread; commit on a worker, with the turn.
 */
#include <string.h>

#include "drivers/secret/secret.h"
#include "util/error.h"
#include "util/log.h"

static const SecretDef nothing;

const SecretDef *secret_def(const SecretView *v)
{
    const SecretDef *def = v->live ? v->live->def : v->config ? atomic_load(&v->config->def) : NULL;

    return def ? def : &nothing;
}

bool secret_is_known(const SecretView *v)
{
    return secret_def(v) != &nothing;
}

char *secret_usage_key(int type, const char *id)
{
    return type == SECRET_USAGE_NONE ? NULL : g_strdup_printf("%d:%s", type, id ? id : "");
}

static char *key(const ObjectView *v)
{
    const SecretDef *def = secret_def((const SecretView *)v);

    return secret_usage_key((int)def->usage, def->usage_id);
}

static OptUuid *def_uuid(void *def)
{
    return &((SecretDef *)def)->uuid;
}

static void view_copied(ObjectView *v)
{
    SecretValue *value = ((SecretView *)v)->value;

    if (value)
        (void)secret_value_ref(value);
}

static void view_done(ObjectView *v)
{
    secret_value_unref(((SecretView *)v)->value);
}

/* Lists tell of each secret what it is for, so all definitions are read at the start. */
static void view_loaded(ObjectView *v)
{
    g_autoptr(GError) error = NULL;

    if (!object_view_config(v, NULL, &error))
        log_error("a secret's definition cannot be read: %s", error->message);
}

/* The value goes where the secret is now: into its file, or out of it. */
static bool commit(ObjectTurn *t, GError **err)
{
    SecretView *v = (SecretView *)object_turn_edit_view(t);
    const ObjectView *base = object_turn_base(t);

    if (object_turn_removes(t) || !v->persistent)
        return !base || !base->persistent || secret_file_remove(v->name, err);
    if (v->value && !secret_file_write(v->name, v->uuid, v->value, err))
        return false;
    v->value = secret_value_unref(v->value);
    return true;
}

static void wire_identity(const void *wire, const char **ret_name, const uint8_t **ret_uuid)
{
    (void)ret_name;
    *ret_uuid = (const uint8_t *)((const remote_nonnull_secret *)wire)->uuid;
}

static void wire_fill(const ObjectView *v, void *ret)
{
    const SecretDef *def = secret_def((const SecretView *)v);
    remote_nonnull_secret *s = ret;

    memcpy(s->uuid, v->uuid, sizeof(v->uuid));
    s->usageType = (int)def->usage;
    s->usageID = g_strdup(def->usage_id ? def->usage_id : "");
}

static void describe(const ObjectView *v, AclObject *ret)
{
    /* As today's rules call them. */
    static const char *const words[_SECRET_USAGE_N] = { NULL, "volume", "ceph", "target", "name", "name" };
    const SecretDef *def = secret_def((const SecretView *)v);

    ret->usage_type = words[def->usage];
    ret->key = def->usage_id;
}

static const unsigned filter_groups[] = {
    VIR_CONNECT_LIST_SECRETS_EPHEMERAL | VIR_CONNECT_LIST_SECRETS_NO_EPHEMERAL,
    VIR_CONNECT_LIST_SECRETS_PRIVATE | VIR_CONNECT_LIST_SECRETS_NO_PRIVATE,
    0,
};

static unsigned filter_bits(const ObjectView *v)
{
    const SecretDef *def = secret_def((const SecretView *)v);

    return (def->ephemeral ? VIR_CONNECT_LIST_SECRETS_EPHEMERAL : VIR_CONNECT_LIST_SECRETS_NO_EPHEMERAL) |
           (def->private_ ? VIR_CONNECT_LIST_SECRETS_PRIVATE : VIR_CONNECT_LIST_SECRETS_NO_PRIVATE);
}

const KindInfo secret_object_kind = {
    .object = OBJECT_SECRET,
    .word = "secret",
    .missing = VIR_ERR_NO_SECRET,
    .view_size = sizeof(SecretView),
    .doc = &secret_kind,
    .identity = DOC_IDENTITY_UUID,
    .def_uuid = def_uuid,
    .view_copied = view_copied,
    .view_done = view_done,
    .view_loaded = view_loaded,
    .key = key,
    .config_dir = "secrets",
    .document = "secret",
    .note = "Written by the daemon that keeps this secret; edits to this file are lost.\n"
            "Change the secret with: virsh secret-define\n",
    .commit = commit,
    .wire_identity = wire_identity,
    .wire_fill = wire_fill,
    .wire_size = sizeof(remote_nonnull_secret),
    .describe = describe,
    .filter_groups = filter_groups,
    .filter_bits = filter_bits,
};
