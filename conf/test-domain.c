/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Behaviour of the domain document: errors that name their place, modes, stages, policy hooks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/domain.h"
#include "conf/kinds.h"
#include "util/api.h"
#include "util/error.h"

#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond);                             \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

#define HEAD "<domain type='qemu'>\n<name>t</name>\n<memory>1024</memory>\n<os><type arch='x86_64'>hvm</type></os>\n"
#define DOMAIN(devices) HEAD "<devices>\n" devices "</devices>\n</domain>"

static DomainDef *parse(const char *xml, unsigned flags, GError **err)
{
    return domain_parse(xml, strlen(xml), flags, NULL, NULL, err);
}

static DomainDef *good(const char *xml)
{
    g_autoptr(GError) err = NULL;
    DomainDef *d = parse(xml, 0, &err);
    if (!d)
        fprintf(stderr, "%s\n", err->message);
    CHECK(d);
    return d;
}

/* The document is refused with this code, and the text has all these pieces. */
static void refused(const char *xml, unsigned flags, int code, const char *const *pieces)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(DomainDef) d = parse(xml, flags, &err);

    CHECK(!d);
    if (err->code != code)
        fprintf(stderr, "%d: %s\n", err->code, err->message);
    CHECK(err->code == code);
    for (; *pieces; pieces++) {
        if (!strstr(err->message, *pieces))
            fprintf(stderr, "'%s' has no '%s'\n", err->message, *pieces);
        CHECK(strstr(err->message, *pieces));
    }
}
#define REFUSED(xml, code, ...) refused(xml, 0, code, (const char *const[]){ __VA_ARGS__, NULL })

static void test_errors_name_their_place(void)
{
    REFUSED(DOMAIN("<disk><source file='/a'/><target dev='vda'/></disk>\n<disk><source file='/a'/>\n<driver cache='writebak'/><target dev='vdb'/></disk>"), VIR_ERR_XML_ERROR,
            "line 8: domain/devices/disk[2]/driver/@cache: unknown value 'writebak'", "expected one of default, none,", "did you mean 'writeback'?");
    REFUSED(DOMAIN("<disk><source file='/a'/><target dev='vda' rotation_rate='x'/></disk>"), VIR_ERR_XML_ERROR, "target/@rotation_rate: 'x' is not a number");
    REFUSED(DOMAIN("<disk/>"), VIR_ERR_XML_ERROR, "'target/@dev' is missing");
    REFUSED("<domain type='qemu'><name>a/b</name><memory>1</memory></domain>", VIR_ERR_XML_ERROR, "domain/name", "a/b");
    REFUSED("<network/>", VIR_ERR_XML_ERROR, "expected <domain>");
    REFUSED("<domain type='qemu'>\n<name>", VIR_ERR_XML_DETAIL, "line 2");
    REFUSED("<!DOCTYPE x [<!ENTITY e 'x'>]><domain type='qemu'><name>&e;</name></domain>", VIR_ERR_XML_DETAIL, "document type declarations");
    REFUSED(DOMAIN("<disk><source file='/a'/><target dev='vda'/></disk><disk><source file='/a'/><target dev='vda'/></disk>"), VIR_ERR_XML_ERROR, "target 'vda' duplicated");
}

/* As virt-install writes them. */
static void test_functions_of_a_usb_chip_share_an_index(void)
{
#define EHCI "<controller type='usb' model='ich9-ehci1'/>"
#define UHCI(n, port) "<controller type='usb' model='ich9-uhci" n "'><master startport='" port "'/></controller>"
    g_autoptr(DomainDef) d = good(DOMAIN(EHCI UHCI("1", "0") "<controller type='scsi'/>" UHCI("2", "2") EHCI UHCI("1", "0")));
    static const unsigned want[] = { 0, 0, 0, 1, 1 };
    const ControllerDef *c;
    unsigned n = 0;

    for (guint i = 0; (c = domain_next(d, DEVICE_CONTROLLER, &i));)
        if (c->type == CONTROLLER_USB)
            CHECK(n < G_N_ELEMENTS(want) && c->index.v == want[n++]);
    CHECK(n == G_N_ELEMENTS(want));
    REFUSED(DOMAIN(UHCI("1", "0")), VIR_ERR_XML_ERROR, "no USB controller is a master");
}

