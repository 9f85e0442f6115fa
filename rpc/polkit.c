/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The client of polkit's Authority. The bus connection hangs on the loop, so a bus that is slow,
 * hung or away costs whoever asks a refusal and nobody else anything. Each question is put twice at
 * most: first without a person being asked, and only when the authority says that a password would
 * help and the question allows it, again with one.
 *
 * Plain answers are kept until the authority says that something changed or the bus connection
 * breaks; answers that took a person are not, since they may be good for one time only. A subject
 * is a process (pid, start time and uid), so an answer never outlives whom it was about. An answer
 * that was under way while the authority changed is used but not kept.
 *
 * Root is not asked about: polkit itself allows it everything, and so must we when there is no bus.
 *
 * Loop thread; the cache is under its lock.
 */
#define LOG_SOURCE "rpc.polkit"
#include "rpc/polkit.h"

#include <errno.h>
#include <string.h>
#include <systemd/sd-bus.h>

#include "util/lock.h"
#include "util/log.h"

#define AUTHORITY_NAME "org.freedesktop.PolicyKit1"
#define AUTHORITY_PATH "/org/freedesktop/PolicyKit1/Authority"
#define AUTHORITY_INTERFACE "org.freedesktop.PolicyKit1.Authority"
#define OWNER_MATCH \
    "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='" AUTHORITY_NAME "'"

enum {
    SEC = 1000000,
    ANSWER_SEC = 10,  /* the authority */
    PERSON_SEC = 120, /* somebody who types a password */
    CACHE_MAX = 65536,
    OPEN_QUESTIONS_MAX = 4096,
    ALLOW_USER_INTERACTION = 1,
};

typedef struct Asked {
    Polkit *p;
    GList link;
    Identity *who;
    char *action, *key;
    char **details;
    bool interactive, second;
    uint64_t start_time;
    unsigned generation;
    char *cancel_id;
    sd_bus_slot *slot;
    PolkitFn fn;
    void *data;
    PolkitOutcome outcome;
    char *why;
} Asked;

struct Polkit {
    gatomicrefcount refs;
    Loop *loop;
    char *address;
    sd_bus *bus;
    GQueue open; /* Asked.link */
    bool stopped;
    uint64_t next_cancel_id;

    Lock lock;
    GHashTable *cache; /* key → GINT_TO_POINTER(PolkitAnswer) */
    unsigned generation;
};

static bool send_question(Asked *a);

/* The cache ------------------------------------------------------------------------------------- */

/* Every part has its length, so that a name cannot pretend to be two parts. */
static void key_part(GString *s, const char *part)
{
    g_string_append_printf(s, "%zu:%s", strlen(part), part);
}

static char *key_of(const PolkitQuestion *q, uint64_t start_time)
{
    GString *s = g_string_new(NULL);

    g_string_append_printf(s, "%u,%d,%" G_GUINT64_FORMAT ",", (unsigned)q->who->uid, (int)q->who->pid, start_time);
    key_part(s, q->action);
    for (unsigned i = 0; q->details && q->details[i]; i++)
        key_part(s, q->details[i]);
    return g_string_free(s, FALSE);
}

PolkitAnswer polkit_cached(Polkit *p, const PolkitQuestion *q)
{
    void *v;

    if (q->who->has_unix && q->who->uid == 0)
        return POLKIT_YES;
    if (!q->who->has_unix || !q->who->pid)
        return POLKIT_NO;

    g_autofree char *key = key_of(q, identity_start_time(q->who));

    LOCK_SCOPE(&p->lock);
    return g_hash_table_lookup_extended(p->cache, key, NULL, &v) ? (PolkitAnswer)GPOINTER_TO_INT(v) : POLKIT_NOT_KNOWN;
}

