/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pools whose storage no test machine has: what they run, with programs that write down their words and
 * answer as recorded, and what they read, in a tree of files like the kernel's.
 */
#undef NDEBUG
#include <assert.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/domain.h"
#include "drivers/storage/backend.h"
#include "drivers/storage/tools.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/paths.h"

static char *dir;

static StoragePoolDef *pool(const char *xml)
{
    g_autoptr(GError) err = NULL;
    StoragePoolDef *d = storage_pool_parse(xml, strlen(xml), DOMAIN_PARSE_INACTIVE, &err);
    assert(d);
    return d;
}

/* A program that writes its words to "log" and does what the script says. */
static void program(const char *name, const char *script)
{
    g_autofree char *path = g_build_filename(dir, name, NULL);
    g_autofree char *text = g_strdup_printf("#!/bin/sh\nD='%s'\necho \"%s $*\" >>$D/log\n%s\n", dir, name, script);
    assert(g_file_set_contents(path, text, -1, NULL) && chmod(path, 0755) == 0);
}

static void assert_ran(const char *want)
{
    g_autofree char *path = g_build_filename(dir, "log", NULL), *text = NULL;

    if (!g_file_get_contents(path, &text, NULL, NULL))
        text = g_strdup("");
    if (strcmp(text, want) != 0)
        fprintf(stderr, "ran:\n%swanted:\n%s", text, want);
    assert(strcmp(text, want) == 0);
    (void)unlink(path);
}

static void put(const char *name, const char *text)
{
    g_autofree char *path = g_build_filename(dir, "sys", name, NULL), *parent = g_path_get_dirname(path);
    assert(g_mkdir_with_parents(parent, 0755) == 0 && g_file_set_contents(path, text, -1, NULL));
}

static char *got(const char *name)
{
    g_autofree char *path = g_build_filename(dir, "sys", name, NULL);
    char *text = NULL;
    assert(g_file_get_contents(path, &text, NULL, NULL));
    return text;
}

static void add_volume(const char *name, const char *path, StorageVolumeDef *def, void *data)
{
    (void)name;
    (void)path;
    g_ptr_array_add(data, def);
}

static GPtrArray *volumes(const PoolBackend *b, const StoragePoolDef *d)
{
    GPtrArray *all = g_ptr_array_new_with_free_func((GDestroyNotify)storage_volume_free);
    g_autoptr(GError) err = NULL;
    if (!b->list(d, add_volume, all, NULL, &err))
        fprintf(stderr, "%s\n", err->message);
    assert(!err);
    return all;
}

static void test_zfs(void)
{
    g_autoptr(StoragePoolDef) d = pool("<pool type='zfs'><name>z</name><source><name>tank</name><device path='/dev/a'/>"
                                       "<device path='/dev/b'/></source></pool>");
    g_autoptr(StoragePoolDef) part = pool("<pool type='zfs'><name>z</name><source><name>tank/sub</name></source></pool>");
    g_autoptr(StorageVolumeDef) v = g_new0(StorageVolumeDef, 1), b = NULL, none = NULL;
    g_autoptr(GError) err = NULL;
    PoolFigures f;

    program("zpool", "[ $1 = get ] && printf 'tank\\thealth\\tONLINE\\t-\\ntank\\tsize\\t4194304000\\t-\\ntank\\tfree\\t4194187264\\t-\\n"
                     "tank\\tallocated\\t116736\\t-\\n'; exit 0");
    program("zfs", "[ $1 = list ] && printf 'tank/a\\t1073741824\\t56832\\ntank/b\\t2147483648\\tnone\\nother/c\\t1\\t1\\n'; exit 0");
    assert(backend_zfs.build(d, 0, NULL, NULL) && backend_zfs.build(part, 0, NULL, NULL));
    assert_ran("zpool create tank /dev/a /dev/b\nzfs create -o mountpoint=none tank/sub\n");
    assert(backend_zfs.measure(part, &f, NULL, NULL) && f.capacity == 4194304000 && f.allocation == 116736 && f.available == 4194187264);
    g_autoptr(GPtrArray) all = volumes(&backend_zfs, d);
    assert_ran("zpool get -Hp health,size,free,allocated tank\n"
               "zfs list -Hp -t volume -r -o name,volsize,refreservation tank\n");
    const StorageVolumeDef *a = all->pdata[0];
    assert(all->len == 2 && a->capacity == 1 << 30 && a->allocation.v == 56832 && a->type == VOLUME_BLOCK);
    assert(g_str_equal(a->key, "tank/a") && g_str_equal(a->path, "/dev/zvol/tank/a") && g_str_equal(a->name, "a"));
    b = backend_zfs.vol_look(d, "b", NULL);
    none = backend_zfs.vol_look(d, "c", &err);
    assert(b && b->allocation.v == 0 && !none && error_is(err, VIR_ERR_NO_STORAGE_VOL));
    assert_ran("zfs list -Hp -t volume -r -o name,volsize,refreservation tank\n"
               "zfs list -Hp -t volume -r -o name,volsize,refreservation tank\n");
    v->name = g_strdup("new");
    v->capacity = v->allocation.v = 1 << 30;
    assert(backend_zfs.vol_create(d, v, NULL, 0, NULL, NULL));
    v->allocation.v = 0;
    assert(backend_zfs.vol_create(d, v, NULL, 0, NULL, NULL));
    v->allocation.v = 1;
    assert(backend_zfs.vol_create(d, v, NULL, 0, NULL, NULL) && backend_zfs.vol_delete(d, v, 0, NULL, NULL));
    assert_ran("zfs create -V 1048576K tank/new\nzfs create -s -V 1048576K tank/new\n"
               "zfs create -s -o refreservation=1K -V 1048576K tank/new\nzfs destroy tank/new\n");
    assert(backend_zfs.remove(d, NULL, NULL) && backend_zfs.remove(part, NULL, NULL));
    assert_ran("zpool destroy tank\nzfs destroy -r tank/sub\n");
}