static void test_unknown_and_unsupported_words(void)
{
    /* A typing mistake is ignored, as clients are used to. */
    g_autoptr(DomainDef) d = good(DOMAIN("<disk colour='red'><source file='/a'/><tarrget/><target dev='vda'/></disk>"));
    CHECK(domain_count(d, DEVICE_DISK) == 1);
    /* Strict mode lists all of them. */
    refused(DOMAIN("<disk colour='red'><source file='/a'/><tarrget/><target dev='vda'/></disk>"), DOMAIN_PARSE_STRICT,
            VIR_ERR_XML_INVALID_SCHEMA,
            (const char *const[]){
                "domain/devices/disk/@colour: unknown attribute",
                "domain/devices/disk/tarrget: unknown element; did you mean 'target'?", NULL });
    refused(
        DOMAIN(
            "<disk><source startupPolcy='x'/><target dev='vda'/></disk><interface type='user'><rom size='1'/></interface>"),
        DOMAIN_PARSE_STRICT, VIR_ERR_XML_INVALID_SCHEMA,
        (const char *const[]){
            "source/@startupPolcy: unknown attribute; did you mean 'startupPolicy'?",
            "rom/@size: unknown attribute; expected one of enabled, bar, file", NULL });
    /* All errors of a document, also those that rows of their own find. */
    refused(
        DOMAIN(
            "<disk colour='red'><source file='/a'/><target dev='vda'/></disk><pstorr/><serial type='tcp'><source mode='x' host='h' service='1'/></serial>"
            "<video><model type='?'/></video>"),
        DOMAIN_PARSE_STRICT, VIR_ERR_XML_INVALID_SCHEMA,
        (const char *const[]){ "disk/@colour",
                               "devices/pstorr: unknown element; did you mean 'pstore'?",
                               "devices/serial/source/@mode", "model/@type", NULL });
    refused(DOMAIN("<disk device='x'><source file='/a'/><target dev='vda' bus='y'/></disk>"), DOMAIN_PARSE_STRICT,
            VIR_ERR_XML_INVALID_SCHEMA,
            (const char *const[]){ "disk/@device: unknown value 'x'",
                                   "target/@bus: unknown value 'y'", NULL });
}

