/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit test: defaults, addresses, aliases and command line, on an emulator made up here. The recorded
 * command lines of tests/conformance/run test the breadth; these are the rules that must not move. */
#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "conf/domain.h"
#include "drivers/qemu/address.h"
#include "drivers/qemu/alias.h"
#include "drivers/qemu/cmdline.h"
#include "drivers/qemu/defaults.h"
#include "drivers/qemu/native.h"
#include "drivers/qemu/prepare.h"
#include "drivers/qemu/props.h"
#include "util/api.h"
#include "util/error.h"
#include "util/json.h"

static QemuCaps *caps;

static QemuCaps *make_caps(void)
{
    static const QemuCap flags[] = {
        QEMU_CAP_PIIX3_USB_UHCI, QEMU_CAP_DEVICE_QEMU_XHCI, QEMU_CAP_DEVICE_PCIE_ROOT_PORT, QEMU_CAP_DEVICE_PCIE_PCI_BRIDGE,
        QEMU_CAP_DEVICE_CIRRUS_VGA, QEMU_CAP_DEVICE_RTL8139, QEMU_CAP_SCSI_LSI, QEMU_CAP_SECCOMP_SANDBOX, QEMU_CAP_TCG, QEMU_CAP_VIRTIO_PCI_TRANSITIONAL,
        QEMU_CAP_DEVICE_JSON, QEMU_CAP_NETDEV_JSON, QEMU_CAP_OBJECT_JSON, QEMU_CAP_NO_ACPI,
    };
    QemuCaps *c = qemu_caps_new("/usr/bin/qemu-system-x86_64", "x86_64");
    c->version = 7002000;
    for (unsigned i = 0; i < G_N_ELEMENTS(flags); i++)
        qemu_caps_set(c, flags[i]);
    qemu_caps_add_cpu(c, QEMU_ACCEL_TCG, "qemu64")->type_name = g_strdup("qemu64-x86_64-cpu");
    static const char *const machines[][2] = { { "pc-i440fx-7.2", "pc" }, { "pc-q35-7.2", "q35" } };
    for (unsigned i = 0; i < 2; i++) {
        QemuMachine *m = qemu_caps_add_machine(c, QEMU_ACCEL_TCG, machines[i][0]);
        m->alias = g_strdup(machines[i][1]);
        m->default_cpu = g_strdup("qemu64-x86_64-cpu");
        m->default_ram_id = g_strdup("pc.ram");
        m->is_default = i == 0;
    }
    return c;
}

static QemuCaps *lookup(void *opaque, const char *emulator, const char *arch, const char *virt)
{
    return qemu_caps_ref(caps);
}

static const char *emulator(void *opaque, const char *arch)
{
    return "/usr/bin/qemu-system-x86_64";
}

static QemuPolicyData policy_data = { .lookup_caps = lookup, .emulator = emulator, .host_arch = "x86_64" };

static DomainDef *parse(const char *machine, const char *devices, GError **err)
{
    g_autofree char *xml = g_strdup_printf(
        "<domain type='qemu'><name>t</name><uuid>c7a5fdbd-edaf-9455-926a-d65c16db1809</uuid><memory unit='KiB'>219100</memory>"
        "<os><type arch='x86_64' machine='%s'>hvm</type></os><devices>%s</devices></domain>", machine, devices);
    return domain_parse(xml, strlen(xml), DOMAIN_PARSE_INACTIVE, &qemu_policy, &policy_data, err);
}

static DomainDef *parse_ok(const char *machine, const char *devices)
{
    g_autoptr(GError) err = NULL;
    DomainDef *d = parse(machine, devices, &err);
    if (!d)
        fprintf(stderr, "%s\n", err->message);
    assert(d);
    return d;
}

static void *nth(const DomainDef *d, DeviceKind kind, unsigned n)
{
    guint pos = 0;
    void *dev = domain_next(d, kind, &pos);
    while (dev && n--)
        dev = domain_next(d, kind, &pos);
    assert(dev);
    return dev;
}

