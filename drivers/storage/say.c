/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Test tool: what we make of images and of documents of pools and volumes, for tests/conformance/run.
 *
 *   say backing WORD                        the source that an image's word for the layer below means
 *   say chain PATH FORMAT                   the layers of an image, a paragraph each
 *   say find NAME TARGET AFTER PATH...      the layer of that name, and the one above: numbers
 *   say relative TOP BASE NAME...           the name of layer BASE; NAME: relative, or "-"
 *   say pool POOL                           the command that starts a pool (file of a document)
 *   say volume PREALLOCATE POOL VOLUME [INPUT-POOL INPUT-VOLUME]    the commands that make a volume
 *
 * An error is one line "CODE text" on standard error, and status 1. "-" is NULL.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/backing.h"
#include "conf/domain.h"
#include "drivers/storage/qemu_img.h"
#include "drivers/storage/tools.h"
#include "util/api.h"
#include "util/error.h"

static const char *or_null(const char *s)
{
    return s ? s : "<null>";
}

static const char *given(const char *arg)
{
    return strcmp(arg, "-") ? arg : NULL;
}

static bool say_backing(char **argv, GError **err)
{
    bool more;
    g_autoptr(StorageSource) s = backing_parse(argv[0], &more, err);

    if (!s)
        return false;
    s->auth_outside = 1; /* shown elsewhere */
    g_autofree char *text = storage_source_format(s, DOMAIN_FORMAT_SECURE, err);
    if (text)
        printf("%s%s", text, more ? "<!-- and more -->\n" : "");
    return text != NULL;
}

static void say_layer(const StorageSource *s)
{
    g_auto(ImageInfo) info = { 0 };
    FILE *f = s->type == STORAGE_FILE || s->type == STORAGE_BLOCK ? fopen(s->path, "re") : NULL;
    const char *format = enum_name(&storage_format_names, s->format);

    if (f && s->format > FORMAT_RAW)
        (void)image_probe_fd(fileno(f), format, &info, NULL);
    if (f)
        fclose(f);
    const StorageHost *h = list_len(s->hosts) ? list_at(s->hosts, 0) : NULL;
    printf("path:%s\nbackingStoreRaw: %s\ncapacity: %" G_GUINT64_FORMAT "\nencryption: %d\nrelPath:%s\n"
           "type:%d\nformat:%d\nprotocol:%s\nhostname:%s\n",
           or_null(s->type == STORAGE_NETWORK ? s->name : s->path), or_null(info.backing), info.capacity,
           info.encryption != IMAGE_NOT_ENCRYPTED, or_null(s->priv ? s->priv->rel_path : NULL), s->type, s->format,
           s->protocol ? enum_name(&storage_protocol_names, s->protocol) : "none", or_null(h ? h->name : NULL));
}

static bool say_chain(char **argv, GError **err)
{
    bool dir = g_file_test(argv[0], G_FILE_TEST_IS_DIR);
    g_autoptr(StorageSource) top = storage_source_new(dir ? STORAGE_DIR : STORAGE_FILE, argv[0]);
    int format = enum_value(&storage_format_names, argv[1]);

    /* A format that nobody told is raw, whatever the image looks like. */
    top->format = format > FORMAT_NONE && format < FORMAT_AUTO ? (StorageFormat)format
                  : dir                                         ? FORMAT_DIR
                                                                : FORMAT_RAW;
    if (!storage_chain_load(top, NULL, NULL, err))
        return false;
    for (const StorageSource *s = top; s; s = s->backing) {
        if (s != top)
            printf("\n");
        say_layer(s);
    }
    return true;
}

static StorageSource *make_chain(char **names, bool relative)
{
    StorageSource *top = NULL, **at = &top;

    for (; *names; names++, at = &(*at)->backing) {
        *at = storage_source_new(STORAGE_FILE, relative ? "/image" : *names);
        if (relative && given(*names)) {
            (*at)->priv = g_new0(StoragePrivate, 1);
            (*at)->priv->rel_path = g_strdup(*names);
        }
    }
    return top;
}

static StorageSource *layer(StorageSource *top, unsigned i)
{
    while (top && i--)
        top = top->backing;
    return top;
}