/* Words of releases after 9.0, in the order in which they are written. */
static void test_newer_words(void)
{
    static const char xml[] =
        "<domain type='qemu'>\n  <name>t</name>\n"
        "  <uuid>11111111-2222-4333-8444-555555555555</uuid>\n"
        "  <hwuuid>11111111-2222-4333-8444-555555555556</hwuuid>\n"
        "  <memory unit='KiB'>1024</memory>\n"
        "  <currentMemory unit='KiB'>1024</currentMemory>\n"
        "  <vcpu placement='static'>1</vcpu>\n  <os firmware='efi'>\n"
        "    <type arch='x86_64'>hvm</type>\n"
        "    <varstore template='/v.json' path='/t.json'/>\n    <boot dev='hd'/>\n  </os>\n"
        "  <throttlegroups>\n    <throttlegroup>\n"
        "      <total_bytes_sec>10</total_bytes_sec>\n      <group_name>slow</group_name>\n"
        "    </throttlegroup>\n  </throttlegroups>\n"
        "  <iommufd enabled='yes' fdgroup='iommu'/>\n  <features>\n"
        "    <hyperv mode='host-model'/>\n  </features>\n"
        "  <cpu mode='host-model' deprecated_features='off'/>\n  <clock offset='utc'/>\n"
        "  <on_poweroff>destroy</on_poweroff>\n  <on_reboot>restart</on_reboot>\n"
        "  <on_crash>destroy</on_crash>\n  <devices>\n    <disk type='file' device='disk'>\n"
        "      <driver>\n        <statistics>\n          <statistic interval='1'/>\n"
        "          <latency-histogram type='read'>\n            <bin start='0'/>\n"
        "            <bin start='10'/>\n          </latency-histogram>\n"
        "        </statistics>\n      </driver>\n      <source file='/a.qcow2'>\n"
        "        <dataStore type='file'>\n          <format type='raw'/>\n"
        "          <source file='/a.raw'/>\n        </dataStore>\n      </source>\n"
        "      <target dev='vda' bus='virtio'/>\n      <throttlefilters>\n"
        "        <throttlefilter group='slow'/>\n      </throttlefilters>\n    </disk>\n"
        "    <filesystem type='mount'>\n      <binary>\n        <openfiles max='9'/>\n"
        "      </binary>\n      <source dir='/x'/>\n      <target dir='t'/>\n"
        "    </filesystem>\n    <interface type='vhostuser'>\n"
        "      <mac address='52:54:00:00:00:01'/>\n      <source dev='eth0'/>\n"
        "      <backend type='passt'/>\n    </interface>\n"
        "    <hostdev mode='subsystem' type='pci' managed='no'>\n"
        "      <driver name='vfio' model='m' iommufd='yes'/>\n      <source>\n"
        "        <address domain='0x0000' bus='0x01' slot='0x00' function='0x0'/>\n"
        "      </source>\n    </hostdev>\n    <iommu model='virtio'>\n      <driver>\n"
        "        <granule size='64' unit='KiB'/>\n      </driver>\n    </iommu>\n"
        "    <pstore backend='acpi-erst'>\n      <path>/e</path>\n"
        "      <size unit='KiB'>8</size>\n    </pstore>\n  </devices>\n"
        "  <launchSecurity type='tdx'>\n    <policy>0x10000001</policy>\n"
        "    <mrConfigId>a</mrConfigId>\n    <mrOwner>b</mrOwner>\n"
        "    <mrOwnerConfig>c</mrOwnerConfig>\n    <quoteGenerationService path='/q'/>\n"
        "  </launchSecurity>\n</domain>\n";
    g_autoptr(GError) err = NULL;
    g_autoptr(DomainDef) d = parse(xml, DOMAIN_PARSE_STRICT, &err);

    if (!d)
        fprintf(stderr, "%s\n", err->message);
    CHECK(d);
    g_autofree char *text = domain_format(d, 0, NULL, &err);
    if (strcmp(text, xml))
        fprintf(stderr, "%s\n", text);
    CHECK(!strcmp(text, xml));

    REFUSED(
        DOMAIN(
            "<disk><source file='/a'/><target dev='vda'/><throttlefilters><throttlefilter group='x'/></throttlefilters></disk>"),
        VIR_ERR_XML_ERROR, "throttle group 'x' is not defined");
    REFUSED(
        DOMAIN(
            "<disk><source file='/a'/><driver><statistics><latency-histogram><bin start='2'/><bin start='1'/></latency-histogram></statistics></driver>"
            "<target dev='vda'/></disk>"),
        VIR_ERR_XML_ERROR, "ascending");
    REFUSED(DOMAIN("<interface type='vhostuser'><source type='unix' path='/x'/></interface>"),
            VIR_ERR_XML_ERROR, "source/@mode: missing");
    REFUSED(DOMAIN("<pstore backend='acpi-erst'><path>/e</path></pstore>"), VIR_ERR_XML_ERROR,
            "'size/text()' is missing");
}

