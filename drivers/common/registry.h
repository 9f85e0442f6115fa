/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * All domains of the driver, by uuid, name and id. One lock, held for look-ups only. One registry
 * per process (a daemon has one driver). Any thread.
 */
#pragma once

#include <libxml/tree.h>

#include "drivers/common/domain.h"

typedef struct DomainDriver {
    /* Makes and frees the driver's runtime object of a domain. */
    void *(*attach)(Domain *d);
    void (*detach)(void *data);
    /* JOB_DESTROY, JOB_ABORT: make what runs on this domain fail soon. Any thread. */
    void (*interrupt)(Domain *d, bool destroy);
    /* What interrupted has failed: undo what interrupt() did. Any thread. */
    void (*interrupt_failed)(Domain *d);
    /* Since when its monitor has been silent (monotonic usec), 0: it answers. Any thread. */
    uint64_t (*unresponsive_since)(Domain *d);
    /* The driver's part of the status file: attributes and children of <modvirt>. */
    void (*status_format)(const DriverStatus *s, GString *out);
    DriverStatus *(*status_parse)(const xmlNode *modvirt, GError **err);
    /* VIR_DOMAIN_XML_UPDATE_CPU: a copy of a definition whose processor is as a start would make it. May be
     * slow: a worker. NULL: the flag changes nothing. */
    bool (*update_cpu)(DomainDef *def, GError **err);
    /* Images that inactive domains start from: is there one, away with it. NULL: there never are any. */
    bool (*has_managed_save)(const char *name);
    bool (*remove_managed_save)(const char *name, GError **err);
    /* Whether what the driver keeps under the domain's name allows another name; may be NULL. */
    bool (*may_rename)(const DomainView *v, GError **err);
    const ConfPolicy *policy;
    void *policy_data;
    void *stored_policy_data; /* for definitions read back from disk; NULL: policy_data */
    const char *subdir; /* "qemu": below the config and run directories */
} DomainDriver;

bool registry_init(const DomainDriver *driver, const DriverContext *ctx, GError **err);
const DomainDriver *registry_driver(void);
const DriverContext *registry_context(void);
/* From here on no internal turn starts (domain_run_turn). */
void registry_stop(void);
void registry_done(void);

/* A reference, or NULL: not there (or not visible yet). */
Domain *registry_find_uuid(const uint8_t *uuid);
Domain *registry_find_name(const char *name);
Domain *registry_find_id(int id);

/* Views of all domains that the caller may see (acl filter getattr), in no particular order. */
GPtrArray *registry_collect(Call *c);
/* The same without a caller. */
GPtrArray *registry_views(void);
unsigned registry_count_active(void);
/* A fresh id for a guest that starts. */
int registry_next_id(void);
void registry_note_id(int id); /* ids in use before our start */

/* At start: adds a domain that a state file describes. Takes the definitions. */
Domain *registry_add_loaded(DomainView *take, GError **err);
