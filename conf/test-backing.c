/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Layers of images: what words for them mean, what is refused, chains on disk with relative names, links
 * and loops; a format that nobody recorded.
 */
#undef NDEBUG
#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "conf/backing.h"
#include "util/error.h"

static char *dir;

static void put_be(uint8_t *p, uint64_t v, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        p[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
}

static char *in_dir(const char *name)
{
    return g_build_filename(dir, name, NULL);
}

/* A qcow2 image of version 3 without any data. */
static void make_image(const char *name, const char *backing, const char *format, bool external_data)
{
    g_autofree char *path = in_dir(name);
    uint8_t h[1024] = { 0 };

    memcpy(h, "QFI\xfb", 4);
    put_be(h + 4, 3, 4);
    put_be(h + 20, 16, 4);
    put_be(h + 24, 1 << 20, 8);
    put_be(h + 72, external_data ? 4 : 0, 8);
    put_be(h + 100, 104, 4);
    if (backing) {
        put_be(h + 8, 512, 8);
        put_be(h + 16, strlen(backing), 4);
        memcpy(h + 512, backing, strlen(backing));
    }
    if (format) {
        put_be(h + 104, 0xe2792aca, 4);
        put_be(h + 108, strlen(format), 4);
        memcpy(h + 112, format, strlen(format));
    }
    assert(g_file_set_contents(path, (const char *)h, sizeof(h), NULL));
}

static StorageSource *load(const char *name, StorageFormat format, GError **err)
{
    g_autofree char *path = in_dir(name);
    g_autoptr(StorageSource) s = storage_source_new(STORAGE_FILE, path);

    s->format = format;
    return storage_chain_load(s, NULL, NULL, err) ? g_steal_pointer(&s) : NULL;
}

static void assert_refused(const char *name, const char *why)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(StorageSource) s = load(name, FORMAT_QCOW2, &err);

    assert(!s && strstr(err->message, why));
}

static void test_chain_through_a_link(void)
{
    g_autofree char *link = in_dir("sub/link"), *below = in_dir("sub/../base"), *relative = NULL;
    g_autoptr(GError) err = NULL;

    make_image("base", NULL, NULL, false);
    make_image("top", "../base", "qcow2", false);
    assert(symlink("../top", link) == 0);
    g_autoptr(StorageSource) s = load("sub/link", FORMAT_QCOW2, &err);
    assert(s && s->backing && !s->backing->backing && s->backing->backing_none);
    assert(g_str_equal(s->backing->path, below) && g_str_equal(s->backing->priv->rel_path, "../base"));
    relative = storage_chain_relative(s->backing, s->backing);
    assert(g_str_equal(relative, "../base") && !storage_chain_relative(s, s->backing));
    StorageSource *above = NULL;
    assert(storage_chain_find(s, NULL, NULL, 0, &above) == s->backing && above == s);
    assert(storage_chain_find(s, NULL, "../top", 0, NULL) == NULL); /* a name relative to us, not to it */
    assert(storage_chain_find(s, NULL, "none", 0, NULL) == NULL && storage_chain_find(s, s, NULL, 2, NULL) == NULL);
    assert(storage_chain_index("vda", "vda[1]") == 1 && !storage_chain_index("vda", "vda[1") && !storage_chain_index("vda", "vdb[1]"));
}

static void test_formats_that_nobody_recorded(void)
{
    g_autoptr(GError) err = NULL;

    make_image("alone", NULL, NULL, false);
    make_image("on-alone", "alone", NULL, false);
    g_autoptr(StorageSource) s = load("on-alone", FORMAT_QCOW2, &err);
    assert(s && s->backing->format == FORMAT_QCOW2 && s->backing->backing_none);

    make_image("deep", "alone", "qcow2", false);
    make_image("on-deep", "deep", NULL, false);
    assert_refused("on-deep", "was not specified");
    make_image("beside", NULL, NULL, true);
    make_image("on-beside", "beside", NULL, false);
    assert_refused("on-beside", "was not specified");
    /* Nobody looks into a raw image. */
    g_autoptr(StorageSource) raw = load("on-deep", FORMAT_RAW, &err);
    assert(raw && !raw->backing && raw->backing_none);
}

