/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Look-ups and lists of domains. Inline: they read published views and never wait. */
#include <stdlib.h>
#include <string.h>

#include "drivers/common/handlers.h"
#include "drivers/common/registry.h"
#include "util/error.h"

void common_wire_domain(const DomainView *v, remote_nonnull_domain *ret)
{
    ret->name = g_strdup(v->name);
    memcpy(ret->uuid, v->uuid, sizeof(v->uuid));
    ret->id = v->id;
}

/* A domain that the caller may not see does not exist for it. */
static bool answer_lookup(Call *c, Domain *found, remote_nonnull_domain *ret, GError **err, const char *fmt, ...)
    G_GNUC_PRINTF(5, 6);
static bool answer_lookup(Call *c, Domain *found, remote_nonnull_domain *ret, GError **err, const char *fmt, ...)
{
    g_autoptr(Domain) d = found;
    g_autoptr(DomainView) v = d ? domain_view(d) : NULL;

    if (v) {
        AclObject o = { OBJECT_DOMAIN, v->name, v->uuid };
        if (call_allows(c, &o, "getattr")) {
            common_wire_domain(v, ret);
            return true;
        }
    }
    va_list ap;
    va_start(ap, fmt);
    g_autofree char *text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    error_set(err, VIR_ERR_NO_DOMAIN, "%s", text);
    return false;
}

bool common_domain_lookup_by_id(Call *c, const remote_domain_lookup_by_id_args *a, remote_domain_lookup_by_id_ret *r,
                                GError **err)
{
    return answer_lookup(c, registry_find_id(a->id), &r->dom, err, "no domain with matching id %d", a->id);
}

bool common_domain_lookup_by_name(Call *c, const remote_domain_lookup_by_name_args *a,
                                  remote_domain_lookup_by_name_ret *r, GError **err)
{
    return answer_lookup(c, registry_find_name(a->name), &r->dom, err, "no domain with matching name '%s'", a->name);
}

bool common_domain_lookup_by_uuid(Call *c, const remote_domain_lookup_by_uuid_args *a,
                                  remote_domain_lookup_by_uuid_ret *r, GError **err)
{
    char text[37];

    uuid_format(a->uuid, text);
    return answer_lookup(c, registry_find_uuid(a->uuid), &r->dom, err, "no domain with matching uuid '%s'", text);
}

/* One group of the list filter: no bit of the group set means that it does not filter. */
static bool group_passes(unsigned flags, unsigned group, unsigned have)
{
    return !(flags & group) || (flags & have);
}

bool common_list_filter(const DomainView *v, unsigned flags)
{
    unsigned state = v->state == VIR_DOMAIN_RUNNING   ? VIR_CONNECT_LIST_DOMAINS_RUNNING
                     : v->state == VIR_DOMAIN_PAUSED  ? VIR_CONNECT_LIST_DOMAINS_PAUSED
                     : v->state == VIR_DOMAIN_SHUTOFF ? VIR_CONNECT_LIST_DOMAINS_SHUTOFF
                                                      : VIR_CONNECT_LIST_DOMAINS_OTHER;

    return group_passes(flags, VIR_CONNECT_LIST_DOMAINS_ACTIVE | VIR_CONNECT_LIST_DOMAINS_INACTIVE,
                        view_active(v) ? VIR_CONNECT_LIST_DOMAINS_ACTIVE : VIR_CONNECT_LIST_DOMAINS_INACTIVE) &&
           group_passes(flags, VIR_CONNECT_LIST_DOMAINS_PERSISTENT | VIR_CONNECT_LIST_DOMAINS_TRANSIENT,
                        v->persistent ? VIR_CONNECT_LIST_DOMAINS_PERSISTENT : VIR_CONNECT_LIST_DOMAINS_TRANSIENT) &&
           group_passes(flags,
                        VIR_CONNECT_LIST_DOMAINS_RUNNING | VIR_CONNECT_LIST_DOMAINS_PAUSED |
                            VIR_CONNECT_LIST_DOMAINS_SHUTOFF | VIR_CONNECT_LIST_DOMAINS_OTHER,
                        state) &&
           group_passes(flags, VIR_CONNECT_LIST_DOMAINS_AUTOSTART | VIR_CONNECT_LIST_DOMAINS_NO_AUTOSTART,
                        v->autostart ? VIR_CONNECT_LIST_DOMAINS_AUTOSTART : VIR_CONNECT_LIST_DOMAINS_NO_AUTOSTART) &&
           group_passes(flags, VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE | VIR_CONNECT_LIST_DOMAINS_NO_MANAGEDSAVE,
                        v->managed_save ? VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE
                                        : VIR_CONNECT_LIST_DOMAINS_NO_MANAGEDSAVE) &&
           /* Snapshots and checkpoints: no driver makes any yet. */
           group_passes(flags, VIR_CONNECT_LIST_DOMAINS_HAS_SNAPSHOT | VIR_CONNECT_LIST_DOMAINS_NO_SNAPSHOT,
                        VIR_CONNECT_LIST_DOMAINS_NO_SNAPSHOT) &&
           group_passes(flags, VIR_CONNECT_LIST_DOMAINS_HAS_CHECKPOINT | VIR_CONNECT_LIST_DOMAINS_NO_CHECKPOINT,
                        VIR_CONNECT_LIST_DOMAINS_NO_CHECKPOINT);
}

