/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Kinds of documents: samples that are written exactly as they were read (the files in
 * tests/fuzz/corpus/kinds, named by the first argument), what is refused and where the error says
 * it is, changes of sections of networks.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/domain.h"
#include "conf/host_interface.h"
#include "conf/network.h"
#include "conf/nwfilter.h"
#include "conf/secret.h"
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
    void *def = doc_parse(k, xml, strlen(xml), k->tool_parse | DOMAIN_PARSE_STRICT, err);
    char *out = def ? doc_format(k, def, k->tool_format, err) : NULL;
    if (def)
        doc_free(k, def);
    return out;
}

static void test_samples_are_written_as_they_were_read(const char *dir)
{
    static const struct { const char *file, *kind; } samples[] = {
        { "network.xml", "network" }, { "network-pool.xml", "network" }, { "port.xml", "networkport" },
        { "filter.xml", "nwfilter" }, { "binding.xml", "nwfilterbinding" }, { "interface.xml", "interface" },
        { "secret.xml", "secret" },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(samples); i++) {
        g_autofree char *path = g_build_filename(dir, samples[i].file, NULL), *xml = NULL;
        g_autoptr(GError) err = NULL;
        CHECK(g_file_get_contents(path, &xml, NULL, &err), "%s", err->message);
        g_autofree char *out = convert(samples[i].kind, xml, &err);
        CHECK(out, "%s: %s", path, err->message);
        CHECK(!strcmp(out, xml), "%s: %s", path, out);
    }
}

static void test_other_spellings_get_the_usual_one(void)
{
    static const struct { const char *kind, *in, *out; } t[] = {
        { "network", "<network><name>a</name><uuid>0d6f9a3c-51c2-4f43-9c9e-6a3a0b1c2d3e</uuid><forward/><ip address='10.0.0.1'/></network>",
          "<network>\n  <name>a</name>\n  <uuid>0d6f9a3c-51c2-4f43-9c9e-6a3a0b1c2d3e</uuid>\n  <forward mode='nat'/>\n"
          "  <bridge stp='on' delay='0'/>\n  <ip address='10.0.0.1'>\n  </ip>\n</network>\n" },
        { "nwfilter", "<filter name='f' chain='rarp-x'><uuid>0d6f9a3c-51c2-4f43-9c9e-6a3a0b1c2d3e</uuid><rule action='drop' direction='in'>"
          "<ip srcmacaddr='1:2:3:4:5:6' srcipmask='255.255.240.0' protocol='17' dscp='0x0A' dstportstart='$P[@0]'/></rule></filter>",
          "<filter name='f' chain='rarp-x' priority='-400'>\n  <uuid>0d6f9a3c-51c2-4f43-9c9e-6a3a0b1c2d3e</uuid>\n"
          "  <rule action='drop' direction='in' priority='500'>\n"
          "    <ip srcmacaddr='01:02:03:04:05:06' srcipmask='20' protocol='udp' dstportstart='$P' dscp='0xa'/>\n  </rule>\n</filter>\n" },
        { "nwfilter", "<filter name='f'><uuid>0d6f9a3c-51c2-4f43-9c9e-6a3a0b1c2d3e</uuid><rule action='drop' direction='in'>"
          "<all match='no'/></rule><rule action='drop' direction='in'><tcp match='yes' flags='syn/all' state='new,none'/></rule></filter>",
          "<filter name='f' chain='root'>\n  <uuid>0d6f9a3c-51c2-4f43-9c9e-6a3a0b1c2d3e</uuid>\n"
          "  <rule action='drop' direction='in' priority='500'>\n    <all/>\n  </rule>\n"
          "  <rule action='drop' direction='in' priority='500'>\n    <tcp state='NONE' flags='SYN/ALL'/>\n  </rule>\n</filter>\n" },
        { "secret", "<secret ephemeral='' private=''><uuid>0d6f9a3c51c24f439c9e6a3a0b1c2d3e</uuid></secret>",
          "<secret ephemeral='no' private='no'>\n  <uuid>0d6f9a3c-51c2-4f43-9c9e-6a3a0b1c2d3e</uuid>\n</secret>\n" },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(t); i++) {
        g_autoptr(GError) err = NULL;
        g_autofree char *out = convert(t[i].kind, t[i].in, &err);
        CHECK(out, "%s", err->message);
        CHECK(!strcmp(out, t[i].out), "%s", out);
    }
}

