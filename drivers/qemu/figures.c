/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Figures of guests (figures.h). A question is a row: its command, its arguments, how the answer is
 * read. All questions of one request go out before anybody waits; answers are read on the monitor
 * thread, kept in the guest, and counted off the Request, which lives until its last answer or deadline
 * has come. The asker holds it too, and may leave earlier.
 *
 * An answer counts only while the monitor that gave it is the guest's: a late one of a former run must
 * not become a figure of the next.
 */
#include "drivers/qemu/figures.h"

#include "drivers/qemu/disk.h"
#include "drivers/qemu/guest.h"
#include "util/cond.h"
#include "util/error.h"
#include "util/loop.h"

Figure *figure_unref(Figure *f)
{
    if (!f || !g_atomic_ref_count_dec(&f->refs))
        return NULL;
    switch (f->kind) {
    case FIGURE_BALLOON:
        break;
    case FIGURE_DIRTY_RATE:
        qmp_dirty_rate_clear(&f->dirty_rate);
        break;
    default:
        g_clear_pointer(&f->list, g_array_unref);
        break;
    }
    g_free(f);
    return NULL;
}

/* Questions --------------------------------------------------------------------------------------- */

static const MemballoonDef *balloon_of(const DomainView *v)
{
    guint i = 0;
    const MemballoonDef *b = v->live ? domain_next(v->live->def, DEVICE_MEMBALLOON, &i) : NULL;

    return b && b->dev.info.alias && b->model != BALLOON_NONE ? b : NULL;
}

static bool has_disks(const DomainView *v, const Figure *known)
{
    guint i = 0;
    (void)known;
    return domain_next(v->live->def, DEVICE_DISK, &i) != NULL;
}

/* Without a period the guest is never asked, and its answer would stay empty. */
static bool has_balloon_stats(const DomainView *v, const Figure *known)
{
    const MemballoonDef *b = balloon_of(v);
    (void)known;
    return b && b->stats_period > 0;
}

static bool has_iothreads(const DomainView *v, const Figure *known)
{
    (void)known;
    return v->live->def->iothreads > 0;
}

/* Nothing was measured before somebody asked for it, and a finished measurement stays what it is. */
static bool dirty_rate_may_change(const DomainView *v, const Figure *known)
{
    Guest *g = domain_driver_data(v->domain);

    return atomic_load(&g->figures.measured) &&
           (!known || known->dirty_rate.status == QMP_DIRTY_RATE_MEASURING);
}

static JsonObject *flat_args(const DomainView *v)
{
    (void)v;
    return json_make(J_BOOL("flat", true));
}

static JsonObject *balloon_args(const DomainView *v)
{
    const MemballoonDef *b = balloon_of(v);
    g_autofree char *path =
        g_strconcat("/machine/peripheral/", b ? b->dev.info.alias : "balloon0", NULL);

    return json_make(J_STR("path", path), J_STR("property", "guest-stats"));
}

typedef struct Question {
    const char *cmd;
    JsonObject *(*args)(const DomainView *v);       /* NULL: none */
    GArray *(*read)(JsonObject *ret, GError **err); /* NULL: no list */
    bool (*wanted)(const DomainView *v, const Figure *known);
} Question;

/* clang-format off */
static const Question questions[_FIGURE_N] = {
    [FIGURE_BLOCK_STATS] = { "query-blockstats",        NULL,         qmp_read_blockstats, has_disks },
    [FIGURE_NODES]       = { "query-named-block-nodes", flat_args,    qmp_read_nodes,      has_disks },
    [FIGURE_BALLOON]     = { "qom-get",                 balloon_args, NULL,                has_balloon_stats },
    [FIGURE_IOTHREADS]   = { "query-iothreads",         NULL,         qmp_read_iothreads,  has_iothreads },
    [FIGURE_DIRTY_RATE]  = { "query-dirty-rate",        NULL,         NULL,                dirty_rate_may_change },
};
/* clang-format on */

