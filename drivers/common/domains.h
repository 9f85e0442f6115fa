/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All domains of the driver, by uuid, name and id; and what a hypervisor's driver does for them. Any thread. */
#pragma once

#include <libxml/tree.h>

#include "drivers/common/domain.h"
#include "drivers/common/registry.h"

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

/* Opens the registry of domains. ret_live: those that ran (references), to be reconnected. */
bool domains_open(const DomainDriver *driver, const DriverContext *ctx, GPtrArray **ret_live, GError **err);
void domains_close(void);
const DomainDriver *domains_driver(void);

/* A reference, or NULL: not there (or not visible yet). */
Domain *domains_find_uuid(const uint8_t *uuid);
Domain *domains_find_name(const char *name);
Domain *domains_find_id(int id);

/* Views of all domains (DomainView), in no particular order. */
GPtrArray *domains_views(void);
/* Those that the caller may see and that pass a list's flags (VIR_CONNECT_LIST_DOMAINS_*). */
GPtrArray *domains_collect(Call *c, unsigned flags);
bool domains_filter(const DomainView *v, unsigned flags);
unsigned domains_count_active(void);
/* A fresh id for a guest that starts. */
int domains_next_id(void);
