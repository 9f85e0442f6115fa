/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Commands of qemu-img (qemu_img.h). Without encryption a clone is one command that also makes the target.
 * With it, the program takes images only as lists of options, and cannot make a target given so: it is
 * made first.
 */
#include "drivers/storage/qemu_img.h"

#include <string.h>

#include "util/api.h"
#include "util/error.h"
#include "util/json.h"

/* clang-format off */
#define FILES (1u << POOL_DIR | 1u << POOL_FS | 1u << POOL_NETFS | 1u << POOL_GLUSTER | 1u << POOL_VSTORAGE)
/* clang-format on */

static bool refuse(GError **err, const StorageVolumeDef *d, const char *why)
{
    error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "volume '%s': %s", d->name, why);
    return false;
}

static unsigned format_of(const StorageVolumeDef *d)
{
    bool file = FILES >> d->pool_type & 1;
    return file && d->format != FORMAT_ISO && d->format != FORMAT_NONE ? d->format : FORMAT_RAW;
}

const char *qemu_img_format(const StorageVolumeDef *d, GError **err)
{
    unsigned format = format_of(d);

    if (d->encryption && d->encryption->format != ENCRYPTION_LUKS) {
        (void)refuse(err, d, "only encryption of format 'luks' can be made");
        return NULL;
    }
    if (d->encryption && format != FORMAT_RAW && format != FORMAT_QCOW2) {
        (void)refuse(err, d, "a volume of this format cannot be encrypted");
        return NULL;
    }
    switch (format) {
    case FORMAT_RAW:
        return d->encryption ? "luks" : "raw";
    case FORMAT_BOCHS:
    case FORMAT_CLOOP:
    case FORMAT_DMG:
    case FORMAT_VPC:
    case FORMAT_VDI:
    case FORMAT_QCOW:
    case FORMAT_QCOW2:
    case FORMAT_QED:
    case FORMAT_VMDK:
        return enum_name(&storage_format_names, format);
    case FORMAT_VHD:
        return "vhdx";
    case FORMAT_PLOOP:
        return "parallels";
    default: /* fat, cow, directories */
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "volume '%s': qemu-img does not know the format '%s'", d->name,
                  enum_name(&volume_format_names, format));
        return NULL;
    }
}

static const char *path_of(const QemuImgSide *s)
{
    return s->path ? s->path : s->def->path;
}

/* The name of the secret's object: characters that the program does not take are replaced. */
static char *secret_id(const QemuImgSide *s)
{
    char *id = g_strdup_printf("%s_encrypt0", s->def->name);

    if (!g_ascii_isalpha(*id))
        *id = 'v';
    return g_strcanon(id, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "-._", '_');
}

static bool add_secret(Argv *a, const QemuImgSide *s, GError **err)
{
    g_autofree char *id = secret_id(s);
    ArgvList l = { NULL };

    if (!s->secret) {
        error_set(err, VIR_ERR_XML_ERROR, "volume '%s': the secret of its encryption is missing", s->def->name);
        return false;
    }
    argv_list_add(&l, "id", id);
    argv_list_add(&l, "file", s->secret);
    g_autofree char *word = g_strconcat("secret,", l.s->str, NULL);
    g_string_free(l.s, TRUE);
    argv_words(a, "--object", word, NULL);
    return true;
}

/* Within qcow2 the names of encryption have a prefix. */
static void add_encryption(ArgvList *l, const QemuImgSide *s)
{
    const StorageEncryption *e = s->def->encryption;
    const char *prefix = format_of(s->def) == FORMAT_QCOW2 ? "encrypt." : "";
    g_autofree char *id = secret_id(s);
    const struct {
        const char *name, *value;
    } words[] = {
        { "key-secret", id },
        { "cipher-alg", e->cipher ? e->cipher->name : NULL },
        { "cipher-mode", e->cipher ? e->cipher->mode : NULL },
        { "hash-alg", e->cipher ? e->cipher->hash : NULL },
        { "ivgen-alg", e->ivgen ? e->ivgen->name : NULL },
        { "ivgen-hash-alg", e->ivgen ? e->ivgen->hash : NULL },
    };

    if (*prefix)
        argv_list_add(l, "encrypt.format", "luks");
    for (unsigned i = 0; i < G_N_ELEMENTS(words); i++) {
        g_autofree char *name = g_strconcat(prefix, words[i].name, NULL);
        if (words[i].value && words[i].value == (e->cipher ? e->cipher->name : NULL) && e->cipher->size)
            argv_list_addf(l, name, "%s-%u", words[i].value, e->cipher->size);
        else if (words[i].value)
            argv_list_add(l, name, words[i].value);
    }
}

