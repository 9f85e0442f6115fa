/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Video cards and sound cards. The first video card is the one that firmware writes to: it is VGA. */
#include <string.h>

#include "drivers/qemu/cmdline-internal.h"

static const char *virtio_base(const VideoDef *v, bool vga)
{
    bool gl = tri_is_yes(v->accel3d);
    if (v->driver == VIDEO_DRIVER_VHOSTUSER)
        return vga ? "vhost-user-vga" : "vhost-user-gpu";
    if (vga)
        return gl ? "virtio-vga-gl" : "virtio-vga";
    return gl ? "virtio-gpu-gl" : "virtio-gpu";
}

static bool has_vga_mode(const Cmd *c)
{
    return arch_is_x86(c->def->os.arch) || arch_is_ppc64(c->def->os.arch);
}

static JsonObject *video_base(Cmd *c, const VideoDef *v, bool primary, GError **err)
{
    bool vga = primary && has_vga_mode(c);
    switch (v->type) {
    case VIDEO_VGA: return props_new(P_STR("driver", primary ? "VGA" : "secondary-vga"));
    case VIDEO_CIRRUS: return props_new(P_STR("driver", "cirrus-vga"));
    case VIDEO_VMVGA: return props_new(P_STR("driver", "vmware-svga"));
    case VIDEO_QXL: return props_new(P_STR("driver", vga ? "qxl-vga" : "qxl"));
    case VIDEO_BOCHS: return props_new(P_STR("driver", "bochs-display"));
    case VIDEO_RAMFB: return props_new(P_STR("driver", "ramfb"));
    case VIDEO_VIRTIO:
        if (vga && v->driver == VIDEO_DRIVER_VHOSTUSER) /* takes no virtio options */
            return props_new(P_STR("driver", virtio_base(v, true)));
        if (vga) { /* there is but one bus for it, hence no suffix */
            return props_new(P_STR("driver", virtio_base(v, true)), P_TRI("iommu_platform", v->virtio.iommu), P_TRI("ats", v->virtio.ats),
                             P_TRI("packed", v->virtio.packed), P_TRI("page-per-vq", v->virtio.page_per_vq));
        }
        return cmd_virtio(c, virtio_base(v, false), &v->dev.info, VIRTIO_MODEL_DEFAULT, &v->virtio, err);
    default:
        (void)qemu_refuse(err, "video '%s': model '%s' is not supported", v->dev.info.alias, enum_name(&video_type_names, v->type));
        return NULL;
    }
}

static bool add_video(Cmd *c, const VideoDef *v, bool primary, GError **err)
{
    bool vhost = v->type == VIDEO_VIRTIO && v->driver == VIDEO_DRIVER_VHOSTUSER;
    g_autoptr(JsonObject) o = video_base(c, v, primary, err);
    g_autofree char *chardev = NULL;
    const char *id = v->dev.info.alias;
    if (!o)
        return false;
    if (vhost) {
        int fd = cmd_fd(c, QEMU_FD_GPU, &v->dev, 0, err);
        if (fd < 0)
            return false;
        chardev = g_strdup_printf("chr-vu-%s", id);
        cmd_optf(c, "-chardev", "socket,id=%s,fd=%d", chardev, fd);
    }
    props_add(o, P_STR("id", id));
    bool outputs = v->type == VIDEO_QXL || v->type == VIDEO_VIRTIO;
    if (outputs)
        props_add(o, P_UINT_IF("max_outputs", v->heads.v > 0, v->heads.v));
    if (v->type == VIDEO_QXL) {
        props_add(o, P_UINT("ram_size", (uint64_t)v->ram.v * 1024), P_UINT("vram_size", (uint64_t)v->vram.v * 1024),
                  P_UINT("vram64_size_mb", v->vram64.v / 1024), P_UINT("vgamem_mb", v->vgamem.v / 1024));
    } else if ((v->type == VIDEO_VGA || v->type == VIDEO_VMVGA) && v->vram.v) {
        props_add(o, P_UINT("vgamem_mb", v->vram.v / 1024));
    } else if (v->type == VIDEO_BOCHS && v->vram.v) {
        props_add(o, P_UINT("vgamem", (uint64_t)v->vram.v * 1024));
    }
    if (v->type == VIDEO_VIRTIO)
        props_add(o, P_STR("chardev", chardev), P_TRI("blob", v->blob));
    if (v->type == VIDEO_BOCHS || v->type == VIDEO_VGA || v->type == VIDEO_VIRTIO)
        props_add(o, P_TRI("edid", v->edid));
    props_add(o, P_UINT_NZ("xres", v->resolution_x), P_UINT_NZ("yres", v->resolution_y));
    if (!cmd_address(c, &v->dev.info, o, err))
        return false;
    return cmd_device(c, id, g_steal_pointer(&o), err);
}