static void assert_pci(const Device *dev, unsigned bus, unsigned slot, unsigned function)
{
    const PciAddress *a = &dev->info.address.u.pci;
    assert(dev->info.address.type == ADDRESS_PCI);
    if (a->bus != bus || a->slot != slot || a->function != function)
        fprintf(stderr, "%02x:%02x.%x, expected %02x:%02x.%x\n", a->bus, a->slot, a->function, bus, slot, function);
    assert(a->bus == bus && a->slot == slot && a->function == function);
}

#define DISK "<disk type='file' device='disk'><source file='/d'/><target dev='vda' bus='virtio'/></disk>"
#define NIC "<interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface>"

static void test_pc(void)
{
    g_autoptr(DomainDef) d = parse_ok("pc", DISK NIC "<graphics type='vnc'/><serial type='pty'/>");
    assert(!strcmp(d->os.machine, "pc-i440fx-7.2"));
    assert(domain_find_controller(d, CONTROLLER_PCI, 0)->model == PCI_ROOT);
    assert_pci(&domain_find_controller(d, CONTROLLER_USB, 0)->dev, 0, 1, 2);
    assert_pci(nth(d, DEVICE_VIDEO, 0), 0, 2, 0); /* the first card has its fixed place */
    assert_pci(nth(d, DEVICE_INTERFACE, 0), 0, 3, 0);
    assert_pci(nth(d, DEVICE_DISK, 0), 0, 4, 0);
    assert_pci(nth(d, DEVICE_MEMBALLOON, 0), 0, 5, 0);
    assert(((ChrDef *)nth(d, DEVICE_SERIAL, 0))->serial_model == SERIAL_MODEL_ISA_SERIAL);
    assert(((ChrDef *)nth(d, DEVICE_CONSOLE, 0))->is_serial_alias);
    assert(domain_count(d, DEVICE_INPUT) == 2);
    assert(!strcmp(d->cpu->model, "qemu64") && d->cpu->check == CPU_CHECK_NONE);
}

static void test_q35(void)
{
    g_autoptr(DomainDef) d = parse_ok("q35", DISK NIC);
    assert(domain_find_controller(d, CONTROLLER_PCI, 0)->model == PCIE_ROOT);
    assert_pci(&domain_find_controller(d, CONTROLLER_SATA, 0)->dev, 0, 0x1f, 2);
    assert_pci(nth(d, DEVICE_INTERFACE, 0), 1, 0, 0);
    assert_pci(&domain_find_controller(d, CONTROLLER_USB, 0)->dev, 2, 0, 0);
    assert_pci(nth(d, DEVICE_DISK, 0), 3, 0, 0);
    assert_pci(nth(d, DEVICE_MEMBALLOON, 0), 4, 0, 0);
    /* Root ports share a slot; one more than needed is there for hotplug. */
    const ControllerDef *port = domain_find_controller(d, CONTROLLER_PCI, 1), *spare = domain_find_controller(d, CONTROLLER_PCI, 5);
    assert_pci(&port->dev, 0, 1, 0);
    assert(port->dev.info.address.u.pci.multifunction == TRI_YES && port->port.v == 8 && port->chassis.v == 1);
    assert(spare);
    assert_pci(&spare->dev, 0, 1, 4);
    assert(!domain_find_controller(d, CONTROLLER_PCI, 6));
    /* A second pass, over what the first wrote, changes nothing. */
    g_autofree char *once = domain_format(d, DOMAIN_FORMAT_INACTIVE, NULL, NULL);
    g_autoptr(DomainDef) again = domain_parse(once, strlen(once), DOMAIN_PARSE_INACTIVE, &qemu_policy, &policy_data, NULL);
    assert(again && domain_count(again, DEVICE_CONTROLLER) == domain_count(d, DEVICE_CONTROLLER));
    assert_pci(nth(again, DEVICE_DISK, 0), 3, 0, 0);
}

