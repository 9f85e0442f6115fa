/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Look-ups and lists of domains. Inline: they read published views and never wait. */
#include <stdlib.h>
#include <string.h>

#include "drivers/common/answers.h"
#include "drivers/common/domains.h"
#include "drivers/common/handlers.h"
#include "util/error.h"

void common_wire_domain(const DomainView *v, remote_nonnull_domain *ret)
{
    ret->name = g_strdup(v->name);
    memcpy(ret->uuid, v->uuid, sizeof(v->uuid));
    ret->id = v->id;
}

bool common_domain_lookup_by_id(Call *c, const remote_domain_lookup_by_id_args *a, remote_domain_lookup_by_id_ret *r,
                                GError **err)
{
    return answer_lookup(c, VIR_ERR_NO_DOMAIN, (Object *)domains_find_id(a->id), &r->dom, err, "no domain with matching id %d", a->id);
}

bool common_domain_lookup_by_name(Call *c, const remote_domain_lookup_by_name_args *a,
                                  remote_domain_lookup_by_name_ret *r, GError **err)
{
    return answer_lookup(c, VIR_ERR_NO_DOMAIN, (Object *)domains_find_name(a->name), &r->dom, err, "no domain with matching name '%s'", a->name);
}

bool common_domain_lookup_by_uuid(Call *c, const remote_domain_lookup_by_uuid_args *a,
                                  remote_domain_lookup_by_uuid_ret *r, GError **err)
{
    char text[37];

    uuid_format(a->uuid, text);
    return answer_lookup(c, VIR_ERR_NO_DOMAIN, (Object *)domains_find_uuid(a->uuid), &r->dom, err, "no domain with matching uuid '%s'", text);
}

bool common_connect_list_all_domains(Call *c, const remote_connect_list_all_domains_args *a,
                                     remote_connect_list_all_domains_ret *r, GError **err)
{
    return answer_list(c, registry_of(OBJECT_DOMAIN), a->flags, a->need_results, REMOTE_DOMAIN_LIST_MAX, &r->ret,
                       &r->domains.domains_len, &r->domains.domains_val, err);
}

static int compare_ids(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

bool common_connect_list_domains(Call *c, const remote_connect_list_domains_args *a,
                                 remote_connect_list_domains_ret *r, GError **err)
{
    g_autoptr(GPtrArray) views = domains_collect(c, VIR_CONNECT_LIST_DOMAINS_ACTIVE);
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
    (void)err;
    r->num = answer_count(c, registry_of(OBJECT_DOMAIN), VIR_CONNECT_LIST_DOMAINS_ACTIVE);
    return true;
}

bool common_connect_list_defined_domains(Call *c, const remote_connect_list_defined_domains_args *a,
                                         remote_connect_list_defined_domains_ret *r, GError **err)
{
    (void)err;
    answer_names(c, registry_of(OBJECT_DOMAIN), VIR_CONNECT_LIST_DOMAINS_INACTIVE, a->maxnames, &r->names.names_len,
                 &r->names.names_val);
    return true;
}

bool common_connect_num_of_defined_domains(Call *c, remote_connect_num_of_defined_domains_ret *r, GError **err)
{
    (void)err;
    r->num = answer_count(c, registry_of(OBJECT_DOMAIN), VIR_CONNECT_LIST_DOMAINS_INACTIVE);
    return true;
}