bool cmd_videos(Cmd *c, GError **err)
{
    guint pos = 0;
    const VideoDef *v;
    bool primary = true;
    while ((v = domain_next(c->def, DEVICE_VIDEO, &pos))) {
        if (v->type == VIDEO_NONE)
            continue;
        if (!add_video(c, v, primary, err))
            return false;
        primary = false;
    }
    return true;
}

/* ---- sound ------------------------------------------------------------------------------------------ */

char *cmd_sound_audio(const Cmd *c, const SoundDef *s)
{
    guint pos = 0;
    const AudioDef *a, *first = domain_next(c->def, DEVICE_AUDIO, &pos);
    pos = 0;
    while ((a = domain_next(c->def, DEVICE_AUDIO, &pos))) {
        if (s->audio_id.set && a->id == s->audio_id.v)
            return g_strdup_printf("audio%u", a->id);
    }
    return first && !s->audio_id.set ? g_strdup_printf("audio%u", first->id) : NULL;
}

static bool add_codec(Cmd *c, const SoundDef *s, const char *driver, unsigned n, const char *audio, GError **err)
{
    g_autofree char *id = g_strdup_printf("%s-codec%u", s->dev.info.alias, n);
    g_autofree char *bus = g_strdup_printf("%s.0", s->dev.info.alias);
    return cmd_device(c, id, props_new(P_STR("driver", driver), P_STR("id", id), P_STR("bus", bus), P_UINT("cad", n), P_STR("audiodev", audio)), err);
}

static bool add_sound(Cmd *c, const SoundDef *s, GError **err)
{
    static const char *const drivers[_SOUND_MODEL_N] = {
        [SOUND_SB16] = "sb16", [SOUND_ES1370] = "ES1370", [SOUND_AC97] = "AC97", [SOUND_ICH6] = "intel-hda",
        [SOUND_ICH9] = "ich9-intel-hda", [SOUND_USB] = "usb-audio", [SOUND_VIRTIO] = "virtio-sound-pci",
    };
    static const char *const codecs[_SOUND_CODEC_N] = { "hda-duplex", "hda-micro", "hda-output" };
    g_autofree char *audio = cmd_sound_audio(c, s);
    const char *id = s->dev.info.alias;
    if (s->model == SOUND_PCSPK)
        return true; /* part of the machine, see cmd_machine() */
    if (!drivers[s->model])
        return qemu_refuse(err, "sound '%s': model '%s' is not supported", id, enum_name(&sound_model_names, s->model));
    bool hda = s->model == SOUND_ICH6 || s->model == SOUND_ICH9;
    g_autoptr(JsonObject) o = props_new(P_STR("driver", drivers[s->model]), P_STR("id", id), P_STR("audiodev", hda ? NULL : audio));
    if (s->model == SOUND_USB)
        props_add(o, P_TRI("multi", s->multichannel));
    if (s->model == SOUND_VIRTIO)
        props_add(o, P_UINT_NZ("streams", s->streams));
    if (!cmd_address(c, &s->dev.info, o, err) || !cmd_device(c, id, g_steal_pointer(&o), err))
        return false;
    if (!hda)
        return true;
    if (list_len(s->codecs) == 0)
        return add_codec(c, s, codecs[CODEC_DUPLEX], 0, audio, err);
    for (unsigned i = 0; i < list_len(s->codecs); i++) {
        const SoundCodecDef *k = list_at(s->codecs, i);
        if (!add_codec(c, s, codecs[k->type % _SOUND_CODEC_N], i, audio, err))
            return false;
    }
    return true;
}

bool cmd_sounds(Cmd *c, GError **err)
{
    guint pos = 0;
    const SoundDef *s;
    while ((s = domain_next(c->def, DEVICE_SOUND, &pos))) {
        if (!add_sound(c, s, err))
            return false;
    }
    return true;
}
