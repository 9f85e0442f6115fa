/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * This host as clients ask for it: processors, memory, NUMA, firmware tables. Everything is read from
 * /sys and /proc when asked (host_root() moves them for tests); nothing is kept but the topology,
 * which is read once. Any thread; reads of a few files, never blocking on a device.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct HostCpu {
    unsigned id;
    bool online;
    int socket, die, core; /* -1: not told */
    char *siblings;        /* list of threads of its core, "0-1" */
} HostCpu;

typedef struct HostCell {
    unsigned id;
    uint64_t memory_kib;
    GArray *pages;     /* of HostPages */
    GArray *distances; /* of unsigned, by cell order; may be empty */
    GArray *cpus;      /* of unsigned: ids */
} HostCell;

typedef struct HostPages {
    unsigned size_kib;
    uint64_t count;
} HostPages;

typedef struct HostCache {
    unsigned id, level;
    char *type; /* "both", "code", "data" */
    unsigned size_kib;
    char *cpus; /* "0-5" */
} HostCache;

typedef struct HostTopology {
    GPtrArray *cpus;  /* of HostCpu, all present ones by id */
    GPtrArray *cells; /* of HostCell; at least one */
    GPtrArray *caches; /* of HostCache: level 3 and up */
    unsigned sockets, dies, cores, threads; /* per cell, per socket, per die, per core: maxima */
    unsigned online;
    bool numa; /* the kernel told cells; false: one was made up */
} HostTopology;

/* root NULL: "/". Free with host_topology_free(). */
HostTopology *host_topology_read(const char *root, GError **err);
void host_topology_free(HostTopology *t);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HostTopology, host_topology_free)
/* This host's, read once; never freed. */
const HostTopology *host_topology(GError **err);

typedef struct HostNodeInfo {
    char model[32]; /* architecture: "x86_64" */
    uint64_t memory_kib;
    unsigned cpus, mhz, nodes, sockets, cores, threads;
} HostNodeInfo;
bool host_node_info(HostNodeInfo *ret, GError **err);
const char *host_arch(void);

/* Bit i of byte i/8: CPU i is online. Returns the number of CPUs that the map covers; *ret_online how
 * many of them are online. ret_map may be NULL. */
int host_cpu_map(uint8_t **ret_map, size_t *ret_bytes, unsigned *ret_online, GError **err);

/* Nanoseconds since boot. cpu -1: all together. VIR_ERR_INVALID_ARG: no such CPU. */
typedef struct HostCpuTimes {
    uint64_t kernel, user, idle, iowait;
} HostCpuTimes;
bool host_cpu_times(int cpu, HostCpuTimes *ret, GError **err);

/* KiB. cell -1: the whole host. buffers and cached are UINT64_MAX for a cell that does not tell. */
typedef struct HostMemory {
    uint64_t total, free, buffers, cached;
} HostMemory;
bool host_memory(int cell, HostMemory *ret, GError **err);
/* Bytes free, for each of at most max cells from 'first'; returns how many, -1 on error. */
int host_cells_free(int first, unsigned max, uint64_t *ret, GError **err);
/* Free pages of one size (KiB) in a cell (-1: whole host). */
bool host_free_pages(int cell, unsigned size_kib, uint64_t *ret, GError **err);

char *host_hostname(GError **err);
/* The configuration's word on the host's UUID, 16 bytes that stay; before any other thread. */
void host_set_uuid(const uint8_t *uuid);
/* Whom guests run as; before any other thread. Without it: the daemon's own user. */
void host_set_guest_user(uid_t uid, gid_t gid);
uid_t host_guest_uid(void);
gid_t host_guest_gid(void);
/* The host's UUID: the configured one, else the firmware's, else one kept in LIB/host-uuid… of this installation. */
bool host_uuid(uint8_t ret[16], GError **err);
/* <sysinfo type='smbios'> document from the firmware's tables. VIR_ERR_CONFIG_UNSUPPORTED: this host has none,
 * or they cannot be read. */
char *host_sysinfo_xml(GError **err);
/* From the bytes of the tables (tests). */
char *host_sysinfo_from_table(const uint8_t *table, size_t len, GError **err);
/* 's3', 's4', 'hybrid' as bits 0, 1, 2. */
unsigned host_suspend_modes(void);
