/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Documents of storage, node devices, moments, backups, processors and status files: what comes out,
 * and what is refused with which words. Each document here is written for the test.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/domain_backup.h"
#include "conf/domain_moment.h"
#include "conf/domain_status.h"
#include "conf/storage_volume.h"
#include "util/api.h"
#include "util/error.h"

#define CHECK(cond, ...)                                                                           \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #cond);                             \
            fprintf(stderr, __VA_ARGS__);                                                          \
            fputc('\n', stderr);                                                                   \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static char *convert(const char *kind, const char *xml, GError **err)
{
    const DocKind *k = doc_kind_find(kind);
    CHECK(k, "no kind %s", kind);
    void *def = doc_parse(k, xml, strlen(xml), k->tool_parse, err);
    if (!def)
        return NULL;
    void *copy = doc_copy(k, def);
    g_autofree char *path = NULL;
    CHECK(doc_equal(k, def, copy, &path), "%s", path);
    doc_free(k, def);
    char *out = doc_format(k, copy, k->tool_format, err);
    CHECK(out, "%s", (*err)->message);
    doc_free(k, copy);
    return out;
}

/* in becomes out; NULL: it stays. What came out stays, too. */
static void becomes(const char *kind, const char *in, const char *out)
{
    g_autoptr(GError) err = NULL;
    g_autofree char *got = convert(kind, in, &err);
    CHECK(got, "%s: %s", in, err->message);
    CHECK(!strcmp(got, out ? out : in), "expected\n%s\ngot\n%s", out ? out : in, got);
    g_autofree char *again = convert(kind, got, &err);
    CHECK(again && !strcmp(got, again), "not stable: %s", got);
}

static void refused(const char *kind, const char *in, const char *words)
{
    g_autoptr(GError) err = NULL;
    g_autofree char *got = convert(kind, in, &err);
    CHECK(!got, "accepted: %s", in);
    CHECK(strstr(err->message, words), "'%s' is not in '%s'", words, err->message);
}

#define UUID "<uuid>7f6e2b5c-1d4a-4e0b-9a5e-3c2d1b0a9f8e</uuid>"
#define SIZES "  <capacity unit='bytes'>0</capacity>\n  <allocation unit='bytes'>0</allocation>\n  <available unit='bytes'>0</available>\n"

static void test_pools_have_what_their_type_has(void)
{
    becomes("storagepool",
            "<pool type='dir'><name>d</name>" UUID "<capacity>5</capacity><source><host name='no'/></source>"
            "<target><path>///srv//images//</path></target></pool>",
            "<pool type='dir'>\n  <name>d</name>\n  " UUID "\n" SIZES
            "  <source/>\n  <target>\n    <path>/srv/images</path>\n  </target>\n</pool>\n");
    becomes("storagepool",
            "<pool type='gluster'><name>g</name>" UUID "<source><host name='a' port='24007'/><dir path='/sub/'/></source>"
            "<target><path>/no</path></target></pool>",
            "<pool type='gluster'>\n  <name>g</name>\n  " UUID "\n" SIZES
            "  <source>\n    <host name='a' port='24007'/>\n    <dir path='/sub'/>\n    <name>g</name>\n  </source>\n</pool>\n");
    becomes("storagepool",
            "<pool type='netfs' xmlns:fs='http://libvirt.org/schemas/storagepool/fs/1.0'><name>n</name>" UUID
            "<source><host name='h'/><dir path='/e'/></source><target><path>/m</path></target>"
            "<fs:mount_opts><fs:option name='sync'/></fs:mount_opts></pool>",
            "<pool type='netfs' xmlns:fs='http://libvirt.org/schemas/storagepool/fs/1.0'>\n  <name>n</name>\n  " UUID "\n" SIZES
            "  <source>\n    <host name='h'/>\n    <dir path='/e'/>\n    <format type='auto'/>\n  </source>\n"
            "  <target>\n    <path>/m</path>\n  </target>\n"
            "  <fs:mount_opts>\n    <fs:option name='sync'/>\n  </fs:mount_opts>\n</pool>\n");
    becomes("storagepool",
            "<pool type='logical'>" UUID "<source><name>vg</name><device path='/dev/sdx'/></source></pool>",
            "<pool type='logical'>\n  <name>vg</name>\n  " UUID "\n" SIZES
            "  <source>\n    <device path='/dev/sdx'/>\n    <name>vg</name>\n    <format type='lvm2'/>\n  </source>\n"
            "  <target>\n    <path>/dev/vg</path>\n  </target>\n</pool>\n");
}