static void cache_store(Asked *a)
{
    Polkit *p = a->p;
    LOCK_SCOPE(&p->lock);

    if (a->generation != p->generation)
        return;
    if (g_hash_table_size(p->cache) >= CACHE_MAX) /* rare; all of it is cheap to ask again */
        g_hash_table_remove_all(p->cache);
    g_hash_table_replace(p->cache, g_strdup(a->key), GINT_TO_POINTER(a->outcome == POLKIT_ALLOWED ? POLKIT_YES : POLKIT_NO));
}

static void cache_flush(Polkit *p)
{
    LOCK_SCOPE(&p->lock);
    p->generation++;
    g_hash_table_remove_all(p->cache);
}

static unsigned generation_of(Polkit *p)
{
    LOCK_SCOPE(&p->lock);
    return p->generation;
}

/* The bus --------------------------------------------------------------------------------------- */

static void answered(void *data)
{
    Asked *a = data;

    a->fn(a->outcome, a->outcome == POLKIT_ALLOWED ? NULL : a->why, a->data);
    polkit_unref(a->p);
    identity_unref(a->who);
    g_strfreev(a->details);
    g_free(a->action);
    g_free(a->key);
    g_free(a->cancel_id);
    g_free(a->why);
    g_free(a);
}

static void finish(Asked *a, PolkitOutcome outcome, char *why)
{
    sd_bus_slot_unref(a->slot);
    a->slot = NULL;
    g_queue_unlink(&a->p->open, &a->link);
    a->outcome = outcome;
    a->why = why;
    loop_post(a->p->loop, answered, a); /* never inside polkit_ask() */
}

static void close_bus(Polkit *p, const char *why)
{
    if (!p->bus)
        return;
    sd_bus *bus = g_steal_pointer(&p->bus);

    cache_flush(p);
    while (p->open.head)
        finish(p->open.head->data, POLKIT_REFUSED, g_strdup(why));
    (void)sd_bus_detach_event(bus);
    sd_bus_close_unref(bus);
}

/* Also when polkitd itself comes or goes: it may have been started again with other rules. */
static int on_changed(sd_bus_message *m, void *data, sd_bus_error *error)
{
    (void)m;
    (void)error;
    cache_flush(data);
    return 0;
}

static int on_disconnected(sd_bus_message *m, void *data, sd_bus_error *error)
{
    (void)m;
    (void)error;
    log_info("the system bus is gone; decisions of polkit are asked again when it is back");
    close_bus(data, "the connection to the system bus broke");
    return 0;
}

static bool open_bus(Polkit *p, char **why)
{
    sd_bus *bus = NULL;
    int r;

    if (p->bus)
        return true;
    if (p->address) {
        r = sd_bus_new(&bus);
        if (r >= 0)
            r = sd_bus_set_address(bus, p->address);
        if (r >= 0)
            r = sd_bus_set_bus_client(bus, true);
        if (r >= 0)
            r = sd_bus_start(bus);
    } else {
        r = sd_bus_open_system(&bus);
    }
    if (r >= 0)
        r = sd_bus_attach_event(bus, loop_event(p->loop), SD_EVENT_PRIORITY_NORMAL);
    if (r >= 0)
        r = sd_bus_match_signal_async(bus, NULL, AUTHORITY_NAME, AUTHORITY_PATH, AUTHORITY_INTERFACE, "Changed",
                                      on_changed, NULL, p);
    if (r >= 0)
        r = sd_bus_add_match_async(bus, NULL, OWNER_MATCH, on_changed, NULL, p);
    if (r >= 0)
        r = sd_bus_match_signal_async(bus, NULL, "org.freedesktop.DBus.Local", "/org/freedesktop/DBus/Local",
                                      "org.freedesktop.DBus.Local", "Disconnected", on_disconnected, NULL, p);
    if (r < 0) {
        *why = g_strdup_printf("the system bus cannot be reached: %s", g_strerror(-r));
        sd_bus_close_unref(bus);
        return false;
    }
    p->bus = bus;
    return true;
}