/* A PCI card on a PCIe machine brings a bridge in a root port of its own. */
static void test_bridge(void)
{
    g_autoptr(DomainDef) d = parse_ok("q35", "<interface type='user'><mac address='52:54:00:00:00:01'/><model type='rtl8139'/></interface>");
    assert(domain_find_controller(d, CONTROLLER_PCI, 1)->model == PCIE_ROOT_PORT);
    const ControllerDef *bridge = domain_find_controller(d, CONTROLLER_PCI, 2);
    assert(bridge->model == PCIE_TO_PCI_BRIDGE);
    assert_pci(&bridge->dev, 1, 0, 0);
    assert_pci(nth(d, DEVICE_INTERFACE, 0), 2, 1, 0);
}

static void refused(const char *devices, const char *word)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(DomainDef) d = parse("pc", devices, &err);
    assert(!d && err);
    if (!strstr(err->message, word))
        fprintf(stderr, "'%s' does not say '%s'\n", err->message, word);
    assert(strstr(err->message, word));
}

#define AT(slot) "<address type='pci' domain='0' bus='0' slot='" slot "' function='0'/>"
static void test_refusals(void)
{
    refused("<interface type='user'>" AT("5") "</interface><memballoon model='virtio'>" AT("5") "</memballoon>", "Attempted double use of PCI Address");
    refused("<controller type='pci' index='1' model='pci-bridge'/><interface type='user'><address type='pci' bus='1' slot='0'/></interface>", "slot must be");
    refused("<controller type='ide' index='0'>" AT("7") "</controller>", "0:0:1.1");
    refused("<input type='tablet' bus='usb'><address type='usb' bus='4294967295' port='1'/></input>", "no bus");
    refused("<input type='tablet' bus='usb'><address type='usb' bus='0' port='1.1'/></input>", "no hub");
    refused("<iommu model='intel'/>", "q35");
    refused("<nvram/>", "nvram: only PPC64");
    refused("<graphics type='vnc' wait='yes'/>", "graphics/@wait is not supported");
    refused("<audio id='1' type='spice'/>", "needs SPICE graphics");
    refused("<interface type='vhostuser'><source type='unix' path='/a' mode='server'/><model type='e1000'/></interface>", "'e1000' is not possible");
    refused("<sound model='ich7'/>", "'ich7' is not supported");
    refused("<panic model='pseries'/>", "model 'pseries' is not for");
    refused("<panic model='isa'><address type='pci'/></panic>", "cannot have an address of type 'pci'");
    refused("<watchdog model='diag288'/>", "model 'diag288' is not for");
    refused("<watchdog model='ib700'>" AT("5") "</watchdog>", "cannot have an address");
    refused("<smartcard mode='host'><acpi index='7'/></smartcard>", "ACPI index");
    refused("<memballoon model='virtio'><address type='ccw'/></memballoon>", "CCW addresses");
    refused("<filesystem type='file'><source file='/a'/><target dir='a'/></filesystem>", "type 'file' is not supported");
    refused("<filesystem fmode='600'><source dir='/a'/><target dir='a'/></filesystem>", "accessmode 'mapped'");
    refused("<controller type='pci' index='0' model='pci-root'><model name='ioh3420'/></controller>", "model name 'ioh3420' is not for pci 0");
    refused("<controller type='pci' index='1' model='pci-bridge'><target port='1'/></controller>", "option 'port'");
    refused("<controller type='sata' index='0'><driver queues='2'/></controller>", "for virtio-scsi");
    refused("<channel type='spiceport'><source channel='a'/><target type='virtio' name='a'/></channel>", "needs SPICE graphics");
    refused("<serial type='pty'><target type='isa-serial'><model name='pci-serial'/></target></serial>", "target model 'pci-serial'");
    refused("<shmem name='a'><model type='ivshmem-doorbell'/></shmem>", "needs a server");
    refused("<video><model type='vga' heads='2'/></video>", "one head");
    refused("<interface type='ethernet'><ip address='192.0.2.1'/></interface>", "cannot set addresses");

    refused("<shmem name='a'><model type='ivshmem-doorbell'/><size unit='M'>4</size><server/></shmem>", "does not support size");
    refused("<video><model type='qxl'><acceleration accel3d='yes'/></model></video>", "only with 'virtio'");
    refused("<input type='passthrough' bus='virtio' model='virtio-transitional'><source evdev='/e'/></input>", "transitional");
    refused("<interface type='user'><model type='e1000'/><driver iommu='on'/></interface>", "for virtio devices only");
    refused("<interface type='user'><port isolated='yes'/></interface>", "isolated='yes'");
    refused("<tpm model='tpm-crb'><backend type='emulator' version='1.2'/></tpm>", "TPM 1.2");
    refused("<smartcard mode='host'><address type='ccid' controller='0' slot='1'/></smartcard>", "multiple smartcard");
    refused("<controller type='usb' model='piix3-uhci' ports='4'/>", "'ports'");
    refused("<controller type='scsi' model='virtio-scsi'><driver iothread='1'/></controller>", "iothread '1' not defined");

    static const char *const guests[][2] = {
        { "<memtune><min_guarantee>1</min_guarantee></memtune>", "min_guarantee" },
        { "<vcpu>2</vcpu><vcpus><vcpu id='1' enabled='yes'/></vcpus>", "vcpu 0 can't be offline" },
        { "<clock offset='utc'><timer name='armvtimer'/></clock>", "'armvtimer' timer" },
        { "<cpu mode='host-model'><cache mode='passthrough'/></cpu>", "'host-passthrough'" },
        { "<cpu mode='host-model'><cache mode='emulate'/></cpu>", "level='3'" },
        { "<cputune><emulator_period>7</emulator_period></cputune>", "'emulator_period' must be in range" },
        { "<keywrap><cipher name='aes' state='on'/></keywrap>", "aes-key-wrap" },
        { "<launchSecurity type='s390-pv'/>", "S390 PV" },
        { "<sysinfo type='smbios'><bios><entry name='date'>yesterday</entry></bios></sysinfo>", "'date' format" },
        { "<capabilities xmlns='http://libvirt.org/schemas/domain/qemu/1.0'><add capability='wings'/></capabilities>", "'wings'" },
        { "<commandline xmlns='http://libvirt.org/schemas/domain/qemu/1.0'><env name='7up'/></commandline>", "Invalid environment name" },
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(guests); i++) {
        g_autoptr(GError) err = NULL;
        g_autofree char *after = g_strconcat("</devices>", guests[i][0], "<devices>", NULL);
        g_autoptr(DomainDef) d = parse("pc", after, &err);
        if (d || !strstr(err->message, guests[i][1]))
            fprintf(stderr, "%s: %s\n", guests[i][0], d ? "accepted" : err->message);
        assert(!d && strstr(err->message, guests[i][1]));
    }

    GString *many = g_string_new(NULL);
    for (unsigned i = 0; i < 5000; i++)
        g_string_append(many, "<rng model='virtio'><backend model='random'/></rng>");
    refused(many->str, "at most");
    g_string_free(many, TRUE);
}

