/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rules of single parts of a definition that hold under any hypervisor: audio, I/O threads, security
 * labels, memory modules, panic devices, firmware data. Reads only; any thread.
 */
#include <string.h>

#include "conf/validate-internal.h"
#include "util/api.h"
#include "util/error.h"

static bool bad(GError **err, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
static bool bad(GError **err, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    g_autofree char *text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    error_set(err, VIR_ERR_XML_ERROR, "%s", text);
    return false;
}

/* ---- audio ---- */

static bool validate_audio_io(const AudioDef *a, const AudioIo *io, const char *what, GError **err)
{
    bool settings = io->frequency || io->channels || io->format;

    if (io->fixed_settings == TRI_YES && io->mixing_engine != TRI_YES)
        return bad(err, "audio %u: %s: fixed settings need the mixing engine", a->id, what);
    if (settings && io->fixed_settings != TRI_YES)
        return bad(err, "audio %u: %s: settings need fixedSettings='yes'", a->id, what);
    return true;
}

static bool validate_audio(const DomainDef *d, GError **err)
{
    const AudioDef *a, *o;

    for (guint i = 0; (a = domain_next(d, DEVICE_AUDIO, &i));) {
        for (guint j = 0; (o = domain_next(d, DEVICE_AUDIO, &j)) && o != a;) {
            if (o->id == a->id)
                return bad(err, "audio: id %u is used more than once", a->id);
        }
        if (!validate_audio_io(a, &a->input, "input", err) || !validate_audio_io(a, &a->output, "output", err))
            return false;
    }
    return true;
}

/* ---- threads ---- */

static bool validate_pool(OptI32 min, OptI32 max, const char *what, GError **err)
{
    if ((min.set && min.v < 0) || (max.set && max.v < 0))
        return bad(err, "%s: thread_pool_min and thread_pool_max must not be negative", what);
    if (max.set && max.v == 0)
        return bad(err, "%s: thread_pool_max must be positive", what);
    if (min.set && !max.set)
        return bad(err, "%s: thread_pool_min needs thread_pool_max", what);
    if (min.set && min.v > max.v)
        return bad(err, "%s: thread_pool_min must not be above thread_pool_max", what);
    return true;
}

/* Threads that are not numbered have the lowest numbers that are left. */
static bool iothread_exists(const DomainDef *d, uint32_t id)
{
    uint32_t unnumbered = d->iothreads - MIN(d->iothreads, list_len(d->iothread_defs)), below = 0;

    for (unsigned i = 0; i < list_len(d->iothread_defs); i++) {
        const IothreadDef *t = list_at(d->iothread_defs, i);
        if (t->id == id)
            return true;
        below += t->id < id;
    }
    return id > 0 && id - below <= unnumbered;
}

static bool validate_iothreads(const DomainDef *d, GError **err)
{
    for (unsigned i = 0; i < list_len(d->iothread_defs); i++) {
        const IothreadDef *t = list_at(d->iothread_defs, i);
        for (unsigned j = 0; j < i; j++) {
            if (((const IothreadDef *)list_at(d->iothread_defs, j))->id == t->id)
                return bad(err, "duplicate iothread id '%u' found", t->id);
        }
        if (!validate_pool(t->pool_min, t->pool_max, "iothread", err))
            return false;
    }
    const CpuTuning *c = d->cputune;
    for (unsigned i = 0; c && i < list_len(c->iothread_pins); i++) {
        const Pin *p = list_at(c->iothread_pins, i);
        if (!iothread_exists(d, p->id))
            return bad(err, "cputune/iothreadpin: there is no iothread %u", p->id);
    }
    for (unsigned i = 0; c && i < list_len(c->iothread_scheds); i++) {
        const SchedDef *s = list_at(c->iothread_scheds, i);
        for (int n = bitmap_next(s->ids, 0); n >= 0; n = bitmap_next(s->ids, (unsigned)n + 1)) {
            if (!iothread_exists(d, (uint32_t)n))
                return bad(err, "cputune/iothreadsched: there is no iothread %d", n);
        }
    }
    const ControllerDef *ctl;
    for (guint pos = 0; (ctl = domain_next(d, DEVICE_CONTROLLER, &pos));) {
        if (ctl->iothread && !iothread_exists(d, ctl->iothread))
            return bad(err, "controller iothread '%u' not defined in iothreadid", ctl->iothread);
    }
    return validate_pool(d->default_iothread_min, d->default_iothread_max, "defaultiothread", err);
}

static bool validate_pins(const GPtrArray *pins, const char *what, GError **err)
{
    for (unsigned i = 0; i < list_len(pins); i++) {
        for (unsigned j = 0; j < i; j++) {
            if (((const Pin *)list_at(pins, i))->id == ((const Pin *)list_at(pins, j))->id)
                return bad(err, "cputune: duplicate %s for '%u'", what, ((const Pin *)list_at(pins, i))->id);
        }
    }
    return true;
}

/* ---- labels ---- */

static bool validate_seclabels(const DomainDef *d, GError **err)
{
    unsigned n = list_len(d->seclabels);

    for (unsigned i = 0; i < n; i++) {
        const SeclabelDef *s = list_at(d->seclabels, i);
        if (!s->model && (n > 1 || s->type == SECLABEL_STATIC || s->label))
            return bad(err, n > 1 ? "missing security model when using multiple labels" : "missing security model in domain seclabel");
        for (unsigned j = 0; j < i; j++) {
            if (!g_strcmp0(s->model, ((const SeclabelDef *)list_at(d->seclabels, j))->model))
                return bad(err, "seclabel for model %s is already provided", s->model);
        }
    }
    return true;
}

bool validate_device_seclabels(const GPtrArray *labels, const char *of, GError **err)
{
    for (unsigned i = 0; i < list_len(labels); i++) {
        const DeviceSeclabel *s = list_at(labels, i);
        for (unsigned j = 0; j < i; j++) {
            if (!g_strcmp0(s->model, ((const DeviceSeclabel *)list_at(labels, j))->model))
                return bad(err, "%s: seclabel for model %s is already provided", of, s->model ? s->model : "(none)");
        }
    }
    return true;
}

/* ---- memory ---- */

static bool is_power_of_two(uint64_t n)
{
    return n && !(n & (n - 1));
}

static bool validate_memory_device(const DomainDef *d, const MemoryDef *m, GError **err)
{
    const MemoryDef *o;

    if (m->model == MEMORY_NVDIMM && m->label_size && m->label_size >= m->size)
        return bad(err, "memory: label size must be smaller than the NVDIMM");
    if (m->model == MEMORY_VIRTIO_MEM) {
        if (m->requested.set && m->requested.v > m->size)
            return bad(err, "memory: requested size must not be above the size (%" G_GUINT64_FORMAT " KiB)", m->size);
        if (!is_power_of_two(m->block_size))
            return bad(err, "memory: block size must be a power of two");
        if (m->requested.set && m->requested.v % m->block_size)
            return bad(err, "memory: requested size must be a multiple of the block size");
    }
    if (m->dev.info.address.type != ADDRESS_DIMM)
        return true;
    for (guint i = 0; (o = domain_next(d, DEVICE_MEMORY, &i)) && o != m;) {
        const DimmAddress *a = &m->dev.info.address.u.dimm, *b = &o->dev.info.address.u.dimm;
        if (o->dev.info.address.type != ADDRESS_DIMM)
            continue;
        if (a->slot == b->slot)
            return bad(err, "memory device slot '%u' is already being used by another memory device", a->slot);
        if (a->base.set && b->base.set && a->base.v == b->base.v)
            return bad(err, "memory device base '0x%" G_GINT64_MODIFIER "x' is already being used by another memory device",
                       a->base.v);
    }
    return true;
}

static bool validate_memory_devices(const DomainDef *d, GError **err)
{
    const MemoryDef *m;

    for (guint i = 0; (m = domain_next(d, DEVICE_MEMORY, &i));) {
        if (!validate_memory_device(d, m, err))
            return false;
    }
    if (!d->max_memory != !d->memory_slots)
        return bad(err, "maxMemory: both maximum memory size and memory slot count must be specified");
    return true;
}

/* ---- the others ---- */

static bool validate_panics(const DomainDef *d, GError **err)
{
    const PanicDef *p, *o;

    for (guint i = 0; (p = domain_next(d, DEVICE_PANIC, &i));) {
        for (guint j = 0; (o = domain_next(d, DEVICE_PANIC, &j)) && o != p;) {
            if (o->model == p->model)
                return bad(err, "multiple panic devices with model '%s'", enum_name(&panic_model_names, p->model));
        }
    }
    return true;
}

/* Date and time in UTC: 2010-04-09T15:51:00 */
static bool validate_passwords(const DomainDef *d, GError **err)
{
    static const char form[] = "dddd-dd-ddTdd:dd:dd";
    const GraphicsDef *g;

    for (guint i = 0; (g = domain_next(d, DEVICE_GRAPHICS, &i));) {
        const char *t = g->passwd_valid_to;
        bool fits = !t || strlen(t) == strlen(form);
        for (unsigned k = 0; t && fits && form[k]; k++)
            fits = form[k] == 'd' ? g_ascii_isdigit(t[k]) : t[k] == form[k];
        if (!fits)
            return bad(err, "graphics: cannot parse password validity time '%.50s', expect YYYY-MM-DDTHH:MM:SS", t);
    }
    return true;
}

static bool validate_smartcards(const DomainDef *d, GError **err)
{
    const SmartcardDef *s;

    for (guint i = 0; (s = domain_next(d, DEVICE_SMARTCARD, &i));) {
        if (s->mode == SMARTCARD_HOST_CERTIFICATES && s->database && *s->database != '/')
            return bad(err, "smartcard: expecting absolute path: %.100s", s->database);
    }
    return true;
}

/* Root of the container, who is user and group 0, must be somebody on the host. */
static bool maps_root(const GPtrArray *map)
{
    for (unsigned i = 0; i < list_len(map); i++) {
        if (((const IdMap *)list_at(map, i))->start == 0)
            return true;
    }
    return list_len(map) == 0;
}

static bool validate_keywrap(const DomainDef *d, GError **err)
{
    for (unsigned i = 0; i < list_len(d->keywrap); i++) {
        const KeywrapDef *k = list_at(d->keywrap, i);
        for (unsigned j = 0; j < i; j++) {
            if (!strcmp(k->name, ((const KeywrapDef *)list_at(d->keywrap, j))->name))
                return bad(err, "keywrap: cipher '%.50s' given twice", k->name);
        }
    }
    return true;
}

static bool validate_cpu(const CpuDef *c, GError **err)
{
    if (!c)
        return true;
    if (c->migratable != TRI_ABSENT && c->mode != CPU_MODE_HOST_PASSTHROUGH && c->mode != CPU_MODE_MAXIMUM)
        return bad(err, "cpu: migratable is for the modes host-passthrough and maximum");
    const CpuPhysAddr *p = c->maxphysaddr;
    return !p || (p->mode == CPU_PHYS_EMULATE) == p->bits.set ||
           bad(err, "cpu/maxphysaddr: bits are for mode 'emulate', which needs them");
}

bool validate_parts(const DomainDef *d, GError **err)
{
    const CpuTuning *c = d->cputune;

    if (c && (!validate_pins(c->vcpu_pins, "vcpupin", err) || !validate_pins(c->iothread_pins, "iothreadpin", err)))
        return false;
    if (list_len(d->os.acpi_tables) > 1)
        return bad(err, "os/acpi: only one table is supported");
    if (!list_len(d->uid_map) != !list_len(d->gid_map))
        return bad(err, "idmap: users and groups must be mapped both");
    if (!maps_root(d->uid_map) || !maps_root(d->gid_map))
        return bad(err, "idmap: the root user of the container must be mapped");
    if (d->os.bios_useserial == TRI_YES && !domain_count(d, DEVICE_SERIAL))
        return bad(err, "os/bios: useserial needs a serial port");
    return validate_audio(d, err) && validate_iothreads(d, err) && validate_seclabels(d, err) && validate_memory_devices(d, err) &&
           validate_panics(d, err) && validate_passwords(d, err) && validate_smartcards(d, err) && validate_keywrap(d, err) &&
           validate_cpu(d->cpu, err);
}