static void test_broken_chains(void)
{
    make_image("self", "self", "qcow2", false);
    make_image("one", "two", "qcow2", false);
    make_image("two", "one", "qcow2", false);
    make_image("missing", "nothing", "qcow2", false);
    assert_refused("self", "self-referential");
    assert_refused("one", "self-referential");
    assert_refused("missing", "nothing");
}

static void test_words(void)
{
    static const struct {
        const char *word;
        StorageType type;
        StorageProtocol protocol;
        const char *name, *host;
        bool more;
    } good[] = {
        { "a:b/../c", STORAGE_NONE, 0, NULL, NULL, false }, /* no protocol of that name */
        { "/a:b", STORAGE_FILE, 0, NULL, NULL, false },
        { "file:x", STORAGE_FILE, 0, NULL, NULL, false },
        { "nbd+unix:///e?socket=/s", STORAGE_NETWORK, PROTOCOL_NBD, "e", NULL, false },
        { "ssh://user@host/image", STORAGE_NETWORK, PROTOCOL_SSH, "image", "host", true },
        { "iscsi://h/iqn.2020:x", STORAGE_NETWORK, PROTOCOL_ISCSI, "iqn.2020:x/0", "h", false },
        { "rbd:p/i@snap:key=AQ==", STORAGE_NETWORK, PROTOCOL_RBD, "p/i", NULL, true },
        { "json:{\"file.driver\":\"gluster\",\"file.volume\":\"v\",\"file.path\":\"p\",\"file.server.0.type\":\"tcp\","
          "\"file.server.0.host\":\"a\"}", STORAGE_NETWORK, PROTOCOL_GLUSTER, "v/p", "a", false },
        { "gluster://h/volume-only", STORAGE_NONE, 0, NULL, NULL, false },
        { "http://", STORAGE_NONE, 0, NULL, NULL, false },
        { "nbd:host:99999", STORAGE_NONE, 0, NULL, NULL, false },
        { "", STORAGE_NONE, 0, NULL, NULL, false },
        { "json:{\"driver\":\"raw\"}", STORAGE_NONE, 0, NULL, NULL, false },
        { "json:[1]", STORAGE_NONE, 0, NULL, NULL, false },
        { "json:{\"a\":1,\"a.b\":2}", STORAGE_NONE, 0, NULL, NULL, false },
        { "json:{\"driver\":\"nvme\",\"device\":\"1:2\",\"namespace\":1}", STORAGE_NONE, 0, NULL, NULL, false },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(good); i++) {
        g_autoptr(GError) err = NULL;
        bool more;
        g_autoptr(StorageSource) s = backing_parse(good[i].word, &more, &err);
        if (good[i].type == STORAGE_NONE) {
            assert(!s && err);
            continue;
        }
        assert(s && s->type == good[i].type && s->protocol == good[i].protocol && more == good[i].more);
        assert(g_strcmp0(s->name, good[i].name) == 0);
        const StorageHost *h = list_len(s->hosts) ? list_at(s->hosts, 0) : NULL;
        assert(g_strcmp0(h ? h->name : NULL, good[i].host) == 0);
    }
}

int main(void)
{
    dir = g_dir_make_tmp("test-backing-XXXXXX", NULL);
    assert(dir);
    g_autofree char *sub = in_dir("sub");
    assert(g_mkdir_with_parents(sub, 0700) == 0);
    test_chain_through_a_link();
    test_formats_that_nobody_recorded();
    test_broken_chains();
    test_words();
    const char *argv[] = { "rm", "-r", dir, NULL };
    assert(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL, NULL));
    g_free(dir);
    return 0;
}
