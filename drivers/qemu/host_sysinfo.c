/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The firmware's SMBIOS tables as clients know them from dmidecode. Structures are walked with every
 * length checked; what each one says is a row: offset, how to print it, element name. The tables are
 * the firmware's and often wrong; a structure that does not fit ends the walk, nothing else. Any
 * thread.
 */
#include <fcntl.h>
#include <string.h>

#include "drivers/qemu/host.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/uuid.h"
#include "util/xml.h"

#define TABLE_MAX (1 << 20)
#define STRUCTURES_MAX 4096

enum { T_BIOS = 0, T_SYSTEM = 1, T_BOARD = 2, T_CHASSIS = 3, T_CPU = 4, T_OEM = 11, T_MEMORY = 17, T_END = 127 };

typedef enum FieldKind {
    F_STRING,  /* number of a string */
    F_UUID,
    F_RELEASE, /* two bytes "major.minor", 0xff: none */
    F_MHZ,
    F_MEM_SPEED,
    F_MEM_SIZE,
    F_CPU_TYPE,
    F_CPU_STATUS,
    F_FORM,
    F_MEM_TYPE,
    F_MEM_DETAIL,
} FieldKind;

typedef struct Field {
    uint8_t type, offset, kind;
    const char *name;
} Field;

/* clang-format off */
static const Field fields[] = {
    { T_BIOS,    0x04, F_STRING,     "vendor" },
    { T_BIOS,    0x05, F_STRING,     "version" },
    { T_BIOS,    0x08, F_STRING,     "date" },
    { T_BIOS,    0x14, F_RELEASE,    "release" },
    { T_SYSTEM,  0x04, F_STRING,     "manufacturer" },
    { T_SYSTEM,  0x05, F_STRING,     "product" },
    { T_SYSTEM,  0x06, F_STRING,     "version" },
    { T_SYSTEM,  0x07, F_STRING,     "serial" },
    { T_SYSTEM,  0x08, F_UUID,       "uuid" },
    { T_SYSTEM,  0x19, F_STRING,     "sku" },
    { T_SYSTEM,  0x1a, F_STRING,     "family" },
    { T_BOARD,   0x04, F_STRING,     "manufacturer" },
    { T_BOARD,   0x05, F_STRING,     "product" },
    { T_BOARD,   0x06, F_STRING,     "version" },
    { T_BOARD,   0x07, F_STRING,     "serial" },
    { T_BOARD,   0x08, F_STRING,     "asset" },
    { T_BOARD,   0x0a, F_STRING,     "location" },
    { T_CHASSIS, 0x04, F_STRING,     "manufacturer" },
    { T_CHASSIS, 0x06, F_STRING,     "version" },
    { T_CHASSIS, 0x07, F_STRING,     "serial" },
    { T_CHASSIS, 0x08, F_STRING,     "asset" },
    { T_CPU,     0x04, F_STRING,     "socket_destination" },
    { T_CPU,     0x05, F_CPU_TYPE,   "type" },
    { T_CPU,     0x07, F_STRING,     "manufacturer" },
    { T_CPU,     0x10, F_STRING,     "version" },
    { T_CPU,     0x12, F_MHZ,        "external_clock" },
    { T_CPU,     0x14, F_MHZ,        "max_speed" },
    { T_CPU,     0x18, F_CPU_STATUS, "status" },
    { T_CPU,     0x20, F_STRING,     "serial_number" },
    { T_CPU,     0x22, F_STRING,     "part_number" },
    { T_MEMORY,  0x0c, F_MEM_SIZE,   "size" },
    { T_MEMORY,  0x0e, F_FORM,       "form_factor" },
    { T_MEMORY,  0x10, F_STRING,     "locator" },
    { T_MEMORY,  0x11, F_STRING,     "bank_locator" },
    { T_MEMORY,  0x12, F_MEM_TYPE,   "type" },
    { T_MEMORY,  0x13, F_MEM_DETAIL, "type_detail" },
    { T_MEMORY,  0x15, F_MEM_SPEED,  "speed" },
    { T_MEMORY,  0x17, F_STRING,     "manufacturer" },
    { T_MEMORY,  0x18, F_STRING,     "serial_number" },
    { T_MEMORY,  0x1a, F_STRING,     "part_number" },
};

/* In this order in the document; the first of a kind, or every one. */
static const struct { uint8_t type; bool all; const char *element; } sections[] = {
    { T_BIOS,    false, "bios" },
    { T_SYSTEM,  false, "system" },
    { T_BOARD,   true,  "baseBoard" },
    { T_CHASSIS, false, "chassis" },
    { T_CPU,     true,  "processor" },
    { T_MEMORY,  true,  "memory_device" },
    { T_OEM,     false, "oemStrings" },
};