static int fake_fd(void *opaque, QemuFdRole role, const Device *dev, unsigned index, GError **err)
{
    return 100 + (int)role;
}

static bool fake_secret(void *opaque, const SecretRef *ref, const char *alias, char **ret_data, char **ret_iv, GError **err)
{
    assert(ref->uuid.set);
    *ret_data = g_strdup("data");
    *ret_iv = g_strdup("iv");
    return true;
}

static char *argv_text(DomainDef *d, GError **err)
{
    QemuRun run = { .id = 3, .channel_dir = "/c" };
    QemuCmdlineContext ctx = { .id = 3, .lib_dir = "/l", .fd = fake_fd, .secret = fake_secret, .memory_backing_dir = "/ram" };
    g_autoptr(GPtrArray) argv = NULL, env = NULL;
    if (!qemu_prepare_run(d, caps, &run, err) || !qemu_cmdline_build(d, caps, &ctx, &argv, &env, err))
        return NULL;
    assert(argv->pdata[argv->len - 1] == NULL && env->pdata[env->len - 1] == NULL);
    for (unsigned i = 0; i + 1 < argv->len; i++) { /* every JSON argument is JSON */
        const char *a = argv->pdata[i];
        if (*a == '{') {
            g_autoptr(JsonObject) o = json_parse("argument", a, strlen(a), NULL, NULL);
            assert(o);
        }
    }
    return g_strjoinv(" ", (char **)argv->pdata);
}