static const char iscsiadm[] =
    "S=$D/session I=$D/ifaces\n"
    "case \"$*\" in\n"
    "*'--mode discovery'*) echo '10.0.0.1:3260,1 iqn.t:x'; echo '10.0.0.1:3260,1 iqn.t:y';;\n"
    "'--mode session') [ -e $S ] || { echo 'iscsiadm: No active sessions.' >&2; exit 21; }\n"
    "    echo 'tcp: [7] 10.0.0.1:3260,1 iqn.t:x (non-flash)';;\n"
    "*--login*) touch $S;;\n"
    "*--logout*) rm $S;;\n"
    "'--mode iface') echo 'default tcp,<empty>,<empty>,<empty>,<empty>'; cat $I 2>/dev/null;;\n"
    "*initiatorname*) echo \"$4 tcp,<empty>,<empty>,<empty>,iqn.me:a\" >$I;;\n"
    "esac\nexit 0";

static void make_units(void)
{
    put("class/iscsi_session/session7/device/target5:0:0/uevent", "");
    put("bus/scsi/devices/5:0:0:0/type", "12\n"); /* a controller */
    put("bus/scsi/devices/5:0:0:1/type", "0\n");
    put("bus/scsi/devices/5:0:0:1/block/null/dev", "1:3\n");
    put("bus/scsi/devices/5:0:1:10/type", "5\n");
    put("bus/scsi/devices/5:0:1:10/block:zero", "");
    put("bus/scsi/devices/6:0:0:0/type", "0\n");
    put("bus/scsi/devices/6:0:0:0/block/full/dev", "1:7\n");
    put("bus/scsi/devices/host5/uevent", "");
    put("class/block/null/size", "32768\n");
    put("class/block/zero/size", "2048\n");
    put("class/scsi_host/host5/scan", "");
    put("class/scsi_host/host5/unique_id", "3\n");
}

