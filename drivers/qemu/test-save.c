/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Heads of saved guests, and what stands between an emulator and a file. */
#include <assert.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "drivers/qemu/image_io.h"
#include "drivers/qemu/save_image.h"
#include "util/error.h"
#include "util/fd.h"

static void test_round_trip(void)
{
    g_autoptr(GError) err = NULL;
    SaveImage a = { .header = { .complete = true, .was_running = true, .format = SAVE_XZ }, .xml = (char *)"<domain/>",
                    .cookie = (char *)"<cookie/>" };
    g_autoptr(GByteArray) bytes = save_image_format(&a, &err);
    auto_fd fd = memfd_create("image", MFD_CLOEXEC);
    g_auto(SaveImage) b = { 0 };

    assert(bytes && bytes->len == SAVE_HEADER_SIZE + 10 + 10 + SAVE_ROOM && !memcmp(bytes->data, "LibvirtQemudSave", 16));
    assert(fd_write_all(fd, bytes->data, bytes->len) == 0 && fd_write_all(fd, "QEVM", 4) == 0 && lseek(fd, 0, SEEK_SET) == 0);
    assert(save_image_read(fd, &b, &err) == 1);
    assert(g_str_equal(b.xml, a.xml) && g_str_equal(b.cookie, a.cookie) && b.header.was_running && b.header.format == SAVE_XZ);
    assert(lseek(fd, 0, SEEK_CUR) == (off_t)bytes->len); /* the stream is next */

    /* Another document takes the same room; one that is too large has none. */
    g_free(b.xml);
    b.xml = g_strnfill(SAVE_ROOM, 'x');
    g_autoptr(GByteArray) again = save_image_format_again(&b, &err);
    assert(again && again->len == bytes->len);
    g_free(b.xml);
    b.xml = g_strnfill(SAVE_ROOM + 100, 'x');
    assert(!save_image_format_again(&b, &err) && strstr(err->message, "too large"));
}

typedef struct Bad {
    unsigned at;
    const char *bytes;
    unsigned n;
    int kind;
    const char *why;
} Bad;

static void test_heads_that_are_none(void)
{
    static const Bad cases[] = {
        { 0, "libvirt", 7, -1, "magic" },
        { 12, "Part", 4, 0, "incomplete" },
        { 16, "\0\0\0\3", 4, -1, "version" },
        { 20, "\0\0\0\0", 4, -1, "length" },
        { 20, "\377\377\377\377", 4, -1, "length" },
        { 28, "\6\0\0\0", 4, -1, "format 6" },
        { 32, "\377\377\0\0", 4, -1, "cookie" },
    };
    SaveHeader good = { .complete = true, .text_len = 1000, .format = SAVE_GZIP };
    uint8_t head[SAVE_HEADER_SIZE];

    if (G_BYTE_ORDER != G_LITTLE_ENDIAN)
        return; /* the cases are spelt so */
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) err = NULL;
        SaveHeader h;
        save_header_format(&good, head);
        assert(save_header_parse(head, &h, NULL) == 1 && h.text_len == 1000 && !h.swapped);
        memcpy(head + cases[i].at, cases[i].bytes, cases[i].n);
        assert(save_header_parse(head, &h, &err) == cases[i].kind && strstr(err->message, cases[i].why));
    }
    good.swapped = true;
    SaveHeader h;
    save_header_format(&good, head);
    assert(save_header_parse(head, &h, NULL) == 1 && h.swapped && h.text_len == 1000 && h.format == SAVE_GZIP);
}

static void feed(int fd, size_t n)
{
    g_autofree uint8_t *bytes = g_malloc(n);
    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 251);
    assert(fd_write_all(fd, bytes, n) == 0);
}

/* What goes in comes out, of any size, through each way. */
static void test_ways(const char *dir)
{
    static const SaveFormat formats[] = { SAVE_RAW, SAVE_GZIP };
    static const size_t sizes[] = { 0, 1, 4095, 4096, 65536, 100001 };

    for (unsigned f = 0; f < G_N_ELEMENTS(formats); f++)
        for (unsigned s = 0; s < G_N_ELEMENTS(sizes); s++)
            for (int bypass = 0; bypass < 2; bypass++) {
                g_autoptr(GError) err = NULL;
                g_autofree char *path = g_build_filename(dir, "image", NULL);
                auto_fd file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
                g_autoptr(GByteArray) head = g_byte_array_new();
                g_byte_array_set_size(head, 92 + 5000);
                memset(head->data, 'h', head->len);

                g_autoptr(ImageIo) out = image_io_write(file, path, head, formats[f], bypass, &err);
                assert(out);
                feed(image_io_fd(out), sizes[s]);
                image_io_handed_over(out);
                while (!image_io_ended(out, 1000))
                    continue;
                assert(image_io_finish(out, &err));
                fd_close(&file);

                file = open(path, O_RDONLY | O_CLOEXEC);
                g_autoptr(ImageIo) in = image_io_read(file, path, head->len, formats[f], bypass, &err);
                assert(in);
                g_autofree uint8_t *got = g_malloc0(sizes[s] + 10), *want = g_malloc0(sizes[s] + 10);
                assert(fd_read_all(image_io_fd(in), got, sizes[s] + 10) == (ssize_t)sizes[s]);
                for (size_t i = 0; i < sizes[s]; i++)
                    want[i] = (uint8_t)(i * 7 + i / 251);
                assert(memcmp(got, want, sizes[s]) == 0);
                assert(image_io_finish(in, &err));
                (void)unlink(path);
            }
}

/* Whatever stands still can be ended, and what went wrong first is told. */
static void test_ends(void)
{
    g_autoptr(GError) err = NULL, why = NULL;
    g_autoptr(GByteArray) head = g_byte_array_new();
    int p[2];

    assert(pipe2(p, O_CLOEXEC) == 0); /* nobody reads it */
    ImageIo *io = image_io_write(p[1], "pipe", head, SAVE_RAW, false, &err);
    assert(io && fd_set_nonblock(image_io_fd(io), true));
    static uint8_t block[1 << 16];
    while (write(image_io_fd(io), block, sizeof(block)) > 0)
        continue;
    assert(!image_io_ended(io, 1000));
    image_io_stop(io);
    assert(!image_io_finish(io, &err));
    image_io_free(io);
    fd_close(&p[0]);
    fd_close(&p[1]);

    auto_fd full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    g_autoptr(ImageIo) to_full = image_io_write(full, "/dev/full", head, SAVE_GZIP, false, NULL);
    assert(to_full);
    feed(image_io_fd(to_full), 50000);
    g_clear_error(&err);
    assert(!image_io_finish(to_full, &err) && strstr(err->message, "/dev/full"));
    error_set(&why, VIR_ERR_INTERNAL_ERROR, "broken pipe");
    image_io_explain(to_full, &why);
    assert(strstr(why->message, "No space left"));

    /* What cannot be expanded. */
    auto_fd bad = memfd_create("bad", MFD_CLOEXEC);
    char byte;
    feed(bad, 1000);
    g_autoptr(ImageIo) in = image_io_read(bad, "bad", 0, SAVE_GZIP, false, NULL);
    assert(in && read(image_io_fd(in), &byte, 1) == 0);
    g_clear_error(&err);
    assert(!image_io_finish(in, &err) && strstr(err->message, "expands 'bad'"));
}

int main(void)
{
    char dir[] = "/tmp/test-save-XXXXXX";

    signal(SIGPIPE, SIG_IGN);
    assert(mkdtemp(dir));
    test_round_trip();
    test_heads_that_are_none();
    test_ways(dir);
    test_ends();
    return rmdir(dir);
}