static void has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fprintf(stderr, "not there: %s\nin: %s\n", part, text);
    assert(strstr(text, part));
}

#define SECRET(digit) "<secret type='passphrase' uuid='0a81f5b2-8403-7b23-c8d6-21ccc2f80d6" digit "'/>"

static void test_argv(void)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(DomainDef) d = parse_ok("pc", DISK NIC "<serial type='pty'/><channel type='unix'><target type='virtio' name='a.b'/></channel>"
                                            "<disk type='file' device='cdrom'><target dev='hdc' bus='ide'/></disk>");
    g_autofree char *text = argv_text(d, &err);
    assert(text && !err);
    /* The RAM object must have the size that -m says, whatever the document's KiB are. */
    has(text, "-m 214 -object {\"qom-type\":\"memory-backend-ram\",\"id\":\"pc.ram\",\"size\":224395264}");
    has(text, "-machine pc-i440fx-7.2,usb=off,dump-guest-core=off,memory-backend=pc.ram -accel tcg -cpu qemu64");
    has(text, "{\"driver\":\"file\",\"filename\":\"/d\",\"node-name\":\"libvirt-2-storage\",\"auto-read-only\":true,\"discard\":\"unmap\"}");
    has(text, "\"drive\":\"libvirt-2-format\",\"id\":\"virtio-disk0\",\"bootindex\":1}");
    has(text, "{\"driver\":\"ide-cd\",\"bus\":\"ide.1\",\"unit\":0,\"id\":\"ide0-1-0\"}");
    has(text, "-netdev {\"type\":\"user\",\"id\":\"hostnet0\"}");
    has(text, "-chardev socket,id=charmonitor,fd=100,server=on,wait=off");
    has(text, "-chardev socket,id=charchannel0,fd=101,server=on,wait=off");
    assert(!strcmp(((ChrDef *)nth(d, DEVICE_CHANNEL, 0))->src.path, "/c/domain-3-t/a.b"));
    assert(!strcmp(((Device *)nth(d, DEVICE_CONSOLE, 0))->info.alias, "serial0"));
}

#define QEMU_NS " xmlns='http://libvirt.org/schemas/domain/qemu/1.0'"
static void test_defaults_of_kinds(void)
{
    g_autoptr(GError) err = NULL;
    /* Two LUNs of the host find their places beside a disk's. */
    g_autoptr(DomainDef) d = parse_ok("pc", "<disk type='file' device='disk'><source file='/d'/><target dev='sda' bus='scsi'/></disk>"
                                            "<hostdev mode='subsystem' type='scsi'><source protocol='iscsi' name='a'><host name='h'/></source></hostdev>"
                                            "<hostdev mode='subsystem' type='scsi'><source protocol='iscsi' name='b'><host name='h'/></source></hostdev>");
    for (unsigned i = 0; i < 2; i++) {
        const DeviceAddress *a = &((Device *)nth(d, DEVICE_HOSTDEV, i))->info.address;
        assert(a->type == ADDRESS_DRIVE && a->u.drive.controller == 0 && a->u.drive.unit == i + 1);
    }

    g_autoptr(DomainDef) e = parse_ok("pc", "<shmem name='x'><model type='ivshmem-doorbell'/><server/></shmem>"
                                            "<filesystem multidevs='remap'><driver type='path' wrpolicy='immediate'/><source dir='/a'/><target dir='a'/><readonly/></filesystem>"
                                            "</devices><deprecation behavior='omit'" QEMU_NS "/><devices>");
    g_autofree char *text = argv_text(e, &err);
    assert(text);
    has(text, "-chardev socket,id=charshmem0,path=/var/lib/libvirt/shmem-x-sock");
    has(text, "\"chardev\":\"charshmem0\",\"ioeventfd\":true");
    has(text, "multidevs=remap,writeout=immediate,id=fsdev-fs0,path=/a,readonly");
    has(text, "-compat {\"deprecated-output\":\"hide\"}");

    g_autoptr(DomainDef) v = parse_ok("pc", "<graphics type='vnc' autoport='no'/>");
    g_autofree char *none = argv_text(v, &err);
    assert(!none && strstr(err->message, "vnc port"));
}