static Figure *read_answer(FigureKind k, JsonObject *ret, GError **err)
{
    Figure f = { .kind = k, .when = now_usec() };

    g_atomic_ref_count_init(&f.refs);
    switch (k) {
    case FIGURE_BALLOON:
        qmp_read_balloon_stats(ret, &f.balloon);
        break;
    case FIGURE_DIRTY_RATE:
        if (!qmp_read_dirty_rate(ret, &f.dirty_rate, err))
            return NULL;
        break;
    default:
        f.list = questions[k].read(ret, err);
        if (!f.list)
            return NULL;
        break;
    }
    return g_memdup2(&f, sizeof(f));
}

/* What is kept ------------------------------------------------------------------------------------ */

void figures_init(Figures *f)
{
    lock_init(&f->lock);
}

static void keep(Figures *f, FigureKind k, Figure *take)
{
    lock_enter(&f->lock);
    Figure *old = f->of[k];
    f->of[k] = take;
    lock_leave(&f->lock);
    figure_unref(old);
}

void figures_forget(Figures *f)
{
    for (unsigned k = 0; k < _FIGURE_N; k++)
        keep(f, k, NULL);
    atomic_store(&f->measured, false);
}

void figures_note_measuring(Figures *f)
{
    atomic_store(&f->measured, true);
    keep(f, FIGURE_DIRTY_RATE, NULL);
}

void figures_done(Figures *f)
{
    figures_forget(f);
    lock_done(&f->lock);
}

Figure *figures_get(Figures *f, FigureKind k)
{
    LOCK_SCOPE(&f->lock);

    if (f->of[k])
        g_atomic_ref_count_inc(&f->of[k]->refs);
    return f->of[k];
}

bool figures_known(const DomainView *v, unsigned kinds)
{
    Figures *f = &((Guest *)domain_driver_data(v->domain))->figures;
    LOCK_SCOPE(&f->lock);

    for (unsigned k = 0; k < _FIGURE_N; k++)
        if ((kinds & (1u << k)) && !f->of[k])
            return false;
    return true;
}

const QmpNode *figure_node(const Figure *f, const StorageSource *s, const char *kind)
{
    char name[40];

    g_snprintf(name, sizeof(name), "libvirt-%u-%s", s->index, kind);
    for (unsigned i = 0; f && s->index && i < f->list->len; i++) {
        const QmpNode *n = &g_array_index(f->list, QmpNode, i);
        if (g_strcmp0(n->name, name) == 0)
            return n;
    }
    return NULL;
}

const QmpBlockStats *figure_block_stats(const Figure *f, const DomainDef *def, const DiskDef *d)
{
    for (unsigned i = 0; f && i < f->list->len; i++) {
        const QmpBlockStats *b = &g_array_index(f->list, QmpBlockStats, i);
        const StorageSource *layer;
        if (disk_by_qdev(def, b->qdev) == d ||
            (disk_by_node(def, b->node, &layer) == d && layer == &d->src))
            return b;
    }
    return NULL;
}

/* Asking ------------------------------------------------------------------------------------------ */

typedef struct Request {
    gatomicrefcount refs;
    Lock lock;
    pthread_cond_t all_in;
    unsigned open;  /* answers that are not in */
    GError *failed; /* the first that failed */
} Request;

typedef struct Pending {
    Request *r;
    Domain *domain;
    Qmp *qmp;
    FigureKind kind;
} Pending;

static Request *request_new(void)
{
    Request *r = g_new0(Request, 1);

    g_atomic_ref_count_init(&r->refs);
    lock_init(&r->lock);
    cond_init(&r->all_in);
    return r;
}

static void request_unref(Request *r)
{
    if (!g_atomic_ref_count_dec(&r->refs))
        return;
    g_clear_error(&r->failed);
    pthread_cond_destroy(&r->all_in);
    lock_done(&r->lock);
    g_free(r);
}

