/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which security labels guests have. The first model is "none", as on hosts without labels of the kernel;
 * the traditional one comes second, where there is one (security.h). Inline.
 */
#include "drivers/qemu/handlers.h"
#include "drivers/qemu/security.h"

enum { MODELS_MAX = 2 };

static void put(remote_domain_get_security_label_ret *r, const char *label)
{
    r->label.label_val = g_strdup(label);
    r->label.label_len = (u_int)strlen(label) + 1; /* the terminating NUL travels */
}

bool qemu_domain_get_security_label(Call *c, const DomainView *v,
                                    const remote_domain_get_security_label_args *a,
                                    remote_domain_get_security_label_ret *r, GError **err)
{
    (void)c, (void)v, (void)a, (void)err;
    put(r, "");
    return true;
}

bool qemu_domain_get_security_label_list(Call *c, const DomainView *v,
                                         const remote_domain_get_security_label_list_args *a,
                                         remote_domain_get_security_label_list_ret *r, GError **err)
{
    const SeclabelDef *l = view_active(v) ? security_label(v->live->def) : NULL;
    (void)c, (void)a, (void)err;

    if (!view_active(v))
        return true;
    r->labels.labels_val = g_new0(remote_domain_get_security_label_ret, MODELS_MAX);
    put(&r->labels.labels_val[r->labels.labels_len++], "");
    if (l)
        put(&r->labels.labels_val[r->labels.labels_len++], l->label ? l->label : "");
    r->ret = (int)r->labels.labels_len;
    return true;
}