static bool check_features(const StorageVolumeDef *d, unsigned flags, GError **err)
{
    bool old = d->compat && strcmp(d->compat, "0.10") == 0, qcow2 = format_of(d) == FORMAT_QCOW2;

    if (d->compat && !qcow2)
        return refuse(err, d, "compat is for format qcow2");
    if (d->lazy_refcounts && (old || !qcow2))
        return refuse(err, d, "lazy_refcounts needs format qcow2 with compat 1.1");
    if (d->extended_l2 && (old || !qcow2))
        return refuse(err, d, "extended_l2 needs format qcow2 with compat 1.1");
    if ((flags & QEMU_IMG_PREALLOCATE) && !qcow2)
        return refuse(err, d, "metadata can be preallocated with format qcow2 only");
    if ((flags & QEMU_IMG_PREALLOCATE) && d->backing.path)
        return refuse(err, d, "metadata cannot be preallocated above a backing store");
    if (!d->backing.path || format_of(d) != FORMAT_RAW)
        return true;
    error_set(err, VIR_ERR_NO_SUPPORT, "volume '%s': backing storage is not supported for raw volumes", d->name);
    return false;
}

static const char *backing_format(const StorageVolumeDef *d)
{
    return d->backing.format ? enum_name(&storage_format_names, d->backing.format) : "raw";
}

static void add_options(ArgvList *l, const QemuImgSide *vol, unsigned flags)
{
    const StorageVolumeDef *d = vol->def;

    if (d->backing.path)
        argv_list_add(l, "backing_fmt", backing_format(d));
    if (d->encryption)
        add_encryption(l, vol);
    if (flags & QEMU_IMG_PREALLOCATE)
        argv_list_add(l, "preallocation", d->capacity > d->allocation.v ? "metadata" : "falloc");
    if (d->nocow)
        argv_list_add(l, "nocow", "on");
    if (format_of(d) == FORMAT_QCOW2)
        argv_list_add(l, "compat", d->compat ? d->compat : "0.10");
    if (d->cluster_size) /* the program says so when the format has none */
        argv_list_addf(l, "cluster_size", "%" G_GUINT64_FORMAT, d->cluster_size);
    if (d->lazy_refcounts)
        argv_list_flag(l, "lazy_refcounts");
    if (d->extended_l2)
        argv_list_add(l, "extended_l2", "on");
}

static void add_size(Argv *a, uint64_t bytes)
{
    argv_wordf(a, "%" G_GUINT64_FORMAT "K", bytes / 1024 + (bytes % 1024 != 0));
}

static bool make_new(GPtrArray *commands, const QemuImgSide *vol, unsigned flags, GError **err)
{
    g_autoptr(Argv) a = argv_new("qemu-img");
    ArgvList l = { NULL };

    argv_words(a, "create", "-f", qemu_img_format(vol->def, NULL), NULL);
    if (vol->def->backing.path) {
        argv_words(a, "-b", NULL);
        argv_operand(a, vol->def->backing.path);
    }
    if (vol->def->encryption && !add_secret(a, vol, err))
        return false;
    add_options(&l, vol, flags);
    argv_list_end(&l, a, "-o");
    argv_operand(a, path_of(vol));
    /* Without one it is that of what is below. */
    if (!vol->def->capacity_missing && (vol->def->capacity || !vol->def->backing.path))
        add_size(a, vol->def->capacity);
    g_ptr_array_add(commands, g_steal_pointer(&a));
    return true;
}

