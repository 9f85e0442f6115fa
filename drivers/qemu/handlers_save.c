/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Save, restore, managed images, what is in an image, dumps: what clients may ask for, as they ask for
 * it. Restoring names its domain in a file, so its handler finds the domain and waits for its turn
 * itself, and asks for the caller's rights on that very domain. Workers.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "drivers/common/params.h"
#include "drivers/qemu/driver.h"
#include "drivers/qemu/dump.h"
#include "drivers/qemu/handlers.h"
#include "drivers/qemu/save.h"
#include "util/error.h"
#include "util/fd.h"

/* Flags that more than one call has ------------------------------------------------------------- */

static bool exclusive(unsigned flags, unsigned a, const char *a_name, unsigned b, const char *b_name, GError **err)
{
    if (!(flags & a) || !(flags & b))
        return true;
    error_set(err, VIR_ERR_INVALID_ARG, "Flags '%s' and '%s' are mutually exclusive", a_name, b_name);
    return false;
}

/* 1: runs, 0: paused, -1: as it is, -2 with *err. */
static int wanted_state(unsigned flags, GError **err)
{
    if (!exclusive(flags, VIR_DOMAIN_SAVE_RUNNING, "VIR_DOMAIN_SAVE_RUNNING", VIR_DOMAIN_SAVE_PAUSED,
                   "VIR_DOMAIN_SAVE_PAUSED", err))
        return -2;
    return (flags & VIR_DOMAIN_SAVE_RUNNING) ? 1 : (flags & VIR_DOMAIN_SAVE_PAUSED) ? 0 : -1;
}

static bool absolute(const char *path, GError **err)
{
    if (path && *path == '/')
        return true;
    error_set(err, VIR_ERR_INVALID_ARG, "the path '%s' is not absolute", path ? path : "");
    return false;
}

/* Saving ----------------------------------------------------------------------------------------- */

static bool save(DomainTurn *t, const char *path, const char *format, const char *xml, unsigned flags, GError **err)
{
    SaveHow how = { .path = path, .xml = xml, .bypass_cache = flags & VIR_DOMAIN_SAVE_BYPASS_CACHE,
                    .running = wanted_state(flags, err) };

    return how.running > -2 && absolute(path, err) &&
           save_format_for(format ? format : qemu.config->save_image_format, &how.format, err) &&
           save_guest(t, &how, err);
}

bool save_managed(DomainTurn *t, const char *format, const char *xml, unsigned flags, GError **err)
{
    g_autofree char *path = save_managed_path(turn_view(t)->name);

    if (!turn_view(t)->persistent) {
        error_set(err, VIR_ERR_OPERATION_INVALID, "cannot do managed save for transient domain");
        return false;
    }
    if (!save(t, path, format, xml, flags, err))
        return false;
    turn_set_managed_save(t, true);
    return true;
}

bool qemu_domain_save(Call *c, DomainTurn *t, const remote_domain_save_args *a, GError **err)
{
    (void)c;
    return save(t, a->to, NULL, NULL, 0, err);
}

bool qemu_domain_save_flags(Call *c, DomainTurn *t, const remote_domain_save_flags_args *a, GError **err)
{
    (void)c;
    return save(t, a->to, NULL, a->dxml, a->flags, err);
}

bool qemu_domain_managed_save(Call *c, DomainTurn *t, const remote_domain_managed_save_args *a, GError **err)
{
    (void)c;
    return save_managed(t, NULL, NULL, a->flags, err);
}

static const ParamRow save_rows[] = {
    { VIR_DOMAIN_SAVE_PARAM_FILE, VIR_TYPED_PARAM_STRING, false },
    { VIR_DOMAIN_SAVE_PARAM_DXML, VIR_TYPED_PARAM_STRING, false },
    { VIR_DOMAIN_SAVE_PARAM_IMAGE_FORMAT, VIR_TYPED_PARAM_STRING, false },
};

static const char *text_of(const remote_typed_param *val, u_int n, const char *name)
{
    const remote_typed_param *p = params_find(val, n, name);
    return p ? p->value.u.s : NULL;
}

