/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Domain capabilities against documents that users have, for recorded emulators (MODVIRT_SHARED or
 * ../shared; skipped without). What the host would add is taken from the expected document.
 */
#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "drivers/qemu/domcaps.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/json.h"
#include "util/xml.h"

static unsigned problems, checked;

static char *slurp(const char *dir, const char *name)
{
    g_autofree char *path = g_build_filename(dir, name, NULL);
    char *text = NULL;
    size_t len;

    return fd_read_file(AT_FDCWD, path, 4 << 20, &text, &len, NULL) ? text : NULL;
}

/* "a/b/c" below n. */
static xmlNode *find(xmlNode *n, const char *path)
{
    g_auto(GStrv) parts = g_strsplit(path, "/", -1);

    for (char **p = parts; n && *p; p++)
        n = xml_child(n, *p);
    return n;
}

static char **enum_values(xmlNode *parent, const char *name)
{
    g_autoptr(GStrvBuilder) b = g_strv_builder_new();
    unsigned n = 0;

    for (xmlNode *e = xml_child(parent, "enum"); e; e = xml_next(e, "enum"))
        if (g_strcmp0(xml_attr_get(e, "name"), name) == 0)
            for (xmlNode *v = xml_child(e, "value"); v; v = xml_next(v, "value"), n++) {
                g_autofree char *text = xml_text_dup(v);
                g_strv_builder_add(b, text);
            }
    return n ? g_strv_builder_end(b) : NULL;
}

static bool has(char **list, const char *word)
{
    return list && g_strv_contains((const char *const *)list, word);
}

static void offer_from(const char *text, QemuHostOffer *o)
{
    g_autoptr(XmlDoc) doc = xml_parse(text, strlen(text), NULL);
    assert(doc);
    xmlNode *root = xml_root(doc), *loader = find(root, "os/loader"), *n;
    g_autoptr(GStrvBuilder) b = g_strv_builder_new();
    g_auto(GStrv) firmware = enum_values(find(root, "os"), "firmware"), secure = enum_values(loader, "secure");
    g_auto(GStrv) backend = enum_values(find(root, "devices/hostdev"), "pciBackend");

    *o = (QemuHostOffer){ .same_arch = true, .ppc_model = "POWER8" };
    for (n = xml_child(loader, "value"); n; n = xml_next(n, "value")) {
        g_autofree char *v = xml_text_dup(n);
        g_strv_builder_add(b, v);
    }
    o->loaders = g_strv_builder_end(b);
    o->firmware_bios = has(firmware, "bios");
    o->firmware_efi = has(firmware, "efi");
    o->secure = has(secure, "yes");
    o->vfio = has(backend, "vfio");
    o->tpm_versions = enum_values(find(root, "devices/tpm"), "backendVersion");
}

static void show_difference(const char *name, const char *got, const char *want)
{
    g_auto(GStrv) a = g_strsplit(got, "\n", -1), b = g_strsplit(want, "\n", -1);
    unsigned i = 0;

    while (a[i] && b[i] && strcmp(a[i], b[i]) == 0)
        i++;
    fprintf(stderr, "%s: line %u\n  found    %s\n  expected %s\n", name, i + 1, a[i] ? a[i] : "(end)", b[i] ? b[i] : "(end)");
    problems++;
}

static void check(const char *dir, JsonObject *c)
{
    const char *name = json_get_str(c, "name"), *file = json_get_str(c, "params/capabilities_file");
    const char *type = json_get_str(c, "params/virt_type");
    g_autofree char *want = slurp(dir, json_get_str(c, "expected/xml"));
    g_autoptr(GError) err = NULL;
    QemuHostOffer o;

    if (!file || !want || !type)
        return;
    g_autofree char *path = g_build_filename(dir, file, NULL);
    g_autoptr(QemuCaps) caps = qemu_caps_load_xml(path, &err);
    assert(caps);
    if (caps->sev) { /* told by the processor, not by the emulator */
        caps->sev->max_guests = 59;
        caps->sev->max_es_guests = 450;
    }
    offer_from(want, &o);
    g_autofree char *got = qemu_domain_capabilities_of(caps, json_get_str(c, "params/emulator"),
                                                       json_get_str(c, "params/machine"), qemu_accel_from_name(type), &o, &err);
    if (!got)
        g_error("%s: %s", name, err->message);
    g_strchomp(got);
    g_strchomp(want);
    checked++;
    if (strcmp(got, want) != 0)
        show_difference(name, got, want);
    g_strfreev(o.loaders);
    g_strfreev(o.tpm_versions);
}

int main(void)
{
    const char *env = g_getenv("MODVIRT_SHARED"), *root = g_getenv("MESON_SOURCE_ROOT");
    g_autofree char *shared = env ? g_strdup(env) : g_build_filename(root ? root : ".", "..", "shared", NULL);
    g_autofree char *dir = g_build_filename(shared, "corpus/domaincaps", NULL);
    g_autofree char *text = slurp(dir, "manifest.json");

    if (!text) {
        fprintf(stderr, "no recordings here: skipped\n");
        return 77;
    }
    g_autoptr(JsonObject) m = json_parse("manifest", text, strlen(text), NULL, NULL);
    JsonObject *cases = json_get(m, "cases");
    for (size_t i = 0; i < json_len(cases); i++)
        check(dir, json_object_array_get_idx(cases, i));
    fprintf(stderr, "%u of %u documents as expected\n", checked - problems, checked);
    assert(checked > 0);
    return problems ? 1 : 0;
}
