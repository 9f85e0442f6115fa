/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Counting calls. Each procedure that was called has a count, a sum and a histogram of fixed buckets;
 * adding is a few increments on the loop thread, where calls end anyway, so there is neither a lock
 * nor an atomic. Procedures that nobody calls cost a pointer. Rendering walks all of it. Loop thread.
 */
#include "rpc/metrics.h"

#include "util/openmetrics.h"

enum { PROGRAMS_MAX = 8 };

/* Upper bounds of the buckets; the text is what stands in the label. */
static const struct {
    uint64_t usec;
    const char *text;
} bounds[] = {
    { 20, "2e-05" }, { 50, "5e-05" }, { 100, "0.0001" }, { 250, "0.00025" }, { 500, "0.0005" }, { 1000, "0.001" },
    { 2500, "0.0025" }, { 5000, "0.005" }, { 10000, "0.01" }, { 25000, "0.025" }, { 100000, "0.1" },
    { 500000, "0.5" }, { 1000000, "1.0" }, { 10000000, "10.0" }, { 60000000, "60.0" },
};

typedef struct Histogram {
    uint64_t sum_usec, count;
    uint64_t in[G_N_ELEMENTS(bounds)];
} Histogram;

typedef struct ProcFigures {
    Histogram took;
    uint64_t failed;
} ProcFigures;

typedef struct ProgramFigures {
    const ProgramInfo *program;
    ProcFigures **procs; /* by number; NULL: never called */
} ProgramFigures;

struct Metrics {
    ProgramFigures programs[PROGRAMS_MAX];
    unsigned n;
    Histogram lag;
};

Metrics *metrics_new(void)
{
    return g_new0(Metrics, 1);
}

Metrics *metrics_free(Metrics *m)
{
    for (unsigned i = 0; m && i < m->n; i++) {
        for (uint32_t j = 0; j < m->programs[i].program->n_procs; j++)
            g_free(m->programs[i].procs[j]);
        g_free(m->programs[i].procs);
    }
    g_free(m);
    return NULL;
}

static void add(Histogram *h, uint64_t usec)
{
    h->count++;
    h->sum_usec += usec;
    for (unsigned i = 0; i < G_N_ELEMENTS(bounds); i++) {
        if (usec <= bounds[i].usec) {
            h->in[i]++;
            return;
        }
    }
}

static ProgramFigures *figures_of(Metrics *m, const ProgramInfo *program)
{
    for (unsigned i = 0; i < m->n; i++)
        if (m->programs[i].program == program)
            return &m->programs[i];
    if (m->n == PROGRAMS_MAX)
        return NULL;
    m->programs[m->n] = (ProgramFigures){ program, g_new0(ProcFigures *, program->n_procs) };
    return &m->programs[m->n++];
}

void metrics_call(Metrics *m, const ProgramInfo *program, const ProcInfo *p, uint64_t usec, bool failed)
{
    ProgramFigures *pf = figures_of(m, program);

    if (!pf)
        return;
    ProcFigures **f = &pf->procs[p->number];
    if (!*f)
        *f = g_new0(ProcFigures, 1);
    add(&(*f)->took, usec);
    (*f)->failed += failed;
}

void metrics_lag(Metrics *m, uint64_t usec)
{
    add(&m->lag, usec);
}

/* Text -------------------------------------------------------------------------------------------- */

void metrics_family(GString *out, const char *name, const char *type, const char *help)
{
    openmetrics_family(out, name, type, help);
}

void metrics_sample(GString *out, const char *name, const char *label, const char *label_value, uint64_t v)
{
    const OpenmetricsLabel labels[] = { { label, label_value }, { NULL, NULL } };

    openmetrics_sample(out, name, labels, v);
}

static void render_histogram(GString *out, const char *name, const char *labels, const Histogram *h)
{
    uint64_t so_far = 0;
    const char *comma = labels[0] ? "," : "", *open = labels[0] ? "{" : "", *close = labels[0] ? "}" : "";

    for (unsigned i = 0; i < G_N_ELEMENTS(bounds); i++) {
        so_far += h->in[i];
        g_string_append_printf(out, "%s_bucket{%s%sle=\"%s\"} %" G_GUINT64_FORMAT "\n", name, labels, comma,
                               bounds[i].text, so_far);
    }
    g_string_append_printf(out, "%s_bucket{%s%sle=\"+Inf\"} %" G_GUINT64_FORMAT "\n", name, labels, comma, h->count);
    g_string_append_printf(out, "%s_sum%s%s%s %" G_GUINT64_FORMAT ".%06u\n", name, open, labels, close,
                           h->sum_usec / 1000000, (unsigned)(h->sum_usec % 1000000));
    g_string_append_printf(out, "%s_count%s%s%s %" G_GUINT64_FORMAT "\n", name, open, labels, close, h->count);
}

typedef void (*RenderFn)(GString *out, const char *labels, const ProcFigures *f);

static void for_each(const Metrics *m, GString *out, RenderFn fn)
{
    for (unsigned i = 0; i < m->n; i++) {
        const ProgramInfo *p = m->programs[i].program;

        for (uint32_t j = 0; j < p->n_procs; j++) {
            if (!m->programs[i].procs[j])
                continue;
            g_autofree char *labels = g_strdup_printf("program=\"%s\",procedure=\"%s\"", p->name, p->procs[j].name);
            fn(out, labels, m->programs[i].procs[j]);
        }
    }
}

static void render_took(GString *out, const char *labels, const ProcFigures *f)
{
    render_histogram(out, "modvirt_call_seconds", labels, &f->took);
}

static void render_failed(GString *out, const char *labels, const ProcFigures *f)
{
    g_string_append_printf(out, "modvirt_call_failures_total{%s} %" G_GUINT64_FORMAT "\n", labels, f->failed);
}

void metrics_render(const Metrics *m, GString *out)
{
    metrics_family(out, "modvirt_call_seconds", "histogram", "Time from the arrival of a call to its reply.");
    for_each(m, out, render_took);
    metrics_family(out, "modvirt_call_failures", "counter", "Calls that were answered with an error.");
    for_each(m, out, render_failed);
    metrics_family(out, "modvirt_loop_lag_seconds", "histogram", "Time until the loop takes up a finished call.");
    render_histogram(out, "modvirt_loop_lag_seconds", "", &m->lag);
}