bool qemu_domain_save_params(Call *c, DomainTurn *t, const remote_domain_save_params_args *a, GError **err)
{
    const remote_typed_param *val = a->params.params_val;
    u_int n = a->params.params_len;
    (void)c;

    if (!params_check(a->params.params_val, n, save_rows, G_N_ELEMENTS(save_rows), err))
        return false;
    const char *file = text_of(val, n, VIR_DOMAIN_SAVE_PARAM_FILE), *xml = text_of(val, n, VIR_DOMAIN_SAVE_PARAM_DXML),
               *format = text_of(val, n, VIR_DOMAIN_SAVE_PARAM_IMAGE_FORMAT);
    if (file)
        return save(t, file, format, xml, a->flags, err);
    return save_managed(t, format, xml, a->flags, err);
}

/* Restoring -------------------------------------------------------------------------------------- */

static bool allowed(Call *c, const OpenImage *i, GError **err)
{
    static const char *const perms[] = { "start", "write" };
    AclObject o = { OBJECT_DOMAIN, i->def->name, i->def->uuid.v };

    for (unsigned p = 0; p < G_N_ELEMENTS(perms); p++)
        if (!call_allows(c, &o, perms[p])) {
            error_set(err, VIR_ERR_ACCESS_DENIED, "restoring domain '%s' needs the permission domain:%s", i->def->name,
                      perms[p]);
            return false;
        }
    return true;
}

static bool restore_in_turn(DomainTurn *t, OpenImage *i, const char *xml, const RestoreHow *how, GError **err)
{
    if (view_active(turn_view(t))) {
        error_set(err, VIR_ERR_OPERATION_INVALID, "domain '%s' is already active", turn_view(t)->name);
        return false;
    }
    return restore_guest(t, i, xml, how, err);
}

static bool restore(Call *c, const char *path, const char *xml, unsigned flags, GError **err)
{
    RestoreHow how = { .bypass_cache = flags & VIR_DOMAIN_SAVE_BYPASS_CACHE, .running = wanted_state(flags, err),
                       .flags = (flags & VIR_DOMAIN_SAVE_RESET_NVRAM) ? START_RESET_NVRAM : 0 };
    g_auto(OpenImage) i = { 0 };

    if (how.running < -1 || !absolute(path, err) || open_image(path, false, &i, err) != 1 || !allowed(c, &i, err))
        return false;
    DomainTurn *t = turn_begin_found(i.def->name, i.def->uuid.v, c, err);
    if (!t)
        return false;
    bool ok = restore_in_turn(t, &i, xml, &how, err);
    return turn_end_found(t, ok, ok ? err : NULL) && ok;
}

bool qemu_domain_restore(Call *c, const remote_domain_restore_args *a, GError **err)
{
    return restore(c, a->from, NULL, 0, err);
}

bool qemu_domain_restore_flags(Call *c, const remote_domain_restore_flags_args *a, GError **err)
{
    return restore(c, a->from, a->dxml, a->flags, err);
}

bool qemu_domain_restore_params(Call *c, const remote_domain_restore_params_args *a, GError **err)
{
    static const ParamRow rows[] = {
        { VIR_DOMAIN_SAVE_PARAM_FILE, VIR_TYPED_PARAM_STRING, false },
        { VIR_DOMAIN_SAVE_PARAM_DXML, VIR_TYPED_PARAM_STRING, false },
    };
    const remote_typed_param *val = a->params.params_val;
    u_int n = a->params.params_len;

    if (!params_check(a->params.params_val, n, rows, G_N_ELEMENTS(rows), err))
        return false;
    const char *file = text_of(val, n, VIR_DOMAIN_SAVE_PARAM_FILE);
    if (!file) {
        error_set(err, VIR_ERR_INVALID_ARG, "missing path to restore from");
        return false;
    }
    return restore(c, file, text_of(val, n, VIR_DOMAIN_SAVE_PARAM_DXML), a->flags, err);
}

/* What is in an image ---------------------------------------------------------------------------- */

static char *image_document(const char *path, unsigned flags, GError **err)
{
    g_auto(OpenImage) i = { 0 };

    if (open_image(path, false, &i, err) != 1)
        return NULL;
    return domain_format(i.def, (flags & VIR_DOMAIN_SAVE_IMAGE_XML_SECURE) ? DOMAIN_FORMAT_SECURE : 0, NULL, err);
}