static void test_iscsi(void)
{
    g_autoptr(StoragePoolDef) d = pool("<pool type='iscsi'><name>i</name><source><host name='10.0.0.1'/><device path='iqn.t:x'/>"
                                       "</source><target><path>/dev</path></target></pool>");
    g_autoptr(StoragePoolDef) named =
        pool("<pool type='iscsi'><name>i</name><source><host name='10.0.0.1'/><device path='iqn.t:x'/>"
             "<initiator><iqn name='iqn.me:a'/></initiator></source><target><path>/dev</path></target></pool>");
    g_autoptr(GError) err = NULL;
    PoolFigures f;
    bool active;

    program("iscsiadm", iscsiadm);
    assert(backend_iscsi.check(d, &active, NULL) && !active);
    assert(!backend_iscsi.measure(d, &f, NULL, &err) && strstr(err->message, "no session"));
    assert_ran("iscsiadm --mode session\niscsiadm --mode session\n");
    assert(backend_iscsi.start(d, NULL, NULL) && backend_iscsi.check(d, &active, NULL) && active);
    assert(backend_iscsi.start(d, NULL, NULL)); /* once is enough */
    assert_ran("iscsiadm --mode session\n"
               "iscsiadm --mode node --portal 10.0.0.1:3260,1 --targetname iqn.t:x --op new\n"
               "iscsiadm --mode node --portal 10.0.0.1:3260,1 --targetname iqn.t:x --login\n"
               "iscsiadm --mode session\niscsiadm --mode session\n");
    assert(backend_iscsi.measure(d, &f, NULL, NULL) && f.capacity == 34816 * 512 && f.allocation == f.capacity && !f.available);
    g_autoptr(GPtrArray) all = volumes(&backend_iscsi, d);
    assert_ran("iscsiadm --mode session\niscsiadm --mode session -r 7 -R\niscsiadm --mode session\niscsiadm --mode session\n");
    const StorageVolumeDef *one = all->pdata[0], *ten = all->pdata[1];
    assert(all->len == 2 && g_str_equal(one->name, "unit:0:0:1") && g_str_equal(ten->name, "unit:0:1:10"));
    assert(g_str_equal(one->path, "/dev/null") && one->capacity == 16 << 20 && one->type == VOLUME_BLOCK && one->key);
    assert(backend_iscsi.stop(d, NULL, NULL) && backend_iscsi.stop(d, NULL, NULL));
    assert_ran("iscsiadm --mode session\n"
               "iscsiadm --mode node --portal 10.0.0.1:3260,1 --targetname iqn.t:x --logout\n"
               "iscsiadm --mode session\n");

    /* An initiator of its own gets an interface, once; its name is a random one. */
    g_clear_error(&err);
    assert(!backend_iscsi.find_sources(&named->source, NULL, &err) && strstr(err->message, "no iSCSI interface defined for IQN iqn.me:a"));
    assert(backend_iscsi.start(named, NULL, NULL) && backend_iscsi.stop(named, NULL, NULL));
    g_autofree char *path = g_build_filename(dir, "ifaces", NULL), *iface = NULL;
    assert(g_file_get_contents(path, &iface, NULL, NULL));
    *strchr(iface, ' ') = '\0';
    assert(g_str_has_prefix(iface, "libvirt-iface-"));
    g_autofree char *want = g_strdup_printf(
        "iscsiadm --mode iface\niscsiadm --mode session\n"
        "iscsiadm --mode node --portal 10.0.0.1:3260,1 --targetname iqn.t:x --op new\n"
        "iscsiadm --mode iface\n"
        "iscsiadm --mode iface --interface %s --op new\n"
        "iscsiadm --mode iface --interface %s --op update --name iface.initiatorname --value iqn.me:a\n"
        "iscsiadm --mode discovery --type sendtargets --portal 10.0.0.1:3260,1 --interface %s\n"
        "iscsiadm --mode node --portal 10.0.0.1:3260,1 --targetname iqn.t:x --login --interface %s\n"
        "iscsiadm --mode session\niscsiadm --mode iface\n"
        "iscsiadm --mode node --portal 10.0.0.1:3260,1 --targetname iqn.t:x --logout --interface %s\n",
        iface, iface, iface, iface, iface);
    assert_ran(want);
    g_autoptr(StorageSourceList) found = backend_iscsi.find_sources(&named->source, NULL, NULL);
    g_autofree char *text = found ? storage_source_list_format(found, 0, NULL) : NULL;
    assert(text && strstr(text, "<device path='iqn.t:y'/>") && strstr(text, "port='3260'") && strstr(text, "iqn.me:a"));
    g_autofree char *discovery = g_strdup_printf("iscsiadm --mode iface\niscsiadm --mode discovery --type sendtargets "
                                                 "--portal 10.0.0.1:3260,1 --interface %s --op nonpersistent\n", iface);
    assert_ran(discovery);
}

static const char *the_password = "geheim";
static size_t password_len = 6;

static SecretValue *password(const SecretRef *ref, int usage, const char *what, void *data, GError **err)
{
    (void)ref;
    if (!data && usage == VIR_SECRET_USAGE_TYPE_ISCSI && g_str_equal(what, "pool 'i'"))
        return secret_value_new(the_password, password_len, err);
    error_set(err, VIR_ERR_NO_SECRET, "none");
    return NULL;
}