static const char *secret_option(const QemuImgSide *s)
{
    return format_of(s->def) == FORMAT_QCOW2 ? "encrypt.key-secret" : "key-secret";
}

/* All layers, each said to be what it is: what their heads name plays no part. */
static bool add_layers(Argv *a, const QemuImgSide *s, GError **err)
{
    g_autoptr(JsonObject) node = NULL;

    for (guint i = s->layers->len; i > 0; i--) {
        const QemuImgLayer *layer = &g_array_index(s->layers, QemuImgLayer, i - 1);
        const StorageVolumeDef lower = { .name = s->def->name, .pool_type = POOL_DIR, .format = layer->format };
        const char *driver = qemu_img_format(i == 1 ? s->def : &lower, err);
        g_autofree char *id = i == 1 && s->def->encryption ? secret_id(s) : NULL, *path = g_strdup_printf("/dev/fd/%u", QEMU_IMG_LAYERS + i - 1);
        if (!driver)
            return false;
        JsonObject *file = json_make(J_STR("driver", layer->device ? "host_device" : "file"), J_STR("filename", path));
        bool part = layer->size && strcmp(driver, "raw") != 0; /* that one does not go upon itself */
        if (part)
            file = json_make(J_STR("driver", "raw"), J_UINT("offset", layer->offset), J_UINT("size", layer->size), J_OBJ("file", file));
        JsonObject *below = g_steal_pointer(&node);
        node = json_make(J_STR("driver", driver), J_OBJ("file", file), J_STR(secret_option(s), id));
        if (layer->size && !part) {
            json_object_object_add(node, "offset", json_object_new_uint64(layer->offset));
            json_object_object_add(node, "size", json_object_new_uint64(layer->size));
        }
        json_object_object_add(node, "backing", below); /* NULL: there is none, whatever the head says by now */
    }
    g_autofree char *text = json_text(node);
    argv_wordf(a, "json:%s", text);
    return true;
}

/* An image as a list of options; encrypted: with its secret. */
static void add_image(Argv *a, const QemuImgSide *s)
{
    ArgvList l = { NULL };
    g_autofree char *id = secret_id(s);

    argv_list_add(&l, "driver", qemu_img_format(s->def, NULL));
    argv_list_add(&l, "file.filename", path_of(s));
    if (s->def->encryption)
        argv_list_add(&l, secret_option(s), id);
    argv_list_end(&l, a, NULL);
}

/* An image that is there, as the program knows it: in layers, as a list of options where that is asked for, by its path. The words
 * that say which, and the last one. */
static void add_how_named(Argv *a, const QemuImgSide *s, bool options)
{
    if (s->layers)
        return;
    if (options)
        argv_words(a, "--image-opts", NULL);
    else
        argv_words(a, "-f", qemu_img_format(s->def, NULL), NULL);
}

static bool add_named(Argv *a, const QemuImgSide *s, bool options, GError **err)
{
    if (s->layers)
        return add_layers(a, s, err);
    if (options)
        add_image(a, s);
    else
        argv_operand(a, path_of(s));
    return true;
}

static bool copy_and_make(GPtrArray *commands, const QemuImgSide *vol, const QemuImgSide *input, unsigned flags, GError **err)
{
    g_autoptr(Argv) a = argv_new("qemu-img");
    ArgvList l = { NULL };

    argv_words(a, "convert", NULL);
    add_how_named(a, input, false);
    argv_words(a, "-O", qemu_img_format(vol->def, NULL), NULL);
    add_options(&l, vol, flags);
    argv_list_end(&l, a, "-o");
    if (!add_named(a, input, false, err))
        return false;
    argv_operand(a, path_of(vol));
    g_ptr_array_add(commands, g_steal_pointer(&a));
    return true;
}