#define NET(x) "<network><name>n</name>" x "</network>"
#define RULE(x) "<filter name='f'>\n<rule action='drop' direction='in'>" x "</rule></filter>"
static void test_refusals_name_the_place_or_the_reason(void)
{
    static const struct { const char *kind, *in, *says; } t[] = {
        { "network", "<network/>", "'name/text()' is missing" },
        { "network", NET("\n<forward mode='natt'/>"), "line 2: network/forward/@mode: unknown value 'natt'" },
        { "network", NET("<forward mode='nat'/>"), "no IP address" },
        { "network", NET("<forward mode='passthrough'><interface dev='x'/><interface dev='x'/></forward>"), "'x' is listed twice" },
        { "network", NET("<forward mode='bridge'/><bridge name='b' delay='2'/>"), "delay" },
        { "network", NET("<ip address='10.0.0.1' prefix='24'><dhcp><range start='10.0.1.1' end='10.0.1.9'/></dhcp></ip>"), "outside of 10.0.0.1/24" },
        { "network", NET("<ip address='10.0.0.1' prefix='24'><dhcp><range start='10.0.0.9' end='10.0.0.2'/></dhcp></ip>"), "reversed" },
        { "network", NET("<ip address='10.0.0.1' prefix='24'><dhcp><host ip='10.0.0.2'/></dhcp></ip>"), "without mac and name" },
        { "network", NET("<ip address='10.0.0.1' prefix='24'/><route address='10.1.0.0' prefix='16' gateway='10.9.0.1'/>"), "cannot be reached" },
        { "network", NET("<ip address='10.0.0.400'/>"), "network/ip/@address: '10.0.0.400' is not a valid IP address" },
        { "network", NET("<ip/>"), "<ip> without address" },
        { "network", NET("<ip address='10.0.0.1'/><route address='192.168.5.0' gateway='10.0.0.3'/>"), "not the address of a network" },
        { "network", NET("<dns><srv service='a' protocol='tcp' port='7'/></dns>"), "without target" },
        { "network", NET("<vlan trunk='no'><tag id='1'/><tag id='2'/></vlan>"), "network/vlan/@trunk" },
        { "network", NET("<forward mode='vepa' dev='a'><pf dev='b'/></forward>"), "forward dev 'a' beside" },
        { "network", NET("<dns enable='no'><txt name='a' value='b'/></dns>"), "not enabled" },
        { "network", NET("<bandwidth><inbound average='1' floor='2'/></bandwidth>"), "floor" },
        { "network", NET("<colour/>"), "network/colour: unknown element" },
        { "nwfilter", RULE("<tcp dscp='64'/>"), "line 2: filter/rule/tcp/@dscp: '64' is not a valid number below 64" },
        { "nwfilter", RULE("<udp srcportstart='65536'/>"), "filter/rule/udp/@srcportstart" },
        { "nwfilter", RULE("<ip srcportstart='1'/>"), "needs one of the protocols" },
        { "nwfilter", RULE("<all-ipv6 srcipmask='129'/>"), "not a valid IPv6 mask" },
        { "nwfilter", RULE("<mac protocolid='0x5ff'/>"), "ethernet protocol" },
        { "nwfilter", RULE("<arp arpsrcipaddr='$A['/>"), "filter/rule/arp/@arpsrcipaddr" },
        { "nwfilter", "<filter name='f' chain='tcp'/>", "chain 'tcp'" },
        { "nwfilter", "<filter name='f'><rule action='drop' direction='in' priority='1001'/></filter>", "filter/rule/@priority: 1001 is out of range" },
        { "interface", "<interface type='bond' name='b'><bond><interface type='vlan' name='v'/></bond></interface>", "cannot be a port of a bond" },
        { "interface", "<interface type='vlan' name='b'/>", "'vlan' is missing" },
        { "secret", "<secret><usage type='volume'/></secret>", "'usage/volume/text()' is missing" },
        { "secret", "<secrets/>", "expected <secret>" },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(t); i++) {
        g_autoptr(GError) err = NULL;
        g_autofree char *out = convert(t[i].kind, t[i].in, &err);
        CHECK(!out, "accepted: %s", t[i].in);
        CHECK(strstr(err->message, t[i].says), "%s: %s", t[i].in, err->message);
    }
}

/* ---- sections of networks ---- */

static NetworkDef *sample_network(void)
{
    static const char xml[] = NET("<ip address='10.0.0.1' prefix='24'><dhcp><host mac='52:54:00:00:00:01' name='a' ip='10.0.0.11'/></dhcp></ip>"
                                  "<ip address='10.0.1.1' prefix='24'/>");
    g_autoptr(GError) err = NULL;
    NetworkDef *d = network_parse(xml, strlen(xml), 0, &err);
    CHECK(d, "%s", err->message);
    return d;
}

static int update(NetworkDef *d, unsigned command, unsigned section, int parent, const char *xml)
{
    g_autoptr(NetworkDef) before = network_copy(d);
    g_autoptr(GError) err = NULL;
    bool done = network_update(d, command, section, parent, xml, strlen(xml), &err);

    CHECK(done == !err, "%s", xml);
    CHECK(done || network_equal(before, d, NULL), "a refused change left a trace: %s", xml);
    return done ? 0 : error_code(err);
}

