/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What clients ask of secrets. A value that comes or goes passes through the call's own memory; what is ours of
 * that is wiped behind it. Values never enter a message or a log.
 */
#include <string.h>

#include "conf/domain.h" /* DOMAIN_PARSE_* */
#include "drivers/common/answers.h"
#include "drivers/secret/secret.h"
#include "protocols/remote_procs.h"
#include "protocols/remote_types.h"
#include "rpc/peer.h"
#include "util/error.h"

static Registry *secrets(void)
{
    return registry_of(OBJECT_SECRET);
}

/* Look-ups and lists; inline ---------------------------------------------------------------- */

bool secret_connect_num_of_secrets(Call *c, remote_connect_num_of_secrets_ret *r, GError **err)
{
    (void)err;
    r->num = answer_count(c, secrets(), 0);
    return true;
}

bool secret_connect_list_secrets(Call *c, const remote_connect_list_secrets_args *a, remote_connect_list_secrets_ret *r,
                                 GError **err)
{
    (void)err;
    answer_names(c, secrets(), 0, a->maxuuids, &r->uuids.uuids_len, &r->uuids.uuids_val);
    return true;
}

bool secret_connect_list_all_secrets(Call *c, const remote_connect_list_all_secrets_args *a,
                                     remote_connect_list_all_secrets_ret *r, GError **err)
{
    return answer_list(c, secrets(), a->flags, a->need_results, REMOTE_SECRET_LIST_MAX, &r->ret, &r->secrets.secrets_len,
                       &r->secrets.secrets_val, err);
}

bool secret_lookup_by_uuid(Call *c, const remote_secret_lookup_by_uuid_args *a, remote_secret_lookup_by_uuid_ret *r,
                           GError **err)
{
    char text[37];

    uuid_format((const uint8_t *)a->uuid, text);
    return answer_lookup(c, VIR_ERR_NO_SECRET, registry_find_uuid(secrets(), (const uint8_t *)a->uuid), &r->secret, err,
                         "no secret with matching uuid '%s'", text);
}

bool secret_lookup_by_usage(Call *c, const remote_secret_lookup_by_usage_args *a, remote_secret_lookup_by_usage_ret *r,
                            GError **err)
{
    g_autofree char *key = secret_usage_key(a->usageType, a->usageID);

    return answer_lookup(c, VIR_ERR_NO_SECRET, key ? registry_find_key(secrets(), key) : NULL, &r->secret, err,
                         "no secret with matching usage '%s'", a->usageID);
}

bool secret_get_xml_desc(Call *c, const SecretView *v, const remote_secret_get_xml_desc_args *a,
                         remote_secret_get_xml_desc_ret *r, GError **err)
{
    const SecretDef *def = object_view_def((const ObjectView *)v, c, err);
    (void)a;

    r->xml = def ? secret_format(def, 0, err) : NULL;
    return r->xml != NULL;
}

/* Changes; workers, with the turn ------------------------------------------------------------ */

static void emit_lifecycle(SecretTurn *t, int event)
{
    const SecretView *v = secret_turn_view(t);
    remote_secret_event_lifecycle_msg m = { .event = event };

    v->kind->wire_fill((const ObjectView *)v, &m.secret);
    object_turn_emit(secret_turn(t), event_new(OBJECT_SECRET, REMOTE_PROC_SECRET_EVENT_LIFECYCLE, v->uuid, NULL,
                                               (xdrproc_t)xdr_remote_secret_event_lifecycle_msg, &m));
    g_free(m.secret.usageID);
}

static void emit_value_changed(SecretTurn *t)
{
    const SecretView *v = secret_turn_view(t);
    remote_secret_event_value_changed_msg m = { 0 };

    v->kind->wire_fill((const ObjectView *)v, &m.secret);
    object_turn_emit(secret_turn(t), event_new(OBJECT_SECRET, REMOTE_PROC_SECRET_EVENT_VALUE_CHANGED, v->uuid, NULL,
                                               (xdrproc_t)xdr_remote_secret_event_value_changed_msg, &m));
    g_free(m.secret.usageID);
}

