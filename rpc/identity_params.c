/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The parameters of CONNECT_SET_IDENTITY, one row per name, for both directions: the proxy writes
 * them, daemons read them. Numbers arrive with the types below; a daemon also takes the other signedness
 * as long as the value is not negative. Any thread.
 */
#include "rpc/identity_params.h"

#include <string.h>
#include <unistd.h>

#include "util/api.h"
#include "util/error.h"

typedef enum ParamKind { PARAM_UID, PARAM_GID, PARAM_PID, PARAM_TIME, PARAM_STRING } ParamKind;

static const struct {
    const char *name;
    ParamKind kind;
    int type;   /* as it is sent */
    size_t off; /* of a string */
} rows[] = {
    { VIR_CONNECT_IDENTITY_UNIX_USER_ID,          PARAM_UID,    VIR_TYPED_PARAM_ULLONG, 0 },
    { VIR_CONNECT_IDENTITY_UNIX_GROUP_ID,         PARAM_GID,    VIR_TYPED_PARAM_ULLONG, 0 },
    { VIR_CONNECT_IDENTITY_PROCESS_ID,            PARAM_PID,    VIR_TYPED_PARAM_LLONG,  0 },
    { VIR_CONNECT_IDENTITY_PROCESS_TIME,          PARAM_TIME,   VIR_TYPED_PARAM_ULLONG, 0 },
    { VIR_CONNECT_IDENTITY_USER_NAME,             PARAM_STRING, VIR_TYPED_PARAM_STRING, offsetof(Identity, user_name) },
    { VIR_CONNECT_IDENTITY_GROUP_NAME,            PARAM_STRING, VIR_TYPED_PARAM_STRING, offsetof(Identity, group_name) },
    { VIR_CONNECT_IDENTITY_SELINUX_CONTEXT,       PARAM_STRING, VIR_TYPED_PARAM_STRING, offsetof(Identity, selinux_context) },
    { VIR_CONNECT_IDENTITY_SASL_USER_NAME,        PARAM_STRING, VIR_TYPED_PARAM_STRING, offsetof(Identity, sasl_user) },
    { VIR_CONNECT_IDENTITY_X509_DISTINGUISHED_NAME, PARAM_STRING, VIR_TYPED_PARAM_STRING, offsetof(Identity, x509_dname) },
    { "system.token",                             PARAM_STRING, VIR_TYPED_PARAM_STRING, offsetof(Identity, system_token) },
};
G_STATIC_ASSERT(G_N_ELEMENTS(rows) == IDENTITY_PARAMS_MAX);

static char **string_of(Identity *id, unsigned row)
{
    return (char **)((char *)id + rows[row].off);
}

static bool take_number(Identity *id, ParamKind kind, uint64_t v)
{
    switch (kind) {
    case PARAM_UID:
        id->uid = v;
        return v < UINT32_MAX; /* (uid_t)-1 is nobody */
    case PARAM_GID:
        id->gid = v;
        return v < UINT32_MAX;
    case PARAM_PID:
        id->pid = v;
        return v <= INT32_MAX;
    case PARAM_TIME:
        id->start_time = v;
        return true;
    case PARAM_STRING:
        break;
    }
    return false;
}

static bool take_param(Identity *id, unsigned row, const remote_typed_param_value *v)
{
    if (rows[row].kind == PARAM_STRING) {
        if (v->type != VIR_TYPED_PARAM_STRING)
            return false;
        *string_of(id, row) = g_strdup(v->u.s);
        return true;
    }
    if (v->type == VIR_TYPED_PARAM_ULLONG)
        return take_number(id, rows[row].kind, v->u.ul);
    return v->type == VIR_TYPED_PARAM_LLONG && v->u.l >= 0 && take_number(id, rows[row].kind, v->u.l);
}

Identity *identity_from_params(const remote_typed_param *params, unsigned n, GError **err)
{
    g_autoptr(Identity) id = identity_new();
    unsigned seen = 0;

    for (unsigned i = 0; i < n; i++) {
        unsigned row = 0;

        while (row < G_N_ELEMENTS(rows) && strcmp(params[i].field, rows[row].name) != 0)
            row++;
        if (row == G_N_ELEMENTS(rows)) {
            error_set(err, VIR_ERR_INVALID_ARG, "unknown identity parameter '%s'", params[i].field);
            return NULL;
        }
        if (seen & 1u << row) {
            error_set(err, VIR_ERR_INVALID_ARG, "identity parameter '%s' is given twice", params[i].field);
            return NULL;
        }
        seen |= 1u << row;
        if (!take_param(id, row, &params[i].value)) {
            error_set(err, VIR_ERR_INVALID_ARG, "identity parameter '%s' has a value of the wrong type or range (type %d)",
                      params[i].field, params[i].value.type);
            return NULL;
        }
    }
    id->has_unix = seen & 1; /* a uid was given */
    return g_steal_pointer(&id);
}

unsigned identity_to_params(const Identity *id, remote_typed_param params[IDENTITY_PARAMS_MAX])
{
    unsigned n = 0;

    for (unsigned row = 0; row < G_N_ELEMENTS(rows); row++) {
        remote_typed_param p = { .field = (char *)rows[row].name, .value = { .type = rows[row].type } };
        bool known = id->has_unix;

        switch (rows[row].kind) {
        case PARAM_UID:
            p.value.u.ul = id->uid;
            break;
        case PARAM_GID:
            p.value.u.ul = id->gid;
            break;
        case PARAM_PID:
            p.value.u.l = id->pid;
            known = id->pid != 0;
            break;
        case PARAM_TIME:
            p.value.u.ul = identity_start_time(id);
            known = p.value.u.ul != 0;
            break;
        case PARAM_STRING:
            p.value.u.s = *string_of((Identity *)id, row);
            known = p.value.u.s != NULL;
            break;
        }
        if (known)
            params[n++] = p;
    }
    return n;
}

bool identity_may_delegate(const Identity *peer, GError **err)
{
    if (peer && peer->has_unix && (peer->uid == 0 || peer->uid == geteuid()))
        return true;
    error_set(err, VIR_ERR_ACCESS_DENIED, "only root and the daemon's own user may act for another identity");
    return false;
}
