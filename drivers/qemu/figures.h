/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the emulators know of their guests in numbers, and only they: the last answer to each question,
 * kept per guest. Whoever wants figures of many guests asks all of them at once and waits until one
 * deadline; a guest that does not answer costs that once, is not asked again before it has answered
 * something, and is reported with the figures that are kept. Any thread, but the monitor's may not wait.
 */
#pragma once

#include "drivers/common/domain.h"
#include "drivers/qemu/qmp_cmds.h"
#include "util/lock.h"

typedef enum FigureKind {
    FIGURE_BLOCK_STATS, /* list of QmpBlockStats */
    FIGURE_NODES,       /* list of QmpNode */
    FIGURE_BALLOON,
    FIGURE_IOTHREADS, /* list of QmpIothread */
    FIGURE_DIRTY_RATE,
    _FIGURE_N
} FigureKind;

/* Immutable and counted. */
typedef struct Figure {
    gatomicrefcount refs;
    FigureKind kind;
    uint64_t when; /* monotonic µs */
    union {
        GArray *list;
        QmpBalloonStats balloon;
        QmpDirtyRate dirty_rate;
    };
} Figure;
Figure *figure_unref(Figure *f); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Figure, figure_unref)

/* What is kept of one guest: part of its Guest. */
typedef struct Figures {
    Lock lock;
    Figure *of[_FIGURE_N];
    atomic_bool measured; /* somebody may have had the dirty rate measured in this run */
} Figures;
void figures_init(Figures *f);
void figures_done(Figures *f);
/* The monitor was exchanged: what the former one said is void. */
void figures_forget(Figures *f);
/* A measurement of the dirty rate was started, or may have been. */
void figures_note_measuring(Figures *f);
/* A reference; NULL: never told. */
Figure *figures_get(Figures *f, FigureKind k);

/* Is there an older answer to each of these questions? */
bool figures_known(const DomainView *v, unsigned kinds);
/* In lists, f NULL is an empty one: the block node of this kind ("format", "storage") of a layer; the
 * counters of a disk. NULL: not there. */
const QmpNode *figure_node(const Figure *f, const StorageSource *s, const char *kind);
const QmpBlockStats *figure_block_stats(const Figure *f, const DomainDef *def, const DiskDef *d);

typedef struct FigureAsk {
    const DomainView *view;
    unsigned kinds; /* 1 << FigureKind */
} FigureAsk;

/* The questions among 'kinds' that make sense for this guest and whose answer is not known already. */
unsigned figures_wanted(const DomainView *v, unsigned kinds);
enum {
    FIGURES_IDLE_ONLY = 1 << 0, /* leave out monitors that are busy with something else */
    FIGURES_NO_WAIT = 1 << 1,   /* for later: return at once; any thread */
};
/* Asks all; returns when all have answered, at the latest at the deadline (monotonic µs). */
void figures_ask(const FigureAsk *asks, unsigned n, unsigned flags, uint64_t deadline);
/* Asks one guest one question, now; the answer is a reference. Errors as of qmp_call(). */
Figure *figures_ask_one(const DomainView *v, FigureKind k, uint64_t deadline, GError **err);