/* A pool of a kind with that source and target; what becomes of its source, and of all behind it. */
static void source_becomes(const char *type, const char *source, const char *rest, const char *want_source, const char *want_rest)
{
    g_autofree char *xml = g_strdup_printf("<pool type='%s'><name>n</name>" UUID "<source>%s</source>%s</pool>", type, source, rest);
    g_autofree char *want = g_strdup_printf("<pool type='%s'>\n  <name>n</name>\n  " UUID "\n" SIZES "  <source>\n%s  </source>\n%s</pool>\n",
                                            type, want_source, want_rest);

    becomes("storagepool", xml, want);
}

static void test_what_a_pool_says_is_kept_and_nothing_else(void)
{
    static const char at_m[] = "<target><path>/m</path></target>", is_at_m[] = "  <target>\n    <path>/m</path>\n  </target>\n";

    /* A format that is named stays, also when it names none. */
    source_becomes("logical", "<format type='unknown'/>", "", "    <name>n</name>\n    <format type='unknown'/>\n",
                   "  <target>\n    <path>/dev/n</path>\n  </target>\n");
    source_becomes("rbd", "<host name='h'/><name>p</name>", "<refresh><volume allocation='default'/></refresh>",
                   "    <host name='h'/>\n    <name>p</name>\n",
                   "  <refresh>\n    <volume allocation='default'/>\n  </refresh>\n");
    /* Attributes that are empty say nothing, nor do options of which there are none. */
    source_becomes("netfs",
                   "<host name='h'/><dir path='//'/><format type=''/><protocol ver=''/><vendor name=''/><product name=''/>",
                   "<target><path>/m</path><permissions><owner>4294967295</owner></permissions></target>"
                   "<fs:mount_opts xmlns:fs='http://libvirt.org/schemas/storagepool/fs/1.0'/>",
                   "    <host name='h'/>\n    <dir path='//'/>\n    <format type='auto'/>\n", is_at_m);
    source_becomes("iscsi", "<host name='h'/><device path='t'/><initiator><iqn name=''/></initiator>", at_m,
                   "    <host name='h'/>\n    <device path='t'/>\n", is_at_m);
    source_becomes("gluster", "<host name='h'/><dir path=''/>", "<refresh><volume allocation=''/></refresh>",
                   "    <host name='h'/>\n    <dir path='/'/>\n    <name>n</name>\n", "");
}

static void test_pools_need_what_their_type_needs(void)
{
    refused("storagepool", "<pool type='dirr'><name>a</name></pool>", "did you mean 'dir'?");
    refused("storagepool", "<pool type='dir'><name>a</name></pool>", "'target/path' is missing");
    refused("storagepool", "<pool type='dir'><target><path>/a</path></target></pool>", "pool/name: missing");
    refused("storagepool", "<pool type='dir'><name>a/b</name><target><path>/a</path></target></pool>", "must not contain '/'");
    refused("storagepool", "<pool type='netfs'><name>a</name><source><dir path='/x'/></source><target><path>/a</path></target></pool>",
            "'source/host' is missing");
    refused("storagepool", "<pool type='netfs'><name>a</name><source><host name='h'/><dir path='/x'/><format type='cifs'/><protocol ver='3'/></source>"
            "<target><path>/a</path></target></pool>", "is for nfs, not for 'cifs'");
    refused("storagepool", "<pool type='netfs'><name>a</name><source><host name='h'/><dir path='/x'/><protocol ver='4,rw'/></source>"
            "<target><path>/a</path></target></pool>", "'4,rw' must not contain ','");
    refused("storagepool", "<pool type='scsi'><name>a</name><source><adapter type='fc_host' wwnn='12' wwpn='20000000c9831b4b'/></source></pool>",
            "line 1: pool/source/adapter/@wwnn: malformed world wide name");
    refused("storagepool", "<pool type='scsi'><name>a</name><source><adapter wwnn='20000000c9831b4b'/></source></pool>", "@type: missing");
    refused("storagepool", "<pool type='dir'><name>a</name><target><path>/a</path><permissions><mode>1777</mode></permissions></target></pool>",
            "pool/target/permissions/mode: 1777 is out of range");
    refused("storagepool", "<pool type='rbd'><name>a</name><source><host name='h'/><auth type='ceph' username='u'/></source></pool>",
            "pool/source/auth: 'secret' is missing");
}

