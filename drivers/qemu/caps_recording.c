/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Emulators that are not here: what one answered once, from a file. A recording is commands and
 * replies in turn, JSON values one after the other; a second session asks what differs under the
 * second accelerator. Pure but for reading the file; any thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "drivers/qemu/caps_probe.h"
#include "util/error.h"
#include "util/fd.h"

enum { RECORDING_MAX = 16 << 20 };

typedef struct Recording {
    GPtrArray *items; /* JsonObject: command, reply, command, reply … */
    unsigned session;
} Recording;

static bool replay(void *data, const char *cmd, JsonObject *args, JsonObject **ret, GError **err)
{
    Recording *r = data;
    unsigned session = 0;
    g_autoptr(JsonObject) mine = args;

    for (unsigned i = 0; i + 1 < r->items->len; i += 2) {
        JsonObject *c = r->items->pdata[i], *reply = r->items->pdata[i + 1], *a = json_get(c, "arguments");

        if (g_strcmp0(json_get_str(c, "execute"), "qmp_capabilities") == 0)
            session++;
        if (session != r->session || g_strcmp0(json_get_str(c, "execute"), cmd) != 0)
            continue;
        if (!a != !mine || (a && !json_object_equal(a, mine)))
            continue;
        if (json_get(reply, "error")) {
            error_set(err, VIR_ERR_INTERNAL_ERROR, "%s", json_get_str(reply, "error/desc"));
            return false;
        }
        *ret = json_object_get(json_get(reply, "return"));
        return true;
    }
    error_set(err, VIR_ERR_OPERATION_UNSUPPORTED, "%s is not recorded", cmd);
    return false;
}

/* The file is one JSON value after the other; json_parse() wants one, so cut by depth. */
GPtrArray *qemu_recording_load(const char *path, GError **err)
{
    g_autofree char *text = NULL;
    size_t len;
    g_autoptr(GPtrArray) items = g_ptr_array_new_with_free_func((GDestroyNotify)json_put_);
    bool in_string = false;
    unsigned depth = 0;
    static const JsonLimits limits = { RECORDING_MAX, 64, 2000000 };

    if (!fd_read_file(AT_FDCWD, path, RECORDING_MAX, &text, &len, err))
        return NULL;
    const char *start = text;
    for (const char *p = text; p < text + len; p++) {
        if (in_string) {
            if (*p == '\\')
                p++;
            else if (*p == '"')
                in_string = false;
        } else if (*p == '"') {
            in_string = true;
        } else if (*p == '{' || *p == '[') {
            if (depth++ == 0)
                start = p;
        } else if ((*p == '}' || *p == ']') && depth && --depth == 0) {
            JsonObject *o = json_parse(path, start, p + 1 - start, &limits, err);
            if (!o)
                return NULL;
            g_ptr_array_add(items, o);
        }
    }
    return g_steal_pointer(&items);
}

QemuCaps *qemu_caps_from_recording(const char *path, const char *binary, GError **err)
{
    g_autoptr(QemuCaps) c = qemu_caps_new(binary, NULL);
    Recording r = { qemu_recording_load(path, err), 1 };
    CapsSource src = { replay, &r };
    if (!r.items)
        return NULL;
    bool ok = qemu_caps_query(c, &src, CAPS_ALL, err);

    if (ok && qemu_caps_has(c, QEMU_CAP_KVM)) {
        r.session = 2;
        ok = qemu_caps_query(c, &src, CAPS_SECOND, err);
    }
    g_ptr_array_unref(r.items);
    return ok ? g_steal_pointer(&c) : NULL;
}

QemuCaps *qemu_caps_load(const char *path, const char *binary, GError **err)
{
    char first[64] = "";
    auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, first, sizeof(first) - 1);
    if (n < 0) {
        error_set_errno(err, errno, "cannot read '%s'", path);
        return NULL;
    }
    return first[strspn(first, " \t\r\n")] == '<' ? qemu_caps_load_xml(path, err) : qemu_caps_from_recording(path, binary, err);
}
