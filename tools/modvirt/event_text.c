/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Messages of events by rows: what the event is called, its type, and which of its members are told, in
 * which way. A number that has words is told in words; a word that is not in the list is a number. Pure.
 */
#include "tools/modvirt/event_text.h"

#include <string.h>

#include "protocols/remote_procs.h"
#include "protocols/remote_types.h"
#include "protocols/xdr_buf.h"
#include "util/json.h"
#include "util/uuid.h"

typedef enum MemberKind {
    MEMBER_INT,
    MEMBER_U64,
    MEMBER_I64,
    MEMBER_TEXT,
    MEMBER_WORD,
    MEMBER_DETAIL
} MemberKind;

typedef struct Member {
    const char *name;
    MemberKind kind;
    size_t at;
    const char *const *words; /* NULL-terminated */
} Member;

typedef struct EventRow {
    int32_t proc;
    const char *name;
    xdrproc_t xdr;
    size_t size, dom_at;
    Member members[6];
} EventRow;

#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static const char *const lifecycle[] = { "defined", "undefined", "started",  "suspended",
                                         "resumed", "stopped",   "shutdown", "pmsuspended",
                                         "crashed", NULL };
static const char *const *const lifecycle_details[] = {
    WORDS("added", "updated", "renamed", "from-snapshot"),
    WORDS("removed", "renamed"),
    WORDS("booted", "migrated", "restored", "from-snapshot", "wakeup", "recreated"),
    WORDS("paused", "migrated", "ioerror", "watchdog", "restored", "from-snapshot", "api-error",
          "postcopy", "postcopy-failed", "guest-shutdown"),
    WORDS("unpaused", "migrated", "from-snapshot", "postcopy", "postcopy-failed"),
    WORDS("shutdown", "destroyed", "crashed", "migrated", "saved", "failed", "from-snapshot",
          "recreated"),
    WORDS("finished", "guest", "host"),
    WORDS("memory", "disk"),
    WORDS("panicked", "crashloaded"),
};

