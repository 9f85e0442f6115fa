/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Commands of storage tools, and what recorded tools said. */
#undef NDEBUG
#include <assert.h>
#include <string.h>

#include "conf/domain.h"
#include "drivers/storage/qemu_img.h"
#include "drivers/storage/tools.h"
#include "util/api.h"
#include "util/error.h"

static StoragePoolDef *pool(const char *xml)
{
    g_autoptr(GError) err = NULL;
    StoragePoolDef *d = storage_pool_parse(xml, strlen(xml), DOMAIN_PARSE_INACTIVE, &err);
    assert(d);
    return d;
}

static void assert_command(Argv *take, const char *want)
{
    g_autoptr(Argv) a = take;
    g_autofree char *text = a ? argv_text(a) : NULL;
    assert(g_strcmp0(text, want) == 0);
}

static void test_mount(void)
{
    g_autoptr(StoragePoolDef) v6 = pool("<pool type='netfs'><name>n</name><source><host name='fe80::1'/><dir path='/a,b c'/>"
                                        "<format type='auto'/></source><target><path>/t</path></target></pool>");
    g_autoptr(StoragePoolDef) gluster =
        pool("<pool type='netfs'><name>n</name><source><host name='h'/><dir path='/v'/><format type='glusterfs'/></source>"
             "<target><path>/t</path></target></pool>");
    g_autoptr(StoragePoolDef) evil = pool("<pool type='fs'><name>n</name><source><device path='-oexec'/><format type='ext4'/>"
                                          "</source><target><path>/t</path></target></pool>");
    g_autoptr(GError) err = NULL;

    assert_command(mount_command(v6, NULL), "mount -o nodev,nosuid,noexec '[fe80::1]:/a,b c' /t");
    assert_command(mount_command(gluster, NULL), "mount -o nodev,nosuid,noexec,direct-io-mode=1 -t glusterfs h:/v /t");
    assert(!mount_command(evil, &err) && strstr(err->message, "-oexec"));
    g_autoptr(StoragePoolDef) version = pool("<pool type='netfs'><name>n</name><source><host name='h'/><dir path='/v'/><format type='nfs'/>"
                                             "<protocol ver='4 suid'/></source><target><path>/t</path></target></pool>");
    assert(!mount_command(version, NULL)); /* no further options */
    assert_command(umount_command(evil, NULL), "umount /t");
    assert(!mkfs_command(v6, NULL));
}