static void test_a_number_that_must_be_there_may_be_zero(void)
{
    refused("status", "<domstatus state='running' reason='booted' pid='0'><monitor path='/m' type='unix'/></domstatus>",
            "domstatus/@pid");
    refused("device-disk",
            "<disk type='nvme'><source type='pci' namespace='0'><address bus='1' slot='0' function='0'/></source>"
            "<target dev='vda'/></disk>",
            "disk/source/@namespace: 0 is out of range");
    refused("device-disk", "<disk type='nvme'><target dev='vda'/></disk>", "'source/@namespace' is missing");
    becomes("storagevol",
            "<volume type='file'>\n  <name>v</name>\n  <capacity unit='bytes'>0</capacity>\n  <allocation unit='bytes'>0</allocation>\n"
            "  <target>\n    <path>/v</path>\n    <format type='raw'/>\n  </target>\n</volume>\n", NULL);
}

static void test_sources_and_capabilities_of_pools(void)
{
    becomes("storagesources",
            "<sources>\n  <source>\n    <host name='h'/>\n    <dir path='/x'/>\n    <format type='nfs'/>\n  </source>\n"
            "  <source>\n    <device path='/dev/sdb'/>\n    <name>vg</name>\n    <format type='lvm2'/>\n  </source>\n</sources>\n", NULL);
    /* An element that says nothing does not tell the type, or the next reader would see another. */
    becomes("storagesources", "<sources><source><host name='h'/><dir/></source><source><name/></source></sources>",
            "<sources>\n  <source>\n    <host name='h'/>\n  </source>\n"
            "  <source>\n    <format type='auto'/>\n  </source>\n</sources>\n");

    g_autoptr(GError) err = NULL;
    g_autoptr(StoragePoolCaps) caps = storage_pool_caps_new(UINT64_C(1) << POOL_DIR);
    g_autofree char *text = storage_pool_caps_format(caps, 0, &err);
    CHECK(strstr(text, "<pool type='dir' supported='yes'>") && strstr(text, "<pool type='zfs' supported='no'/>"), "%s", text);
    becomes("storagepoolcaps", text, NULL);
    const char *xml = "<source><host name='h'/><initiator><iqn name='i'/></initiator></source>";
    g_autoptr(StoragePoolSource) s = storage_pool_source_parse(xml, strlen(xml), POOL_ISCSI, &err);
    CHECK(s && list_len(s->hosts) == 1 && !strcmp(s->initiator, "i"), "%s", err ? err->message : "");
}

static char *volume(const char *xml, StoragePoolType pool, unsigned flags, GError **err)
{
    g_autoptr(StorageVolumeDef) d = storage_volume_parse_for(xml, strlen(xml), flags, pool, err);
    return d ? storage_volume_format(d, 0, err) : NULL;
}

static void test_volumes_have_the_formats_of_their_pool(void)
{
    g_autoptr(GError) err = NULL;
    const char *xml = "<volume><name>v</name><capacity unit='MiB'>1</capacity><target><path>/v</path></target></volume>";
    const struct {
        StoragePoolType pool;
        const char *format;
    } cases[] = {
        { POOL_DIR, "<format type='raw'/>" }, { POOL_DISK, "<format type='none'/>" },
        { POOL_RBD, "<format type='raw'/>" }, { POOL_LOGICAL, NULL }, { POOL_ISCSI, NULL },
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *out = volume(xml, cases[i].pool, 0, &err);
        CHECK(out && strstr(out, "<allocation unit='bytes'>1048576</allocation>"), "%s", out);
        CHECK(cases[i].format ? strstr(out, cases[i].format) != NULL : !strstr(out, "<format"), "%s", out);
    }
    CHECK(!volume("<volume><name>v</name><capacity>1</capacity><target><format type='qcow2'/></target></volume>", POOL_DISK, 0, &err),
          "a partition of type qcow2");
    g_clear_error(&err);
    const char *bare = "<volume><name>v</name></volume>";
    CHECK(!volume(bare, POOL_DIR, 0, &err) && strstr(err->message, "'capacity' is missing"), "no capacity");
    g_clear_error(&err);
    CHECK(!volume(bare, POOL_DIR, VOLUME_PARSE_OPT_CAPACITY, &err), "no capacity, no backing volume");
    g_clear_error(&err);
    g_autofree char *out = volume(bare, POOL_DIR, VOLUME_PARSE_NO_CAPACITY, &err);
    CHECK(out, "%s", err->message);
    refused("storagevol", "<volume><name>v</name><capacity>1</capacity><target><compat>x</compat></target></volume>", "volume/target/compat");
    refused("storagevol", "<volume><capacity>1</capacity></volume>", "'name/text()' is missing");
}