/* Clients find a secret by what it is for, and trust private ones to stay so. */
static bool may_become(SecretTurn *t, const SecretDef *def, GError **err)
{
    const SecretView *base = (const SecretView *)object_turn_base(secret_turn(t));
    const SecretDef *old = base && secret_is_known(base) ? secret_def(base) : NULL;
    g_autofree char *key = secret_usage_key((int)def->usage, def->usage_id);
    char text[37];

    if (old && g_strcmp0(old->usage_id, def->usage_id) != 0) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "a secret with UUID %s is already defined for use with %s", base->name,
                  old->usage_id ? old->usage_id : "nothing");
        return false;
    }
    if (old && old->private_ && !def->private_) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "cannot change private flag on existing secret");
        return false;
    }
    g_autoptr(Object) other = key ? object_turn_reserve_key(secret_turn(t), key) : NULL;
    if (!other || other == object_turn_object(secret_turn(t)))
        return true;
    uuid_format(object_uuid(other), text);
    error_set(err, VIR_ERR_INTERNAL_ERROR, "a secret with UUID %s already defined for use with %s", text, def->usage_id);
    return false;
}

/* An ephemeral secret's value lives with its view, another's in its file: it follows the definition. */
static bool become(SecretTurn *t, SecretDef *take, GError **err)
{
    ObjectTurn *o = secret_turn(t);
    SecretView *v = (SecretView *)object_turn_edit_view(o);

    if (!take->ephemeral) {
        if (!define_object(o, take, err))
            return false;
        object_turn_set_live(o, NULL);
        object_turn_set_active(o, false);
        return true;
    }
    g_autoptr(GError) error = NULL;
    if (v->persistent && !(v->value = secret_file_read(v->name, v->uuid, &error)) && error) {
        g_propagate_error(err, g_steal_pointer(&error));
        secret_free(take);
        return false;
    }
    if (!settle_identity(o, take, err)) {
        secret_free(take);
        return false;
    }
    object_turn_set_live(o, take);
    object_turn_set_active(o, true);
    object_turn_set_persistent(o, false);
    object_turn_set_config(o, NULL);
    return true;
}

bool secret_define_xml(Call *c, SecretTurn *t, const remote_secret_define_xml_args *a, remote_secret_define_xml_ret *r,
                       GError **err)
{
    unsigned flags = DOMAIN_PARSE_INACTIVE | (a->flags & VIR_SECRET_DEFINE_VALIDATE ? DOMAIN_PARSE_STRICT : 0);
    g_autoptr(SecretDef) def = secret_parse(a->xml, strlen(a->xml), flags, err);
    (void)c;

    if (!def || !may_become(t, def, err) || !become(t, g_steal_pointer(&def), err))
        return false;
    emit_lifecycle(t, VIR_SECRET_EVENT_DEFINED);
    secret_turn_view(t)->kind->wire_fill(object_turn_view(secret_turn(t)), &r->secret);
    return true;
}

bool secret_undefine(Call *c, SecretTurn *t, const remote_secret_undefine_args *a, GError **err)
{
    (void)c;
    (void)a;
    (void)err;
    emit_lifecycle(t, VIR_SECRET_EVENT_UNDEFINED);
    object_turn_remove(secret_turn(t));
    return true;
}

/* Values ------------------------------------------------------------------------------------- */

bool secret_set_value(Call *c, SecretTurn *t, const remote_secret_set_value_args *a, GError **err)
{
    SecretView *v = (SecretView *)object_turn_edit_view(secret_turn(t));
    (void)c;

    if (!a->value.value_len) {
        error_set(err, VIR_ERR_INVALID_ARG, "the value of secret '%s' is empty", v->name);
        return false;
    }
    secret_value_unref(v->value);
    v->value = secret_value_new(a->value.value_val, a->value.value_len, err);
    explicit_bzero(a->value.value_val, a->value.value_len);
    if (!v->value)
        return false;
    emit_value_changed(t);
    return true;
}

SecretValue *secret_value_of(const SecretView *v, GError **err)
{
    g_autoptr(GError) error = NULL;
    SecretValue *value = v->value ? secret_value_ref(v->value) : v->persistent ? secret_file_read(v->name, v->uuid, &error) : NULL;

    if (error)
        g_propagate_error(err, g_steal_pointer(&error));
    else if (!value)
        error_set(err, VIR_ERR_NO_SECRET, "secret '%s' does not have a value", v->name);
    return value;
}

bool secret_get_value(Call *c, const SecretView *v, const remote_secret_get_value_args *a, remote_secret_get_value_ret *r,
                      GError **err)
{
    (void)a;
    bool private = secret_def(v)->private_;

    if ((private || v->persistent) && !call_may_wait(c)) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "the value of secret '%s' is not read yet", v->name);
        return false;
    }
    if (private && !call_from_daemon(c)) { /* people, and what they run, never learn it */
        error_set(err, VIR_ERR_INVALID_SECRET, "secret is private");
        return false;
    }
    g_autoptr(SecretValue) value = secret_value_of(v, err);
    if (!value)
        return false;
    r->value.value_len = (u_int)value->len;
    r->value.value_val = g_memdup2(value->bytes, value->len);
    return true;
}