static void test_modes(void)
{
    static const char xml[] = "<domain type='qemu' id='4'><name>t</name><memory>1024</memory><os><type arch='x86_64'>hvm</type></os><devices>"
        "<disk><source file='/a' index='3'/><target dev='vda'/><alias name='virtio-disk0'/></disk>"
        "<disk><source file='/a'/><target dev='vdb'/><alias name='ua-mine'/></disk>"
        "<graphics type='vnc' passwd='secret'/></devices></domain>";
    g_autoptr(GError) err = NULL;
    g_autoptr(DomainDef) live = good(xml);
    DomainFormatContext ctx = { .id = 4 };

    g_autofree char *a = domain_format(live, 0, &ctx, &err);
    CHECK(strstr(a, "<domain type='qemu' id='4'>") && strstr(a, "virtio-disk0") && strstr(a, "ua-mine") && strstr(a, "index='3'"));
    CHECK(!strstr(a, "secret"));
    g_autofree char *b = domain_format(live, DOMAIN_FORMAT_INACTIVE | DOMAIN_FORMAT_SECURE, &ctx, &err);
    CHECK(!strstr(b, "id='4'") && !strstr(b, "virtio-disk0") && strstr(b, "ua-mine") && !strstr(b, "index='3'"));
    CHECK(strstr(b, "passwd='secret'"));
    g_autofree char *c = domain_format(live, 0, NULL, &err);
    CHECK(!strstr(c, "virtio-disk0"));
    /* From a client: what only running guests have is not taken over. */
    g_autoptr(DomainDef) inactive = parse(xml, DOMAIN_PARSE_INACTIVE, &err);
    CHECK(inactive && !domain_find_alias(inactive, "virtio-disk0") && domain_find_alias(inactive, "ua-mine"));
}

static void test_implied_devices(void)
{
    g_autoptr(DomainDef) d = good(DOMAIN("<disk><source file='/a'/><target dev='sdh'/></disk><disk device='cdrom'><target dev='hdc'/></disk>"
        "<console type='pty'/><channel type='unix'><target type='virtio' name='x'/></channel><interface type='user'/>"));
    guint i = 0;
    DiskDef *disk = domain_next(d, DEVICE_DISK, &i);

    CHECK(disk->bus == DISK_BUS_SCSI && disk->dev.info.address.u.drive.controller == 1 && disk->dev.info.address.u.drive.unit == 0);
    disk = domain_next(d, DEVICE_DISK, &i);
    CHECK(disk->bus == DISK_BUS_IDE && disk->readonly && disk->dev.info.address.u.drive.bus == 1);
    CHECK(domain_find_controller(d, CONTROLLER_SCSI, 0) && domain_find_controller(d, CONTROLLER_SCSI, 1));
    CHECK(domain_find_controller(d, CONTROLLER_IDE, 0) && domain_find_controller(d, CONTROLLER_VIRTIO_SERIAL, 0));
    CHECK(domain_count(d, DEVICE_SERIAL) == 1 && domain_count(d, DEVICE_CONSOLE) == 1);
    i = 0;
    NetDef *net = domain_next(d, DEVICE_INTERFACE, &i);
    CHECK(net->mac.set && net->mac.b[0] == 0x52 && net->mac.b[1] == 0x54 && net->mac.b[2] == 0);
    CHECK(d->uuid.set && d->uuid_generated && d->current_memory == 1024 && d->vcpus == 1 && list_len(d->os.boot) == 1);
}

static bool count_device(DomainDef *d, Device *dev, void *data, GError **err)
{
    ++*(int *)data;
    return true;
}

static bool add_balloon(DomainDef *d, void *data, GError **err)
{
    if (!domain_count(d, DEVICE_MEMBALLOON))
        (void)domain_add(d, DEVICE_MEMBALLOON);
    return true;
}

static bool refuse_two(const DomainDef *d, void *data, GError **err)
{
    error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "no");
    return false;
}

static void test_policy_hooks(void)
{
    static const char xml[] = DOMAIN("<disk><source file='/a'/><target dev='vda'/></disk><rng model='virtio'><backend model='random'/></rng>");
    ConfPolicy policy = { .name = "test", .device_defaults = count_device, .domain_defaults = add_balloon };
    g_autoptr(GError) err = NULL;
    int n = 0;

    g_autoptr(DomainDef) d = domain_parse(xml, strlen(xml), 0, &policy, &n, &err);
    CHECK(d && n == 3 && domain_count(d, DEVICE_MEMBALLOON) == 1);
    policy.domain_validate = refuse_two;
    CHECK(!domain_parse(xml, strlen(xml), 0, &policy, &n, &err) && err->code == VIR_ERR_CONFIG_UNSUPPORTED);
}