static bool copy(GPtrArray *commands, const QemuImgSide *vol, const QemuImgSide *input, GError **err)
{
    g_autoptr(Argv) a = argv_new("qemu-img");

    argv_words(a, "convert", NULL);
    add_how_named(a, input, true);
    argv_words(a, "-n", "--target-image-opts", NULL);
    if ((vol->def->encryption && !add_secret(a, vol, err)) || (input->def->encryption && !add_secret(a, input, err)) ||
        !add_named(a, input, true, err))
        return false;
    add_image(a, vol);
    g_ptr_array_add(commands, g_steal_pointer(&a));
    return true;
}

GPtrArray *qemu_img_create(const QemuImgSide *vol, const QemuImgSide *input, unsigned flags, GError **err)
{
    g_autoptr(GPtrArray) commands = g_ptr_array_new_with_free_func((GDestroyNotify)argv_free);
    bool encrypted = vol->def->encryption || (input && input->def->encryption), ok;

    if (!qemu_img_format(vol->def, err) || (input && !qemu_img_format(input->def, err)) ||
        !check_features(vol->def, flags, err))
        return NULL;
    /* A copy is whole, as users know it: it goes on when what the original lies on is deleted. */
    StorageVolumeDef def = *vol->def;
    QemuImgSide made = *vol;
    made.def = &def;
    if (input)
        def.backing.path = NULL;
    if (input && !encrypted)
        ok = copy_and_make(commands, &made, input, flags, err);
    else
        ok = make_new(commands, &made, flags, err) && (!input || copy(commands, &made, input, err));
    for (guint i = 0; ok && i < commands->len; i++)
        ok = argv_check(commands->pdata[i], err);
    return ok ? g_steal_pointer(&commands) : NULL;
}

/* The last word but one of commands that work on one image. */
static bool add_one_image(Argv *a, const QemuImgSide *vol, GError **err)
{
    bool encrypted = vol->def->encryption;

    if (encrypted && !add_secret(a, vol, err))
        return false;
    add_how_named(a, vol, encrypted);
    return add_named(a, vol, encrypted, err);
}

Argv *qemu_img_name_backing(const QemuImgSide *vol, GError **err)
{
    g_autoptr(Argv) a = argv_new("qemu-img");
    const StorageVolumeDef *d = vol->def;
    unsigned format = format_of(d);

    if (format != FORMAT_QCOW2 && format != FORMAT_QED) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "volume '%s': the path of a backing store begins with '/', found '%s'; only of formats qcow2 and qed it need not",
                  d->name, d->backing.path);
        return NULL;
    }
    argv_words(a, "rebase", "-u", "-b", NULL);
    argv_operand(a, d->backing.path);
    argv_words(a, "-F", backing_format(d), NULL);
    return add_one_image(a, vol, err) && argv_check(a, err) ? g_steal_pointer(&a) : NULL;
}

Argv *qemu_img_resize(const QemuImgSide *vol, uint64_t capacity, bool shrink, bool preallocate, GError **err)
{
    g_autoptr(Argv) a = argv_new("qemu-img");

    if (!qemu_img_format(vol->def, err))
        return NULL;
    argv_words(a, "resize", NULL);
    if (shrink)
        argv_words(a, "--shrink", NULL);
    if (preallocate)
        argv_words(a, "--preallocation=falloc", NULL);
    if (!add_one_image(a, vol, err))
        return NULL;
    add_size(a, capacity);
    return argv_check(a, err) ? g_steal_pointer(&a) : NULL;
}

double qemu_img_progress(const char *said, size_t len)
{
    const char *end = said + len;

    /* The last whole "(12.34/100%)": a percentage is written over itself with '\r'. */
    while ((end = g_strrstr_len(said, end - said, "/100%)"))) {
        const char *open = end;
        while (open > said && open[-1] != '(' && end - open < 8)
            open--;
        if (open > said && open[-1] == '(') {
            g_autofree char *number = g_strndup(open, (gsize)(end - open));
            char *rest;
            double v = g_ascii_strtod(number, &rest);
            if (rest != number && !*rest && v >= 0 && v <= 100)
                return v;
        }
    }
    return -1;
}
