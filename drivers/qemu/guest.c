/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Guest and QemuStatus. The monitor pointer is guarded by the guest's lock and handed out as a
 * reference, so a call that is under way keeps its monitor while another thread drops it. Any thread.
 */
#include "drivers/qemu/guest.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/common/job.h"
#include "drivers/qemu/fd_groups.h"
#include "drivers/qemu/helper.h"
#include "drivers/qemu/process.h"
#include "util/error.h"
#include "util/xml.h"

void *guest_attach(Domain *d)
{
    Guest *g = g_new0(Guest, 1);

    g->domain = d;
    g->starting = PIDREF_NONE;
    atomic_store(&g->pause_reason, -1);
    atomic_store(&g->agent_timeout, AGENT_FOREVER);
    lock_init(&g->lock);
    figures_init(&g->figures);
    return g;
}

void guest_detach(void *guest)
{
    Guest *g = guest;

    if (g->qmp) {
        qmp_close(g->qmp);
        qmp_unref(g->qmp);
    }
    agent_free(g->agent);
    pidref_done(&g->starting);
    figures_done(&g->figures);
    stats_kept_put(&g->stats, NULL);
    perf_disable_all(g);
    fd_groups_done(g);
    lock_done(&g->lock);
    g_free(g);
}

Qmp *guest_qmp(Guest *g, GError **err)
{
    LOCK_SCOPE(&g->lock);

    if (!g->qmp) {
        error_set(err, VIR_ERR_OPERATION_INVALID, "the guest's monitor is not connected");
        return NULL;
    }
    return qmp_ref(g->qmp);
}

void guest_set_qmp(Guest *g, Qmp *take)
{
    Qmp *old;

    lock_enter(&g->lock);
    old = g->qmp;
    g->qmp = take;
    Agent *agent = g->agent;
    lock_leave(&g->lock);
    if (old != take)
        figures_forget(&g->figures);
    if (old && old != take) {
        qmp_close(old);
        qmp_unref(old);
    }
    if (!take && agent) {
        agent_guest_went_down(agent);
        agent_close(agent);
    }
}

Agent *guest_agent(Guest *g)
{
    LOCK_SCOPE(&g->lock);

    if (!g->agent)
        g->agent = agent_new();
    return g->agent;
}

void guest_close_agent(Guest *g)
{
    lock_enter(&g->lock);
    Agent *a = g->agent;
    lock_leave(&g->lock);
    if (a)
        agent_close(a);
}

void guest_interrupt(Domain *d, bool destroy)
{
    Guest *g = domain_driver_data(d);
    g_autoptr(Qmp) q = guest_qmp(g, NULL);

    if (!destroy)
        return; /* the handler tells the job */
    job_interrupt(d);
    atomic_store(&g->destroying, true);
    if (q)
        qmp_abort(q, "the domain is being destroyed");
    guest_close_agent(g);
    lock_enter(&g->lock);
    if (g->starting.pid)
        (void)pidref_kill(&g->starting, SIGKILL, NULL); /* gone already is as good */
    lock_leave(&g->lock);
}

void guest_interrupt_failed(Domain *d)
{
    domain_run_turn(d, "look after a destroy", false, process_after_interrupt, NULL);
}

uint64_t guest_unresponsive_since(Domain *d)
{
    g_autoptr(Qmp) q = guest_qmp(domain_driver_data(d), NULL);
    return q ? qmp_unresponsive_since(q) : 0;
}

/* Status ------------------------------------------------------------------------------------- */

static void status_free(DriverStatus *base)
{
    QemuStatus *s = (QemuStatus *)base;

    g_ptr_array_unref(s->helpers);
    g_free(s->monitor_path);
    g_free(s->lib_dir);
    g_free(s->job_file);
    g_free(s->loaded_from);
    g_free(s->machine);
    g_free(s->scope);
    g_strfreev(s->lent);
    g_free(s->medium);
    threads_unref(s->threads);
    g_free(s);
}

QemuStatus *qemu_status_new(void)
{
    QemuStatus *s = g_new0(QemuStatus, 1);

    g_atomic_ref_count_init(&s->base.refs);
    s->base.free = status_free;
    s->agent_timeout = AGENT_FOREVER;
    s->helpers = g_ptr_array_new_with_free_func(helper_record_free);
    return s;
}

