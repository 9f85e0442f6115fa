/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The traditional permissions of guests (security.h). What belongs to a guest is read off its live
 * definition, at the start, at hotplug and at the end alike; who borrowed a file is on the file
 * (owner.h), so giving back needs no record of ours and may be done twice. Workers.
 */
#define LOG_SOURCE "qemu.security"
#include "drivers/qemu/security.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/qemu/driver.h"
#include "drivers/qemu/image_chain.h"
#include "drivers/qemu/owner.h"
#include "drivers/qemu/prepare.h"
#include "drivers/qemu/private_dev.h"
#include "util/error.h"
#include "util/paths.h"

static bool is_privileged(void)
{
    return !paths()->session;
}

static SeclabelDef *find_label(const DomainDef *d)
{
    for (unsigned i = 0; i < list_len(d->seclabels); i++) {
        SeclabelDef *l = list_at(d->seclabels, i);
        if (g_strcmp0(l->model, "dac") == 0)
            return l;
    }
    return NULL;
}

const SeclabelDef *security_label(const DomainDef *live)
{
    return find_label(live);
}

static bool check_models(const DomainDef *d, GError **err)
{
    for (unsigned i = 0; i < list_len(d->seclabels); i++) {
        const SeclabelDef *l = list_at(d->seclabels, i);
        if (!l->model || strcmp(l->model, "none") == 0 ||
            (is_privileged() && strcmp(l->model, "dac") == 0))
            continue;
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "Security driver model '%s' is not available",
                  l->model);
        return false;
    }
    return true;
}

bool security_choose(DomainDef *d, GError **err)
{
    if (!check_models(d, err))
        return false;
    if (!is_privileged())
        return true;
    SeclabelDef *l = find_label(d);
    if (!l) {
        l = g_new0(SeclabelDef, 1);
        l->model = g_strdup("dac");
        l->type = qemu.config->security_default_confined || qemu.config->security_require_confined
                      ? SECLABEL_DYNAMIC
                      : SECLABEL_NONE;
        l->relabel = l->type == SECLABEL_DYNAMIC ? TRI_YES : TRI_ABSENT;
        if (!d->seclabels)
            d->seclabels = g_ptr_array_new();
        g_ptr_array_add(d->seclabels, l);
    } else if (l->type == SECLABEL_NONE && qemu.config->security_require_confined) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED,
                  "Unconfined guests are not allowed on this host");
        return false;
    }
    if (l->type == SECLABEL_DYNAMIC) {
        g_free(l->label);
        l->label =
            g_strdup_printf("+%u:+%u", (unsigned)qemu.config->uid, (unsigned)qemu.config->gid);
    }
    g_clear_pointer(&l->imagelabel, g_free);
    if (l->relabel == TRI_YES)
        l->imagelabel = g_strdup(l->label);
    uid_t uid;
    gid_t gid;
    return !l->label || creds_parse(l->label, &uid, &gid, err);
}

static void ids_of(const char *label, uid_t *uid, gid_t *gid)
{
    *uid = qemu.config->uid;
    *gid = qemu.config->gid;
    if (label)
        (void)creds_parse(label, uid, gid, NULL); /* security_choose() did */
}

void security_creds(const DomainDef *live, Creds *ret)
{
    const SeclabelDef *l = find_label(live);
    uid_t uid = geteuid();
    gid_t gid = getegid();

    if (is_privileged())
        ids_of(l ? l->label : NULL, &uid, &gid);
    creds_of(uid, gid, ret);
}

/* Files ------------------------------------------------------------------------------------------- */

typedef bool (*PathFn)(const DomainDef *d, const char *path, const GPtrArray *labels, void *data,
                       GError **err);

/* Calls fn until it fails. */
static bool each_of_chr(const DomainDef *d, const ChrSource *src, PathFn fn, void *data,
                        GError **err)
{
    bool client = src->type == CHR_UNIX && !src->listen;

    if (!src->path ||
        (src->type != CHR_FILE && src->type != CHR_DEV && src->type != CHR_PIPE && !client))
        return true;
    g_autofree char *in = g_strconcat(src->path, ".in", NULL),
                    *out = g_strconcat(src->path, ".out", NULL);
    if (src->type == CHR_PIPE && access(in, F_OK) == 0 && access(out, F_OK) == 0)
        return fn(d, in, src->seclabels, data, err) && fn(d, out, src->seclabels, data, err);
    return fn(d, src->path, src->seclabels, data, err);
}