static void test_equal_names_the_difference(void)
{
    g_autoptr(DomainDef) a = good(DOMAIN("<disk><source file='/a'/><target dev='vda'/></disk><disk><source file='/a'/><target dev='vdb'/></disk>"));
    g_autoptr(DomainDef) b = domain_copy(a);
    g_autofree char *path = NULL, *path2 = NULL;

    CHECK(domain_equal(a, b, &path) && !path);
    domain_find_disk(b, "vdb")->cache = DISK_CACHE_NONE;
    CHECK(!domain_equal(a, b, &path) && strcmp(path, "devices/disk[2]/driver/@cache") == 0);
    CHECK(domain_abi_equal(a, b, NULL)); /* the guest cannot see the host's cache */
    domain_find_disk(b, "vdb")->bus = DISK_BUS_SATA;
    CHECK(!domain_abi_equal(a, b, &path2) && strcmp(path2, "devices/disk[2]/target/@bus") == 0);
}

static void test_peek(void)
{
    static const char xml[] = "<domain type='?'><devices><x/></devices><name>n</name><uuid>c7a5fdbd-edaf-9455-926a-d65c16db1809</uuid></domain>";
    g_autofree char *name = NULL;
    g_autoptr(GError) err = NULL;
    Uuid uuid;
    bool has;

    CHECK(domain_peek_identity(xml, strlen(xml), &name, uuid, &has, &err) && has && !strcmp(name, "n") && uuid[0] == 0xc7);
    CHECK(!domain_peek_identity("<domain/>", 9, &name, uuid, &has, &err) && err);
    g_clear_error(&err);
    g_clear_pointer(&name, g_free);
    /* Deeper elements of these names do not count; the first of several does. */
    static const char nested[] = "<domain><x><name>inner</name></x><name>outer<y>no</y></name><name>second</name></domain>";
    CHECK(domain_peek_identity(nested, strlen(nested), &name, uuid, &has, &err) && !has && !strcmp(name, "outer"));
    CHECK(!domain_peek_identity("<network/>", 10, &name, uuid, &has, &err) && strstr(err->message, "root element"));
    g_clear_error(&err);
    CHECK(!domain_peek_identity("<domain><name>x", 15, &name, uuid, &has, &err) && err);
    g_clear_error(&err);
    g_autofree char *huge = g_strnfill(10000, 'n'), *doc = g_strdup_printf("<domain><name>%s</name></domain>", huge);
    CHECK(!domain_peek_identity(doc, strlen(doc), &name, uuid, &has, &err) && err);
}

static void test_single_devices(void)
{
    static const char xml[] = "<disk type='file' device='disk'>\n  <source file='/x'/>\n  <target dev='vdz' bus='virtio'/>\n</disk>\n";
    g_autoptr(GError) err = NULL;
    g_autoptr(DomainDef) d = good(DOMAIN("<disk><source file='/a'/><target dev='vda'/></disk>"));
    g_autoptr(Device) dev = device_parse(xml, strlen(xml), DOMAIN_PARSE_INACTIVE, d, NULL, NULL, &err);

    CHECK(dev && dev->kind == DEVICE_DISK);
    g_autofree char *text = device_format(dev, 0, &err);
    CHECK(strcmp(text, xml) == 0);
    CHECK(!device_parse("<x/>", 4, 0, d, NULL, NULL, &err) && strstr(err->message, "unknown device type 'x'"));
    CHECK(domain_count(d, DEVICE_DISK) == 1);
}

static void expect(const char *xml, unsigned flags, const char *piece, bool there)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(DomainDef) d = parse(xml, flags, &err);
    g_autofree char *text = d ? domain_format(d, DOMAIN_FORMAT_STATUS, NULL, &err) : NULL;

    if (!text || !strstr(text, piece) == there)
        fprintf(stderr, "'%s' in %s\n", piece, text ? text : err->message);
    CHECK(text && !strstr(text, piece) != there);
}

