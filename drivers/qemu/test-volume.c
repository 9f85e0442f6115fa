/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit test: what a volume is for an emulator, by the kind of its pool, and who sees which of the two. */
#undef NDEBUG
#include <assert.h>
#include <string.h>

#include "conf/domain.h"
#include "drivers/qemu/volume_source.h"
#include "util/error.h"

#define RBD    "<pool type='rbd'><name>p</name><source><host name='mon' port='6789'/><host name='mon2'/><name>data</name>" \
               "<auth type='ceph' username='admin'><secret usage='key'/></auth></source></pool>"
#define ISCSI(type) "<pool type='" type "'><name>p</name><source><host name='there'/><device path='iqn.x:t'/>" \
               "<initiator><iqn name='iqn.y:i'/></initiator><auth type='chap' username='me'><secret usage='word'/></auth></source>" \
               "<target><path>/dev/disk/by-path</path></target></pool>"
#define GLUSTER(dir) "<pool type='gluster'><name>p</name><source><host name='g'/><dir path='" dir "'/><name>vol</name></source></pool>"
#define DIR_POOL "<pool type='dir'><name>p</name><target><path>/pool</path></target></pool>"

static const struct {
    const char *pool, *source, *path; /* source: attributes of the document's <source> */
    StorageVolumeType kind;
    const char *is; /* type and source of the run's record, or the error */
} cases[] = {
    { DIR_POOL, "volume='v'", "/pool/v", VOLUME_FILE, "type='file' <source file='/pool/v' index=" },
    { DIR_POOL, "volume='v' startupPolicy='optional'", "/pool/v", VOLUME_FILE, "<source file='/pool/v' startupPolicy='optional'" },
    { DIR_POOL, "volume='v'", "/pool/v", VOLUME_DIR, "type='dir' <source dir='/pool/v'" },
    { DIR_POOL, "volume='v'", "/dev/x", VOLUME_BLOCK, "type='block' <source dev='/dev/x'" },
    { DIR_POOL, "volume='v'", "v", VOLUME_FILE, "is 'v', one from the root expected" },
    { DIR_POOL, "volume='v'", "/pool/v", VOLUME_NETDIR, "unexpected storage volume type 'netdir' for storage pool type 'dir'" },
    { DIR_POOL, "volume='v' mode='host'", "/pool/v", VOLUME_FILE, "disk source mode is only valid when storage pool is of iscsi type" },
    { ISCSI("iscsi"), "volume='unit:0:0:3'", "/dev/disk/by-path/l", VOLUME_BLOCK, "type='block' <source dev='/dev/disk/by-path/l'" },
    { ISCSI("iscsi"), "volume='unit:0:0:3' mode='host'", "/dev/disk/by-path/l", VOLUME_BLOCK, "<source dev='/dev/disk/by-path/l'" },
    { ISCSI("iscsi"), "volume='unit:0:0:3' mode='direct'", "/dev/disk/by-path/l", VOLUME_BLOCK,
      "type='network' <source protocol='iscsi' name='iqn.x:t/3' index='1'> <host name='there'/> <initiator> <iqn name='iqn.y:i'/>" },
    { ISCSI("iscsi"), "volume='unit:0:0:3' mode='direct'", "/x", VOLUME_BLOCK,
      "<auth username='me'> <secret type='iscsi' usage='word'/>" },
    { ISCSI("iscsi"), "volume='unit:3' mode='direct'", "/x", VOLUME_BLOCK, "unexpected iscsi volume name 'unit:3'" },
    { ISCSI("iscsi"), "volume='unit:0:0:3' startupPolicy='optional'", "/x", VOLUME_BLOCK, "'startupPolicy' is only valid for 'file'" },
    { ISCSI("iscsi-direct"), "volume='unit:0:0:3'", "ip-there", VOLUME_NETWORK, "<source protocol='iscsi' name='iqn.x:t/3'" },
    { ISCSI("iscsi-direct"), "volume='unit:0:0:3' mode='host'", "ip-there", VOLUME_NETWORK, "mode 'host' needs a storage pool of type 'iscsi'" },
    { RBD, "volume='v'", "data/v", VOLUME_NETWORK,
      "<source protocol='rbd' name='data/v' index='1'> <host name='mon' port='6789'/> <host name='mon2'/>" },
    { RBD, "volume='v'", "data/v", VOLUME_NETWORK, "<auth username='admin'> <secret type='ceph' usage='key'/>" },
    { GLUSTER("/"), "volume='v'", "vol/v", VOLUME_NETWORK, "<source protocol='gluster' name='vol/v' index='1'> <host name='g'/>" },
    { GLUSTER("/a/b/"), "volume='v'", "vol/a/b/v", VOLUME_NETWORK, "<source protocol='gluster' name='vol/a/b/v'" },
    { GLUSTER("/"), "volume='v'", "vol/v", VOLUME_NETDIR, "unexpected storage volume type 'netdir' for storage pool type 'gluster'" },
};

