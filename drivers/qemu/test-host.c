/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host's figures: a made-up tree of two sockets with threads, firmware tables, and this host. */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "conf/host_caps.h"
#include "conf/domain.h"
#include "drivers/qemu/domcaps.h"
#include "drivers/qemu/host.h"
#include "util/error.h"
#include "util/paths.h"
#include "util/spawn.h"
#include "util/xml.h"

static char *top;

static void put(const char *text, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    g_autofree char *name = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    g_autofree char *path = g_build_filename(top, "sys/devices/system", name, NULL);
    g_autofree char *dir = g_path_get_dirname(path);
    assert(g_mkdir_with_parents(dir, 0700) == 0 && g_file_set_contents(path, text, -1, NULL));
}

/* Two sockets of two cores of two threads; processor 7 is off; node 2 has memory only. */
static void make_tree(void)
{
    put("0-7\n", "cpu/present");
    put("0-6\n", "cpu/online");
    for (unsigned i = 0; i < 7; i++) {
        unsigned socket = i / 4, core = i / 2;
        char text[16];

        put(socket ? "1\n" : "0\n", "cpu/cpu%u/topology/physical_package_id", i);
        g_snprintf(text, sizeof(text), "%u\n", core % 2);
        put(text, "cpu/cpu%u/topology/core_id", i);
        g_snprintf(text, sizeof(text), core == 3 ? "6\n" : "%u-%u\n", core * 2, core * 2 + 1);
        put(text, "cpu/cpu%u/topology/thread_siblings_list", i);
        put("3\n", "cpu/cpu%u/cache/index0/level", i);
        put(socket ? "1\n" : "0\n", "cpu/cpu%u/cache/index0/id", i);
        put("16384K\n", "cpu/cpu%u/cache/index0/size", i);
        put("Unified\n", "cpu/cpu%u/cache/index0/type", i);
        put(socket ? "4-6\n" : "0-3\n", "cpu/cpu%u/cache/index0/shared_cpu_list", i);
    }
    put("0-2\n", "node/online");
    for (unsigned i = 0; i < 3; i++) {
        put(i == 0 ? "0-3\n" : i == 1 ? "4-7\n" : "\n", "node/node%u/cpulist", i);
        put(i == 0 ? "10 20 30\n" : "20 10 30\n", "node/node%u/distance", i);
        put("Node 0 MemTotal:        8388608 kB\nNode 0 MemFree:  4 kB\n", "node/node%u/meminfo", i);
        put("1024\n", "node/node%u/hugepages/hugepages-2048kB/nr_hugepages", i);
    }
}

static void test_topology(void)
{
    g_autoptr(GError) err = NULL;

    make_tree();
    g_autoptr(HostTopology) t = host_topology_read(top, &err);
    if (!t)
        g_error("%s", err->message);
    assert(t->cpus->len == 8 && t->online == 7 && t->cells->len == 3 && t->numa);
    assert(t->sockets == 1 && t->dies == 1 && t->cores == 2 && t->threads == 2);
    const HostCpu *c6 = t->cpus->pdata[6], *c7 = t->cpus->pdata[7];
    assert(c6->socket == 1 && c6->core == 1 && strcmp(c6->siblings, "6") == 0 && !c7->online && c7->socket == -1);
    const HostCell *n1 = t->cells->pdata[1], *n2 = t->cells->pdata[2];
    assert(n1->cpus->len == 4 && n2->cpus->len == 0 && n1->memory_kib == 8388608);
    assert(g_array_index(n1->distances, unsigned, 0) == 20 && n1->pages->len == 2);
    const HostPages *small = &g_array_index(n1->pages, HostPages, 0), *huge = &g_array_index(n1->pages, HostPages, 1);
    assert(huge->size_kib == 2048 && huge->count == 1024);
    assert(small->count == (8388608 - 2048 * 1024) / small->size_kib);
    assert(t->caches->len == 2);
    const HostCache *l3 = t->caches->pdata[1];
    assert(l3->id == 1 && l3->size_kib == 16384 && strcmp(l3->type, "both") == 0 && strcmp(l3->cpus, "4-6") == 0);
    assert(!host_topology_read("/nonexistent", &err) && strstr(err->message, "/nonexistent"));
}

static void test_sysinfo(void)
{
    static const uint8_t table[] = {
        /* BIOS: vendor 1, version 2, date 3 */
        0, 0x18, 1, 0, 1, 2, 0, 0xe0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 18, 0xff, 0xff,
        'L', 'E', 0, '6', 'D', '<', 0, '0', '1', '/', '1', '2', 0, 0,
        /* OEM strings */
        11, 5, 2, 0, 2, 'a', 0, 'b', 1, 'c', 0, 0,
        /* end */
        127, 4, 3, 0, 0, 0,
    };
    g_autoptr(GError) err = NULL;
    g_autofree char *xml = host_sysinfo_from_table(table, sizeof(table), &err);

    assert(xml && strcmp(xml, "<sysinfo type='smbios'>\n"
                              "  <bios>\n"
                              "    <entry name='vendor'>LE</entry>\n"
                              "    <entry name='version'>6D&lt;</entry>\n"
                              "    <entry name='date'>01/12</entry>\n"
                              "    <entry name='release'>3.18</entry>\n"
                              "  </bios>\n"
                              "  <oemStrings>\n"
                              "    <entry>a</entry>\n"
                              "    <entry>b.c</entry>\n"
                              "  </oemStrings>\n"
                              "</sysinfo>\n") == 0);
    /* Cut anywhere: never more than what is there, never a crash. */
    for (size_t n = 0; n < sizeof(table); n++) {
        g_autofree uint8_t *copy = g_memdup2(table, n ? n : 1);
        g_autofree char *part = host_sysinfo_from_table(copy, n, NULL);
        (void)part;
    }
    assert(!host_sysinfo_from_table(table, 10, &err) && error_is(err, VIR_ERR_CONFIG_UNSUPPORTED));
}