/* The word of documents is not the emulator's. */
static void test_formats(void)
{
    static const char *const words[][2] = { { "vhd", "vhdx" }, { "vpc", "vpc" }, { "ploop", "parallels" } };

    for (unsigned i = 0; i < G_N_ELEMENTS(words); i++) {
        g_autofree char *disk = g_strdup_printf("<disk type='file' device='disk'><driver name='qemu' type='%s'/><source file='/f'/>"
                                                "<target dev='vda' bus='virtio'/></disk>", words[i][0]);
        g_autofree char *driver = g_strdup_printf("\"driver\":\"%s\",\"file\":\"libvirt-1-storage\"", words[i][1]);
        g_autoptr(DomainDef) d = parse_ok("pc", disk);
        g_autofree char *text = argv_text(d, NULL);
        assert(text);
        has(text, driver);
    }
}

/* The library decrypts an image of Ceph; for the emulator it is a raw one. */
static void test_librbd(void)
{
    static const char rbd[] = "<disk type='network' device='disk'><driver name='qemu' type='raw'/><source protocol='rbd' name='p/i'>"
                              "<host name='h'/><encryption format='%s' engine='librbd'>%s</encryption></source>"
                              "<target dev='vda' bus='virtio'/></disk>";
    static const char file[] = "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='/f'>"
                               "<encryption format='%s' engine='%s'>" SECRET("1") "</encryption></source>"
                               "<target dev='vda' bus='virtio'/></disk>";
    const struct {
        const char *disk, *format, *rest, *expect; /* expect: of a refusal, when there is no '{' in it */
    } cases[] = {
        { rbd, "luks", SECRET("1"), "\"encrypt\":{\"format\":\"luks\",\"key-secret\":\"libvirt-1-format-encryption-secret0\"}" },
        { rbd, "luks2", SECRET("1"), "\"encrypt\":{\"format\":\"luks2\",\"key-secret\":\"libvirt-1-format-encryption-secret0\"}" },
        { rbd, "luks", SECRET("1") SECRET("2"), "takes one secret, found 2" },
        { rbd, "qcow", SECRET("1"), "only supports luks/luks2" },
        { file, "luks", "librbd", "only with RBD backed disks" },
        { file, "luks2", "qemu", "luks2 is currently not supported" },
    };

    for (int can = 0; can <= 1; can++) {
        for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
            g_autoptr(GError) err = NULL;
            g_autoptr(GString) disk = g_string_new(cases[i].disk);
            (void)g_string_replace(disk, "%s", cases[i].format, 1);
            (void)g_string_replace(disk, "%s", cases[i].rest, 1);
            g_autoptr(DomainDef) d = parse_ok("pc", disk->str);
            g_autofree char *text = argv_text(d, &err);
            if (!can && cases[i].disk == rbd) {
                assert(!text && strstr(err->message, "not supported by this QEMU binary"));
            } else if (strchr(cases[i].expect, '{')) {
                assert(text);
                has(text, cases[i].expect);
                has(text, "\"driver\":\"raw\",\"file\":\"libvirt-1-storage\"");
            } else {
                assert(!text);
                has(err->message, cases[i].expect);
            }
        }
        qemu_caps_set(caps, QEMU_CAP_RBD_ENCRYPTION);
    }
}

/* The user knows better what the emulator can. */
static void test_told_capabilities(void)
{
    g_autoptr(DomainDef) with = parse_ok("pc", DISK "</devices><clock offset='utc'><timer name='pit' tickpolicy='delay'/></clock>"
                                               "<capabilities" QEMU_NS "><add capability='kvm-pit-lost-tick-policy'/></capabilities><devices>");
    g_autofree char *text = argv_text(with, NULL);
    assert(text);
    has(text, "kvm-pit.lost_tick_policy=delay");
}

/* Text of the user never becomes an option of its own. */
static void test_escape(void)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(DomainDef) d = parse_ok("pc", DISK);
    g_free(d->name);
    d->name = g_strdup("a,process=evil");
    g_autofree char *text = argv_text(d, &err);
    assert(text);
    has(text, "guest=a,,process=evil,debug-threads=on");
}