static void test_encryption_of_volumes(void)
{
#define VOLUME(inside) "<volume><name>v</name><capacity>1</capacity><target>" inside "</target></volume>"
#define SECRET "<secret type='passphrase' usage='u'/>"
#define IS_VOLUME(inside)                                                                                              \
    "<volume type='file'>\n  <name>v</name>\n  <capacity unit='bytes'>1</capacity>\n"                                  \
    "  <allocation unit='bytes'>1</allocation>\n  <target>\n    <format type='raw'/>\n" inside "  </target>\n</volume>\n"
    /* How it is ciphered can be said of LUKS alone. */
    becomes("storagevol",
            VOLUME("<encryption format='qcow'>" SECRET "<cipher name='aes' size='256'/><ivgen name='plain64'/></encryption>"),
            IS_VOLUME("    <encryption format='qcow'>\n      " SECRET "\n    </encryption>\n"));
    becomes("storagevol", VOLUME("<encryption format='luks'>" SECRET "<cipher name='aes' size='0'/></encryption>"),
            IS_VOLUME("    <encryption format='luks'>\n      " SECRET "\n      <cipher name='aes' size='0'/>\n    </encryption>\n"));
    refused("storagevol", VOLUME("<encryption format='luks'>" SECRET "<cipher name='aes'/></encryption>"), "cipher/@size: missing");
    refused("storagevol", VOLUME("<encryption format='luks'>" SECRET "<ivgen name='plain64'/></encryption>"), "'cipher' is missing");
    refused("storagevol", VOLUME("<encryption format='luks'><secret type='volume' usage='u'/></encryption>"), "expected 'passphrase'");
    /* What is asked of the making of a file, and an attribute that is empty, is no part of what the volume is. */
    becomes("storagevol", VOLUME("<format type=''/><nocow/>"), IS_VOLUME(""));
#undef VOLUME
#undef SECRET
#undef IS_VOLUME
}

static void test_node_devices(void)
{
    static const char *const caps[] = {
        "  <capability type='usb_device'>\n    <bus>1</bus>\n    <device>2</device>\n    <product id='0x0001'>p</product>\n    <vendor id='0x1d6b'/>\n  </capability>\n",
        "  <capability type='usb'>\n    <number>0</number>\n    <class>9</class>\n    <subclass>0</subclass>\n    <protocol>0</protocol>\n    <description>d</description>\n  </capability>\n",
        "  <capability type='net'>\n    <interface>e</interface>\n    <link speed='1000' state='up'/>\n    <capability type='80203'/>\n  </capability>\n",
        "  <capability type='drm'>\n    <type>render</type>\n  </capability>\n",
        "  <capability type='scsi_generic'>\n    <char>/dev/sg0</char>\n  </capability>\n",
        "  <capability type='vdpa'>\n    <chardev>/dev/vhost-vdpa-0</chardev>\n  </capability>\n",
        "  <capability type='ap_card'>\n    <ap-adapter>0x07</ap-adapter>\n  </capability>\n",
        "  <capability type='ccw'>\n    <cssid>0x0</cssid>\n    <ssid>0x3</ssid>\n    <devno>0x00ff</devno>\n    <state>online</state>\n  </capability>\n",
        "  <capability type='scsi'>\n    <host>0</host>\n    <bus>0</bus>\n    <target>1</target>\n    <lun>2</lun>\n    <type>disk</type>\n  </capability>\n",
        "  <capability type='storage'>\n    <block>/dev/sr0</block>\n    <drive_type>cdrom</drive_type>\n    <capability type='removable'>\n"
        "      <media_available>0</media_available>\n      <media_size>0</media_size>\n    </capability>\n    <capability type='hotpluggable'/>\n  </capability>\n",
        "  <capability type='mdev'>\n    <type id='t'/>\n    <iommuGroup number='3'/>\n    <attr name='a' value='b'/>\n  </capability>\n",
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(caps); i++) {
        g_autofree char *xml = g_strdup_printf("<device>\n  <name>n</name>\n  <devnode type='dev'>/dev/x</devnode>\n"
                                               "  <devnode type='link'>/dev/y</devnode>\n  <parent>computer</parent>\n"
                                               "  <driver>\n    <name>drv</name>\n  </driver>\n%s</device>\n", caps[i]);
        becomes("nodedev", xml, NULL);
    }
    refused("nodedev", "<device><capability type='drm'><type>render</type></capability></device>", "device/name: missing");
    refused("nodedev", "<device><name>n</name></device>", "'capability' is missing");
    refused("nodedev", "<device><name>n</name><capability type='css'><cssid>0</cssid><ssid>0</ssid><devno>0x10000</devno></capability></device>",
            "device/capability/devno: 0x10000 is out of range");
    refused("nodedev", "<device><name>n</name><capability type='pci'/></device>", "is missing");
}