/* Monitor thread. */
static void on_answer(JsonObject *ret, const GError *why, void *data)
{
    Pending *p = data;
    g_autoptr(GError) error = why ? g_error_copy(why) : NULL;
    Figure *f = why ? NULL : read_answer(p->kind, ret, &error);

    if (f) {
        Guest *g = domain_driver_data(p->domain);
        g_autoptr(Qmp) now = guest_qmp(g, NULL);
        if (now == p->qmp)
            keep(&g->figures, p->kind, f);
        else
            figure_unref(f);
    }
    lock_enter(&p->r->lock);
    if (error && !p->r->failed)
        p->r->failed = g_steal_pointer(&error);
    if (--p->r->open == 0)
        pthread_cond_broadcast(&p->r->all_in);
    lock_leave(&p->r->lock);
    request_unref(p->r);
    qmp_unref(p->qmp);
    domain_unref(p->domain);
    g_free(p);
}

static void send_one(Request *r, const DomainView *v, Qmp *q, FigureKind k, uint64_t deadline)
{
    const Question *question = &questions[k];
    Pending *p = g_new(Pending, 1);

    *p = (Pending){ r, domain_ref(v->domain), qmp_ref(q), k };
    g_atomic_ref_count_inc(&r->refs);
    lock_enter(&r->lock);
    r->open++;
    lock_leave(&r->lock);
    qmp_call_async(q, question->cmd, question->args ? question->args(v) : NULL, deadline, on_answer,
                   p);
}

static void wait_for_all(Request *r, uint64_t deadline)
{
    LOCK_SCOPE(&r->lock);

    while (r->open > 0 && cond_wait_until(&r->all_in, &r->lock, deadline))
        ;
}

unsigned figures_wanted(const DomainView *v, unsigned kinds)
{
    Guest *g = domain_driver_data(v->domain);
    unsigned wanted = 0;

    if (!view_active(v) || !v->live)
        return 0;
    for (unsigned k = 0; k < _FIGURE_N; k++) {
        if (!(kinds & (1u << k)))
            continue;
        g_autoptr(Figure) known = figures_get(&g->figures, k);
        if (questions[k].wanted(v, known))
            wanted |= 1u << k;
    }
    return wanted;
}

void figures_ask(const FigureAsk *asks, unsigned n, unsigned flags, uint64_t deadline)
{
    Request *r = request_new();

    for (unsigned i = 0; i < n; i++) {
        g_autoptr(Qmp) q =
            asks[i].kinds ? guest_qmp(domain_driver_data(asks[i].view->domain), NULL) : NULL;
        if (!q || qmp_unresponsive_since(q) ||
            ((flags & FIGURES_IDLE_ONLY) && qmp_in_flight(q) > 0))
            continue;
        for (unsigned k = 0; k < _FIGURE_N; k++)
            if (asks[i].kinds & (1u << k))
                send_one(r, asks[i].view, q, k, deadline);
    }
    if (!(flags & FIGURES_NO_WAIT))
        wait_for_all(r, deadline);
    request_unref(r);
}

Figure *figures_ask_one(const DomainView *v, FigureKind k, uint64_t deadline, GError **err)
{
    Guest *g = domain_driver_data(v->domain);
    g_autoptr(Qmp) q = guest_qmp(g, err);
    if (!q)
        return NULL;

    Request *r = request_new();
    send_one(r, v, q, k, deadline);
    /* The monitor's own deadline says so with more words: leave it the time to. */
    wait_for_all(r, deadline + G_USEC_PER_SEC);
    lock_enter(&r->lock);
    bool in = r->open == 0;
    GError *failed = g_steal_pointer(&r->failed);
    lock_leave(&r->lock);
    request_unref(r);
    Figure *f = in && !failed ? figures_get(&g->figures, k) : NULL;
    if (failed)
        g_propagate_error(err, failed);
    else if (!f)
        error_set(err, VIR_ERR_OPERATION_FAILED, "the guest's monitor gave no answer to '%s'",
                  questions[k].cmd);
    return f;
}