static bool each_of_device(const DomainDef *d, const Device *dev, PathFn fn, void *data,
                           GError **err)
{
    const ChrSource *chr = qemu_chr_source(dev);

    if (chr)
        return each_of_chr(d, chr, fn, data, err);
    if (dev->kind == DEVICE_DISK) {
        for (const StorageSource *s = &((const DiskDef *)dev)->src; s; s = s->backing) {
            bool local =
                s->type == STORAGE_FILE || s->type == STORAGE_BLOCK || s->type == STORAGE_DIR;
            if (local && s->path && !s->fdgroup && !fn(d, s->path, s->seclabels, data, err))
                return false;
        }
    } else if (dev->kind == DEVICE_INPUT) {
        const char *path = ((const InputDef *)dev)->source;
        return !path || fn(d, path, NULL, data, err);
    } else if (dev->kind == DEVICE_MEMORY) {
        const char *path = ((const MemoryDef *)dev)->path;
        return !path || fn(d, path, NULL, data, err);
    }
    return true;
}

static bool each_path(const DomainDef *d, PathFn fn, void *data, GError **err)
{
    const char *const own[] = { d->os.kernel, d->os.initrd, d->os.dtb,
                                d->os.nvram ? d->os.nvram->path : NULL };

    for (unsigned i = 0; i < G_N_ELEMENTS(own); i++)
        if (own[i] && !fn(d, own[i], NULL, data, err))
            return false;
    for (unsigned i = 0; i < list_len(d->devices); i++)
        if (!each_of_device(d, list_at(d->devices, i), fn, data, err))
            return false;
    return true;
}

/* Whose a file is to be; false: it stays whose it is. */
static bool wanted_owner(const DomainDef *live, const GPtrArray *labels, uid_t *uid, gid_t *gid)
{
    const SeclabelDef *l = find_label(live);
    const char *label = l ? l->imagelabel : NULL;

    if (!is_privileged() || !qemu.config->dynamic_ownership || !l || l->relabel != TRI_YES)
        return false;
    for (unsigned i = 0; i < list_len(labels); i++) {
        const DeviceSeclabel *own = list_at(labels, i);
        if (own->model && strcmp(own->model, "dac") != 0)
            continue;
        if (own->relabel == TRI_NO)
            return false;
        if (own->label)
            label = own->label;
    }
    ids_of(label, uid, gid);
    return true;
}

/* What a guest has in its own /dev is its alone and ends with it: the host's node stays whose it is. */
static bool is_private(int dev, const char *path)
{
    return dev != -1 && private_dev_serves(path);
}

static bool lend_path(const DomainDef *live, const char *path, const GPtrArray *labels,
                      void *data, GError **err)
{
    int dev = *(const int *)data;
    uid_t uid;
    gid_t gid;

    if (!wanted_owner(live, labels, &uid, &gid))
        return true;
    return is_private(dev, path) ? private_dev_give(dev, path, uid, gid, err)
                                 : owner_lend(path, live->uuid.v, uid, gid, qemu.config->remember_owner, err);
}

static bool return_path(const DomainDef *live, const char *path, const GPtrArray *labels,
                        void *data, GError **err)
{
    uid_t uid;
    gid_t gid;
    (void)err;

    if (wanted_owner(live, labels, &uid, &gid) && !is_private(*(const int *)data, path))
        owner_return(path, live->uuid.v, uid, qemu.config->remember_owner);
    return true;
}

bool security_lend_device(const DomainDef *live, const Device *dev, int private_dev, GError **err)
{
    bool own = private_dev != -1;

    if ((!own || private_dev_add_device(private_dev, live, dev, err)) &&
        each_of_device(live, dev, lend_path, &private_dev, err))
        return true;
    security_return_device(live, dev, private_dev);
    return false;
}