static void test_iscsi_password(void)
{
    g_autoptr(StoragePoolDef) d =
        pool("<pool type='iscsi'><name>i</name><source><host name='10.0.0.1'/><device path='iqn.t:x'/>"
             "<auth type='chap' username='me'><secret usage='u'/></auth></source><target><path>/dev</path></target></pool>");
    g_autoptr(GError) err = NULL;

    assert(!backend_iscsi.start(d, NULL, &err)); /* nobody to ask */
    assert_ran("iscsiadm --mode session\niscsiadm --mode node --portal 10.0.0.1:3260,1 --targetname iqn.t:x --op new\n");
    storage_use_secrets(password);
    assert(backend_iscsi.start(d, NULL, NULL) && backend_iscsi.stop(d, NULL, NULL));
#define UPDATE "iscsiadm --mode node --portal 10.0.0.1:3260,1 --targetname iqn.t:x --op update --name node.session.auth."
    const StorageJob other = { .secret = password, .data = d }; /* whose client may not have it */
    assert_ran("iscsiadm --mode session\n"
               "iscsiadm --mode node --portal 10.0.0.1:3260,1 --targetname iqn.t:x --op new\n"
               UPDATE "authmethod --value CHAP\n" UPDATE "username --value me\n" UPDATE "password --value geheim\n"
               "iscsiadm --mode node --portal 10.0.0.1:3260,1 --targetname iqn.t:x --login\n"
               "iscsiadm --mode session\n"
               "iscsiadm --mode node --portal 10.0.0.1:3260,1 --targetname iqn.t:x --logout\n");
    g_clear_error(&err);
    assert(!backend_iscsi.start(d, &other, &err) && error_is(err, VIR_ERR_NO_SECRET)); /* not logged in without */
    assert_ran("iscsiadm --mode session\niscsiadm --mode node --portal 10.0.0.1:3260,1 --targetname iqn.t:x --op new\n");

    /* Whatever it begins with; and none is ever in an error. */
    the_password = "-geheim";
    password_len = 7;
    assert(backend_iscsi.start(d, NULL, NULL) && backend_iscsi.stop(d, NULL, NULL));
    assert_ran("iscsiadm --mode session\n"
               "iscsiadm --mode node --portal 10.0.0.1:3260,1 --targetname iqn.t:x --op new\n"
               UPDATE "authmethod --value CHAP\n" UPDATE "username --value me\n" UPDATE "password --value -geheim\n"
               "iscsiadm --mode node --portal 10.0.0.1:3260,1 --targetname iqn.t:x --login\n"
               "iscsiadm --mode session\n"
               "iscsiadm --mode node --portal 10.0.0.1:3260,1 --targetname iqn.t:x --logout\n");
    the_password = "ge\0heim";
    g_clear_error(&err);
    assert(!backend_iscsi.start(d, NULL, &err) && strstr(err->message, "pool 'i'") && !strstr(err->message, "ge"));
    assert_ran("iscsiadm --mode session\niscsiadm --mode node --portal 10.0.0.1:3260,1 --targetname iqn.t:x --op new\n");
}

static void test_scsi(void)
{
    g_autoptr(StoragePoolDef) d = pool("<pool type='scsi'><name>s</name><source><adapter type='scsi_host' name='scsi_host5'/></source>"
                                       "<target><path>/dev</path></target></pool>");
    g_autoptr(StoragePoolDef) none = pool("<pool type='scsi'><name>s</name><source><adapter name='host9'/></source>"
                                          "<target><path>/dev</path></target></pool>");
    g_autoptr(StoragePoolDef) links = pool("<pool type='scsi'><name>s</name><source><adapter name='host5'/></source>"
                                           "<target><path>/nowhere</path></target></pool>");
    g_autoptr(StorageVolumeDef) v = NULL;
    g_autoptr(GError) err = NULL;
    PoolFigures f;
    bool active;

    assert(backend_scsi.check(d, &active, NULL) && active && backend_scsi.check(none, &active, NULL) && !active);
    assert(backend_scsi.start(d, NULL, NULL));
    g_autofree char *scan = got("class/scsi_host/host5/scan");
    assert(g_str_equal(scan, "- - -"));
    assert(backend_scsi.measure(d, &f, NULL, NULL) && f.capacity == 34816 * 512);
    v = backend_scsi.vol_look(d, "unit:0:1:10", NULL);
    assert(v && g_str_equal(v->path, "/dev/zero") && v->capacity == 1 << 20);
    assert(!backend_scsi.vol_look(d, "unit:0:0:0", &err) && error_is(err, VIR_ERR_NO_STORAGE_VOL));
    g_clear_error(&err);
    assert(!backend_scsi.start(none, NULL, &err) && strstr(err->message, "host9/scan"));
    g_clear_error(&err);
    assert(!backend_scsi.list(links, add_volume, NULL, NULL, &err) && strstr(err->message, "/nowhere"));
}

/* The driver of disks: finds one anew behind the scan, not in it. */
static void *probe_late(void *fifo)
{
    auto_fd fd = open(fifo, O_RDONLY | O_CLOEXEC);
    char text[8];

    assert(fd >= 0 && read(fd, text, sizeof(text)) == 5);
    g_usleep(50 * 1000);
    put("bus/scsi/devices/4:0:0:0/block/full/dev", "1:7\n");
    return NULL;
}