static void test_lvm(void)
{
    static const char lvs[] =
        /* As LVM 2.03 says it of a volume, a snapshot of it, a snapshot of nothing, a pool of thin volumes and one of those. */
        "{\"report\":[{\"lv\":["
        "{\"lv_name\":\"a\",\"lv_uuid\":\"U\",\"lv_size\":\"8388608\",\"origin\":\"\",\"origin_size\":\"8388608\",\"pool_lv\":\"\","
        "\"lv_attr\":\"owi-a-s---\",\"segtype\":\"striped\",\"seg_pe_ranges\":\"/dev/sda:0-0 /dev/sdb:5-5\","
        "\"vg_extent_size\":\"4194304\",\"stripes\":\"2\"},"
        "{\"lv_name\":\"s\",\"lv_uuid\":\"V\",\"lv_size\":\"4194304\",\"origin\":\"a\",\"origin_size\":\"8388608\",\"pool_lv\":\"\","
        "\"lv_attr\":\"swi-a-s---\",\"segtype\":\"linear\",\"seg_pe_ranges\":\"/dev/sda:7-7\",\"vg_extent_size\":\"4194304\"},"
        "{\"lv_name\":\"v\",\"lv_uuid\":\"X\",\"lv_size\":\"8388608\",\"origin\":\"[v_vorigin]\",\"origin_size\":\"67108864\","
        "\"pool_lv\":\"\",\"lv_attr\":\"swi-a-s---\",\"segtype\":\"linear\",\"seg_pe_ranges\":\"/dev/sda:8-9\","
        "\"vg_extent_size\":\"4194304\"},"
        "{\"lv_name\":\"tp\",\"lv_uuid\":\"W\",\"lv_size\":\"16777216\",\"origin\":\"\",\"origin_size\":\"\",\"pool_lv\":\"\","
        "\"lv_attr\":\"twi-aotz--\",\"segtype\":\"thin-pool\",\"seg_pe_ranges\":\"tp_tdata:0-3\",\"vg_extent_size\":\"4194304\"},"
        "{\"lv_name\":\"t\",\"lv_uuid\":\"Y\",\"lv_size\":\"1073741824\",\"origin\":\"o\",\"origin_size\":\"\",\"pool_lv\":\"tp\","
        "\"lv_attr\":\"Vwi---tz-k\",\"segtype\":\"thin\",\"seg_pe_ranges\":\"\",\"vg_extent_size\":\"4194304\"}]}]}";
    static const char vgs[] = "{\"report\":[{\"vg\":[{\"vg_name\":\"g\",\"vg_size\":\"100\",\"vg_free\":\"40\"}]}],\"log\":[]}";
    g_autoptr(GError) err = NULL;
    g_autoptr(GPtrArray) all = lvm_parse_volumes(lvs, strlen(lvs), NULL), groups = lvm_parse_groups(vgs, strlen(vgs), NULL);
    const LvmVolume *a = all->pdata[0], *s = all->pdata[1], *v = all->pdata[2], *tp = all->pdata[3], *t = all->pdata[4];

    assert(all->len == 5 && a->active && !a->origin && a->segments->len == 2 && a->size == 8388608);
    const LvmSegment *second = a->segments->pdata[1];
    assert(g_str_equal(second->device, "/dev/sdb") && second->start == 5 * 4194304ULL && second->end == 6 * 4194304ULL);
    assert(!a->snapshot && s->active && s->snapshot && g_str_equal(s->origin, "a") && s->size == 8388608 && s->room == 4194304);
    assert(v->snapshot && !v->origin && v->size == 67108864 && v->room == 8388608);
    assert(tp->internal && !t->active && t->thin && t->room == 0 && t->size == 1 << 30 && g_str_equal(t->origin, "o"));
    assert(groups->len == 1 && ((LvmGroup *)groups->pdata[0])->free == 40);
    assert(!lvm_parse_groups("{\"report\":[]}", 13, &err));
    assert_command(lvm_make_volume("g", "v", 1 << 20, 1 << 20, NULL, NULL), "lvcreate --name v -L 1024K g");
    assert_command(lvm_make_volume("g", "v", 2 << 20, 1 << 20, "/dev/g/o", NULL), "lvcreate --name v -L 1024K -s /dev/g/o");
    assert_command(lvm_make_volume("g", "v", 2 << 20, 1 << 20, NULL, NULL),
                   "lvcreate --name v --type snapshot --virtualsize 2048K -L 1024K g");
    assert_command(lvm_remove_volume("g", "v", NULL), "lvremove -f g/v");
    assert(!lvm_remove_volume("--all", "v", NULL));
}

static void test_parted(void)
{
    static const char said[] = "BYT;\n/dev/loop0:104857600B:loopback:512:512:gpt:Loopback device:;\n"
                               "1:17408B:1048575B:1031168B:free;\n1:1048576B:34603007B:33554432B:ext4:data:boot;\n"
                               "1:34603008B:104840703B:70237696B:free;\n";
    g_autoptr(PartitionTable) t = parted_parse(said, NULL);
    g_autoptr(GError) err = NULL;
    uint64_t start = 0, end = 0;

    assert(t && g_str_equal(t->label, "gpt") && t->size == 104857600 && t->parts->len == 3);
    const Partition *p = t->parts->pdata[1];
    assert(p->number == 1 && g_str_equal(p->fs, "ext4") && g_str_equal(p->flags, "boot"));
    assert(parted_place(t, 10 << 20, false, &start, &end, NULL) && start == 34603008 && end == start + (10 << 20) - 1);
    assert(!parted_place(t, 100 << 20, false, &start, &end, &err));
    assert(!parted_parse("Error: /dev/x: unrecognised disk label\n", NULL));
    assert(!parted_parse("BYT;\n;\n:;\n/;\n1;\n", NULL)); /* names of partitions may have line ends */
    assert_command(parted_make("/dev/a", "primary", "ext2", 1048576, 2097151, NULL),
                   "parted -s /dev/a mkpart primary ext2 1048576B 2097151B");
}