static void test_spellings(void)
{
    expect(DOMAIN("<interface type='user'><rom enabled='no'/></interface>"), 0, "<rom enabled='no'/>", true);
    expect(DOMAIN("<filesystem type='ram'><source usage='2' units='MiB'/><target dir='/x'/></filesystem>"), 0,
           "<source usage='2048' units='KiB'/>", true);
    expect(DOMAIN("<disk><driver name='tap' type='aio'/><source file='/x'/><target dev='xvda' bus='xen'/></disk>"), 0,
           "<driver name='tap' type='raw'/>", true);
    expect(DOMAIN("<hostdev mode='subsystem' type='usb'><source><vendor id='1'/><product id='2'/></source></hostdev>"), 0,
           "<hostdev mode='subsystem' type='usb' managed='no'>", true);
#define LABEL(x) DOMAIN("<disk><source file='/x'>" x "</source><target dev='vda'/></disk>")
    expect(LABEL("<seclabel model='selinux' labelskip='yes'/>"), DOMAIN_PARSE_INACTIVE, "<seclabel", false);
    expect(LABEL("<seclabel model='selinux'><label>l</label></seclabel>"), 0, "<seclabel model='selinux'>", true);
    expect(LABEL("<seclabel model='dac' relabel='no'/>"), 0, "<seclabel model='dac' relabel='no'/>", true);
#undef LABEL
    static const char live[] = "<domain type='qemu' id='3'><name>t</name><memory>1024</memory><os><type>hvm</type></os><devices><disk>"
        "<source file='/x'><seclabel model='selinux' labelskip='yes'/></source><mirror type='file' job='copy'><format type='qcow2'>"
        "<metadata_cache><max_size unit='KiB'>2</max_size></metadata_cache></format><source file='/y'/></mirror><target dev='vda'/></disk></devices></domain>";
    expect(live, 0, "<seclabel model='selinux' labelskip='yes'/>", true);
    expect(live, 0, "<max_size unit='bytes'>2048</max_size>", true);
    expect(live, DOMAIN_PARSE_INACTIVE, "<mirror", false);
}

static void test_kinds_of_documents(void)
{
    static const struct { const char *xml, *kind; } t[] = {
        { "<domain/>", "domain" }, { "<cpu><arch>x86_64</arch></cpu>", "hostcpu" }, { "<cpu mode='host-model'/>", "cpu" },
        { "<interface type='bridge' name='br0'/>", "interface" }, { "<interface type='bridge'/>", "device-interface" },
        { "<disk/>", "device-disk" }, { "<filter name='f'/>", "nwfilter" }, { "<colour/>", NULL },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(t); i++) {
        g_autoptr(XmlDoc) doc = xml_parse(t[i].xml, strlen(t[i].xml), NULL);
        const DocKind *k = doc_kind_of(xml_root(doc));
        CHECK(k ? t[i].kind && !strcmp(k->name, t[i].kind) : !t[i].kind);
    }
    static const char disk[] = "<disk type='file' device='disk'>\n  <source file='/x'/>\n  <target dev='vdz' bus='virtio'/>\n</disk>\n";
    const DocKind *k = doc_kind_find("device-disk"), *other = doc_kind_find("device-interface");
    g_autoptr(GError) err = NULL;
    void *def = doc_parse(k, disk, strlen(disk), DOMAIN_PARSE_STRICT, &err);
    g_autofree char *text = def ? doc_format(k, def, 0, &err) : NULL;
    CHECK(text && !strcmp(text, disk));
    doc_free(k, def);
    CHECK(!doc_parse(other, disk, strlen(disk), 0, &err) && strstr(err->message, "expected <interface>"));
    /* A document of a running guest stays one. */
    static const char live[] = "<domain type='qemu' id='5'><name>t</name><memory>1024</memory><os><type>hvm</type></os></domain>";
    k = doc_kind_find("domain");
    def = doc_parse(k, live, strlen(live), 0, NULL);
    g_autofree char *again = doc_format(k, def, 0, NULL), *stored = doc_format(k, def, DOMAIN_FORMAT_INACTIVE, NULL);
    CHECK(strstr(again, "<domain type='qemu' id='5'>") && strstr(stored, "<domain type='qemu'>"));
    doc_free(k, def);
}