/* What is written here is described there: nothing in it is unknown, nothing of it is lost. */
static void check_described(const DocKind *k, const char *doc)
{
    g_autoptr(GError) err = NULL;
    g_autofree char *path = NULL;
    void *def = doc_parse(k, doc, strlen(doc), DOMAIN_PARSE_STRICT, &err);

    if (!def)
        g_error("%s: %s in %s", k->name, err->message, doc);
    g_autofree char *text = doc_format(k, def, 0, &err);
    void *again = doc_parse(k, text, strlen(text), DOMAIN_PARSE_STRICT, &err);
    assert(again && doc_equal(k, def, again, &path));
    doc_free(k, again);
    doc_free(k, def);
}

static void test_this_host(void)
{
    g_autoptr(GError) err = NULL;
    HostNodeInfo i;
    HostMemory m;
    HostCpuTimes all, one;
    uint8_t *map = NULL;
    size_t bytes;
    unsigned online;

    assert(host_node_info(&i, &err) && i.cpus > 0 && i.memory_kib > 1024 && *i.model);
    assert(host_memory(-1, &m, &err) && m.free <= m.total && m.buffers != UINT64_MAX);
    assert(!host_memory(4000, &m, &err) && error_is(err, VIR_ERR_INVALID_ARG));
    g_clear_error(&err);
    assert(host_cpu_times(-1, &all, &err) && host_cpu_times(0, &one, &err) && all.user >= one.user);
    assert(!host_cpu_times(99999, &one, &err) && error_is(err, VIR_ERR_INVALID_ARG));
    g_clear_error(&err);
    int n = host_cpu_map(&map, &bytes, &online, &err);
    assert(n > 0 && bytes == (size_t)(n + 7) / 8 && online > 0 && (map[0] & 1));
    g_free(map);
    uint64_t cells[4];
    assert(host_cells_free(0, 4, cells, &err) > 0 && host_cells_free(-1, 4, cells, &err) < 0);
    g_clear_error(&err);
    g_autofree char *name = host_hostname(&err);
    assert(name && *name);
    uint8_t a[16], b[16];
    assert(host_uuid(a, &err) && host_uuid(b, &err) && memcmp(a, b, 16) == 0);

    g_auto(GStrv) x86 = qemu_cpu_model_names("x86_64", &err), arm = qemu_cpu_model_names("aarch64", &err);
    assert(g_strv_contains((const char *const *)x86, "Haswell-noTSX") && g_strv_length(arm) == 0);
    assert(!qemu_cpu_model_names("foo", &err) && error_is(err, VIR_ERR_INVALID_ARG));
    g_clear_error(&err);

    g_autofree char *doc = qemu_capabilities_xml(&err);
    if (!doc)
        g_error("%s", err->message);
    g_autoptr(XmlDoc) parsed = xml_parse(doc, strlen(doc), &err);
    assert(parsed && xml_child(xml_child(xml_root(parsed), "host"), "topology"));
    if (g_getenv("SHOW"))
        puts(doc);
    check_described(&host_caps_kind, doc);
    if (!xml_child(xml_root(parsed), "guest"))
        return; /* no emulator here */
    g_autofree char *dom = qemu_domain_capabilities(NULL, NULL, NULL, "qemu", &err);
    if (!dom)
        g_error("%s", err->message);
    if (g_getenv("SHOW"))
        puts(dom);
    check_described(&domain_caps_kind, dom);
    assert(qemu_max_vcpus("qemu", &err) > 0 && qemu_max_vcpus("foo", &err) < 0);
    g_clear_error(&err);
    assert(!qemu_domain_capabilities(NULL, NULL, "nonsense", "qemu", &err) && strstr(err->message, "'nonsense'"));
    g_clear_error(&err);
    assert(!qemu_domain_capabilities(NULL, NULL, NULL, "xen", &err) && strstr(err->message, "virt type 'xen'"));
}

int main(void)
{
    g_autoptr(GError) err = NULL;

    top = g_dir_make_tmp("test-host-XXXXXX", NULL);
    if (!paths_init(top, false, &err))
        g_error("%s", err->message);
    test_topology();
    test_sysinfo();
    test_this_host();

    const char *rm[] = { "/bin/rm", "-rf", top, NULL };
    Spawn s = { .argv = rm, .in = -1, .out = -1, .err = -1, .memlock = -1 };
    assert(spawn_run(&s, 10 * G_USEC_PER_SEC, 100, NULL, NULL, &err));
    g_free(top);
    return 0;
}