static SnapshotDef *snapshot(const char *xml, unsigned flags, GError **err)
{
    return snapshot_parse(xml, strlen(xml), flags, err);
}

static void test_new_snapshots_ignore_what_only_we_know(void)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(SnapshotDef) d = snapshot("<domainsnapshot><state>running</state><creationTime>5</creationTime><parent><name>p</name></parent>"
                                        "<disks><disk name='vda'><source file='/new'/></disk></disks></domainsnapshot>", DOMAIN_PARSE_INACTIVE, &err);
    CHECK(d && d->state == SNAPSHOT_STATE_NONE && !d->creation_time && !d->parent, "%s", err ? err->message : "kept");
    const SnapshotDisk *disk = list_at(d->disks, 0);
    CHECK(disk->snapshot == SNAPSHOT_EXTERNAL && disk->src.type == STORAGE_FILE && !strcmp(disk->src.path, "/new"), "disk");
    snapshot_begin(d, 77);
    CHECK(!strcmp(d->name, "77"), "%s", d->name);

    static const char *const wrong[][2] = {
        { "<domainsnapshot><name>../x</name></domainsnapshot>", "must not begin with '.'" },
        { "<domainsnapshot><memory snapshot='external'/></domainsnapshot>", "memory/@file: missing" },
        { "<domainsnapshot><memory snapshot='internal' file='/m'/></domainsnapshot>", "needs an external snapshot" },
        { "<domainsnapshot><memory file='m'/></domainsnapshot>", "not an absolute path" },
        { "<domainsnapshot><disks><disk/></disks></domainsnapshot>", "domainsnapshot/disks/disk/@name: missing" },
        { "<domainsnapshot><disks><disk name='a' snapshot='no'><source file='/x'/></disk></disks></domainsnapshot>", "needs an external snapshot" },
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(wrong); i++) {
        CHECK(!snapshot(wrong[i][0], DOMAIN_PARSE_INACTIVE, &err) && strstr(err->message, wrong[i][1]), "%s: %s", wrong[i][0], err ? err->message : "accepted");
        g_clear_error(&err);
    }
    CHECK(!snapshot("<domainsnapshot><name>a</name><state>running</state></domainsnapshot>", MOMENT_PARSE_REDEFINE, &err) &&
          strstr(err->message, "'creationTime' is missing"), "redefined without a time");
}

static void test_checkpoints_cover_all_disks(void)
{
    static const char *const disks[] = { "vda", "vdb", NULL };
    g_autoptr(GError) err = NULL;
    const char *xml = "<domaincheckpoint><name>c</name><disks><disk name='vda'/></disks></domaincheckpoint>";
    g_autoptr(CheckpointDef) d = checkpoint_parse(xml, strlen(xml), DOMAIN_PARSE_INACTIVE, &err);
    CHECK(d && checkpoint_align(d, disks, &err), "%s", err->message);
    const CheckpointDisk *a = list_at(d->disks, 0), *b = list_at(d->disks, 1);
    CHECK(a->checkpoint == CHECKPOINT_BITMAP && !strcmp(a->bitmap, "c") && b->checkpoint == CHECKPOINT_NO, "disks");
    CHECK(!checkpoint_align(d, disks + 1, &err) && strstr(err->message, "no disk 'vda'"), "unknown disk");
    refused("checkpoint", "<domaincheckpoint><name>a b</name></domaincheckpoint>", "other characters");
    refused("checkpoint", "<domaincheckpoint><disks><disk name='a' checkpoint='no' bitmap='b'/></disks></domaincheckpoint>", "needs checkpoint='bitmap'");
}

