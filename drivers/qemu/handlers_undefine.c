/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The end of a definition, with what only it kept on this host: firmware variables, the state of a TPM. */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/qemu/driver.h"
#include "drivers/qemu/firmware.h"
#include "drivers/qemu/handlers.h"
#include "drivers/qemu/helper.h"
#include "util/error.h"

static bool exclusive(unsigned flags, unsigned a, unsigned b, const char *names, GError **err)
{
    if ((flags & a) == 0 || (flags & b) == 0)
        return true;
    error_set(err, VIR_ERR_INVALID_ARG, "Flags '%s' are mutually exclusive", names);
    return false;
}

/* The file of the variables of this guest's own, also one that a start chose; NULL: there is none. */
static char *nvram_of(const DomainDef *def)
{
    struct stat st;
    const OsNvram *n = def->os.nvram;
    bool chosen = !(n && (n->path || n->src)) && def->os.firmware == FIRMWARE_EFI;

    for (unsigned qcow2 = 0; qcow2 <= (chosen ? 1 : 0); qcow2++) {
        g_autofree char *path = chosen ? qemu_firmware_nvram_path(qemu.policy.nvram_dir, def->name, qcow2)
                                       : g_strdup(n ? n->path : NULL);
        if (path && stat(path, &st) == 0)
            return g_steal_pointer(&path);
    }
    return NULL;
}

bool qemu_domain_undefine_flags(Call *c, DomainTurn *t, const remote_domain_undefine_flags_args *a,
                                GError **err)
{
    const DomainView *v = turn_base(t);
    bool active = view_active(v);

    if (!exclusive(a->flags, VIR_DOMAIN_UNDEFINE_NVRAM, VIR_DOMAIN_UNDEFINE_KEEP_NVRAM,
                   "VIR_DOMAIN_UNDEFINE_NVRAM' and 'VIR_DOMAIN_UNDEFINE_KEEP_NVRAM", err) ||
        !exclusive(a->flags, VIR_DOMAIN_UNDEFINE_TPM, VIR_DOMAIN_UNDEFINE_KEEP_TPM,
                   "VIR_DOMAIN_UNDEFINE_TPM' and 'VIR_DOMAIN_UNDEFINE_KEEP_TPM", err))
        return false;
    /* A definition that cannot be read can still be removed; what it kept is not known then. */
    const DomainDef *old = v->config ? view_config(v, NULL, NULL) : NULL;
    g_autofree char *nvram = old ? nvram_of(old) : NULL;
    if (nvram && !active &&
        !(a->flags & (VIR_DOMAIN_UNDEFINE_NVRAM | VIR_DOMAIN_UNDEFINE_KEEP_NVRAM))) {
        error_set(err, VIR_ERR_OPERATION_INVALID, "cannot undefine domain with nvram");
        return false;
    }
    if (!common_domain_undefine_flags(c, t, a, err))
        return false;
    if (nvram && !active && (a->flags & VIR_DOMAIN_UNDEFINE_NVRAM) && unlink(nvram) < 0 &&
        errno != ENOENT) {
        error_set_errno(err, errno, "failed to remove nvram: %s", nvram);
        return false;
    }
    if (old && !active)
        helper_tpm_undefined(old, a->flags);
    return true;
}

bool qemu_domain_undefine(Call *c, DomainTurn *t, const remote_domain_undefine_args *a,
                          GError **err)
{
    const remote_domain_undefine_flags_args with = { .dom = a->dom };
    return qemu_domain_undefine_flags(c, t, &with, err);
}
