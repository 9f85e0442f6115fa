/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What this host adds to an emulator: firmware images (by the descriptors that QEMU packages install,
 * else by the places where images have always been), a TPM emulator, device assignment. Workers; the
 * TPM emulator is asked once.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "drivers/qemu/caps_rules.h"
#include "drivers/qemu/cpu_map.h"
#include "drivers/qemu/domcaps.h"
#include "drivers/qemu/firmware_files.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/json.h"
#include "util/paths.h"
#include "util/spawn.h"

typedef struct Found {
    GPtrArray *images;
    bool bios, efi, secure;
} Found;

static bool listed(JsonObject *list, const char *word)
{
    for (size_t i = 0; i < json_len(list); i++)
        if (g_strcmp0(json_object_get_string(json_object_array_get_idx(list, i)), word) == 0)
            return true;
    return false;
}

static void use_descriptor(Found *f, const FirmwareFile *d)
{
    const char *image = json_get_str(d->o, "mapping/executable/filename");

    if (!image && g_strcmp0(json_get_str(d->o, "mapping/device"), "memory") == 0)
        image = json_get_str(d->o, "mapping/filename");
    f->bios |= firmware_lists(d, "interface-types", "bios");
    f->efi |= firmware_lists(d, "interface-types", "uefi");
    f->secure |= firmware_lists(d, "features", "secure-boot") && firmware_lists(d, "features", "requires-smm");
    for (unsigned i = 0; image && i < f->images->len; i++)
        if (g_str_equal(f->images->pdata[i], image))
            image = NULL;
    if (image)
        g_ptr_array_add(f->images, g_strdup(image));
}

/* Where distributions without descriptors put their images. */
static void usual_images(Found *f, const char *arch)
{
    static const struct {
        const char *arch, *image;
        bool secure;
    } usual[] = {
        { "aarch64", "/usr/share/AAVMF/AAVMF_CODE.fd", false },
        { "armv7l", "/usr/share/AAVMF/AAVMF32_CODE.fd", false },
        { "x86_64", "/usr/share/OVMF/OVMF_CODE.fd", false },
        { "x86_64", "/usr/share/OVMF/OVMF_CODE.secboot.fd", true },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(usual); i++)
        if (g_str_equal(usual[i].arch, arch) && access(usual[i].image, R_OK) == 0) {
            g_ptr_array_add(f->images, g_strdup(usual[i].image));
            f->efi = true;
            f->secure |= usual[i].secure;
        }
}

static bool vfio_usable(void)
{
    GDir *groups = g_dir_open("/sys/kernel/iommu_groups", 0, NULL);
    bool any = groups && g_dir_read_name(groups);

    if (groups)
        g_dir_close(groups);
    return any && access("/dev/vfio/vfio", F_OK) == 0;
}

/* "1.2" and "2.0" of the installed TPM emulator; NULL when there is none. Never freed. */
static char **tpm_versions(void)
{
    static gsize done;
    static char **versions;

    if (!g_once_init_enter(&done))
        return versions;

    g_autofree char *emulator = g_find_program_in_path("swtpm"), *setup = g_find_program_in_path("swtpm_setup");
    if (emulator && setup) {
        const char *argv[] = { setup, "--print-capabilities", NULL };
        Spawn s = { .argv = argv, .in = -1, .out = -1, .err = -1, .memlock = -1 };
        g_autofree char *out = NULL;
        g_autoptr(GStrvBuilder) b = g_strv_builder_new();
        g_autoptr(JsonObject) o = spawn_run(&s, 10 * G_USEC_PER_SEC, 65536, &out, NULL, NULL) && out
                                      ? json_parse("capabilities of swtpm_setup", out, strlen(out), NULL, NULL)
                                      : NULL;
        JsonObject *features = json_get(o, "features");
        /* Versions too old to tell have both. */
        bool told = listed(features, "tpm-1.2") || listed(features, "tpm-2.0");
        if (!told || listed(features, "tpm-1.2"))
            g_strv_builder_add(b, "1.2");
        if (!told || listed(features, "tpm-2.0"))
            g_strv_builder_add(b, "2.0");
        versions = g_strv_builder_end(b);
    }
    g_once_init_leave(&done, 1);
    return versions;
}

const char *qemu_host_ppc_model(void)
{
    g_autofree char *info = NULL;
    size_t len;

    if (!g_str_has_prefix(host_arch(), "ppc64") || !fd_read_file(AT_FDCWD, "/proc/cpuinfo", 1 << 20, &info, &len, NULL))
        return NULL;
    for (const char *const *m = cpu_ppc64_models; *m; m++) {
        g_autofree char *first = g_strconcat(": ", *m, NULL);
        if (strstr(info, first))
            return *m;
    }
    return NULL;
}

void qemu_host_offer_firmware(QemuHostOffer *o, const char *const *dirs, const char *arch, const char *machine)
{
    Found f = { .images = g_ptr_array_new() };
    g_autoptr(GPtrArray) files = firmware_files(dirs);

    for (unsigned i = 0; i < files->len; i++)
        if (firmware_fits(files->pdata[i], arch, machine))
            use_descriptor(&f, files->pdata[i]);
    if (f.images->len == 0)
        usual_images(&f, arch);
    g_ptr_array_add(f.images, NULL);
    o->loaders = (char **)g_ptr_array_free(f.images, false);
    o->firmware_bios = f.bios;
    o->firmware_efi = f.efi;
    o->secure = f.secure;
}

void qemu_host_offer(QemuHostOffer *ret, const QemuCaps *caps, const char *machine)
{
    const QemuMachine *m = NULL;

    for (unsigned a = 0; a < QEMU_ACCEL_N_ && !m; a++)
        m = qemu_caps_machine(caps, a, machine);

    *ret = (QemuHostOffer){
        .vfio = vfio_usable(),
        .tpm_versions = g_strdupv(tpm_versions()),
        .ppc_model = qemu_host_ppc_model(),
        .same_arch = g_str_equal(caps->arch, host_arch()) ||
                     (qemu_arch_is_x86(caps->arch) && qemu_arch_is_x86(host_arch())) ||
                     (qemu_arch_is_arm(caps->arch) && qemu_arch_is_arm(host_arch())),
    };
    qemu_host_offer_firmware(ret, NULL, caps->arch, m ? m->name : machine ? machine : "");
}

void qemu_host_offer_clear(QemuHostOffer *o)
{
    g_clear_pointer(&o->loaders, g_strfreev);
    g_clear_pointer(&o->tpm_versions, g_strfreev);
}