static void test_layout(void)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(DomainDef) d = good("<domain type='qemu'><name>a&amp;b</name><uuid>c7a5fdbd-edaf-9455-926a-d65c16db1809</uuid><memory unit='MiB'>1</memory>"
        "<os><type arch='x86_64' machine='pc'>hvm</type></os><devices><emulator>/q</emulator></devices></domain>");
    g_autofree char *text = domain_format(d, 0, NULL, &err);

    CHECK(strcmp(text,
        "<domain type='qemu'>\n  <name>a&amp;b</name>\n  <uuid>c7a5fdbd-edaf-9455-926a-d65c16db1809</uuid>\n"
        "  <memory unit='KiB'>1024</memory>\n  <currentMemory unit='KiB'>1024</currentMemory>\n"
        "  <vcpu placement='static'>1</vcpu>\n  <os>\n    <type arch='x86_64' machine='pc'>hvm</type>\n    <boot dev='hd'/>\n  </os>\n"
        "  <clock offset='utc'/>\n  <on_poweroff>destroy</on_poweroff>\n  <on_reboot>restart</on_reboot>\n  <on_crash>destroy</on_crash>\n"
        "  <devices>\n    <emulator>/q</emulator>\n  </devices>\n</domain>\n") == 0);
}

static void test_what_never_counted_is_not_kept(void)
{
    g_autoptr(DomainDef) d = good(
        "<domain type='test'><name>a</name><memory>1024</memory><vcpu placement='auto'>2</vcpu><os><type>hvm</type></os><cpu/>"
        "<memtune><hard_limit>9007199254740991</hard_limit></memtune>"
        "<cputune><vcpusched vcpus='0-1' scheduler='fifo' priority='0'/></cputune>"
        "<metadata><plain/><x:a xmlns:x='urn:a'>1</x:a><y:b xmlns:y='urn:a'>2</y:b></metadata>"
        "<devices><redirfilter><usbdev version='9.4' allow='yes'/></redirfilter>"
        "<interface type='user'><model type='e1000'/><driver name='vhost' queues='5'/></interface></devices></domain>");
    g_autofree char *out = domain_format(d, 0, NULL, NULL);
    static const char *const there[] = { "<memory mode='strict' placement='auto'/>", "vcpus='0' ", "vcpus='1' ", "version='9.40'",
                                         "xmlns:x=\"urn:a\"" };
    static const char *const gone[] = { "memtune", "<cpu>", "<cpu/>", "<plain", "urn:b'", "<y:b", "queues", "vhost", "vcpus='0-1'" };

    for (unsigned i = 0; i < G_N_ELEMENTS(there); i++) {
        if (!strstr(out, there[i]))
            fprintf(stderr, "no %s in\n%s\n", there[i], out);
        CHECK(strstr(out, there[i]));
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(gone); i++)
        CHECK(!strstr(out, gone[i]));
}

