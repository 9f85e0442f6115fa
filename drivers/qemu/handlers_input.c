/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The keyboard, the NMI button and the screen of a guest: questions to the monitor that change
 * nothing which we keep. A picture goes through memory that the emulator gets a writable descriptor
 * of, so no file is made that a crash could leave behind. Workers.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "drivers/qemu/caps_probe.h"
#include "drivers/qemu/guest.h"
#include "drivers/qemu/handlers.h"
#include "drivers/qemu/keycodes.h"
#include "drivers/qemu/qmp_cmds.h"
#include "rpc/stream.h"
#include "util/error.h"
#include "util/fd.h"

enum { KEYS_MAX = REMOTE_DOMAIN_SEND_KEY_MAX };

bool qemu_domain_send_key(Call *c, DomainQuery *query, const remote_domain_send_key_args *a, GError **err)
{
    g_autoptr(Qmp) q = guest_qmp(domain_driver_data(query->domain), err);
    unsigned numbers[KEYS_MAX];
    (void)c;

    if (!q)
        return false;
    for (unsigned i = 0; i < a->keycodes.keycodes_len; i++)
        if (!keycode_number(a->codeset, a->keycodes.keycodes_val[i], &numbers[i], err))
            return false;
    return qmp_send_key(q, numbers, a->keycodes.keycodes_len, a->holdtime, err);
}

bool qemu_domain_inject_nmi(Call *c, DomainQuery *query, const remote_domain_inject_nmi_args *a, GError **err)
{
    g_autoptr(Qmp) q = guest_qmp(domain_driver_data(query->domain), err);
    (void)c;
    (void)a;

    return q && qmp_inject_nmi(q, err);
}

/* The device of a screen: screens are counted over the heads of all video devices. */
static bool find_screen(const DomainDef *def, unsigned screen, const char **ret_device, unsigned *ret_head, GError **err)
{
    const VideoDef *v;

    for (guint i = 0; (v = domain_next(def, DEVICE_VIDEO, &i));) {
        unsigned heads = v->heads.set ? v->heads.v : 1;
        if (v->type == VIDEO_NONE)
            continue;
        if (screen < heads) {
            *ret_device = v->dev.info.alias;
            *ret_head = screen;
            return true;
        }
        screen -= heads;
    }
    error_set(err, VIR_ERR_OPERATION_INVALID, "no such screen ID");
    return false;
}

bool qemu_domain_screenshot(Call *c, DomainQuery *query, const remote_domain_screenshot_args *a,
                            remote_domain_screenshot_ret *r, GError **err)
{
    const DomainDef *def = query->view->live->def;
    g_autoptr(Qmp) q = guest_qmp(domain_driver_data(query->domain), err);
    const char *device = NULL;
    unsigned head = 0;
    int64_t set = -1;

    if (!q || !find_screen(def, a->screen, &device, &head, err))
        return false;
    QemuCaps *caps = qemu_caps_get(def->emulator, err);
    if (!caps)
        return false;
    const char *format = qemu_caps_has(caps, QEMU_CAP_SCREENSHOT_FORMAT_PNG) ? "png" : NULL;
    if (!qemu_caps_has(caps, QEMU_CAP_SCREENDUMP_DEVICE))
        device = NULL;
    qemu_caps_unref(caps);

    auto_fd picture = memfd_create("screenshot", MFD_CLOEXEC);
    g_autofree char *self = g_strdup_printf("/proc/self/fd/%d", picture);
    /* The emulator opens members of a set only with the very access that they have. */
    auto_fd writer = picture < 0 ? -1 : open(self, O_WRONLY | O_CLOEXEC);
    if (writer < 0) {
        error_set_errno(err, errno, "cannot make room for a picture");
        return false;
    }
    if (!qmp_add_fd(q, writer, "screenshot", &set, err))
        return false;
    g_autofree char *path = g_strdup_printf("/dev/fdset/%" G_GINT64_FORMAT, set);
    bool ok = qmp_screendump(q, path, device, head, format, err);
    (void)qmp_remove_fd(q, set, NULL); /* gone with the emulator otherwise */
    if (!ok || !call_attach_stream(c, fd_take(&picture), STREAM_OUT, NULL, NULL, err))
        return false;
    r->mime = g_strdup(format ? "image/png" : "image/x-portable-pixmap");
    return true;
}