static const char *const cpu_types[] = { NULL, "Other", "Unknown", "Central Processor", "Math Processor", "DSP Processor",
                                         "Video Processor" };
static const char *const cpu_states[] = { "Unknown", "Enabled", "Disabled By User", "Disabled By BIOS", "Idle" };
static const char *const forms[] = { NULL, "Other", "Unknown", "SIMM", "SIP", "Chip", "DIP", "ZIP", "Proprietary Card",
                                     "DIMM", "TSOP", "Row Of Chips", "RIMM", "SODIMM", "SRIMM", "FB-DIMM", "Die" };
static const char *const mem_types[] = {
    NULL, "Other", "Unknown", "DRAM", "EDRAM", "VRAM", "SRAM", "RAM", "ROM", "Flash", "EEPROM", "FEPROM", "EPROM", "CDRAM",
    "3DRAM", "SDRAM", "SGRAM", "RDRAM", "DDR", "DDR2", "DDR2 FB-DIMM", NULL, NULL, NULL, "DDR3", "FBD2", "DDR4", "LPDDR",
    "LPDDR2", "LPDDR3", "LPDDR4", "Logical non-volatile device", "HBM", "HBM2", "DDR5", "LPDDR5" };
static const char *const details[] = { NULL, "Other", "Unknown", "Fast-paged", "Static Column", "Pseudo-static", "RAMBus",
                                       "Synchronous", "CMOS", "EDO", "Window DRAM", "Cache DRAM", "Non-Volatile",
                                       "Registered (Buffered)", "Unbuffered (Unregistered)", "LRDIMM" };
/* clang-format on */

typedef struct Structure {
    uint8_t type, len;
    const uint8_t *data;        /* len bytes */
    const char *strings, *end;  /* NUL-terminated, one after the other */
} Structure;

static char *string_of(const Structure *s, unsigned number)
{
    const char *p = s->strings;

    if (number == 0)
        return g_strdup("Not Specified");
    for (; number > 1 && p < s->end && *p; number--)
        p += strlen(p) + 1;
    if (p >= s->end || !*p)
        return g_strdup("<BAD INDEX>");

    /* Bytes of the firmware: what XML cannot hold becomes a dot. */
    char *r = g_utf8_make_valid(p, -1);
    for (char *c = r; *c; c++)
        if ((unsigned char)*c < 0x20)
            *c = '.';
    return g_strchomp(r);
}

static unsigned word(const Structure *s, unsigned off)
{
    return off + 1 < s->len ? s->data[off] | (unsigned)s->data[off + 1] << 8 : 0;
}

static char *named(const char *const *names, unsigned n, unsigned value)
{
    return g_strdup(value < n && names[value] ? names[value] : "<OUT OF SPEC>");
}

static char *format_uuid(const Structure *s, unsigned off)
{
    uint8_t u[16];
    char text[37];

    if (off + 16u > s->len)
        return NULL;
    memcpy(u, s->data + off, 16);
    /* Since version 2.6 the first three parts are little-endian. */
    const uint8_t swapped[16] = { u[3], u[2], u[1], u[0], u[5], u[4], u[7], u[6], u[8], u[9], u[10], u[11], u[12], u[13], u[14], u[15] };
    uuid_format(swapped, text);
    return g_ascii_strup(text, -1);
}

static char *format_size(const Structure *s, unsigned off)
{
    unsigned v = word(s, off);

    if (v == 0)
        return g_strdup("No Module Installed");
    if (v == 0xffff)
        return g_strdup("Unknown");
    if (v == 0x7fff && s->len >= 0x20) {
        uint64_t mib = word(s, 0x1c) | (uint64_t)(word(s, 0x1e) & 0x7fff) << 16;
        return g_strdup_printf("%" G_GUINT64_FORMAT " %s", mib % 1024 ? mib : mib / 1024, mib % 1024 ? "MB" : "GB");
    }
    if (v & 0x8000)
        return g_strdup_printf("%u kB", v & 0x7fff);
    return v % 1024 ? g_strdup_printf("%u MB", v) : g_strdup_printf("%u GB", v / 1024);
}

