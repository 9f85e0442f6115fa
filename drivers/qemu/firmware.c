/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Choice of firmware (firmware.h). A descriptor is a promise: for these machines, with these
 * features, use these files so. The first that keeps everything the document asks for is taken; a
 * broken descriptor is passed over. Reads files; a worker.
 */
#include "drivers/qemu/firmware.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/qemu/firmware_files.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/json.h"

enum { NVRAM_MAX = 64 << 20 };

static Tristate asked_feature(const DomainDef *d, FirmwareFeature name)
{
    for (unsigned i = 0; i < list_len(d->os.firmware_features); i++) {
        const FirmwareFeatureDef *f = list_at(d->os.firmware_features, i);
        if (f->name == name)
            return f->enabled;
    }
    return TRI_ABSENT;
}

static bool keeps(Tristate asked, bool there)
{
    return asked == TRI_ABSENT || (asked == TRI_YES) == there;
}

static bool fits_features(const FirmwareFile *f, const DomainDef *d)
{
    const OsLoader *l = d->os.loader;
    bool smm = firmware_lists(f, "features", "requires-smm"), secure = firmware_lists(f, "features", "secure-boot");
    Tristate loader_secure = l ? l->secure : TRI_ABSENT;
    if (tri_is_yes(d->pm_s3) && !firmware_lists(f, "features", "acpi-s3"))
        return false;
    if (tri_is_yes(d->pm_s4) && !firmware_lists(f, "features", "acpi-s4"))
        return false;
    if (smm && (d->features.smm == TRI_NO || loader_secure == TRI_NO))
        return false;
    if (loader_secure == TRI_YES && !(smm && secure))
        return false;
    if (d->launch_security && d->launch_security->type == LAUNCH_SEV && !firmware_lists(f, "features", "amd-sev"))
        return false;
    return keeps(asked_feature(d, FIRMWARE_SECURE_BOOT), secure) &&
           keeps(asked_feature(d, FIRMWARE_ENROLLED_KEYS), firmware_lists(f, "features", "enrolled-keys"));
}

static StorageFormat format_of(JsonObject *o, const char *path, bool *known)
{
    const char *word = json_get_str(o, path);
    int n = word ? enum_value(&storage_format_names, word) : (int)FORMAT_RAW;
    *known &= n == FORMAT_RAW || n == FORMAT_QCOW2;
    return (StorageFormat)n;
}

/* How the files are used; false when it is a way that the document excludes or we do not know. */
static bool fits_mapping(JsonObject *o, const DomainDef *d)
{
    const char *device = json_get_str(o, "mapping/device"), *mode = json_get_str(o, "mapping/mode");
    bool stateless = d->os.loader && tri_is_yes(d->os.loader->stateless), known = true;
    if (!device)
        return false;
    if (strcmp(device, "memory") == 0)
        return json_get_str(o, "mapping/filename") && !d->os.nvram;
    if (strcmp(device, "flash") != 0 || !json_get_str(o, "mapping/executable/filename"))
        return false;
    if (!mode || strcmp(mode, "combined") == 0)
        return false;
    if (stateless != (strcmp(mode, "stateless") == 0))
        return false;
    (void)format_of(o, "mapping/executable/format", &known);
    return known && (stateless || json_get_str(o, "mapping/nvram-template/filename"));
}

static void set_text(char **field, const char *value)
{
    if (!*field)
        *field = g_strdup(value);
}

char *qemu_firmware_nvram_path(const char *nvram_dir, const char *name, bool qcow2)
{
    return g_strdup_printf("%s/%s_VARS.%s", nvram_dir ? nvram_dir : "/var/lib/libvirt/qemu/nvram", name, qcow2 ? "qcow2" : "fd");
}

static void use(DomainDef *d, const FirmwareFile *f, const char *nvram_dir)
{
    JsonObject *o = f->o;
    bool known = true, smm = firmware_lists(f, "features", "requires-smm");
    if (!d->os.loader)
        d->os.loader = g_new0(OsLoader, 1);
    OsLoader *l = d->os.loader;
    if (g_strcmp0(json_get_str(o, "mapping/device"), "memory") == 0) {
        l->type = LOADER_ROM;
        set_text(&l->path, json_get_str(o, "mapping/filename"));
    } else {
        l->type = LOADER_PFLASH;
        l->readonly = TRI_YES;
        l->format = format_of(o, "mapping/executable/format", &known);
        set_text(&l->path, json_get_str(o, "mapping/executable/filename"));
        const char *templ = json_get_str(o, "mapping/nvram-template/filename");
        if (templ && !tri_is_yes(l->stateless)) {
            if (!d->os.nvram)
                d->os.nvram = g_new0(OsNvram, 1);
            OsNvram *n = d->os.nvram;
            set_text(&n->templ, templ);
            if (n->format == FORMAT_NONE)
                n->format = format_of(o, "mapping/nvram-template/format", &known);
            if (!n->path && !n->src)
                n->path = qemu_firmware_nvram_path(nvram_dir, d->name, n->format == FORMAT_QCOW2);
        }
    }
    if (smm) {
        d->features.smm = TRI_YES;
        l->secure = TRI_YES;
    }
}

