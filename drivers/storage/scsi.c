/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SCSI hosts, their units, and virtual Fibre Channel adapters, as the kernel's tree of devices has them (tools.h).
 * Nothing here opens a device: one whose server is dead would hold its reader up. Workers.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "drivers/storage/tools.h"
#include "util/api.h"
#include "util/error.h"
#include "util/fd.h"

enum { VHBA_PATIENCE_MS = 5000, VHBA_STEP_MS = 100, SMALL_FILE = 4096, TYPE_DISK = 0, TYPE_ROM = 5 };

static const char *sys_root = "/sys";

void sysfs_use(const char *root)
{
    sys_root = root;
}

static gint by_text(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

char *sysfs_read(const char *fmt, ...)
{
    char *text = NULL;
    size_t len;
    va_list ap;

    va_start(ap, fmt);
    g_autofree char *below = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    g_autofree char *path = g_build_filename(sys_root, below, NULL);
    if (!fd_read_file(AT_FDCWD, path, SMALL_FILE, &text, &len, NULL))
        return NULL;
    return g_strstrip(text);
}

GPtrArray *sysfs_list(const char *fmt, ...)
{
    GPtrArray *all = g_ptr_array_new_with_free_func(g_free);
    va_list ap;

    va_start(ap, fmt);
    g_autofree char *below = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    g_autofree char *path = g_build_filename(sys_root, below, NULL);
    GDir *dir = g_dir_open(path, 0, NULL);
    for (const char *name; dir && (name = g_dir_read_name(dir));)
        g_ptr_array_add(all, g_strdup(name));
    if (dir)
        g_dir_close(dir);
    g_ptr_array_sort(all, by_text);
    return all;
}

static bool sysfs_write(const char *below, const char *text, GError **err)
{
    g_autofree char *path = g_build_filename(sys_root, below, NULL);
    auto_fd fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd >= 0 && fd_write_all(fd, text, strlen(text)) >= 0)
        return true;
    error_set_errno(err, errno, "cannot write '%s' to '%s'", text, path);
    return false;
}

/* Units ------------------------------------------------------------------------------------------- */

static void unit_free(void *data)
{
    ScsiUnit *u = data;
    g_free(u->block);
    g_free(u);
}

static gint unit_order(gconstpointer a, gconstpointer b)
{
    const ScsiUnit *x = *(ScsiUnit *const *)a, *y = *(ScsiUnit *const *)b;

    if (x->bus != y->bus)
        return x->bus < y->bus ? -1 : 1;
    if (x->target != y->target)
        return x->target < y->target ? -1 : 1;
    return (x->lun > y->lun) - (x->lun < y->lun);
}

/* A directory "block" of one, or, of old kernels, "block:sda". */
static char *block_of(const char *unit)
{
    g_autoptr(GPtrArray) inside = sysfs_list("bus/scsi/devices/%s/block", unit);
    g_autoptr(GPtrArray) names = inside->len ? NULL : sysfs_list("bus/scsi/devices/%s", unit);

    if (inside->len)
        return g_strdup(inside->pdata[0]);
    for (guint i = 0; i < names->len; i++)
        if (g_str_has_prefix(names->pdata[i], "block:"))
            return g_strdup((char *)names->pdata[i] + strlen("block:"));
    return NULL;
}

/* The disks and drives of a host by their names, those that have no block device too. */
static GPtrArray *units_of(unsigned host)
{
    g_autoptr(GPtrArray) names = sysfs_list("bus/scsi/devices");
    GPtrArray *all = g_ptr_array_new_with_free_func(unit_free);

    for (guint i = 0; i < names->len; i++) {
        ScsiUnit u = { 0 };
        unsigned of;
        int end = -1;
        if (sscanf(names->pdata[i], "%u:%u:%u:%" G_GUINT64_FORMAT "%n", &of, &u.bus, &u.target, &u.lun, &end) != 4 || end < 0 ||
            ((char *)names->pdata[i])[end] || of != host)
            continue;
        g_autofree char *type = sysfs_read("bus/scsi/devices/%s/type", (char *)names->pdata[i]);
        int kind = type && *type ? atoi(type) : -1;
        if (kind != TYPE_DISK && kind != TYPE_ROM)
            continue;
        u.block = block_of(names->pdata[i]);
        g_ptr_array_add(all, g_memdup2(&u, sizeof(u)));
    }
    g_ptr_array_sort(all, unit_order);
    return all;
}

GPtrArray *scsi_units(unsigned host)
{
    GPtrArray *all = units_of(host);

    for (guint i = all->len; i > 0; i--)
        if (!((ScsiUnit *)all->pdata[i - 1])->block)
            g_ptr_array_remove_index(all, i - 1);
    return all;
}

