/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Access rules. A procedure's rules are rows; all that apply to the call's flags and parameters must
 * be allowed. Whether a permission is granted is the business of the configured backends; with none
 * (access_drivers empty, the default) every authenticated client of a read-write socket has all of
 * them. Read-only connections are refused what they may not do in two places: statically by the
 * procedure's row, and here by the conditional rules (read_secure with XML_SECURE, …). Any thread.
 */
#include "rpc/dispatch-internal.h"
#include "util/error.h"

#include <string.h>

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

bool call_allows(Call *c, const AclObject *o, const char *perm)
{
    (void)o; /* asked of the backends, of which there are none yet */
    if (call_readonly(c) && !perm_is_reading(perm))
        return false;
    return true;
}

bool acl_check_rules(Call *c, const AclRule *rules, const AclObject *o, GError **err)
{
    for (const AclRule *r = rules; r && r->perm; r++) {
        if (!rule_applies(c, r))
            continue;
        /* A read-only connection passed the static check; what is left are rules that depend on
         * arguments. Those marked readable by exception carry no condition. */
        bool conditional = r->if_all_flags || r->if_none_of_flags || r->if_param_size;
        if (call_readonly(c) && conditional && !perm_is_reading(r->perm)) {
            error_set(err, VIR_ERR_OPERATION_DENIED, "%s with these flags needs the permission %s:%s",
                      c->proc->name, r->object_name, r->perm);
            return false;
        }
        if (!call_readonly(c) && !call_allows(c, o, r->perm)) {
            error_set(err, VIR_ERR_ACCESS_DENIED, "%s needs the permission %s:%s", c->proc->name,
                      r->object_name, r->perm);
            return false;
        }
    }
    return true;
}