static void cancel_at_authority(Asked *a)
{
    (void)sd_bus_call_method_async(a->p->bus, NULL, AUTHORITY_NAME, AUTHORITY_PATH, AUTHORITY_INTERFACE,
                                   "CancelCheckAuthorization", NULL, NULL, "s", a->cancel_id);
}

static char *failure_text(Asked *a, const sd_bus_error *e)
{
    if (sd_bus_error_has_name(e, SD_BUS_ERROR_NO_REPLY) || sd_bus_error_has_name(e, SD_BUS_ERROR_TIMEOUT))
        return g_strdup_printf("polkit did not answer within %d s", a->second ? PERSON_SEC : ANSWER_SEC);
    if (sd_bus_error_has_name(e, SD_BUS_ERROR_SERVICE_UNKNOWN))
        return g_strdup("polkit does not run and the bus cannot start it");
    return g_strdup_printf("polkit: %s", e->message ? e->message : e->name);
}

/* The details of an answer; what is not understood says nothing. */
static bool was_dismissed(sd_bus_message *m)
{
    const char *key, *value;
    bool found = false;

    if (sd_bus_message_enter_container(m, 'a', "{ss}") < 0)
        return false;
    while (sd_bus_message_read(m, "{ss}", &key, &value) > 0)
        found = found || (strcmp(key, "polkit.dismissed") == 0 && *value);
    return found;
}

static int on_answer(sd_bus_message *m, void *data, sd_bus_error *unused)
{
    Asked *a = data;
    const sd_bus_error *e = sd_bus_message_get_error(m);
    int authorized = 0, challenge = 0;
    (void)unused;

    if (e) {
        if (sd_bus_error_has_name(e, SD_BUS_ERROR_NO_REPLY) || sd_bus_error_has_name(e, SD_BUS_ERROR_TIMEOUT))
            cancel_at_authority(a);
        finish(a, POLKIT_REFUSED, failure_text(a, e));
        return 0;
    }
    int r = sd_bus_message_enter_container(m, 'r', "bba{ss}");
    if (r >= 0)
        r = sd_bus_message_read(m, "bb", &authorized, &challenge);
    bool dismissed = r >= 0 && was_dismissed(m);
    if (r < 0) {
        finish(a, POLKIT_REFUSED, g_strdup("polkit's answer is not understood"));
        return 0;
    }
    if (!authorized && challenge && a->interactive && !a->second) {
        a->second = true;
        a->slot = sd_bus_slot_unref(a->slot);
        if (!send_question(a))
            finish(a, POLKIT_REFUSED, g_strdup("polkit cannot be asked for a password"));
        return 0;
    }
    a->outcome = authorized ? POLKIT_ALLOWED : POLKIT_REFUSED;
    if (!a->second && !challenge)
        cache_store(a);
    if (authorized)
        finish(a, POLKIT_ALLOWED, NULL);
    else if (dismissed)
        finish(a, POLKIT_DISMISSED, g_strdup("the one who was asked for a password did not give it"));
    else if (challenge && a->interactive)
        finish(a, POLKIT_NO_AGENT, g_strdup("no polkit agent is there to ask for a password"));
    else
        finish(a, POLKIT_REFUSED,
               g_strdup(challenge   ? "polkit would ask for a password, which is not possible here"
                        : a->second ? "the password was not right"
                                    : "polkit does not allow it"));
    return 0;
}

static int append_question(sd_bus_message *m, const Asked *a)
{
    int r = sd_bus_message_append(m, "(sa{sv})s", "unix-process", (unsigned)3, "pid", "u", (uint32_t)a->who->pid,
                                  "start-time", "t", a->start_time, "uid", "i", (int32_t)a->who->uid, a->action);
    if (r >= 0)
        r = sd_bus_message_open_container(m, 'a', "{ss}");
    for (unsigned i = 0; r >= 0 && a->details && a->details[i]; i += 2)
        r = sd_bus_message_append(m, "{ss}", a->details[i], a->details[i + 1]);
    if (r >= 0)
        r = sd_bus_message_close_container(m);
    if (r >= 0)
        r = sd_bus_message_append(m, "us", (uint32_t)(a->second ? ALLOW_USER_INTERACTION : 0), a->cancel_id);
    return r;
}

