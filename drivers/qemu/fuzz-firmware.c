/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any bytes as the only firmware descriptor of a host: guests of different wishes find no firmware, or
 * one whose files are named.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/firmware_descriptor.h"
#include "drivers/qemu/firmware.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok)
        abort();
}

/* Removed by atexit(): a directory with one file. */
static char *dir, *file;

static void clean(void)
{
    (void)remove(file);
    (void)remove(dir);
}

static void try(const char *xml)
{
    const char *dirs[] = { dir, NULL };
    g_autoptr(GError) err = NULL, why = NULL;
    g_autoptr(DomainDef) d = domain_parse(xml, strlen(xml), 0, NULL, NULL, &err);

    check(d != NULL);
    bool found = qemu_firmware_select(d, dirs, "/nvram", &why);
    check(found == (why == NULL));
    check(!found || (d->os.loader && d->os.loader->path));
    g_autofree char *text = domain_format(d, 0, NULL, &err);
    check(text != NULL);
}

#define GUEST(os, more)                                                                                    \
    "<domain type='qemu'><name>g</name><memory>1024</memory><os firmware='" os "'>"                        \
    "<type arch='x86_64' machine='pc-q35-7.2'>hvm</type>" more "</domain>"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!dir) {
        dir = g_dir_make_tmp("fuzz-firmware-XXXXXX", NULL);
        check(dir != NULL);
        file = g_build_filename(dir, "f.json", NULL);
        atexit(clean);
    }
    FILE *f = fopen(file, "we");
    check(f && fwrite(data, 1, size, f) == size);
    check(fclose(f) == 0);
    (void)firmware_descriptor_check((const char *)data, size, NULL);
    try(GUEST("efi", "</os>"));
    try(GUEST("bios", "</os>"));
    try(GUEST("efi", "<loader secure='yes'/></os><features><acpi/><smm state='on'/></features>"));
    try(GUEST("efi", "<firmware><feature enabled='yes' name='secure-boot'/><feature enabled='no' name='enrolled-keys'/></firmware></os>"));
    try(GUEST("efi", "<loader stateless='yes'/></os>"));
    return 0;
}
