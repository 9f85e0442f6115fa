/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest as every driver keeps it: objects (object.h) of the kind domain, with types of their own. What only
 * domains have is said here: id, state and its reason, an autostart that counts once, a managed image.
 */
#pragma once

#include "conf/domain.h"
#include "drivers/common/object.h"

typedef struct Domain Domain;
typedef struct DomainTurn DomainTurn;

typedef struct DomainView {
    OBJECT_VIEW(Domain, domain, DomainDef);
    int id;             /* -1: not active */
    int state, reason;  /* VIR_DOMAIN_*, with the reason's own enum per state */
    bool autostart_once;
    bool managed_save;  /* it starts from an image */
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

typedef struct DomainQuery {
    OBJECT_CAPABILITY(Domain, domain, DomainView);
} DomainQuery;
typedef struct DomainAbort {
    OBJECT_CAPABILITY(Domain, domain, DomainView);
} DomainAbort;