/* Views that pass the filter. */
static GPtrArray *collect(Call *c, unsigned flags)
{
    GPtrArray *views = registry_collect(c);

    for (unsigned i = views->len; i > 0; i--)
        if (!common_list_filter(views->pdata[i - 1], flags))
            g_ptr_array_remove_index_fast(views, i - 1);
    return views;
}

static bool fits(unsigned n, unsigned max, GError **err)
{
    if (n <= max)
        return true;
    error_set(err, VIR_ERR_RPC, "%u domains are more than one reply can hold (%u); use filters", n, max);
    return false;
}

bool common_connect_list_all_domains(Call *c, const remote_connect_list_all_domains_args *a,
                                     remote_connect_list_all_domains_ret *r, GError **err)
{
    g_autoptr(GPtrArray) views = collect(c, a->flags);

    r->ret = views->len;
    if (!a->need_results)
        return true;
    if (!fits(views->len, REMOTE_DOMAIN_LIST_MAX, err))
        return false;
    r->domains.domains_len = views->len;
    r->domains.domains_val = g_new0(remote_nonnull_domain, views->len);
    for (unsigned i = 0; i < views->len; i++)
        common_wire_domain(views->pdata[i], &r->domains.domains_val[i]);
    return true;
}

static int compare_ids(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

bool common_connect_list_domains(Call *c, const remote_connect_list_domains_args *a,
                                 remote_connect_list_domains_ret *r, GError **err)
{
    g_autoptr(GPtrArray) views = collect(c, VIR_CONNECT_LIST_DOMAINS_ACTIVE);
    unsigned n = MIN(views->len, (unsigned)MAX(a->maxids, 0));
    (void)err;

    r->ids.ids_len = n;
    r->ids.ids_val = g_new0(int, n);
    for (unsigned i = 0; i < n; i++)
        r->ids.ids_val[i] = ((const DomainView *)views->pdata[i])->id;
    if (n)
        qsort(r->ids.ids_val, n, sizeof(int), compare_ids);
    return true;
}

bool common_connect_num_of_domains(Call *c, remote_connect_num_of_domains_ret *r, GError **err)
{
    g_autoptr(GPtrArray) views = collect(c, VIR_CONNECT_LIST_DOMAINS_ACTIVE);
    (void)err;

    r->num = (int)views->len;
    return true;
}

bool common_connect_list_defined_domains(Call *c, const remote_connect_list_defined_domains_args *a,
                                         remote_connect_list_defined_domains_ret *r, GError **err)
{
    g_autoptr(GPtrArray) views = collect(c, VIR_CONNECT_LIST_DOMAINS_INACTIVE);
    unsigned n = MIN(views->len, (unsigned)MAX(a->maxnames, 0));
    (void)err;

    r->names.names_len = n;
    r->names.names_val = g_new0(remote_nonnull_string, n);
    for (unsigned i = 0; i < n; i++)
        r->names.names_val[i] = g_strdup(((const DomainView *)views->pdata[i])->name);
    return true;
}

bool common_connect_num_of_defined_domains(Call *c, remote_connect_num_of_defined_domains_ret *r, GError **err)
{
    g_autoptr(GPtrArray) views = collect(c, VIR_CONNECT_LIST_DOMAINS_INACTIVE);
    (void)err;

    r->num = (int)views->len;
    return true;
}