/* NULL: the structure is too short to say it, or says nothing. */
static char *format_field(const Structure *s, const Field *f)
{
    if (f->offset >= s->len)
        return NULL;
    unsigned byte = s->data[f->offset], w = word(s, f->offset);

    switch ((FieldKind)f->kind) {
    case F_STRING:
        return string_of(s, byte);
    case F_UUID:
        return format_uuid(s, f->offset);
    case F_RELEASE:
        return byte == 0xff || f->offset + 1u >= s->len ? NULL : g_strdup_printf("%u.%u", byte, s->data[f->offset + 1]);
    case F_MHZ:
        return w ? g_strdup_printf("%u MHz", w) : g_strdup("Unknown");
    case F_MEM_SPEED:
        return w ? g_strdup_printf("%u MT/s", w) : g_strdup("Unknown");
    case F_MEM_SIZE:
        return format_size(s, f->offset);
    case F_CPU_TYPE:
        return named(cpu_types, G_N_ELEMENTS(cpu_types), byte);
    case F_CPU_STATUS:
        return byte & 0x40 ? g_strdup_printf("Populated, %s", (byte & 7) < G_N_ELEMENTS(cpu_states) ? cpu_states[byte & 7] : "Other")
                           : g_strdup("Unpopulated");
    case F_FORM:
        return named(forms, G_N_ELEMENTS(forms), byte);
    case F_MEM_TYPE:
        return named(mem_types, G_N_ELEMENTS(mem_types), byte);
    case F_MEM_DETAIL: {
        g_autoptr(GString) t = g_string_new(NULL);
        for (unsigned i = 1; i < G_N_ELEMENTS(details); i++)
            if (w >> i & 1)
                g_string_append_printf(t, "%s%s", t->len ? " " : "", details[i]);
        return g_strdup(t->len ? t->str : "None");
    }
    }
    return NULL;
}

static void write_structure(XmlWriter *w, const Structure *s, const char *element)
{
    bool open = false;

    for (unsigned i = 0; i < G_N_ELEMENTS(fields); i++) {
        g_autofree char *text = fields[i].type == s->type ? format_field(s, &fields[i]) : NULL;
        if (!text || !*text)
            continue;
        if (!open)
            xml_open(w, element);
        open = true;
        xml_open(w, "entry");
        xml_attr(w, "name", fields[i].name);
        xml_text(w, text);
        xml_close(w);
    }
    if (open)
        xml_close(w);
}

static void write_oem(XmlWriter *w, const Structure *s)
{
    unsigned n = s->len > 4 ? s->data[4] : 0;

    if (n == 0)
        return;
    xml_open(w, "oemStrings");
    for (unsigned i = 1; i <= n; i++) {
        g_autofree char *text = string_of(s, i);
        xml_element(w, "entry", text);
    }
    xml_close(w);
}

/* The structure at p; NULL when it does not fit, else where the next one begins. */
static const uint8_t *take(const uint8_t *p, const uint8_t *end, Structure *s)
{
    if (end - p < 6 || p[1] < 4 || p[1] > end - p - 2)
        return NULL;
    *s = (Structure){ .type = p[0], .len = p[1], .data = p, .strings = (const char *)p + p[1] };

    const uint8_t *q = p + p[1];
    while (q + 1 < end && (q[0] || q[1]))
        q++;
    if (q + 1 >= end)
        return NULL;
    s->end = (const char *)q + 1; /* the strings end before it, each with its own NUL */
    return q + 2;
}

char *host_sysinfo_from_table(const uint8_t *table, size_t len, GError **err)
{
    g_autoptr(GArray) all = g_array_new(false, false, sizeof(Structure));
    const uint8_t *p = table, *end = table + MIN(len, TABLE_MAX);
    Structure s;

    while (all->len < STRUCTURES_MAX && (p = take(p, end, &s)) && s.type != T_END)
        g_array_append_val(all, s);
    if (all->len == 0) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "Host SMBIOS information is not available");
        return NULL;
    }

    g_autoptr(GString) out = g_string_new(NULL);
    XmlWriter w;
    xml_writer_init(&w, out, 0);
    xml_open(&w, "sysinfo");
    xml_attr(&w, "type", "smbios");
    for (unsigned i = 0; i < G_N_ELEMENTS(sections); i++)
        for (unsigned k = 0; k < all->len; k++) {
            const Structure *e = &g_array_index(all, Structure, k);
            if (e->type != sections[i].type)
                continue;
            if (e->type == T_OEM)
                write_oem(&w, e);
            else
                write_structure(&w, e, sections[i].element);
            if (!sections[i].all)
                break;
        }
    xml_close(&w);
    return g_string_free(g_steal_pointer(&out), false);
}

char *host_sysinfo_xml(GError **err)
{
    g_autofree char *table = NULL;
    size_t len = 0;

    if (!fd_read_file(AT_FDCWD, "/sys/firmware/dmi/tables/DMI", TABLE_MAX, &table, &len, NULL)) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "Host SMBIOS information is not available");
        return NULL;
    }
    return host_sysinfo_from_table((const uint8_t *)table, len, err);
}