static void test_disks_come_behind_the_scan(void)
{
    g_autoptr(StoragePoolDef) d = pool("<pool type='scsi'><name>s</name><source><adapter name='host4'/></source>"
                                       "<target><path>/dev</path></target></pool>");
    g_autofree char *fifo = g_build_filename(dir, "sys/class/scsi_host/host4/scan", NULL);
    g_autoptr(StorageVolumeDef) v = NULL;
    PoolFigures f;
    pthread_t driver;

    put("class/scsi_host/host4/unique_id", "4\n");
    put("class/block/full/size", "2048\n");
    put("bus/scsi/devices/4:0:0:0/type", "0\n");
    assert(mkfifo(fifo, 0600) == 0 && pthread_create(&driver, NULL, probe_late, fifo) == 0);
    assert(backend_scsi.measure(d, &f, NULL, NULL) && f.capacity == 1 << 20);
    v = backend_scsi.vol_look(d, "unit:0:0:0", NULL);
    assert(v && pthread_join(driver, NULL) == 0);
}

static void test_fibre_channel(void)
{
    static const char xml[] = "<pool type='scsi'><name>s</name><source><adapter type='fc_host' wwnn='20000000c9831b4b' "
                              "wwpn='10000000c9831b4b'/></source><target><path>/dev</path></target></pool>";
    g_autoptr(StoragePoolDef) d = pool(xml), other = pool(xml);
    g_autoptr(GError) err = NULL;

    assert(!backend_scsi.start(d, NULL, &err) && strstr(err->message, "'parent' for vHBA not specified, and cannot find one"));
    g_clear_error(&err);
    put("class/fc_host/host3/port_state", "Online\n");
    put("class/fc_host/host3/vport_create", "");
    put("class/fc_host/host3/vport_delete", "");
    put("class/fc_host/host3/max_npiv_vports", "1\n");
    put("class/fc_host/host3/npiv_vports_inuse", "1\n");
    assert(!backend_scsi.start(d, NULL, NULL)); /* it has none left */
    put("class/fc_host/host3/npiv_vports_inuse", "0\n");
    assert(!backend_scsi.start(d, NULL, &err) && error_is(err, VIR_ERR_OPERATION_TIMEOUT)); /* nobody made it here */
    g_autofree char *made = got("class/fc_host/host3/vport_create");
    assert(g_str_equal(made, "10000000c9831b4b:20000000c9831b4b") && d->source.adapter->managed == TRI_YES);
    /* Now it is there, and one that was there already is not ours to remove. */
    put("class/fc_host/host5/node_name", "0x20000000c9831b4b\n");
    put("class/fc_host/host5/port_name", "0x10000000c9831b4b\n");
    assert(backend_scsi.start(other, NULL, NULL) && backend_scsi.stop(other, NULL, NULL));
    g_autofree char *kept = got("class/fc_host/host3/vport_delete");
    assert(g_str_equal(kept, ""));
    assert(backend_scsi.start(d, NULL, NULL) && backend_scsi.stop(d, NULL, NULL));
    g_autofree char *removed = got("class/fc_host/host3/vport_delete");
    assert(g_str_equal(removed, "10000000c9831b4b:20000000c9831b4b"));
}

static void test_mpath(void)
{
    g_autoptr(StoragePoolDef) d = pool("<pool type='mpath'><name>m</name><target><path>/dev/mapper</path></target></pool>");
    PoolFigures f;

    put("block/dm-0/dm/uuid", "mpath-360014\n");
    put("block/dm-0/dm/name", "mpatha\n");
    put("class/block/dm-0/size", "4096\n");
    put("block/dm-1/dm/uuid", "LVM-x\n");
    put("block/dm-1/dm/name", "vg-lv\n");
    put("block/sda/size", "1\n");
    assert(backend_mpath.measure(d, &f, NULL, NULL) && f.capacity == 2 << 20);
    g_autoptr(GPtrArray) all = volumes(&backend_mpath, d);
    const StorageVolumeDef *v = all->pdata[0];
    assert(all->len == 1 && g_str_equal(v->name, "dm-0") && g_str_equal(v->path, "/dev/mapper/mpatha"));
}