static void test_backups(void)
{
    becomes("backup",
            "<domainbackup mode='pull'><server transport='unix' socket='/s' tls='yes'/><disks><disk name='a' backup='no'/>"
            "<disk name='b' state='failed' type='block'><scratch dev='/dev/x'/></disk></disks></domainbackup>",
            "<domainbackup mode='pull'>\n  <server transport='unix' tls='yes' socket='/s'/>\n  <disks>\n    <disk name='a' backup='no'/>\n"
            "    <disk name='b' type='block'>\n      <scratch dev='/dev/x'/>\n    </disk>\n  </disks>\n</domainbackup>\n");
    refused("backup", "<domainbackup><server name='x'/></domainbackup>", "only backups with mode='pull'");
    refused("backup", "<domainbackup><disks><disk name='a'/><disk name='a'/></disks></domainbackup>", "named twice");
    refused("backup", "<domainbackup><disks><disk name='a' type='network'/></disks></domainbackup>", "expected file or block");
    refused("backup", "<domainbackup><disks><disk name='a' exportname='e'/></disks></domainbackup>", "exports");
    refused("backup", "<domainbackup mode='pull'><server transport='unix'/></domainbackup>", "@socket: missing");

    g_autoptr(GError) err = NULL;
    const char *xml = "<domainbackup><disks><disk name='a' backupmode='incremental'/></disks></domainbackup>";
    g_autoptr(BackupDef) d = backup_parse(xml, strlen(xml), DOMAIN_PARSE_INACTIVE, &err);
    CHECK(d && !backup_align(d, (BackupSource[]){ { "a", "/i" } }, 1, "s", &err) && strstr(err->message, "'incremental' is missing"), "since when?");
}

static void test_processors_and_smbios_data(void)
{
    becomes("hostcpu",
            "<cpu>\n  <arch>x86_64</arch>\n  <model>m</model>\n  <vendor>v</vendor>\n  <microcode version='9'/>\n"
            "  <counter name='tsc' frequency='100' scaling='no'/>\n  <topology sockets='1' dies='1' cores='2' threads='1'/>\n"
            "  <feature name='f'/>\n  <pages unit='KiB' size='4'/>\n</cpu>\n",
            "<cpu>\n  <arch>x86_64</arch>\n  <model>m</model>\n  <vendor>v</vendor>\n  <microcode version='9'/>\n"
            "  <counter name='tsc' frequency='100' scaling='no'/>\n  <topology sockets='1' dies='1' cores='2' threads='1'/>\n"
            "  <feature name='f'/>\n  <pages size='4' unit='KiB'/>\n</cpu>\n");
    refused("hostcpu", "<cpu><model>m</model></cpu>", "'arch/text()' is missing");
    becomes("sysinfo", "<sysinfo type='smbios'>\n  <processor>\n    <entry name='version'>a</entry>\n  </processor>\n"
                       "  <memory_device>\n    <entry name='size'>1 GB</entry>\n  </memory_device>\n</sysinfo>\n", NULL);
}

static void test_capabilities(void)
{
    becomes("domaincaps",
            "<domainCapabilities>\n  <path>/q</path>\n  <vcpu max='8'/>\n  <os supported='yes'>\n    <enum name='firmware'>\n      <value>efi</value>\n    </enum>\n"
            "    <loader supported='yes'>\n      <value>/f.fd</value>\n    </loader>\n  </os>\n  <cpu>\n    <mode name='custom' supported='yes'>\n"
            "      <model usable='no' vendor='AMD'>EPYC</model>\n      <blockers model='EPYC'>\n        <feature name='sse4a'/>\n      </blockers>\n    </mode>\n  </cpu>\n"
            "  <devices>\n    <disk supported='yes'/>\n    <teleport supported='no'/>\n  </devices>\n"
            "  <features>\n    <sev supported='yes'>\n      <cbitpos>47</cbitpos>\n    </sev>\n  </features>\n</domainCapabilities>\n", NULL);
    becomes("capabilities",
            "<capabilities>\n  <host>\n    <cpu>\n      <arch>i686</arch>\n      <features>\n        <pae/>\n      </features>\n"
            "      <counter name='tsc' frequency='2000'/>\n    </cpu>\n    <power_management/>\n    <migration_features>\n      <live/>\n"
            "      <uri_transports>\n        <uri_transport>tcp</uri_transport>\n      </uri_transports>\n    </migration_features>\n"
            "    <topology>\n      <cells num='1'>\n        <cell id='0'>\n          <memory unit='KiB'>4</memory>\n          <cpus num='0'/>\n        </cell>\n      </cells>\n"
            "      <interconnects>\n        <latency initiator='0' target='0' type='read' value='6'/>\n      </interconnects>\n    </topology>\n"
            "    <cache>\n      <bank id='0' level='3' size='16' unit='MiB'>\n        <control granularity='768' maxAllocs='4'/>\n      </bank>\n    </cache>\n  </host>\n"
            "  <guest>\n    <os_type>hvm</os_type>\n    <arch name='i686'>\n      <machine maxCpus='8'>pc</machine>\n      <domain type='qemu'/>\n    </arch>\n"
            "    <features>\n      <acpi default='on' toggle='yes'/>\n    </features>\n  </guest>\n</capabilities>\n", NULL);
}