/* Each has its block device, and udev, where it runs, has seen that: a file of its database has the device's number as its name. */
bool scsi_units_complete(unsigned host)
{
    g_autoptr(GPtrArray) all = units_of(host);
    bool ret = true;

    for (guint i = 0; i < all->len && ret; i++) {
        const ScsiUnit *u = all->pdata[i];
        g_autofree char *number = u->block ? sysfs_read("class/block/%s/dev", u->block) : NULL;
        g_autofree char *known = number ? g_strdup_printf("/run/udev/data/b%s", number) : NULL;
        ret = u->block && (!known || access("/run/udev/data", F_OK) < 0 || access(known, F_OK) == 0);
    }
    return ret;
}

/* Hosts ------------------------------------------------------------------------------------------- */

static bool number_of(const char *name, unsigned *ret)
{
    static const char *const stems[] = { "scsi_host", "host", "fc_host" };

    for (unsigned i = 0; name && i < G_N_ELEMENTS(stems); i++) {
        char *end;
        if (!g_str_has_prefix(name, stems[i]) || !g_ascii_isdigit(name[strlen(stems[i])]))
            continue;
        unsigned long n = strtoul(name + strlen(stems[i]), &end, 10);
        *ret = (unsigned)n;
        return !*end && n <= G_MAXUINT;
    }
    return false;
}

/* The links of a class lead through the adapter's PCI address. */
static bool is_below(const char *host, const PciAddress *a)
{
    g_autofree char *path = g_build_filename(sys_root, "class/scsi_host", host, NULL), *real = realpath(path, NULL);
    g_autofree char *word = g_strdup_printf("/%04x:%02x:%02x.%x/", a->domain, a->bus, a->slot, a->function);

    return real && strstr(real, word);
}

static bool find_by_address(const PoolAdapter *a, unsigned *ret, GError **err)
{
    g_autoptr(GPtrArray) hosts = sysfs_list("class/scsi_host");

    for (guint i = 0; i < hosts->len; i++) {
        g_autofree char *id = sysfs_read("class/scsi_host/%s/unique_id", (char *)hosts->pdata[i]);
        if (id && strtoul(id, NULL, 10) == a->unique_id && is_below(hosts->pdata[i], &a->parent_address))
            return number_of(hosts->pdata[i], ret);
    }
    error_set(err, VIR_ERR_XML_ERROR, "no SCSI host with unique id %u below %04x:%02x:%02x.%x", a->unique_id,
              a->parent_address.domain, a->parent_address.bus, a->parent_address.slot, a->parent_address.function);
    return false;
}

/* Names of ports are "0x2000…" there and "2000…" in documents. */
static bool is_name(const char *shown, const char *want)
{
    return shown && want && g_ascii_strcasecmp(g_str_has_prefix(shown, "0x") ? shown + 2 : shown,
                                               g_str_has_prefix(want, "0x") ? want + 2 : want) == 0;
}

static bool find_port(const char *wwnn, const char *wwpn, unsigned *ret)
{
    g_autoptr(GPtrArray) hosts = sysfs_list("class/fc_host");

    for (guint i = 0; i < hosts->len; i++) {
        g_autofree char *node = sysfs_read("class/fc_host/%s/node_name", (char *)hosts->pdata[i]);
        g_autofree char *port = sysfs_read("class/fc_host/%s/port_name", (char *)hosts->pdata[i]);
        if (is_name(node, wwnn) && is_name(port, wwpn))
            return number_of(hosts->pdata[i], ret);
    }
    return false;
}

bool scsi_find_host(const PoolAdapter *a, unsigned *ret, GError **err)
{
    if (a->type == ADAPTER_FC_HOST) {
        if (find_port(a->wwnn, a->wwpn, ret))
            return true;
        error_set(err, VIR_ERR_XML_ERROR, "no SCSI host has wwnn='%s', wwpn='%s'", a->wwnn, a->wwpn);
        return false;
    }
    if (a->has_parent_address)
        return find_by_address(a, ret, err);
    if (number_of(a->name, ret))
        return true;
    error_set(err, VIR_ERR_XML_ERROR, "'%s' is not the name of a SCSI host", a->name ? a->name : "");
    return false;
}

bool scsi_rescan(unsigned host, GError **err)
{
    g_autofree char *below = g_strdup_printf("class/scsi_host/host%u/scan", host);
    return sysfs_write(below, "- - -", err);
}

/* Virtual adapters --------------------------------------------------------------------------------- */

static bool file_of_vports(unsigned host, const char *what, char **ret)
{
    static const char *const classes[] = { "fc_host", "scsi_host" };

    for (unsigned i = 0; i < G_N_ELEMENTS(classes); i++) {
        g_autofree char *below = g_strdup_printf("class/%s/host%u/%s", classes[i], host, what);
        g_autofree char *path = g_build_filename(sys_root, below, NULL);
        if (!g_file_test(path, G_FILE_TEST_EXISTS))
            continue;
        *ret = g_steal_pointer(&below);
        return true;
    }
    return false;
}