void security_return_device(const DomainDef *live, const Device *dev, int private_dev)
{
    (void)each_of_device(live, dev, return_path, &private_dev, NULL);
    if (private_dev != -1)
        private_dev_remove_device(private_dev, live, dev);
}

typedef struct FileList {
    GStrvBuilder *paths;
    int dev;
} FileList;

static bool add_file(const DomainDef *live, const char *path, const GPtrArray *labels, void *data, GError **err)
{
    FileList *l = data;
    uid_t uid;
    gid_t gid;
    (void)err;

    if (wanted_owner(live, labels, &uid, &gid) && !is_private(l->dev, path))
        g_strv_builder_add(l->paths, path);
    return true;
}

char **security_files(const DomainDef *live, const Device *dev, int private_dev)
{
    g_autoptr(GStrvBuilder) list = g_strv_builder_new();
    FileList l = { list, private_dev };

    (void)each_of_device(live, dev, add_file, &l, NULL);
    return g_strv_builder_end(list);
}

/* The step ---------------------------------------------------------------------------------------- */

/* What we make for this run alone. */
static bool hand_over(const char *path, const Creds *to, GError **err)
{
    if (to->self || chown(path, to->uid, to->gid) == 0)
        return true;
    error_set_errno(err, errno, "unable to set user and group to '%u:%u' on '%s'",
                    (unsigned)to->uid, (unsigned)to->gid, path);
    return false;
}

/* Those are the guest's own, in its own /dev. */
static ImageSkip skip_nodes(const Start *s)
{
    return s->status->private_dev && qemu.config->dynamic_ownership ? private_dev_serves : NULL;
}

bool start_labels(Start *s, GError **err)
{
    g_autofree char *key = g_build_filename(s->status->lib_dir, "master-key.aes", NULL);
    g_autofree char *memory = start_memory_dir(s->def->name, s->status->id);
    Creds creds;

    security_creds(s->def, &creds);
    return hand_over(s->status->lib_dir, &creds, err) && hand_over(key, &creds, err) &&
           hand_over(memory, &creds, err) && each_path(s->def, lend_path, &s->dev.root, err) &&
           images_usable(s->def, &creds, skip_nodes(s), err);
}

void start_undo_labels(const Run *r)
{
    int dev = r->status->private_dev ? -2 : -1; /* gone with its namespace */

    for (char **path = r->status->lent; path && *path; path++)
        (void)return_path(r->def, *path, NULL, &dev, NULL);
    (void)each_path(r->def, return_path, &dev, NULL);
}

/* What a plan says of it -------------------------------------------------------------------------- */

static bool tell_path(const DomainDef *d, const char *path, const GPtrArray *labels, void *lines,
                      GError **err)
{
    uid_t uid;
    gid_t gid;
    struct stat st;
    (void)err;

    if (wanted_owner(d, labels, &uid, &gid) && stat(path, &st) == 0 &&
        (st.st_uid != uid || st.st_gid != gid))
        g_ptr_array_add(lines,
                        g_strdup_printf("lend '%s' of %u:%u to %u:%u", path, (unsigned)st.st_uid,
                                        (unsigned)st.st_gid, (unsigned)uid, (unsigned)gid));
    return true;
}

static bool check_path(const DomainDef *d, const char *path, const GPtrArray *labels, void *data,
                       GError **err)
{
    uid_t uid;
    gid_t gid;

    return !wanted_owner(d, labels, &uid, &gid) || is_private(*(const int *)data, path) || owner_is_free(path, d->uuid.v, uid, gid, err);
}

void start_tell_labels(const Start *s, GPtrArray *lines)
{
    (void)each_path(s->def, tell_path, lines, NULL);
}

/* Files that are lent can be used; others must be usable as they are. */
bool start_check_labels(const Start *s, GError **err)
{
    uid_t uid;
    gid_t gid;
    Creds creds;

    int dev = s->status->private_dev ? -2 : -1;

    security_creds(s->def, &creds);
    return each_path(s->def, check_path, &dev, err) &&
           (wanted_owner(s->def, NULL, &uid, &gid) || images_usable(s->def, &creds, skip_nodes(s), err));
}