static void test_extended(void)
{
    static const char said[] = "BYT;\n/dev/loop0:104857600B:loopback:512:512:msdos:x:;\n"
                               "1:512B:1048575B:1048064B:free;\n1:1048576B:2097151B:1048576B:::;\n2:2097152B:3145727B:1048576B:::;\n"
                               "3:3145728B:4194303B:1048576B:::;\n4:4194304B:20971519B:16777216B:::lba;\n"
                               "1:4194816B:20971519B:16776704B:free;\n1:20971520B:104857599B:83886080B:free;\n";
    g_autoptr(PartitionTable) t = parted_parse(said, NULL);
    g_autoptr(GError) err = NULL;
    uint8_t sector[512] = { [446 + 3 * 16 + 4] = 0x0f, [510] = 0x55, [511] = 0xaa };
    uint64_t start = 0, end = 0;
    unsigned n = 0;

    assert(t && !partition_kind(t, false, &n, &err) && strstr(err->message, "no extended partition"));
    assert((t->extended = partition_extended(sector)) == 4);
    assert(g_str_equal(partition_kind(t, false, &n, NULL), "logical") && n == 5);
    /* After what describes it, and never outside. */
    assert(parted_place(t, 1 << 20, true, &start, &end, NULL) && start == 5242880 && end == 6291455);
    assert(!parted_place(t, 20 << 20, true, &start, &end, NULL));
    assert(parted_place(t, 1 << 20, false, &start, &end, NULL) && start == 20971520);
    g_clear_error(&err);
    assert(!partition_kind(t, true, &n, &err) && strstr(err->message, "already exists"));
    sector[511] = 0;
    assert(partition_extended(sector) == 0);
}

static void test_iscsi(void)
{
    g_autoptr(GPtrArray) targets = iscsi_parse_targets("10.0.0.1:3260,1 iqn.a\n[fe80::1]:3260,1 iqn.b\nnonsense\n");
    static const char sessions[] = "tcp: [7] 10.0.0.1:3260,1 iqn.a (non-flash)\ntcp: [12] 10.0.0.1:3260,1 iqn.ab (non-flash)\n";
    g_autofree char *seven = iscsi_parse_session(sessions, "iqn.a"), *none = iscsi_parse_session(sessions, "iqn");

    assert(targets->len == 2 && g_str_equal(targets->pdata[1], "iqn.b"));
    assert(g_str_equal(seven, "7") && !none);
    assert_command(iscsi_login("h:3260,1", "iqn.a", NULL, true, NULL),
                   "iscsiadm --mode node --portal h:3260,1 --targetname iqn.a --login");
}

static void test_qemu_img(void)
{
    StorageVolumeDef d = { .pool_type = POOL_DIR, .name = (char *)"5 disk,1", .path = (char *)"/p/5 disk,1",
                           .format = FORMAT_QCOW2, .capacity = 1025, .allocation = { 1025, 1, 0 } };
    StorageEncryption luks = { .format = ENCRYPTION_LUKS };
    QemuImgSide side = { &d, NULL, "/s" };
    static const char said[] = "    (0.00/100%)\r    (12.50/100%)\r    (x/100%)";

    assert(qemu_img_progress(said, strlen(said)) == 12.5);
    assert(qemu_img_progress("(1", 2) < 0 && qemu_img_progress("(999/100%)", 10) < 0);
    assert_command(qemu_img_resize(&side, 4096, true, false, NULL), "qemu-img resize --shrink -f qcow2 '/p/5 disk,1' 4K");
    g_autoptr(GPtrArray) all = qemu_img_create(&side, NULL, QEMU_IMG_PREALLOCATE, NULL);
    g_autofree char *text = argv_text(all->pdata[0]);
    assert(g_str_equal(text, "qemu-img create -f qcow2 -o preallocation=falloc,compat=0.10 '/p/5 disk,1' 2K"));
    d.encryption = &luks;
    /* Commas are doubled within options, names of objects have no blanks. */
    assert_command(qemu_img_resize(&side, 4096, false, false, NULL),
                   "qemu-img resize --object secret,id=v_disk_1_encrypt0,file=/s --image-opts "
                   "'driver=qcow2,file.filename=/p/5 disk,,1,encrypt.key-secret=v_disk_1_encrypt0' 4K");
    d.format = FORMAT_VDI;
    assert(!qemu_img_create(&side, NULL, 0, NULL));
    d.format = FORMAT_VHD;
    assert(!qemu_img_create(&side, NULL, 0, NULL));
}