static unsigned long number_in(unsigned host, const char *what)
{
    g_autofree char *below = NULL, *text = NULL;

    if (!file_of_vports(host, what, &below) || !(text = sysfs_read("%s", below)))
        return 0;
    return strtoul(text, NULL, 10);
}

/* One that is online and has a port left. */
static bool find_able(unsigned *ret)
{
    g_autoptr(GPtrArray) hosts = sysfs_list("class/fc_host");

    for (guint i = 0; i < hosts->len; i++) {
        g_autofree char *state = sysfs_read("class/fc_host/%s/port_state", (char *)hosts->pdata[i]), *create = NULL;
        unsigned n;
        if (!number_of(hosts->pdata[i], &n) || !file_of_vports(n, "vport_create", &create) || g_strcmp0(state, "Online") != 0 ||
            number_in(n, "max_npiv_vports") <= number_in(n, "npiv_vports_inuse"))
            continue;
        *ret = n;
        return true;
    }
    return false;
}

static bool find_fabric(const char *wwn, unsigned *ret)
{
    g_autoptr(GPtrArray) hosts = sysfs_list("class/fc_host");

    for (guint i = 0; i < hosts->len; i++) {
        g_autofree char *name = sysfs_read("class/fc_host/%s/fabric_name", (char *)hosts->pdata[i]), *create = NULL;
        if (is_name(name, wwn) && number_of(hosts->pdata[i], ret) && file_of_vports(*ret, "vport_create", &create))
            return true;
    }
    return false;
}

static bool find_parent(const PoolAdapter *a, unsigned *ret, GError **err)
{
    if (a->parent) {
        if (number_of(a->parent, ret))
            return true;
        error_set(err, VIR_ERR_XML_ERROR, "'%s' is not the name of a SCSI host", a->parent);
        return false;
    }
    if (a->parent_wwnn && a->parent_wwpn) {
        if (find_port(a->parent_wwnn, a->parent_wwpn, ret))
            return true;
        error_set(err, VIR_ERR_XML_ERROR, "no SCSI host has wwnn='%s', wwpn='%s'", a->parent_wwnn, a->parent_wwpn);
        return false;
    }
    if (a->parent_fabric_wwn) {
        if (find_fabric(a->parent_fabric_wwn, ret))
            return true;
        error_set(err, VIR_ERR_XML_ERROR, "no SCSI host that can have virtual adapters is of fabric '%s'", a->parent_fabric_wwn);
        return false;
    }
    if (find_able(ret))
        return true;
    error_set(err, VIR_ERR_XML_ERROR, "'parent' for vHBA not specified, and cannot find one on this host");
    return false;
}

static bool tell_port(const PoolAdapter *a, unsigned parent, const char *what, GError **err)
{
    g_autofree char *text = g_strdup_printf("%s:%s", a->wwpn, a->wwnn), *below = NULL;

    if (file_of_vports(parent, what, &below))
        return sysfs_write(below, text, err);
    error_set(err, VIR_ERR_OPERATION_UNSUPPORTED, "SCSI host 'host%u' cannot have virtual adapters", parent);
    return false;
}

bool vhba_make(PoolAdapter *a, GError **err)
{
    unsigned parent, host;

    if (find_port(a->wwnn, a->wwpn, &host))
        return true;
    if (!find_parent(a, &parent, err) || !tell_port(a, parent, "vport_create", err))
        return false;
    /* What we made is ours to remove. The parent may be another one next time: it is not kept. */
    a->managed = TRI_YES;
    for (unsigned ms = 0; ms < VHBA_PATIENCE_MS; ms += VHBA_STEP_MS) {
        if (find_port(a->wwnn, a->wwpn, &host))
            return true;
        g_usleep(VHBA_STEP_MS * 1000);
    }
    error_set(err, VIR_ERR_OPERATION_TIMEOUT, "the virtual adapter with wwpn '%s' did not appear", a->wwpn);
    return false;
}

bool vhba_remove(const PoolAdapter *a, GError **err)
{
    unsigned parent, host;

    if (a->managed != TRI_YES || !find_port(a->wwnn, a->wwpn, &host))
        return true;
    /* The adapter that has it: the directory above, "hostP/vport-…/hostN". */
    g_autofree char *path = g_strdup_printf("%s/class/fc_host/host%u", sys_root, host), *real = realpath(path, NULL);
    char *vport = real ? strstr(real, "/vport-") : NULL;
    if (vport) {
        *vport = '\0';
        const char *slash = strrchr(real, '/');
        if (slash && number_of(slash + 1, &parent))
            return tell_port(a, parent, "vport_delete", err);
    }
    return find_parent(a, &parent, err) && tell_port(a, parent, "vport_delete", err);
}