/* All white space as single blanks: documents on one line. */
static char *flat(char *take)
{
    g_autofree char *text = take;
    g_auto(GStrv) word = g_strsplit_set(text, " \n", -1);
    g_autoptr(GString) s = g_string_new(NULL);

    for (char **w = word; *w; w++)
        if (**w)
            g_string_append_printf(s, "%s%s", s->len ? " " : "", *w);
    return g_string_free(g_steal_pointer(&s), FALSE);
}

static Device *parse(const char *xml, unsigned flags)
{
    g_autoptr(GError) err = NULL;
    Device *dev = device_parse(xml, strlen(xml), flags, NULL, NULL, NULL, &err);
    if (!dev)
        g_error("%s: %s", xml, err->message);
    return dev;
}

static char *format(const Device *dev, unsigned flags)
{
    return flat(device_format(dev, flags, NULL));
}

static void has(const char *text, const char *what)
{
    if (!strstr(text, what))
        g_error("'%s' not in: %s", what, text);
}

/* Credentials of the disk's own, which do not count. */
static char *with_own_auth(const char *disk)
{
    const char *at = strstr(disk, "<source");
    return g_strdup_printf("%.*s<auth username='own'><secret type='iscsi' usage='own'/></auth>%s", (int)(at - disk), disk, at);
}

static void check(unsigned i)
{
    g_autoptr(GError) err = NULL;
    g_autofree char *plain = g_strdup_printf("<disk type='volume' device='disk'><driver name='qemu'/><source pool='p' %s/>"
                                             "<target dev='vda' bus='virtio'/></disk>", cases[i].source);
    g_autofree char *xml = with_own_auth(plain);
    g_autoptr(StoragePoolDef) pool = storage_pool_parse(cases[i].pool, strlen(cases[i].pool), DOMAIN_PARSE_INACTIVE, &err);
    g_autoptr(Device) dev = parse(xml, DOMAIN_PARSE_INACTIVE);
    DiskDef *disk = (DiskDef *)dev;

    assert(pool);
    if (!volume_source(&disk->src, pool, cases[i].kind, cases[i].path, &err)) {
        has(err->message, cases[i].is);
        return;
    }
    disk->src.index = 1;
    g_autofree char *record = format(dev, DOMAIN_FORMAT_STATUS), *users = format(dev, DOMAIN_FORMAT_SECURE);
    g_auto(GStrv) is = g_strsplit(cases[i].is, " <", 2);
    has(record, is[0]);
    if (is[1])
        has(record, is[1]);
    assert(!strstr(record, "own'"));
    /* Users find what they wrote, and nothing of the pool's. */
    has(users, "<disk type='volume'");
    g_autofree char *source = g_strdup_printf("<source pool='p' %s index='1'/>", cases[i].source);
    has(users, source);
    assert(!strstr(users, "auth") && !strstr(users, cases[i].path) && !strstr(users, "host name"));
    /* The record says the same when it is read again. */
    g_autoptr(Device) again = parse(record, DOMAIN_PARSE_STATUS);
    g_autofree char *record2 = format(again, DOMAIN_FORMAT_STATUS), *users2 = format(again, DOMAIN_FORMAT_SECURE);
    g_assert_cmpstr(record, ==, record2);
    g_assert_cmpstr(users, ==, users2);
    /* A document with the volume means this disk's image, one with what the volume is does not. */
    g_autoptr(Device) like = parse(plain, DOMAIN_PARSE_INACTIVE);
    g_autoptr(Device) other = parse("<disk type='file'><source file='/pool/v'/><target dev='vda'/></disk>", 0);
    assert(storage_source_says(&((DiskDef *)like)->src, &disk->src));
    assert(!storage_source_says(&((DiskDef *)other)->src, &disk->src));
}

int main(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++)
        check(i);
    return 0;
}