static void test_qemu_img_options(void)
{
    StorageVolumeDef d = { .pool_type = POOL_DIR, .name = (char *)"d", .path = (char *)"/d", .format = FORMAT_QED, .capacity = 1024,
                           .cluster_size = 65536 };
    StorageVolumeDef from = { .pool_type = POOL_DIR, .name = (char *)"f", .path = (char *)"/f", .format = FORMAT_RAW };
    StorageEncryption luks = { .format = ENCRYPTION_LUKS };
    QemuImgSide side = { &d, NULL, "/s" }, input = { &from, NULL, "/t" };

    /* Which formats have clusters the program knows; a version is qcow2's. */
    g_autoptr(GPtrArray) qed = qemu_img_create(&side, NULL, 0, NULL);
    g_autofree char *text = argv_text(qed->pdata[0]);
    assert(g_str_equal(text, "qemu-img create -f qed -o cluster_size=65536 /d 1K"));
    d.compat = (char *)"1.1";
    assert(!qemu_img_create(&side, NULL, 0, NULL));

    /* Both are encrypted: each end has its own secret, that of the copy comes first. */
    d.format = FORMAT_QCOW2;
    d.encryption = from.encryption = &luks;
    g_autoptr(GPtrArray) both = qemu_img_create(&side, &input, 0, NULL);
    g_autofree char *copy = argv_text(both->pdata[1]);
    assert(g_str_equal(copy, "qemu-img convert --image-opts -n --target-image-opts --object secret,id=d_encrypt0,file=/s "
                             "--object secret,id=f_encrypt0,file=/t driver=luks,file.filename=/f,key-secret=f_encrypt0 "
                             "driver=qcow2,file.filename=/d,encrypt.key-secret=d_encrypt0"));
}

/* What servers say goes to clients as a document: what none can say is left out. */
static void test_sources(void)
{
    StoragePoolSource like = { .type = POOL_ISCSI, .hosts = g_ptr_array_new() };
    PoolHost host = { .name = (char *)"h" };
    g_autoptr(GError) err = NULL;

    g_ptr_array_add(like.hosts, &host);
    g_autoptr(StorageSourceList) exports = sources_of_exports("Export list for h:\n/a 10.0.0.0/8\n/b\001 *\n/c\xff *\n/d\n", "h");
    g_autofree char *text = storage_source_list_format(exports, 0, NULL);
    assert(exports->sources->len == 2 && strstr(text, "<dir path='/a'/>") && strstr(text, "<dir path='/d'/>"));
    g_autoptr(GPtrArray) targets = iscsi_parse_targets("10.0.0.1:3260,1 iqn.a\n10.0.0.1:3260,1 iqn.\014b\n");
    g_autoptr(StorageSourceList) found = sources_of_targets(&like, targets);
    g_autofree char *portal = storage_source_list_format(found, 0, NULL);
    assert(found->sources->len == 1 && strstr(portal, "iqn.a") && strstr(portal, "port='3260'"));
    g_ptr_array_unref(like.hosts);
    g_autoptr(StorageSourceList) volumes =
        sources_of_gluster("<cliOutput><volInfo><volumes><volume><name>v</name></volume><volume/></volumes></volInfo></cliOutput>", "h", NULL);
    assert(volumes->sources->len == 1);
    assert(!sources_of_gluster("<cliOutput/>", "h", &err) && error_is(err, VIR_ERR_OPERATION_FAILED));
    assert(!sources_of_gluster("no document", "h", NULL));
}

int main(void)
{
    test_sources();
    test_mount();
    test_lvm();
    test_parted();
    test_extended();
    test_iscsi();
    test_qemu_img();
    test_qemu_img_options();
    return 0;
}