static bool image_define(const char *path, const char *xml, unsigned flags, GError **err)
{
    int running = wanted_state(flags, err);
    g_auto(OpenImage) i = { 0 };

    if (running < -1 || open_image(path, true, &i, err) != 1)
        return false;
    g_autoptr(DomainDef) other = xml ? save_parse_xml(xml, err) : domain_copy(i.def);
    if (!other || !save_may_replace(i.def, other, err))
        return false;
    g_free(i.image.xml);
    i.image.xml = domain_format(other, DOMAIN_FORMAT_SECURE | DOMAIN_FORMAT_INACTIVE | DOMAIN_FORMAT_MIGRATABLE, NULL, err);
    if (running >= 0)
        i.image.header.was_running = running;
    g_autoptr(GByteArray) head = i.image.xml ? save_image_format_again(&i.image, err) : NULL;
    if (!head)
        return false;
    if (lseek(i.fd, 0, SEEK_SET) < 0 || fd_write_all(i.fd, head->data, head->len) < 0 || fsync(i.fd) < 0) {
        error_set_errno(err, errno, "cannot write '%s'", path);
        return false;
    }
    return true;
}

bool qemu_domain_save_image_get_xml_desc(Call *c, const remote_domain_save_image_get_xml_desc_args *a,
                                         remote_domain_save_image_get_xml_desc_ret *r, GError **err)
{
    (void)c;
    r->xml = absolute(a->file, err) ? image_document(a->file, a->flags, err) : NULL;
    return r->xml != NULL;
}

bool qemu_domain_save_image_define_xml(Call *c, const remote_domain_save_image_define_xml_args *a, GError **err)
{
    (void)c;
    return absolute(a->file, err) && image_define(a->file, a->dxml, a->flags, err);
}

/* Managed images --------------------------------------------------------------------------------- */

bool qemu_domain_has_managed_save_image(Call *c, const DomainView *v, const remote_domain_has_managed_save_image_args *a,
                                        remote_domain_has_managed_save_image_ret *r, GError **err)
{
    (void)c, (void)a, (void)err;
    r->result = v->managed_save;
    return true;
}

static bool need_managed(const DomainView *v, GError **err)
{
    if (!v->managed_save)
        error_set(err, VIR_ERR_OPERATION_INVALID, "domain does not have managed save image");
    return v->managed_save;
}

bool qemu_domain_managed_save_remove(Call *c, DomainTurn *t, const remote_domain_managed_save_remove_args *a,
                                     GError **err)
{
    (void)c;
    (void)a;
    turn_set_managed_save(t, false);
    return save_remove_managed(turn_view(t)->name, err);
}

bool qemu_domain_managed_save_get_xml_desc(Call *c, const DomainView *v,
                                           const remote_domain_managed_save_get_xml_desc_args *a,
                                           remote_domain_managed_save_get_xml_desc_ret *r, GError **err)
{
    g_autofree char *path = save_managed_path(v->name);
    (void)c;

    r->xml = need_managed(v, err) ? image_document(path, a->flags, err) : NULL;
    return r->xml != NULL;
}

bool qemu_domain_managed_save_define_xml(Call *c, DomainTurn *t, const remote_domain_managed_save_define_xml_args *a,
                                         GError **err)
{
    g_autofree char *path = save_managed_path(turn_view(t)->name);
    (void)c;

    return need_managed(turn_view(t), err) && image_define(path, a->dxml, a->flags, err);
}

/* Dumps ------------------------------------------------------------------------------------------ */

static bool core_dump(DomainTurn *t, const char *path, unsigned format, unsigned flags, GError **err)
{
    return absolute(path, err) &&
           exclusive(flags, VIR_DUMP_CRASH, "VIR_DUMP_CRASH", VIR_DUMP_LIVE, "VIR_DUMP_LIVE", err) &&
           exclusive(flags, VIR_DUMP_CRASH, "VIR_DUMP_CRASH", VIR_DUMP_RESET, "VIR_DUMP_RESET", err) &&
           exclusive(flags, VIR_DUMP_LIVE, "VIR_DUMP_LIVE", VIR_DUMP_RESET, "VIR_DUMP_RESET", err) &&
           dump_guest(t, path, format, flags, err);
}

bool qemu_domain_core_dump(Call *c, DomainTurn *t, const remote_domain_core_dump_args *a, GError **err)
{
    (void)c;
    return core_dump(t, a->to, VIR_DOMAIN_CORE_DUMP_FORMAT_RAW, a->flags, err);
}

bool qemu_domain_core_dump_with_format(Call *c, DomainTurn *t, const remote_domain_core_dump_with_format_args *a,
                                       GError **err)
{
    (void)c;
    return core_dump(t, a->to, a->dumpformat, a->flags, err);
}