static void test_status_files(void)
{
    static const char head[] = "<domstatus state='running' reason='booted' pid='10'>\n  <monitor path='/m' type='unix'/>\n"
                               "  <vcpus>\n    <vcpu id='0' pid='11'/>\n  </vcpus>\n  <job type='none' async='backup' flags='0x0'/>\n"
                               "  <allowReboot value='yes'/>\n";
    static const char domain[] = "  <domain type='qemu' id='3'><name>g</name>" UUID "<memory>1024</memory><vcpu>1</vcpu><os><type>hvm</type></os>"
                                 "<devices/></domain>";
    g_autoptr(GError) err = NULL;
    g_autofree char *xml = g_strdup_printf("%s%s</domstatus>", head, domain);
    g_autofree char *out = convert("status", xml, &err);
    CHECK(out, "%s", err->message);
    CHECK(g_str_has_prefix(out, head) && strstr(out, "  <agentTimeout>-2</agentTimeout>\n  <domain type='qemu' id='3'>\n    <name>g</name>"), "%s", out);
    becomes("status", out, NULL);
    CHECK(strstr(out, "<audio id='1' type='none'/>"), "%s", out);

    /* What an older daemon did not write: names by convention, and the only meaning. */
    static const char disk[] = "<disk type='network' device='disk'><source protocol='vxhs' name='v' tls='yes'><host name='h'/>"
                               "<encryption format='luks'><secret type='passphrase' uuid='0a81f5b2-8403-7b23-c8d6-21ccc2f80d6f'/>"
                               "</encryption></source><target dev='vda' bus='virtio'/><alias name='virtio-disk0'/></disk>";
    static const char lun[] = "<hostdev mode='subsystem' type='scsi'><source><adapter name='scsi_host0'/><address bus='0' target='0' unit='0'/>"
                              "</source><alias name='hostdev0'/></hostdev>";
    g_auto(GStrv) halves = g_strsplit(xml, "<devices/>", 2);
    g_autofree char *older = g_strconcat(halves[0], "<devices>", disk, lun, "</devices>", halves[1], NULL);
    g_autofree char *newer = convert("status", older, &err);
    CHECK(newer, "%s", err->message);
    static const char *const said[] = { "<host name='h' port='9999'/>", "<encryption format='luks' engine='qemu'>",
                                        "<secret type='encryption' alias='virtio-disk0-luks-secret0'/>",
                                        "<TLSx509 alias='objvirtio-disk0_tls0'/>", "name='libvirt-hostdev0-backend'" };
    for (unsigned i = 0; i < G_N_ELEMENTS(said); i++)
        CHECK(strstr(newer, said[i]), "%s: %s", said[i], newer);
    becomes("status", newer, NULL);

    g_autofree char *without = g_strdup_printf("%s</domstatus>", head);
    refused("status", without, "'domain' is missing");
}

int main(void)
{
    test_pools_have_what_their_type_has();
    test_what_a_pool_says_is_kept_and_nothing_else();
    test_pools_need_what_their_type_needs();
    test_a_number_that_must_be_there_may_be_zero();
    test_sources_and_capabilities_of_pools();
    test_volumes_have_the_formats_of_their_pool();
    test_encryption_of_volumes();
    test_node_devices();
    test_new_snapshots_ignore_what_only_we_know();
    test_checkpoints_cover_all_disks();
    test_backups();
    test_processors_and_smbios_data();
    test_capabilities();
    test_status_files();
    return 0;
}
