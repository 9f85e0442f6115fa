/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest as every driver keeps it. What is known of it is a DomainView: immutable, counted, replaced
 * as a whole by the commit of a turn. Readers take a reference and never wait, even behind a hung
 * guest. A Domain is the place where the current view hangs, with the queue of those who want to
 * change it. See docs/architecture.md, "Objects, turns, threads".
 */
#pragma once

#include <glib.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "conf/domain.h"
#include "rpc/driver.h"
#include "util/uuid.h"

typedef struct Domain Domain;
typedef struct DomainTurn DomainTurn;
typedef struct Registry Registry;

/* A definition shared by views; immutable. One that was found on disk is read when it is first needed:
 * def is NULL until then. */
typedef struct SharedDef {
    gatomicrefcount refs;
    DomainDef *_Atomic def;
} SharedDef;
SharedDef *shared_def_new(DomainDef *take);
SharedDef *shared_def_ref(SharedDef *s);
SharedDef *shared_def_unref(SharedDef *s); /* NULL is fine */

/* The driver's own live facts (pid, monitor, start time …); immutable and counted like the view. The
 * driver's struct begins with it. */
typedef struct DriverStatus {
    gatomicrefcount refs;
    void (*free)(struct DriverStatus *s);
} DriverStatus;
DriverStatus *driver_status_ref(DriverStatus *s);
DriverStatus *driver_status_unref(DriverStatus *s);

typedef struct DomainView {
    gatomicrefcount refs;
    Domain *domain;     /* not a reference: a view is reached through its domain */
    Uuid uuid;
    char *name;
    int id;             /* -1: not active */
    int state, reason;  /* VIR_DOMAIN_*, with the reason's own enum per state */
    bool persistent, autostart, autostart_once, autodestroy;
    bool managed_save;  /* it starts from an image */
    SharedDef *config;  /* for the next start; NULL: transient */
    SharedDef *live;    /* NULL: not active */
    DriverStatus *status;
} DomainView;

DomainView *domain_view_ref(const DomainView *v);
DomainView *domain_view_unref(DomainView *v);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DomainView, domain_view_unref)
void domain_view_destroy(void *view); /* GDestroyNotify */

static inline bool view_active(const DomainView *v) { return v->id >= 0; }
/* The definition for the next start (v->config is not NULL); lives as long as the view. NULL with *err:
 * its file cannot be read, or c is a call of lane inline that may not wait for the file. c NULL: may. */
const DomainDef *view_config(const DomainView *v, Call *c, GError **err);
/* The definition that a question without _LIVE or _CONFIG means; NULL as above. */
static inline const DomainDef *view_def(const DomainView *v, Call *c, GError **err)
{
    return v->live ? v->live->def : view_config(v, c, err);
}

Domain *domain_ref(Domain *d);
Domain *domain_unref(Domain *d);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Domain, domain_unref)
void domain_destroy_ref(void *domain); /* GDestroyNotify */

/* NULL while it is being created and after it was removed. */
DomainView *domain_view(Domain *d);
const uint8_t *domain_uuid(const Domain *d);
/* The driver's runtime object (sockets, handles); set once by DomainDriver.attach. */
void *domain_driver_data(const Domain *d);

/* A question to the guest: shared with other questions. */
typedef struct DomainQuery {
    Domain *domain;
    DomainView *view;
    Call *call;
} DomainQuery;

typedef struct DomainAbort {
    Domain *domain;
    DomainView *view;
    Call *call;
} DomainAbort;