static void test_vstorage(void)
{
    g_autoptr(StoragePoolDef) d = pool("<pool type='vstorage'><name>v</name><source><name>cluster</name></source><target><path>/nowhere</path>"
                                       "<permissions><mode>0750</mode><owner>0</owner><group>0</group></permissions></target></pool>");
    g_autoptr(GError) err = NULL;

    assert(!pool_backend(POOL_VSTORAGE, &err) && strstr(err->message, "vstorage-mount"));
    assert(!(pool_backends_supported() >> POOL_VSTORAGE & 1));
    program("vstorage-mount", "");
    assert(pool_backend(POOL_VSTORAGE, NULL) == &backend_vstorage && pool_backends_supported() >> POOL_VSTORAGE & 1);
    assert(backend_vstorage.start(d, NULL, NULL));
    assert_ran("vstorage-mount -c cluster /nowhere -m 750 -g root -u root\n");
}

static void test_logical_clone(void)
{
    g_autoptr(StoragePoolDef) d = pool("<pool type='logical'><name>l</name><source><name>g</name></source></pool>");
    StorageVolumeDef v = { .pool_type = POOL_LOGICAL, .name = (char *)"new", .path = (char *)"/dev/g/new", .type = VOLUME_BLOCK,
                           .capacity = 1 << 20, .allocation = { 1 << 20, 1, 0 } };
    g_autofree char *image = g_build_filename(dir, "q", NULL), *evil = g_build_filename(dir, "evil", NULL);
    g_autoptr(GError) err = NULL;
    StorageVolumeDef input = { .pool_type = POOL_DIR, .name = (char *)"q", .path = image, .format = FORMAT_QCOW2,
                               .capacity = 1 << 20 };
    const char *const make[][9] = {
        { "qemu-img", "create", "-q", "-f", "qcow2", image, "1M", NULL },
        { "qemu-img", "create", "-q", "-f", "qcow2", evil, "1M", NULL },
        { "qemu-img", "rebase", "-u", "-F", "raw", "-b", "nbd://h/x", evil, NULL },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(make); i++)
        assert(g_spawn_sync(NULL, (char **)make[i], NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL, NULL));

    program("lvcreate", "");
    program("lvremove", "");
    program("qemu-img", "[ ! -e $D/fail ]");
    assert(backend_logical.vol_create(d, &v, &input, 0, NULL, NULL));
    static const char converted[] =
        "lvcreate --name new -L 1024K g\n"
        "qemu-img convert -O raw json:{\"driver\":\"qcow2\",\"file\":{\"driver\":\"file\",\"filename\":\"/dev/fd/30\"},\"backing\":null} /dev/g/new\n";
    assert_ran(converted);
    input.path = evil; /* whoever wrote the image does not choose what is opened */
    assert(!backend_logical.vol_create(d, &v, &input, 0, NULL, &err));
    assert_ran("lvcreate --name new -L 1024K g\nlvremove -f g/new\n");
    input.path = image;
    v.allocation.v = 0; /* thin */
    assert(backend_logical.vol_create(d, &v, NULL, 0, NULL, NULL));
    assert_ran("lvcreate --name new --type snapshot --virtualsize 1024K -L 1024K g\n");
    v.backing.path = (char *)"/dev/g/a"; /* a snapshot of one of its own group */
    assert(backend_logical.vol_create(d, &v, NULL, 0, NULL, NULL));
    assert_ran("lvcreate --name new -L 1024K -s /dev/g/a\n");
    v.backing.path = (char *)"/dev/other/a"; /* would be made in the other one */
    g_autoptr(GError) foreign = NULL;
    assert(!backend_logical.vol_create(d, &v, NULL, 0, NULL, &foreign) && strstr(foreign->message, "/dev/other/a"));
    assert_ran("");
    v.backing.path = NULL;
    v.allocation.v = 1 << 20;
    g_autofree char *fail = g_build_filename(dir, "fail", NULL);
    assert(g_file_set_contents(fail, "", 0, NULL));
    assert(!backend_logical.vol_create(d, &v, &input, 0, NULL, NULL)); /* what is half is not left */
    g_autofree char *undone = g_strconcat(converted, "lvremove -f g/new\n", NULL);
    assert_ran(undone);
}