bool qemu_firmware_select(DomainDef *d, const char *const *dirs, const char *nvram_dir, GError **err)
{
    if (d->os.firmware == FIRMWARE_NONE || (d->os.loader && d->os.loader->path))
        return true;
    const char *type = d->os.firmware == FIRMWARE_EFI ? "uefi" : "bios";
    g_autoptr(GPtrArray) files = firmware_files(dirs);
    for (unsigned i = 0; i < files->len; i++) {
        const FirmwareFile *f = files->pdata[i];
        if (firmware_lists(f, "interface-types", type) && firmware_fits(f, d->os.arch, d->os.machine) && fits_features(f, d) &&
            fits_mapping(f->o, d)) {
            use(d, f, nvram_dir);
            return true;
        }
    }
    error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "os: unable to find any '%s' firmware for machine '%s' of '%s' with the features asked for",
              type, d->os.machine ? d->os.machine : "", d->os.arch);
    return false;
}

/* ".../OVMF_CODE_4M.secboot.fd" → ".../OVMF_VARS_4M.fd": how distributions name the pair. */
static char *usual_template(const char *loader)
{
    g_autofree char *dir = g_path_get_dirname(loader), *base = g_path_get_basename(loader);
    char *code = strstr(base, "CODE");
    if (!code)
        return NULL;
    memcpy(code, "VARS", 4);
    static const char *const marks[] = { ".secboot", ".ms" };
    for (unsigned i = 0; i < G_N_ELEMENTS(marks); i++) {
        char *mark = strstr(base, marks[i]);
        if (mark)
            memmove(mark, mark + strlen(marks[i]), strlen(mark + strlen(marks[i])) + 1);
    }
    g_autofree char *path = g_build_filename(dir, base, NULL);
    return g_file_test(path, G_FILE_TEST_IS_REGULAR) ? g_steal_pointer(&path) : NULL;
}

static bool copy(int from, int to, const char *path, GError **err)
{
    g_autofree char *buf = g_malloc(65536);
    size_t total = 0;
    for (;;) {
        ssize_t n = TEMP_FAILURE_RETRY(read(from, buf, 65536));
        if (n == 0)
            return true;
        total += n > 0 ? (size_t)n : 0;
        for (ssize_t done = 0, w; n > 0 && done < n; done += w) {
            w = TEMP_FAILURE_RETRY(write(to, buf + done, (size_t)(n - done)));
            if (w <= 0) {
                n = -1;
                break;
            }
        }
        if (n < 0 || total > NVRAM_MAX) {
            error_set_errno(err, n < 0 ? errno : EFBIG, "cannot write the firmware variables '%s'", path);
            return false;
        }
    }
}

static bool has_nvram(const DomainDef *d)
{
    const OsNvram *n = d->os.nvram;
    const OsLoader *l = d->os.loader;
    return l && l->type == LOADER_PFLASH && n && n->path;
}

bool qemu_firmware_needs_nvram(const DomainDef *d)
{
    return has_nvram(d) && access(d->os.nvram->path, F_OK) < 0;
}

char *qemu_firmware_template(const DomainDef *d)
{
    const char *named = d->os.nvram->templ;
    return named ? g_strdup(named) : usual_template(d->os.loader->path);
}

bool qemu_firmware_make_nvram(const DomainDef *d, bool anew, GError **err)
{
    const OsNvram *n = d->os.nvram;
    const OsLoader *l = d->os.loader;
    if (anew ? !has_nvram(d) : !qemu_firmware_needs_nvram(d))
        return true;
    g_autofree char *templ = qemu_firmware_template(d);
    if (!templ) {
        error_set(err, VIR_ERR_OPERATION_FAILED, "os/nvram: '%s' does not exist, and there is no template for firmware '%s'", n->path, l->path);
        return false;
    }
    auto_fd from = open(templ, O_RDONLY | O_CLOEXEC);
    if (from < 0) {
        error_set_errno(err, errno, "cannot open the template '%s' of the firmware variables", templ);
        return false;
    }
    /* A copy that was cut short must never be taken for the guest's variables. */
    g_autofree char *part = g_strconcat(n->path, ".new", NULL);
    auto_fd to = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (to < 0) {
        error_set_errno(err, errno, "cannot create '%s'", part);
        return false;
    }
    if (!copy(from, to, part, err)) {
        (void)unlink(part);
        return false;
    }
    if (fsync(to) < 0 || rename(part, n->path) < 0) {
        error_set_errno(err, errno, "cannot create the firmware variables '%s'", n->path);
        (void)unlink(part);
        return false;
    }
    return true;
}