QemuStatus *qemu_status_copy(const QemuStatus *s)
{
    QemuStatus *n = g_memdup2(s, sizeof(*s));

    g_atomic_ref_count_init(&n->base.refs);
    n->monitor_path = g_strdup(s->monitor_path);
    n->lib_dir = g_strdup(s->lib_dir);
    n->job_file = g_strdup(s->job_file);
    n->loaded_from = g_strdup(s->loaded_from);
    n->machine = g_strdup(s->machine);
    n->scope = g_strdup(s->scope);
    n->lent = g_strdupv(s->lent);
    n->medium = g_strdup(s->medium);
    threads_ref(n->threads);
    n->helpers = g_ptr_array_new_with_free_func(helper_record_free);
    for (unsigned i = 0; i < s->helpers->len; i++)
        g_ptr_array_add(n->helpers, helper_record_copy(s->helpers->pdata[i]));
    return n;
}

void qemu_status_format(const DriverStatus *base, GString *out)
{
    const QemuStatus *s = (const QemuStatus *)base;
    g_autofree char *monitor = g_markup_escape_text(s->monitor_path, -1);
    g_autofree char *dir = g_markup_escape_text(s->lib_dir, -1);

    g_string_append_printf(
        out,
        "    <qemu id='%d' pid='%d' startTime='%" G_GUINT64_FORMAT "' started='%" G_GINT64_FORMAT
        "' fakeReboot='%s' agentTimeout='%d'%s%s%s%s/>\n    <monitor path='%s'/>\n    <libDir path='%s'/>\n",
        s->id, (int)s->pid, s->start_time, s->started, s->fake_reboot ? "yes" : "no",
        s->agent_timeout, s->private_dev ? " privateDev='yes'" : "", s->starting ? " starting='yes'" : "",
        s->starting && s->makes_nvram ? " makesNvram='yes'" : "",
        s->starting && s->makes_tpm ? " makesTpm='yes'" : "", monitor, dir);
    for (char **path = s->lent; path && *path; path++) {
        g_autofree char *text = g_markup_escape_text(*path, -1);
        g_string_append_printf(out, "    <lent path='%s'/>\n", text);
    }
    if (s->medium)
        g_string_append_printf(out, "    <medium>\n%s    </medium>\n", s->medium);
    if (s->clock_base_set)
        g_string_append_printf(out, "    <clock base='%" G_GINT64_FORMAT "'/>\n", s->clock_base);
    if (s->last_node)
        g_string_append_printf(out, "    <nodes last='%u'/>\n", s->last_node);
    if (s->machine) {
        g_autofree char *name = g_markup_escape_text(s->machine, -1), *scope = g_markup_escape_text(s->scope ? s->scope : "", -1);
        g_string_append_printf(out, "    <machine name='%s' scope='%s'/>\n", name, scope);
    }
    threads_format(s->threads, out);
    if (s->helpers->len)
        g_string_append(out, "    <helpers>\n");
    for (unsigned k = 0; k < s->helpers->len; k++) {
        const HelperRecord *h = s->helpers->pdata[k];
        g_autofree char *device = g_markup_escape_text(h->device, -1);
        g_autofree char *program = g_markup_escape_text(h->program, -1);
        g_string_append_printf(out, "      <helper device='%s' program='%s' pid='%d' startTime='%" G_GUINT64_FORMAT "'/>\n",
                               device, program, (int)h->pid, h->start_time);
    }
    if (s->helpers->len)
        g_string_append(out, "    </helpers>\n");
    if (s->job) {
        g_autofree char *file = g_markup_escape_text(s->job_file, -1);
        g_string_append_printf(out, "    <job operation='%d' file='%s' madeFile='%s' paused='%s'/>\n", s->job, file,
                               s->job_made_file ? "yes" : "no", s->job_paused ? "yes" : "no");
    }
    if (s->loaded_from) {
        g_autofree char *file = g_markup_escape_text(s->loaded_from, -1);
        g_string_append_printf(out, "    <loaded file='%s'/>\n", file);
    }
}

static uint64_t attr_u64(const xmlNode *n, const char *name)
{
    const char *text = n ? xml_attr_get(n, name) : NULL;
    return text ? g_ascii_strtoull(text, NULL, 10) : 0;
}

static char **parse_lent(const xmlNode *modvirt)
{
    g_autoptr(GStrvBuilder) list = g_strv_builder_new();
    const xmlNode *n = xml_child(modvirt, "lent");

    if (!n)
        return NULL;
    for (; n; n = xml_next(n, "lent"))
        if (xml_attr_get(n, "path"))
            g_strv_builder_add(list, xml_attr_get(n, "path"));
    return g_strv_builder_end(list);
}