static bool send_question(Asked *a)
{
    sd_bus_message *m = NULL;
    int r = sd_bus_message_new_method_call(a->p->bus, &m, AUTHORITY_NAME, AUTHORITY_PATH, AUTHORITY_INTERFACE,
                                           "CheckAuthorization");
    if (r >= 0)
        r = append_question(m, a);
    if (r >= 0)
        r = sd_bus_call_async(a->p->bus, &a->slot, m, on_answer, a,
                              (uint64_t)(a->second ? PERSON_SEC : ANSWER_SEC) * SEC);
    sd_bus_message_unref(m);
    return r >= 0;
}

void polkit_ask(Polkit *p, const PolkitQuestion *q, PolkitFn fn, void *data)
{
    Asked *a = g_new0(Asked, 1);
    char *why = NULL;

    a->p = polkit_ref(p);
    a->who = identity_ref(q->who);
    a->start_time = identity_start_time(q->who);
    a->action = g_strdup(q->action);
    a->details = q->details ? g_strdupv((char **)q->details) : NULL;
    a->interactive = q->interactive;
    a->key = key_of(q, a->start_time);
    a->cancel_id = g_strdup_printf("modvirt-%" G_GUINT64_FORMAT, ++p->next_cancel_id);
    a->fn = fn;
    a->data = data;
    a->link.data = a;
    a->generation = generation_of(p);
    g_queue_push_tail_link(&p->open, &a->link);

    PolkitAnswer known = polkit_cached(p, q);
    if (known != POLKIT_NOT_KNOWN)
        finish(a, known == POLKIT_YES ? POLKIT_ALLOWED : POLKIT_REFUSED,
               g_strdup(q->who->has_unix && q->who->pid ? "polkit does not allow it" : "its process is not known"));
    else if (p->stopped)
        finish(a, POLKIT_REFUSED, g_strdup("the daemon is stopping"));
    else if (!a->start_time)
        finish(a, POLKIT_REFUSED, g_strdup_printf("process %d is gone", (int)a->who->pid));
    else if (p->open.length > OPEN_QUESTIONS_MAX)
        finish(a, POLKIT_REFUSED, g_strdup_printf("%d questions to polkit are open already", OPEN_QUESTIONS_MAX));
    else if (!open_bus(p, &why))
        finish(a, POLKIT_REFUSED, why);
    else if (!send_question(a))
        finish(a, POLKIT_REFUSED, g_strdup("polkit cannot be asked"));
}

/* Life ------------------------------------------------------------------------------------------ */

Polkit *polkit_new(Loop *loop, const char *bus_address)
{
    Polkit *p = g_new0(Polkit, 1);

    g_atomic_ref_count_init(&p->refs);
    p->loop = loop;
    p->address = g_strdup(bus_address);
    lock_init(&p->lock);
    p->cache = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return p;
}

void polkit_stop(Polkit *p)
{
    p->stopped = true;
    while (p->open.head)
        finish(p->open.head->data, POLKIT_REFUSED, g_strdup("the daemon is stopping"));
    close_bus(p, "the daemon is stopping");
}

Polkit *polkit_ref(Polkit *p)
{
    g_atomic_ref_count_inc(&p->refs);
    return p;
}

Polkit *polkit_unref(Polkit *p)
{
    if (!p || !g_atomic_ref_count_dec(&p->refs))
        return NULL;
    close_bus(p, NULL); /* no question is open: each has a reference */
    g_hash_table_unref(p->cache);
    lock_done(&p->lock);
    g_free(p->address);
    g_free(p);
    return NULL;
}