static void test_unsupported(void)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(DomainDef) d = parse_ok("pc", "<disk type='volume' device='disk'><source pool='p' volume='v'/><target dev='vda' bus='virtio'/></disk>");
    g_autofree char *text = argv_text(d, &err);
    assert(!text && error_is(err, VIR_ERR_CONFIG_UNSUPPORTED));
    has(err->message, "volume 'v'");
}

static bool no_node(unsigned node)
{
    return node == 0;
}

static void test_host_nodes(void)
{
    g_autoptr(GError) err = NULL;
#define NUMA(nodes) "<domain type='qemu'><name>n</name><memory>65536</memory><numatune><memory mode='strict' nodeset='" nodes "'/></numatune>" \
                    "<os><type arch='x86_64' machine='pc'>hvm</type></os></domain>"
    static const char *const doc[] = { NUMA("0"), NUMA("0-1") };
    for (unsigned node = 0; node < 2; node++) {
        g_autofree char *xml = g_strdup(doc[node]);
        QemuRun run = { .id = -1 };
        QemuCmdlineContext ctx = { .host_node = no_node };
        g_autofree char *text = qemu_native_argv(xml, strlen(xml), &policy_data, &run, &ctx, "/l", true, &err);
        assert((text == NULL) == (node == 1));
    }
    has(err->message, "NUMA node 1");
}

/* Older emulators take text where newer ones take JSON: the same members, numbers in sets as ranges. */
static void test_text_props(void)
{
    static const char json[] = "{\"driver\":\"x\",\"on\":true,\"off\":false,\"n\":7,\"path\":\"a,b\",\"nodes\":[1,2,3,5],"
                               "\"sub\":{\"k\":\"v\"},\"fwd\":[{\"str\":\"one\"},{\"str\":\"two\"}]}";
    g_autoptr(JsonObject) o = json_parse("test", json, strlen(json), NULL, NULL);
    g_autofree char *text = props_text(o, "driver");
    assert(!strcmp(text, "x,on=on,off=off,n=7,path=a,,b,nodes=1-3,nodes=5,sub.k=v,fwd=one,fwd=two"));
}

static void test_native(void)
{
    g_autoptr(GError) err = NULL;
    static const char xml[] = "<domain type='qemu'><name>it's</name><memory unit='MiB'>64</memory><os><type arch='x86_64' machine='pc'>hvm</type></os>"
                              "<devices><graphics type='vnc'/><channel type='unix'><target type='virtio' name='a'/></channel></devices></domain>";
    QemuRun run = { .id = -1, .channel_dir = "/c" };
    QemuCmdlineContext ctx = { 0 };
    g_autofree char *text = qemu_native_argv(xml, strlen(xml), &policy_data, &run, &ctx, "/l", true, &err);
    assert(text && !err);
    has(text, "HOME='/l/domain--1-it'\\''s' \\\n");
    has(text, "\n/usr/bin/qemu-system-x86_64 \\\n-name 'guest=it'\\''s,debug-threads=on' \\\n-S \\\n");
    has(text, "socket,id=charmonitor,fd=3,");
    has(text, "socket,id=charchannel0,fd=4,");
    has(text, ":0"); /* the display got a port */
    assert(g_str_has_suffix(text, "\n") && !g_str_has_suffix(text, "\\\n"));
    g_autofree char *line = qemu_native_argv(xml, strlen(xml), &policy_data, &run, &ctx, "/l", false, &err);
    assert(strchr(line, '\n') == line + strlen(line) - 1);
}

int main(void)
{
    caps = make_caps();
    test_pc();
    test_q35();
    test_bridge();
    test_refusals();
    test_argv();
    test_defaults_of_kinds();
    test_formats();
    test_librbd();
    test_told_capabilities();
    test_escape();
    test_unsupported();
    test_text_props();
    test_native();
    test_host_nodes();
    qemu_caps_unref(caps);
    puts("cmdline: ok");
    return 0;
}