static int position(const StorageSource *top, const StorageSource *s)
{
    for (int i = 0; top; top = top->backing, i++)
        if (top == s)
            return i;
    return -1;
}

static bool say_find(char **argv, GError **err)
{
    g_autoptr(StorageSource) top = make_chain(argv + 3, false);
    const char *target = given(argv[1]), *after = given(argv[2]);
    unsigned index = target ? storage_chain_index(target, argv[0]) : 0;
    StorageSource *above = NULL;
    StorageSource *s = storage_chain_find(top, after ? layer(top, (unsigned)atoi(after)) : NULL, given(argv[0]), index,
                                          &above);

    if (!s) {
        error_set(err, VIR_ERR_INVALID_ARG, "no such layer: %s", argv[0]);
        return false;
    }
    printf("%d %d\n", position(top, s), position(top, above));
    return true;
}

static bool say_relative(char **argv, GError **err)
{
    g_autoptr(StorageSource) top = make_chain(argv + 2, true);
    g_autofree char *name = storage_chain_relative(layer(top, (unsigned)atoi(argv[0])), layer(top, (unsigned)atoi(argv[1])));

    (void)err;
    printf("%s\n", or_null(name));
    return true;
}

static StoragePoolDef *read_pool(const char *path, GError **err)
{
    g_autofree char *text = NULL;
    gsize len;

    return g_file_get_contents(path, &text, &len, err) ? storage_pool_parse(text, len, DOMAIN_PARSE_INACTIVE, err) : NULL;
}

static bool say_pool(char **argv, GError **err)
{
    g_autoptr(StoragePoolDef) d = read_pool(argv[0], err);
    g_autoptr(Argv) a = !d ? NULL : d->source.type == POOL_LOGICAL ? lvm_activate(d, true, err) : mount_command(d, err);
    g_autofree char *text = a ? argv_text(a) : NULL;

    if (text)
        printf("%s\n", text);
    return text != NULL;
}

static StorageVolumeDef *read_volume(const char *pool, const char *path, unsigned flags, GError **err)
{
    g_autoptr(StoragePoolDef) p = read_pool(pool, err);
    g_autofree char *text = NULL;
    gsize len;

    return p && g_file_get_contents(path, &text, &len, err)
               ? storage_volume_parse_for(text, len, DOMAIN_PARSE_INACTIVE | flags, p->source.type, err)
               : NULL;
}

static bool say_volume(char **argv, GError **err)
{
    g_autoptr(StorageVolumeDef) d = read_volume(argv[1], argv[2], argv[3] ? VOLUME_PARSE_NO_CAPACITY : VOLUME_PARSE_OPT_CAPACITY, err), input = NULL;
    unsigned flags = atoi(argv[0]) ? QEMU_IMG_PREALLOCATE : 0;

    if (!d || (argv[3] && !(input = read_volume(argv[3], argv[4], 0, err))))
        return false;
    QemuImgSide to = { d, NULL, "/path/to/secretFile" }, from = { input, NULL, "/path/to/inputSecretFile" };
    g_autoptr(GPtrArray) commands = qemu_img_create(&to, input ? &from : NULL, flags, err);
    for (guint i = 0; commands && i < commands->len; i++) {
        g_autofree char *text = argv_text(commands->pdata[i]);
        printf("%s\n", text);
    }
    return commands != NULL;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int args;
        bool (*run)(char **argv, GError **err);
    } ops[] = {
        { "backing", 1, say_backing },
        { "chain", 2, say_chain },
        { "find", 4, say_find },
        { "relative", 3, say_relative },
        { "pool", 1, say_pool },
        { "volume", 3, say_volume },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(ops); i++) {
        g_autoptr(GError) err = NULL;
        if (argc < ops[i].args + 2 || strcmp(argv[1], ops[i].name) != 0)
            continue;
        if (ops[i].run(argv + 2, &err))
            return 0;
        g_autofree char *text = error_text(err);
        fprintf(stderr, "%d %s\n", error_code(err), text);
        return 1;
    }
    fprintf(stderr, "usage: see the first comment\n");
    return 2;
}