DriverStatus *qemu_status_parse(const xmlNode *modvirt, GError **err)
{
    const xmlNode *qemu = xml_child(modvirt, "qemu"), *monitor = xml_child(modvirt, "monitor"),
                  *dir = xml_child(modvirt, "libDir");
    const char *path = monitor ? xml_attr_get(monitor, "path") : NULL;
    const char *lib = dir ? xml_attr_get(dir, "path") : NULL;
    uint64_t pid = attr_u64(qemu, "pid");

    bool starting = qemu && g_strcmp0(xml_attr_get(qemu, "starting"), "yes") == 0;

    if (!path || !lib || (pid == 0 && !starting) || pid > INT_MAX) {
        error_set(err, VIR_ERR_XML_ERROR,
                  "domstatus/modvirt: process, monitor or directory is missing");
        return NULL;
    }
    QemuStatus *s = qemu_status_new();
    s->id = (int)MIN(attr_u64(qemu, "id"), INT_MAX);
    s->starting = starting;
    s->last_node = (unsigned)MIN(attr_u64(xml_child(modvirt, "nodes"), "last"), UINT_MAX / 2);
    s->private_dev = g_strcmp0(xml_attr_get(qemu, "privateDev"), "yes") == 0;
    s->makes_nvram = g_strcmp0(xml_attr_get(qemu, "makesNvram"), "yes") == 0;
    s->makes_tpm = g_strcmp0(xml_attr_get(qemu, "makesTpm"), "yes") == 0;
    s->pid = (pid_t)pid;
    s->start_time = attr_u64(qemu, "startTime");
    s->started = (int64_t)attr_u64(qemu, "started");
    s->fake_reboot = g_strcmp0(xml_attr_get(qemu, "fakeReboot"), "yes") == 0;
    const char *timeout = xml_attr_get(qemu, "agentTimeout");
    s->agent_timeout = timeout
                           ? (int)CLAMP(g_ascii_strtoll(timeout, NULL, 10), AGENT_FOREVER, INT_MAX)
                           : AGENT_FOREVER;
    s->monitor_path = g_strdup(path);
    s->lib_dir = g_strdup(lib);
    s->lent = parse_lent(modvirt);
    const xmlNode *medium = xml_child(modvirt, "medium"), *drive = medium ? xml_child(medium, "disk") : NULL;
    s->medium = drive ? xml_dump((xmlNode *)drive, 0) : NULL;
    const xmlNode *clock = xml_child(modvirt, "clock");
    const char *base = clock ? xml_attr_get(clock, "base") : NULL;
    s->clock_base_set = base != NULL;
    s->clock_base = base ? g_ascii_strtoll(base, NULL, 10) : 0;
    const xmlNode *machine = xml_child(modvirt, "machine");
    const char *scope = machine ? xml_attr_get(machine, "scope") : NULL;
    s->machine = machine ? g_strdup(xml_attr_get(machine, "name")) : NULL;
    s->scope = scope && *scope == '/' && !strstr(scope, "/..") ? g_strdup(scope) : NULL;
    s->threads = threads_parse(modvirt);
    const xmlNode *helpers = xml_child(modvirt, "helpers");
    for (const xmlNode *n = helpers ? helpers->children : NULL; n; n = n->next) {
        const char *device = n->type == XML_ELEMENT_NODE ? xml_attr_get(n, "device") : NULL;
        const char *program = device ? xml_attr_get(n, "program") : NULL;
        uint64_t helper = program ? attr_u64(n, "pid") : 0;
        if (helper > 1 && helper <= INT_MAX)
            g_ptr_array_add(s->helpers, helper_record_new(device, program, (pid_t)helper, attr_u64(n, "startTime")));
    }
    const xmlNode *job = xml_child(modvirt, "job"), *loaded = xml_child(modvirt, "loaded");
    s->job = job && xml_attr_get(job, "file") ? (int)MIN(attr_u64(job, "operation"), INT_MAX) : 0;
    if (s->job) {
        s->job_file = g_strdup(xml_attr_get(job, "file"));
        s->job_made_file = g_strcmp0(xml_attr_get(job, "madeFile"), "yes") == 0;
        s->job_paused = g_strcmp0(xml_attr_get(job, "paused"), "yes") == 0;
    }
    s->loaded_from = loaded ? g_strdup(xml_attr_get(loaded, "file")) : NULL;
    return &s->base;
}
