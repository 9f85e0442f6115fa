/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Access rules of calls. A procedure's rules are rows; all that apply to the call's flags and
 * parameters must be granted. Two things decide: on a read-only connection a rule that depends on
 * arguments must only look (rules without conditions were judged with the procedure's row), and the
 * configured backends (rpc/access.h) must grant it to whom the client acts for. Without backends
 * (access_drivers empty, the default) every authenticated client of a read-write socket has all rights.
 *
 * A rule on an object that no argument names is of two sorts. Look-ups and lists ask themselves, of
 * what they find (call_allows), and acl_check_asked() sees to it that they did. Everything else
 * is asked before the handler runs, of "some object": rules by name then do not allow, but do deny.
 *
 * Any thread that has the call.
 */
#include "rpc/dispatch-internal.h"
#include "util/error.h"

#include <string.h>

enum { ANSWER_USEC = 10 * 1000000 };

static const char *const kind_names[_OBJECT_N] = {
    [OBJECT_NONE] = "connect",
    [OBJECT_DOMAIN] = "domain",
    [OBJECT_NETWORK] = "network",
    [OBJECT_NETWORK_PORT] = "network_port",
    [OBJECT_INTERFACE] = "interface",
    [OBJECT_STORAGE_POOL] = "storage_pool",
    [OBJECT_STORAGE_VOL] = "storage_vol",
    [OBJECT_NODE_DEVICE] = "node_device",
    [OBJECT_SECRET] = "secret",
    [OBJECT_NWFILTER] = "nwfilter",
    [OBJECT_NWFILTER_BINDING] = "nwfilter_binding",
};

/* The permissions that only look. */
static bool perm_is_reading(const char *perm)
{
    return strcmp(perm, "getattr") == 0 || strcmp(perm, "read") == 0 || g_str_has_prefix(perm, "search_");
}

static bool rule_applies(const Call *c, const AclRule *r)
{
    if (r->if_param_size) {
        int64_t v = 0;
        const uint8_t *p = (const uint8_t *)c->args + r->if_param_off;
        if (r->if_param_size == 8)
            v = *(const int64_t *)p;
        else
            v = *(const int32_t *)p;
        if (v != r->if_value)
            return false;
    }
    if (r->if_all_flags || r->if_none_of_flags) {
        uint64_t flags = 0;
        if (c->proc->flags_off >= 0) {
            const uint8_t *p = (const uint8_t *)c->args + c->proc->flags_off;
            flags = c->proc->flags_size == 8 ? *(const uint64_t *)p : *(const uint32_t *)p;
        }
        if ((flags & r->if_all_flags) != r->if_all_flags)
            return false;
        if (flags & r->if_none_of_flags)
            return false;
    }
    return true;
}

/* The handler asks this one, of what it finds. */
static bool left_to_handler(const Call *c, const AclRule *r)
{
    return r->object != ACL_CONNECT && r->object != c->proc->object && c->proc->job == JOB_NONE &&
           strcmp(r->perm, "getattr") == 0;
}

static const char *driver_name(const Call *c)
{
    return c->driver ? c->driver->name : "";
}

void acl_question(const Call *c, const AclRule *r, AccessQuestion *ret)
{
    *ret = (AccessQuestion){ .who = c->identity, .driver = driver_name(c), .perm = r->perm,
                             .object = r->object == ACL_CONNECT ? kind_names[OBJECT_NONE] : kind_names[r->object] };
    if (r->object == ACL_CONNECT)
        return;
    if (r->object == c->proc->object) {
        ret->on = c->acl_object;
        ret->on.kind = r->object;
        return;
    }
    ret->on = (AclObject){ .kind = r->object, .parent_name = c->acl_object.name, .parent_uuid = c->acl_object.uuid };
    ret->unnamed = true;
}

void acl_refuse(const Call *c, const AclRule *r, const char *why, GError **err)
{
    AccessQuestion q;

    acl_question(c, r, &q);
    g_autofree char *what = access_describe(&q);

    error_set(err, VIR_ERR_ACCESS_DENIED, "%s needs the permission %s:%s on %s: %s", c->proc->name, r->object_name,
              r->perm, what, why ? why : "it is not granted");
}

AccessAnswer acl_check_rules(Call *c, GError **err)
{
    Access *access = c->d->access;

    if (!c->proc->acl || (!access && !c->readonly))
        return ACCESS_YES;
    for (const AclRule *r = &c->proc->acl[c->acl_at]; r->perm; r = &c->proc->acl[++c->acl_at]) {
        if (!rule_applies(c, r))
            continue;
        bool conditional = r->if_all_flags || r->if_none_of_flags || r->if_param_size;
        if (c->readonly && conditional && !perm_is_reading(r->perm)) {
            error_set(err, VIR_ERR_OPERATION_DENIED, "%s with these flags needs the permission %s:%s", c->proc->name,
                      r->object_name, r->perm);
            return ACCESS_NO;
        }
        if (!access || left_to_handler(c, r))
            continue;

        AccessQuestion q;
        g_autofree char *why = NULL;

        acl_question(c, r, &q);
        AccessAnswer a = access_check(access, &q, &why);
        if (a == ACCESS_NO)
            acl_refuse(c, r, why, err);
        if (a != ACCESS_YES)
            return a;
    }
    return ACCESS_YES;
}

bool acl_check_asked(const Call *c, GError **err)
{
    if (!c->d->access || c->asked)
        return true;
    for (const AclRule *r = c->proc->acl; r && r->perm; r++) {
        if (rule_applies(c, r) && left_to_handler(c, r)) {
            error_set(err, VIR_ERR_ACCESS_DENIED, "%s has not checked the permission %s:%s", c->proc->name,
                      r->object_name, r->perm);
            return false;
        }
    }
    return true;
}

bool call_allows(Call *c, const AclObject *o, const char *perm)
{
    c->asked = true;
    if (c->readonly && !perm_is_reading(perm))
        return false;
    if (!c->d->access)
        return true;

    AccessQuestion q = { .who = c->identity, .driver = driver_name(c), .object = kind_names[o->kind], .perm = perm,
                         .on = *o };
    AccessAnswer a = access_check(c->d->access, &q, NULL);

    if (a != ACCESS_ASK)
        return a == ACCESS_YES;
    if (loop_is_current(c->d->loop)) {
        c->must_wait = true;
        return false;
    }
    return access_ask_wait(c->d->access, &q, MIN(c->deadline, now_usec() + ANSWER_USEC), NULL);
}

bool call_would_allow(Call *c, const AccessQuestion *q, char **why)
{
    if (!c->d->access)
        return true;

    AccessAnswer a = access_check(c->d->access, q, why);

    if (a != ACCESS_ASK)
        return a == ACCESS_YES;
    if (loop_is_current(c->d->loop)) {
        c->must_wait = true;
        return false;
    }
    return access_ask_wait(c->d->access, q, now_usec() + ANSWER_USEC, why);
}

bool acl_event_question(const Identity *who, const char *driver, ObjectKind kind, const char *name,
                        const uint8_t *uuid, AccessQuestion *ret)
{
    *ret = (AccessQuestion){ .who = who, .driver = driver, .object = kind_names[kind], .perm = "getattr",
                             .on = { .kind = kind, .name = name, .uuid = uuid } };
    return kind != OBJECT_NONE;
}