/* As LVM 2.03 says it: "thick" has a snapshot, "sparse" takes its room when it is written. */
static const char lvs[] =
    "cat <<'END'\n{\"report\":[{\"lv\":["
    "{\"lv_name\":\"snap\",\"lv_uuid\":\"A\",\"lv_size\":\"4194304\",\"origin\":\"thick\",\"origin_size\":\"8388608\",\"pool_lv\":\"\","
    "\"lv_attr\":\"swi-a-s---\",\"segtype\":\"linear\",\"seg_pe_ranges\":\"/dev/vdd:18-18\",\"vg_extent_size\":\"4194304\"},"
    "{\"lv_name\":\"sparse\",\"lv_uuid\":\"B\",\"lv_size\":\"8388608\",\"origin\":\"[sparse_vorigin]\",\"origin_size\":\"67108864\","
    "\"pool_lv\":\"\",\"lv_attr\":\"swi-a-s---\",\"segtype\":\"linear\",\"seg_pe_ranges\":\"/dev/vdd:10-11\",\"vg_extent_size\":\"4194304\"},"
    "{\"lv_name\":\"thick\",\"lv_uuid\":\"C\",\"lv_size\":\"8388608\",\"origin\":\"\",\"origin_size\":\"8388608\",\"pool_lv\":\"\","
    "\"lv_attr\":\"owi-a-s---\",\"segtype\":\"linear\",\"seg_pe_ranges\":\"/dev/vdd:8-9\",\"vg_extent_size\":\"4194304\"},"
    "{\"lv_name\":\"thinsnap\",\"lv_uuid\":\"D\",\"lv_size\":\"1073741824\",\"origin\":\"thin\",\"origin_size\":\"\",\"pool_lv\":\"tp\","
    "\"lv_attr\":\"Vwi---tz-k\",\"segtype\":\"thin\",\"seg_pe_ranges\":\"\",\"vg_extent_size\":\"4194304\"}]}]}\nEND\n";
#define LVS "lvs --reportformat json --units b --nosuffix -o lv_name,lv_uuid,lv_size,origin,origin_size,pool_lv,lv_attr,segtype," \
            "seg_pe_ranges,vg_extent_size,stripes g\n"

static void test_logical_snapshots(void)
{
    g_autoptr(StoragePoolDef) d = pool("<pool type='logical'><name>l</name><source><name>g</name></source><target><path>/dev/g</path>"
                                       "</target></pool>");
    g_autoptr(GError) err = NULL;

    program("lvs", lvs);
    program("lvremove", "");
    g_autoptr(GPtrArray) all = volumes(&backend_logical, d);
    assert(all->len == 3); /* one that is not active is no device */
    const StorageVolumeDef *snap = all->pdata[0], *sparse = all->pdata[1], *thick = all->pdata[2];
    assert(g_str_equal(snap->backing.path, "/dev/g/thick") && snap->capacity == 8 << 20 && snap->allocation.v == 4 << 20);
    assert(!sparse->backing.path && sparse->capacity == 64 << 20 && sparse->allocation.v == 8 << 20);
    assert(!thick->backing.path && thick->capacity == 8 << 20 && thick->allocation.v == 8 << 20);
    assert_ran(LVS);
    assert(!backend_logical.vol_resize(d, sparse, 128 << 20, 0, NULL, &err) && error_is(err, VIR_ERR_NO_SUPPORT));
    g_clear_error(&err);
    /* LVM would remove its snapshot with it. */
    g_autoptr(GPtrArray) snapshots = backend_logical.vol_snapshots(d, thick, NULL, NULL), none = backend_logical.vol_snapshots(d, snap, NULL, NULL);
    assert(none->len == 0 && snapshots->len == 1);
    const StorageVolumeDef *found = snapshots->pdata[0];
    assert(g_str_equal(found->name, "snap") && g_str_equal(found->key, snap->key));
    assert_ran(LVS LVS LVS);
    assert(backend_logical.vol_delete(d, thick, 0, NULL, NULL));
    assert_ran("lvremove -f g/thick\n");
}

static SecretValue *tell_secret(const SecretRef *ref, int usage, const char *what, void *data, GError **err)
{
    (void)ref;
    (void)data;
    assert(usage == VIR_SECRET_USAGE_TYPE_VOLUME && strcmp(what, "volume 'new'") == 0);
    return secret_value_new("word", 4, err);
}