static void test_parts_need_each_other(void)
{
    static const struct { const char *devices, *word; int code; } rows[] = {
        { "<vsock><address type='unassigned'/></vsock>", "vsock: an address of type 'unassigned'" },
        { "<smartcard mode='host'><address type='isa'/></smartcard>", "'isa' is not possible" },
        { "<input type='tablet' bus='usb'><address type='isa'/></input>", "'isa' is not possible" },
        { "<iommu model='intel'><address type='pci'/></iommu>", "'pci' is not possible" },
        { "<iommu model='virtio'><driver eim='on'/></iommu>", "model 'virtio' does not have" },
        { "<input type='mouse' bus='xen'/>", "bus 'xen'" },
        { "<input type='mouse' bus='usb' model='virtio'/>", "needs bus 'virtio'" },
        { "<video><driver packed='on'/><model type='vga'/></video>", "driver option packed" },
        { "<video><model type='vmvga'><resolution x='2' y='2'/></model></video>", "resolution" },
        { "<parallel type='spicevmc'/>", "virtio channels" },
        { "<sound model='ac97'><audio id='3'/></sound>", "id 3" },
        { "<graphics type='rdp'><listen type='none'/></graphics>", "listen type 'none'" },
        { "<shmem name='a'><msi/></shmem>", "msi needs a server" },
        { "<vsock><cid auto='no' address='2'/></vsock>", "3 or above" },
        { "<controller type='sata'><driver iothread='1'/></controller>", "iothread" },
        { "<filesystem><source dir='/a'/><target dir='a'/><boot order='1'/></filesystem>", "boot order" },
        { "<hostdev mode='subsystem' type='pci'><source startupPolicy='mandatory'><address bus='1'/></source></hostdev>", "startupPolicy" },
        { "<hostdev mode='subsystem' type='pci'><source><address bus='1'/></source><rom enabled='no' bar='on'/></hostdev>", "rom:" },
        { "<interface type='ethernet'><ip address='192.0.2.1' peer='::1'/></interface>", "invalid peer", VIR_ERR_XML_ERROR },
        { "<interface type='ethernet'><route address='192.0.2.1' prefix='24' gateway='192.0.2.2'/></interface>", "not the address of a network", VIR_ERR_XML_ERROR },
        { "<interface type='ethernet'><bandwidth classID='2'/></interface>", "@classID" },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *xml = g_strconcat(HEAD "<devices>\n", rows[i].devices, "</devices>\n</domain>", NULL);
        REFUSED(xml, rows[i].code ? rows[i].code : VIR_ERR_CONFIG_UNSUPPORTED, rows[i].word);
    }
}

static void test_what_says_nothing_is_not_shown(void)
{
    g_autoptr(DomainDef) d = good(
        HEAD "<blkiotune><device><path>/a</path></device></blkiotune><genid/><devices><redirfilter/>"
        "<graphics type='spice' connected='keep' passwdValidTo='never'><channel name='main' mode='any'/></graphics>"
        "<memballoon model='none'><address type='pci' slot='5'/></memballoon><video><model type='none' heads='4'/></video>"
        "<hub type='usb'><address type='isa'/></hub><serial type='pty'><source><seclabel relabel='no'/></source></serial>"
        "<sound model='sb16'><codec type='micro'/></sound><filesystem><driver format='iso'/><source dir='/a'/><target dir='b'/></filesystem>"
        "<tpm><backend type='passthrough'/></tpm><vsock/><interface type='user'><ip address='192.0.2.1'/>"
        "<virtualport type='midonet'><parameters interfaceid='7DBDCDBB6CD74DB4BCB44A85AB7A7BAE'/></virtualport></interface></devices></domain>");
    g_autofree char *out = domain_format(d, DOMAIN_FORMAT_SECURE, NULL, NULL);
    static const char *const there[] = { "<cid auto='yes'/>", "/dev/tpm0", "family='ipv4'", "7dbdcdbb-6cd7-4db4-bcb4-4a85ab7a7bae", "<genid>" };
    static const char *const gone[] = { "blkiotune", "redirfilter", "connected", "passwdValidTo", "<channel", "slot=", "heads", "codec", "'iso'", "type='isa'", "seclabel" };

    for (unsigned i = 0; i < G_N_ELEMENTS(there); i++)
        CHECK(strstr(out, there[i]));
    for (unsigned i = 0; i < G_N_ELEMENTS(gone); i++)
        CHECK(!strstr(out, gone[i]));
}

int main(void)
{
    test_parts_need_each_other();
    test_what_says_nothing_is_not_shown();
    test_errors_name_their_place();
    test_functions_of_a_usb_chip_share_an_index();
    test_unknown_and_unsupported_words();
    test_modes();
    test_newer_words();
    test_implied_devices();
    test_policy_hooks();
    test_equal_names_the_difference();
    test_peek();
    test_single_devices();
    test_spellings();
    test_kinds_of_documents();
    test_layout();
    test_what_never_counted_is_not_kept();
    return 0;
}
