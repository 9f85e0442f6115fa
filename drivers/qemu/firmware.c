/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Choice of firmware (firmware.h). A descriptor is a promise: for these machines, with these
 * features, use these files so. The first that keeps everything the document asks for is taken; a
 * broken descriptor is passed over. Reads files; a worker.
 */
#include "drivers/qemu/firmware.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd.h"
#include "util/json.h"

const char *const qemu_firmware_dirs[] = { "/usr/share/qemu/firmware", "/etc/qemu/firmware", NULL };

enum { DESCRIPTOR_MAX = 256 * 1024, NVRAM_MAX = 64 << 20 };

static bool list_has(JsonObject *o, const char *path, const char *word)
{
    JsonObject *a = json_get(o, path);
    for (size_t i = 0; i < json_len(a); i++) {
        JsonObject *e = json_object_array_get_idx(a, i);
        if (json_object_is_type(e, json_type_string) && strcmp(json_object_get_string(e), word) == 0)
            return true;
    }
    return false;
}

static bool fits_machine(JsonObject *o, const DomainDef *d)
{
    const char *arch = g_strcmp0(d->os.arch, "i686") == 0 ? "i386" : d->os.arch;
    JsonObject *targets = json_get(o, "targets");
    for (size_t i = 0; d->os.machine && i < json_len(targets); i++) {
        JsonObject *t = json_object_array_get_idx(targets, i), *machines = json_get(t, "machines");
        if (g_strcmp0(json_get_str(t, "architecture"), arch) != 0)
            continue;
        for (size_t m = 0; m < json_len(machines); m++) {
            const char *pattern = json_object_get_string(json_object_array_get_idx(machines, m));
            if (pattern && fnmatch(pattern, d->os.machine, 0) == 0)
                return true;
        }
    }
    return false;
}

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

static bool fits_features(JsonObject *o, const DomainDef *d)
{
    const OsLoader *l = d->os.loader;
    bool smm = list_has(o, "features", "requires-smm"), secure = list_has(o, "features", "secure-boot");
    Tristate loader_secure = l ? l->secure : TRI_ABSENT;
    if (tri_is_yes(d->pm_s3) && !list_has(o, "features", "acpi-s3"))
        return false;
    if (tri_is_yes(d->pm_s4) && !list_has(o, "features", "acpi-s4"))
        return false;
    if (smm && (d->features.smm == TRI_NO || loader_secure == TRI_NO))
        return false;
    if (loader_secure == TRI_YES && !(smm && secure))
        return false;
    if (d->launch_security && d->launch_security->type == LAUNCH_SEV && !list_has(o, "features", "amd-sev"))
        return false;
    return keeps(asked_feature(d, FIRMWARE_SECURE_BOOT), secure) &&
           keeps(asked_feature(d, FIRMWARE_ENROLLED_KEYS), list_has(o, "features", "enrolled-keys"));
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
    if (mode && strcmp(mode, "combined") == 0)
        return false;
    if (stateless != (mode && strcmp(mode, "stateless") == 0))
        return false;
    (void)format_of(o, "mapping/executable/format", &known);
    return known && (stateless || json_get_str(o, "mapping/nvram-template/filename"));
}

static void set_text(char **field, const char *value)
{
    if (!*field)
        *field = g_strdup(value);
}

static void use(DomainDef *d, JsonObject *o, const char *nvram_dir)
{
    bool known = true, smm = list_has(o, "features", "requires-smm");
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
                n->path = g_strdup_printf("%s/%s_VARS.%s", nvram_dir, d->name, n->format == FORMAT_QCOW2 ? "qcow2" : "fd");
        }
    }
    if (smm) {
        d->features.smm = TRI_YES;
        l->secure = TRI_YES;
    }
}

static int by_name(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

bool qemu_firmware_select(DomainDef *d, const char *const *dirs, const char *nvram_dir, GError **err)
{
    if (d->os.firmware == FIRMWARE_NONE || (d->os.loader && d->os.loader->path))
        return true;
    g_autoptr(GHashTable) files = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    for (dirs = dirs ? dirs : qemu_firmware_dirs; *dirs; dirs++) {
        g_autoptr(GDir) dir = g_dir_open(*dirs, 0, NULL);
        const char *name;
        while (dir && (name = g_dir_read_name(dir))) {
            if (g_str_has_suffix(name, ".json"))
                g_hash_table_insert(files, g_strdup(name), g_build_filename(*dirs, name, NULL));
        }
    }
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    GHashTableIter it;
    gpointer key;
    g_hash_table_iter_init(&it, files);
    while (g_hash_table_iter_next(&it, &key, NULL))
        g_ptr_array_add(names, key);
    g_ptr_array_sort(names, by_name);

    const char *type = d->os.firmware == FIRMWARE_EFI ? "uefi" : "bios";
    JsonLimits limits = JSON_LIMITS_DEFAULT;
    limits.bytes = DESCRIPTOR_MAX;
    for (unsigned i = 0; i < names->len; i++) {
        const char *path = g_hash_table_lookup(files, g_ptr_array_index(names, i));
        g_autofree char *text = NULL;
        gsize len;
        /* An empty file hides the one of its name that the distribution installed. */
        if (!g_file_get_contents(path, &text, &len, NULL) || len == 0)
            continue;
        g_autoptr(JsonObject) o = json_parse(path, text, len, &limits, NULL);
        if (!o || !list_has(o, "interface-types", type) || !fits_machine(o, d) || !fits_features(o, d) || !fits_mapping(o, d))
            continue;
        use(d, o, nvram_dir);
        return true;
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

bool qemu_firmware_needs_nvram(const DomainDef *d)
{
    const OsNvram *n = d->os.nvram;
    const OsLoader *l = d->os.loader;
    return l && l->type == LOADER_PFLASH && n && n->path && access(n->path, F_OK) < 0;
}

bool qemu_firmware_make_nvram(const DomainDef *d, GError **err)
{
    const OsNvram *n = d->os.nvram;
    const OsLoader *l = d->os.loader;
    if (!qemu_firmware_needs_nvram(d))
        return true;
    g_autofree char *usual = n->templ ? NULL : usual_template(l->path);
    const char *templ = n->templ ? n->templ : usual;
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