static void test_sections_change_one_by_one(void)
{
    g_autoptr(NetworkDef) d = sample_network();
    const NetworkIp *ip = list_at(d->ips, 0);
    enum { HOST = NETWORK_SECTION_IP_DHCP_HOST, RANGE = NETWORK_SECTION_IP_DHCP_RANGE, SRV = NETWORK_SECTION_DNS_SRV };

    CHECK(!update(d, NETWORK_ADD_FIRST, HOST, -1, "<host mac='52:54:00:00:00:02' ip='10.0.0.12'/>"), "add");
    ip = list_at(d->ips, 0);
    CHECK(!strcmp(((DhcpHost *)list_at(ip->hosts, 0))->ip, "10.0.0.12"), "not first");
    CHECK(update(d, NETWORK_ADD_LAST, HOST, 0, "<host mac='52:54:0:0:0:2' ip='10.0.0.13'/>") == VIR_ERR_OPERATION_INVALID, "same mac");
    CHECK(update(d, NETWORK_ADD_LAST, HOST, 1, "<host mac='52:54:00:00:00:09' ip='10.0.1.13'/>") == VIR_ERR_OPERATION_INVALID, "second dhcp");
    CHECK(update(d, NETWORK_ADD_LAST, HOST, 7, "<host mac='52:54:00:00:00:09' ip='10.0.0.13'/>") == VIR_ERR_OPERATION_INVALID, "no such ip");
    CHECK(!update(d, NETWORK_MODIFY, HOST, 0, "<host mac='52:54:00:00:00:02' name='b' ip='10.0.0.14'/>"), "modify");
    ip = list_at(d->ips, 0);
    CHECK(!g_strcmp0(((DhcpHost *)list_at(ip->hosts, 0))->name, "b"), "not modified");
    CHECK(!update(d, NETWORK_DELETE, HOST, -1, "<host ip='10.0.0.11'/>"), "delete by ip");
    CHECK(update(d, NETWORK_DELETE, HOST, -1, "<host ip='10.0.0.11'/>") == VIR_ERR_OPERATION_INVALID, "gone");
    ip = list_at(d->ips, 0);
    CHECK(list_len(ip->hosts) == 1, "%u", list_len(ip->hosts));

    CHECK(update(d, NETWORK_MODIFY, RANGE, -1, "<range start='10.0.0.2' end='10.0.0.9'/>") == VIR_ERR_OPERATION_INVALID, "modify");
    CHECK(!update(d, NETWORK_ADD_LAST, RANGE, -1, "<range start='10.0.0.2' end='10.0.0.9'/>"), "add");
    CHECK(update(d, NETWORK_ADD_LAST, RANGE, -1, "<range start='10.2.0.2' end='10.2.0.9'/>"), "outside");

    CHECK(!update(d, NETWORK_ADD_LAST, SRV, -1, "<srv service='x' protocol='tcp'/>"), "add");
    CHECK(!update(d, NETWORK_DELETE, SRV, -1, "<srv service='x'/>") && !d->dns, "an empty dns stays");
    CHECK(update(d, NETWORK_DELETE, NETWORK_SECTION_BRIDGE, -1, "<bridge/>") == VIR_ERR_NO_SUPPORT, "bridge");
    CHECK(update(d, 9, SRV, -1, "<srv service='x'/>") == VIR_ERR_NO_SUPPORT, "command");
    CHECK(update(d, NETWORK_ADD_LAST, SRV, -1, "<txt name='x'/>") == VIR_ERR_XML_ERROR, "other element");
    CHECK(!update(d, NETWORK_ADD_LAST, NETWORK_SECTION_PORTGROUP, -1, "<portgroup name='p' default='yes'/>"), "add");
    CHECK(update(d, NETWORK_ADD_LAST, NETWORK_SECTION_PORTGROUP, -1, "<portgroup name='q' default='yes'/>") == VIR_ERR_OPERATION_INVALID, "two defaults");
}

static void test_identities(void)
{
    g_autoptr(GError) err = NULL;
    g_autofree char *name = NULL, *filter = NULL, *mac = NULL, *ifname = NULL;
    Uuid uuid;
    bool has = true;
    static const char net[] = NET(""), f[] = RULE(""), i[] = "<interface type='ethernet' name='e'><mac address='x'/></interface>";

    CHECK(network_peek_identity(net, strlen(net), &name, uuid, &has, &err) && !strcmp(name, "n") && !has, "network");
    CHECK(nwfilter_peek_identity(f, strlen(f), &filter, uuid, &has, &err) && !strcmp(filter, "f") && !has, "filter");
    CHECK(hostif_peek_identity(i, strlen(i), &ifname, &mac, &err) && !strcmp(ifname, "e") && !strcmp(mac, "x"), "interface");
    CHECK(!network_peek_identity(f, strlen(f), &name, uuid, &has, &err), "a filter is no network");
}

int main(int argc, char **argv)
{
    CHECK(argc > 1, "usage: test-kinds DIR");
    test_samples_are_written_as_they_were_read(argv[1]);
    test_other_spellings_get_the_usual_one();
    test_refusals_name_the_place_or_the_reason();
    test_sections_change_one_by_one();
    test_identities();
    return 0;
}