static void test_logical_encrypted(void)
{
    g_autoptr(StoragePoolDef) d = pool("<pool type='logical'><name>l</name><source><name>g</name></source></pool>");
    static const char xml[] = "<volume><name>new</name><capacity>1048576</capacity><target><path>/dev/g/new</path><encryption format='luks'>"
                              "<secret type='passphrase' uuid='0a81f5b2-8403-7b23-c8d6-21ccc2f80d6f'/></encryption></target></volume>";
    g_autoptr(StorageVolumeDef) v = storage_volume_parse_for(xml, sizeof(xml) - 1, 0, POOL_LOGICAL, NULL);
    const StorageJob job = { .secret = tell_secret };
    g_autoptr(GError) err = NULL;

    assert(v);
    program("qemu-img", "[ $(cat /dev/fd/20) = word ]");
    assert(backend_logical.vol_create(d, v, NULL, 0, &job, NULL));
    assert_ran("lvcreate --name new -L 3072K g\n"
               "qemu-img create -f luks --object secret,id=new_encrypt0,file=/dev/fd/20 -o key-secret=new_encrypt0 /dev/g/new 1024K\n");
    program("lvresize", "");
    program("lvs", lvs);
    assert(backend_logical.vol_resize(d, v, 2 << 20, 0, &job, NULL));
    assert_ran(LVS "lvresize -f -L 4096K g/new\n");
    /* Nobody who knows the word: nothing is left. */
    assert(!backend_logical.vol_create(d, v, NULL, 0, NULL, &err) && error_is(err, VIR_ERR_NO_SECRET));
    assert_ran("lvcreate --name new -L 3072K g\nlvremove -f g/new\n");
    g_clear_error(&err);
    v->encryption->format = ENCRYPTION_QCOW;
    assert(!backend_logical.vol_create(d, v, NULL, 0, &job, &err) && error_is(err, VIR_ERR_CONFIG_UNSUPPORTED));
    assert_ran("");
}

static void assert_places(const char *type, const char *a, const char *b, bool same)
{
    g_autofree char *one = g_strdup_printf("<pool type='%s'><name>a</name>%s</pool>", type, a);
    g_autofree char *other = g_strdup_printf("<pool type='%s'><name>b</name>%s</pool>", type, b);
    g_autoptr(StoragePoolDef) x = pool(one), y = pool(other);
    assert(pool_same_place(x, y) == same && pool_same_place(y, x) == same);
}

#define T(path) "<target><path>" path "</path></target>"
#define ISCSI(host, iqn, initiator) "<source><host name='" host "'/><device path='" iqn "'/>" initiator "</source>" T("/dev")
#define FC(more, last) "<source><adapter type='fc_host' " more " wwnn='2000000000000001' wwpn='100000000000000" last "'/></source>" T("/dev")
#define GLUSTER(host, path) "<source><host name='" host "'/><dir path='" path "'/><name>v</name></source>"

static void test_places(void)
{
    g_autoptr(StoragePoolDef) disk = pool("<pool type='disk'><name>d</name><source><device path='/dev/a'/></source>" T("/dev") "</pool>");
    g_autoptr(StoragePoolDef) zfs = pool("<pool type='zfs'><name>z</name><source><name>t</name><device path='/dev/a'/></source></pool>");

    assert(pool_same_place(disk, zfs));
    assert_places("dir", T("/a"), T("/a"), true);
    assert_places("logical", "<source><name>g</name></source>", "<source><name>g</name></source>", false);
    assert_places("iscsi", ISCSI("h", "iqn.a", ""), ISCSI("g", "iqn.a", ""), true);
    assert_places("iscsi", ISCSI("h", "iqn.a", ""), ISCSI("h", "iqn.b", ""), false);
    assert_places("iscsi", ISCSI("h", "iqn.a", ""), ISCSI("h", "iqn.a", "<initiator><iqn name='x'/></initiator>"), false);
    assert_places("scsi", "<source><adapter name='host1'/></source>" T("/dev"),
                  "<source><adapter name='scsi_host1'/></source>" T("/x"), true);
    assert_places("scsi", FC("", "1"), FC("parent='scsi_host1'", "1"), true);
    assert_places("scsi", FC("", "1"), FC("", "2"), false);
    assert_places("scsi", FC("parent='scsi_host1'", "1"), "<source><adapter name='host1'/></source>" T("/x"), true);
    assert_places("mpath", T("/dev/mapper"), T("/x"), true);
    assert_places("gluster", GLUSTER("h", "/"), GLUSTER("h", "/"), true);
    assert_places("gluster", GLUSTER("h", "/"), GLUSTER("g", "/"), false);
}

int main(void)
{
    dir = g_dir_make_tmp("backends-XXXXXX", NULL);
    g_autofree char *sys = g_build_filename(dir, "sys", NULL), *path = g_strdup_printf("%s:%s", dir, g_getenv("PATH"));

    assert(dir && g_setenv("PATH", path, true) && paths_init(dir, false, NULL));
    sysfs_use(sys);
    make_units();
    test_zfs();
    test_iscsi();
    test_iscsi_password();
    test_scsi();
    test_disks_come_behind_the_scan();
    test_fibre_channel();
    test_mpath();
    test_vstorage();
    test_logical_clone();
    test_logical_snapshots();
    test_logical_encrypted();
    test_places();
    char *remove[] = { (char *)"rm", (char *)"-r", dir, NULL };
    assert(g_spawn_sync(NULL, remove, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL, NULL));
    g_free(dir);
    return 0;
}