#define TYPE(t) remote_domain_event_callback_##t##_msg
/* Messages that wrap an older one, and flat ones. */
#define EVENT(PROC, name, t, ...)                                                                  \
    {                                                                                              \
        REMOTE_PROC_DOMAIN_EVENT_CALLBACK_##PROC, name,                                            \
            (xdrproc_t)xdr_remote_domain_event_callback_##t##_msg, sizeof(TYPE(t)),                \
            offsetof(TYPE(t), msg.dom),                                                            \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
#define FLAT(PROC, name, t, ...)                                                                   \
    {                                                                                              \
        REMOTE_PROC_DOMAIN_EVENT_CALLBACK_##PROC, name,                                            \
            (xdrproc_t)xdr_remote_domain_event_callback_##t##_msg, sizeof(TYPE(t)),                \
            offsetof(TYPE(t), dom),                                                                \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
#define PLAIN(PROC, name, t, ...)                                                                  \
    {                                                                                              \
        REMOTE_PROC_DOMAIN_EVENT_##PROC, name, (xdrproc_t)xdr_remote_domain_event_##t##_msg,       \
            sizeof(remote_domain_event_##t##_msg), offsetof(remote_domain_event_##t##_msg, dom),   \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
#define M(t, member) offsetof(TYPE(t), member)
#define P(t, member) offsetof(remote_domain_event_##t##_msg, member)

/* clang-format off */
static const EventRow rows[] = {
    EVENT(LIFECYCLE, "lifecycle", lifecycle,
          { "event", MEMBER_WORD, M(lifecycle, msg.event), lifecycle },
          { "detail", MEMBER_DETAIL, M(lifecycle, msg.detail), NULL }),
    EVENT(REBOOT, "reboot", reboot, { NULL }),
    EVENT(RTC_CHANGE, "rtc-change", rtc_change, { "offset", MEMBER_I64, M(rtc_change, msg.offset), NULL }),
    EVENT(WATCHDOG, "watchdog", watchdog,
          { "action", MEMBER_WORD, M(watchdog, msg.action), WORDS("none", "pause", "reset", "poweroff", "shutdown", "debug", "inject-nmi") }),
    EVENT(IO_ERROR_REASON, "io-error", io_error_reason,
          { "device", MEMBER_TEXT, M(io_error_reason, msg.devAlias), NULL },
          { "path", MEMBER_TEXT, M(io_error_reason, msg.srcPath), NULL },
          { "action", MEMBER_WORD, M(io_error_reason, msg.action), WORDS("none", "pause", "report") },
          { "reason", MEMBER_TEXT, M(io_error_reason, msg.reason), NULL }),
    EVENT(GRAPHICS, "graphics", graphics,
          { "phase", MEMBER_WORD, M(graphics, msg.phase), WORDS("connect", "initialize", "disconnect") },
          { "client", MEMBER_TEXT, M(graphics, msg.remote.node), NULL },
          { "service", MEMBER_TEXT, M(graphics, msg.remote.service), NULL }),
    EVENT(BLOCK_JOB, "block-job", block_job,
          { "path", MEMBER_TEXT, M(block_job, msg.path), NULL }, { "type", MEMBER_INT, M(block_job, msg.type), NULL },
          { "status", MEMBER_WORD, M(block_job, msg.status), WORDS("completed", "failed", "canceled", "ready") }),
    PLAIN(BLOCK_JOB_2, "block-job", block_job_2,
          { "disk", MEMBER_TEXT, P(block_job_2, dst), NULL }, { "type", MEMBER_INT, P(block_job_2, type), NULL },
          { "status", MEMBER_WORD, P(block_job_2, status), WORDS("completed", "failed", "canceled", "ready") }),
    EVENT(DISK_CHANGE, "disk-change", disk_change,
          { "device", MEMBER_TEXT, M(disk_change, msg.devAlias), NULL },
          { "old", MEMBER_TEXT, M(disk_change, msg.oldSrcPath), NULL },
          { "new", MEMBER_TEXT, M(disk_change, msg.newSrcPath), NULL },
          { "reason", MEMBER_WORD, M(disk_change, msg.reason), WORDS("missing-on-start", "dropped-on-start") }),
    EVENT(TRAY_CHANGE, "tray-change", tray_change,
          { "device", MEMBER_TEXT, M(tray_change, msg.devAlias), NULL },
          { "tray", MEMBER_WORD, M(tray_change, msg.reason), WORDS("open", "closed") }),
    EVENT(PMWAKEUP, "pm-wakeup", pmwakeup, { NULL }),
    EVENT(PMSUSPEND, "pm-suspend", pmsuspend, { NULL }),
    EVENT(PMSUSPEND_DISK, "pm-suspend-disk", pmsuspend_disk, { NULL }),
    EVENT(BALLOON_CHANGE, "balloon-change", balloon_change, { "kib", MEMBER_U64, M(balloon_change, msg.actual), NULL }),
    EVENT(CONTROL_ERROR, "control-error", control_error, { NULL }),
    EVENT(DEVICE_REMOVED, "device-removed", device_removed, { "device", MEMBER_TEXT, M(device_removed, msg.devAlias), NULL }),
    FLAT(DEVICE_ADDED, "device-added", device_added, { "device", MEMBER_TEXT, M(device_added, devAlias), NULL }),
    FLAT(DEVICE_REMOVAL_FAILED, "device-removal-failed", device_removal_failed,
         { "device", MEMBER_TEXT, M(device_removal_failed, devAlias), NULL }),
    FLAT(TUNABLE, "tunable", tunable, { NULL }),
    FLAT(JOB_COMPLETED, "job-completed", job_completed, { NULL }),
    FLAT(MIGRATION_ITERATION, "migration-iteration", migration_iteration,
         { "iteration", MEMBER_INT, M(migration_iteration, iteration), NULL }),
    FLAT(AGENT_LIFECYCLE, "agent-lifecycle", agent_lifecycle,
         { "state", MEMBER_WORD, M(agent_lifecycle, state), WORDS("none", "connected", "disconnected") },
         { "reason", MEMBER_WORD, M(agent_lifecycle, reason), WORDS("unknown", "domain-started", "channel") }),
    FLAT(METADATA_CHANGE, "metadata-change", metadata_change,
         { "type", MEMBER_WORD, M(metadata_change, type), WORDS("description", "title", "element") },
         { "uri", MEMBER_TEXT, M(metadata_change, nsuri), NULL }),
    PLAIN(BLOCK_THRESHOLD, "block-threshold", block_threshold,
          { "disk", MEMBER_TEXT, P(block_threshold, dev), NULL }, { "path", MEMBER_TEXT, P(block_threshold, path), NULL },
          { "threshold", MEMBER_U64, P(block_threshold, threshold), NULL }, { "excess", MEMBER_U64, P(block_threshold, excess), NULL }),
    PLAIN(MEMORY_FAILURE, "memory-failure", memory_failure,
          { "recipient", MEMBER_WORD, P(memory_failure, recipient), WORDS("hypervisor", "guest") },
          { "action", MEMBER_WORD, P(memory_failure, action), WORDS("ignore", "inject", "fatal", "reset") }),
    PLAIN(MEMORY_DEVICE_SIZE_CHANGE, "memory-device-size-change", memory_device_size_change,
          { "device", MEMBER_TEXT, P(memory_device_size_change, alias), NULL },
          { "kib", MEMBER_U64, P(memory_device_size_change, size), NULL }),
};
/* clang-format on */

static const EventRow *row_of(int32_t proc)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++)
        if (rows[i].proc == proc)
            return &rows[i];
    return NULL;
}

static const char *word(const char *const *words, int n)
{
    for (int i = 0; words && words[i]; i++)
        if (i == n)
            return words[i];
    return NULL;
}

/* The member's value as text; NULL: it has none. */
static char *value_of(const EventRow *row, const Member *m, const uint8_t *msg)
{
    const uint8_t *p = msg + m->at;
    const char *w = NULL;

    switch (m->kind) {
    case MEMBER_TEXT:
        return g_strdup(*(char *const *)(const void *)p);
    case MEMBER_U64:
        return g_strdup_printf("%" G_GUINT64_FORMAT, (guint64) * (const uint64_t *)(const void *)p);
    case MEMBER_I64:
        return g_strdup_printf("%" G_GINT64_FORMAT, (gint64) * (const int64_t *)(const void *)p);
    case MEMBER_WORD:
        w = word(m->words, *(const int *)(const void *)p);
        break;
    case MEMBER_DETAIL: {
        int event = *(const int *)(const void *)(msg + row->members[0].at);
        if (event >= 0 && event < (int)G_N_ELEMENTS(lifecycle_details))
            w = word(lifecycle_details[event], *(const int *)(const void *)p);
        break;
    }
    case MEMBER_INT:
        break;
    }
    return w ? g_strdup(w) : g_strdup_printf("%d", *(const int *)(const void *)p);
}

static bool is_number(MemberKind k)
{
    return k == MEMBER_INT || k == MEMBER_U64 || k == MEMBER_I64;
}

static void add_members(const EventRow *row, const uint8_t *msg, bool json, JsonObject *o,
                        GString *out)
{
    for (const Member *m = row->members; m < row->members + G_N_ELEMENTS(row->members) && m->name;
         m++) {
        g_autofree char *v = value_of(row, m, msg);
        if (!v)
            continue;
        if (!json) {
            g_autofree char *safe = g_strescape(v, NULL);
            g_string_append_printf(out, " %s=%s", m->name, safe);
        } else if (is_number(m->kind)) {
            json_object_object_add(o, m->name, json_object_new_int64(g_ascii_strtoll(v, NULL, 10)));
        } else {
            json_object_object_add(o, m->name, json_object_new_string(v));
        }
    }
}

char *event_text(int32_t proc, const void *body, size_t n, const char *cursor, uint64_t usec,
                 bool json)
{
    if (proc == REMOTE_PROC_DOMAIN_EVENT_CALLBACK_IO_ERROR)
        return NULL; /* the form with the reason tells the same and more */
    const EventRow *row = row_of(proc);
    g_autoptr(GByteArray) whole = g_byte_array_new();
    g_autofree uint8_t *msg = row ? g_malloc0(row->size) : NULL;
    g_autoptr(GDateTime) seconds = g_date_time_new_from_unix_utc((gint64)(usec / G_USEC_PER_SEC));
    g_autofree char *date =
        seconds ? g_date_time_format(seconds, "%Y-%m-%dT%H:%M:%S") : g_strdup("?");
    g_autofree char *when = g_strdup_printf("%s.%06uZ", date, (unsigned)(usec % G_USEC_PER_SEC));
    g_autofree char *number = g_strdup_printf("event-%d", proc);

    g_byte_array_append(whole, (const guint8 *)"\0\0\0", 4); /* the callback id */
    g_byte_array_append(whole, body, (guint)n);
    bool known =
        row && proc_decode(row->name, row->xdr, row->size, whole->data, whole->len, msg, NULL);
    const remote_nonnull_domain *dom = known ? (const void *)(msg + row->dom_at) : NULL;
    char uuid[37] = "";
    if (dom)
        uuid_format((const uint8_t *)dom->uuid, uuid);

    g_autoptr(JsonObject) o = json_make(
        J_STR("cursor", cursor), J_STR("time", when), J_STR("event", row ? row->name : number),
        J_STR("domain", dom ? dom->name : NULL), J_STR("uuid", dom ? uuid : NULL));
    g_autofree char *name = g_strescape(dom ? dom->name : "-", NULL);
    GString *out = g_string_new(NULL);
    g_string_append_printf(out, "%s %s %s %s", cursor, when, name, row ? row->name : number);
    if (known)
        add_members(row, msg, json, o, out);
    if (row && known)
        proc_free(row->xdr, msg);
    if (!json)
        return g_string_free(out, FALSE);
    g_string_free(out, TRUE);
    return json_text(o);
}
