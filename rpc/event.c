/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The event hub. One per process, owned by the loop thread. An event is encoded once; subscribers
 * differ only in the frame's head and the callback id, which is the first word of the body (messages
 * of the older family have none: they are the same body without that word). Delivery order is the
 * order of event_publish(), because publishing posts to the loop, which keeps order.
 *
 * A client that does not read cannot be paused (others would starve or the driver would have to
 * wait), so past its quota of queued event bytes it is closed, with one line in the log.
 */
#define LOG_SOURCE "rpc.event"
#include "rpc/event.h"

#include <limits.h>
#include <stdatomic.h>
#include <string.h>

#include "protocols/qemu_procs.h"
#include "protocols/remote_procs.h"
#include "protocols/xdr_buf.h"
#include "rpc/dispatch-internal.h"
#include "rpc/journal.h"
#include "util/error.h"
#include "util/log.h"

enum { CALLBACK_WORD = 4, EVENTS_MAX = 256, SUBSCRIPTIONS_MAX = 16384, PATTERN_MAX = 1024,
       HELD_MAX = 1024 };
/* A pattern is the client's, the name that it is matched with is the emulator's: neither may keep the loop
 * busy. Patterns that need more steps than this do not match. */
#define PATTERN_LIMIT "(*LIMIT_MATCH=2000)"

struct Event {
    gatomicrefcount refs;
    const EventInfo *info; /* NULL: qemu monitor event */
    ObjectKind kind;
    bool has_uuid;
    uint8_t uuid[16];
    char *name, *qemu_event;
    uint32_t prog;
    int32_t proc;
    GBytes *body;        /* behind the callback id */
    GBytes *legacy_body; /* where the older message leaves out more than the id; else NULL */
};

typedef struct Subscription {
    GList hub_link, client_link;
    ClientState *cs;
    const EventInfo *info; /* NULL: qemu monitor event */
    GQueue *list;          /* of the hub, which it is in */
    int callback_id;
    bool legacy, has_uuid;
    uint8_t uuid[16];
    char *key;
    GRegex *pattern;
    Charge charge;
    GQueue held;        /* Event: behind one about which access is being asked, in order */
    struct Asking *asking;
} Subscription;

/* A question about the first event that a subscription holds; outlives the subscription. */
typedef struct Asking {
    Subscription *s; /* NULL: gone */
} Asking;

static struct {
    _Atomic(Loop *) loop; /* NULL: nobody is served */
    GQueue by_event[EVENTS_MAX]; /* index of EventInfo → Subscription */
    GQueue qemu;
    Journal *journal; /* NULL: none */
    atomic_uint wanted[EVENTS_MAX], wanted_qemu; /* subscriptions; any thread reads them */
} hub;

static const EventInfo *info_by_proc(int32_t proc)
{
    for (unsigned i = 0; i < remote_n_events; i++)
        if (remote_events[i].callback_proc == proc || remote_events[i].legacy_proc == proc)
            return &remote_events[i];
    return NULL;
}

static const EventInfo *info_by_id(ObjectKind kind, int id)
{
    for (unsigned i = 0; i < remote_n_events; i++)
        if (remote_events[i].object == kind && remote_events[i].event_id == id)
            return &remote_events[i];
    return NULL;
}

static unsigned index_of(const EventInfo *e)
{
    return (unsigned)(e - remote_events);
}

/* Making and publishing: any thread ---------------------------------------------------------- */

static Event *event_encode(ObjectKind kind, uint32_t prog, int32_t proc, const uint8_t *uuid, const char *name,
                           xdrproc_t xdr, const void *msg)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GByteArray) bytes = g_byte_array_new();

    if (!proc_encode("event", xdr, msg, bytes, MESSAGE_MAX - MESSAGE_HEAD, &error) || bytes->len < CALLBACK_WORD) {
        log_error("cannot encode event %d: %s", proc, error ? error->message : "no callback id");
        return NULL;
    }
    Event *e = g_new0(Event, 1);
    g_atomic_ref_count_init(&e->refs);
    e->kind = kind;
    e->prog = prog;
    e->proc = proc;
    e->name = g_strdup(name);
    if (uuid) {
        e->has_uuid = true;
        memcpy(e->uuid, uuid, sizeof(e->uuid));
    }
    e->body = g_bytes_new(bytes->data + CALLBACK_WORD, bytes->len - CALLBACK_WORD);
    return e;
}

Event *event_new(ObjectKind kind, int32_t proc, const uint8_t *uuid, const char *name, xdrproc_t xdr, const void *msg)
{
    Event *e = event_encode(kind, remote_program.number, proc, uuid, name, xdr, msg);

    if (!e)
        return NULL;
    e->info = info_by_proc(proc);
    /* The power management messages of the callback family have a reason word that the older ones
     * lack. */
    if (kind == OBJECT_DOMAIN &&
        (proc == REMOTE_PROC_DOMAIN_EVENT_CALLBACK_PMWAKEUP || proc == REMOTE_PROC_DOMAIN_EVENT_CALLBACK_PMSUSPEND ||
         proc == REMOTE_PROC_DOMAIN_EVENT_CALLBACK_PMSUSPEND_DISK))
        e->legacy_body = g_bytes_new_from_bytes(e->body, 4, g_bytes_get_size(e->body) - 4);
    return e;
}

Event *event_new_qemu_monitor(const uint8_t *uuid, const char *dom_name, const char *event, xdrproc_t xdr,
                              const void *msg)
{
    Event *e = event_encode(OBJECT_DOMAIN, qemu_program.number, QEMU_PROC_DOMAIN_MONITOR_EVENT, uuid, dom_name, xdr,
                            msg);

    if (e)
        e->qemu_event = g_strdup(event);
    return e;
}

Event *event_ref(Event *e)
{
    g_atomic_ref_count_inc(&e->refs);
    return e;
}

Event *event_unref(Event *e)
{
    if (e && g_atomic_ref_count_dec(&e->refs)) {
        g_free(e->name);
        g_free(e->qemu_event);
        g_bytes_unref(e->body);
        g_clear_pointer(&e->legacy_body, g_bytes_unref);
        g_free(e);
    }
    return NULL;
}

bool event_wanted(int32_t proc)
{
    const EventInfo *i = info_by_proc(proc);
    return i && atomic_load(&hub.wanted[index_of(i)]) > 0;
}

bool event_wanted_qemu_monitor(void)
{
    return atomic_load(&hub.wanted_qemu) > 0;
}

/* Delivery: loop thread ---------------------------------------------------------------------- */

static bool subscription_matches(const Subscription *s, const Event *e)
{
    if (s->has_uuid && (!e->has_uuid || memcmp(s->uuid, e->uuid, sizeof(s->uuid)) != 0))
        return false;
    if (s->key && g_strcmp0(s->key, e->name) != 0)
        return false;
    if (s->pattern && !g_regex_match(s->pattern, e->qemu_event ? e->qemu_event : "", 0, NULL))
        return false;
    return true;
}

static void deliver_one(Subscription *s, const Event *e)
{
    MsgHeader h = { .prog = e->prog, .vers = 1, .type = MSG_EVENT, .status = MSG_OK };
    Client *client = s->cs->client;
    uint8_t id[CALLBACK_WORD] = { (uint8_t)(s->callback_id >> 24), (uint8_t)(s->callback_id >> 16),
                                  (uint8_t)(s->callback_id >> 8), (uint8_t)s->callback_id };

    h.proc = !e->info ? e->proc : s->legacy ? e->info->legacy_proc : e->info->callback_proc;
    if (!h.proc || client->closing)
        return;
    GBytes *body = s->legacy && e->legacy_body ? e->legacy_body : e->body;
    if (!conn_send_shared(client->conn, &h, id, s->legacy ? 0 : CALLBACK_WORD, body, EVENT_QUOTA)) {
        log_warn("client %llu does not read its events: more than %d MiB are queued; closing it",
                 (unsigned long long)client->id, EVENT_QUOTA >> 20);
        client_close(client, false);
    }
}

/* Access: a subscriber hears of objects only that it may see. While that must be asked, this and all
 * later events of the subscription are held, so that it gets them in order. */

static void hold(Subscription *s, const Event *e)
{
    if (s->held.length >= HELD_MAX) {
        log_warn("client %llu: an event is lost, since %d wait for a decision about access",
                 (unsigned long long)s->cs->client->id, HELD_MAX);
        return;
    }
    g_queue_push_tail(&s->held, event_ref((Event *)e));
}

static bool question_of(const Subscription *s, const Event *e, AccessQuestion *ret)
{
    const Driver *d = s->cs->d->driver;

    return acl_event_question(s->cs->client->identity, d ? d->name : "", e->kind, e->name,
                              e->has_uuid ? e->uuid : NULL, ret);
}

static void ask_about_first(Subscription *s);

static void on_access(bool allowed, const char *why, void *data)
{
    g_autofree Asking *asking = data;
    Subscription *s = asking->s;
    (void)why;

    if (!s)
        return;
    s->asking = NULL;
    g_autoptr(Event) first = g_queue_pop_head(&s->held);
    if (allowed)
        deliver_one(s, first);
    ask_about_first(s);
}

/* Passes on what is decided, up to the first event that must be asked about. */
static void ask_about_first(Subscription *s)
{
    Event *e;

    while ((e = g_queue_peek_head(&s->held))) {
        AccessQuestion q;
        AccessAnswer a = question_of(s, e, &q) ? access_check(s->cs->d->access, &q, NULL) : ACCESS_YES;

        if (a == ACCESS_ASK) {
            s->asking = g_new(Asking, 1);
            s->asking->s = s;
            access_ask(s->cs->d->access, &q, on_access, s->asking);
            return;
        }
        (void)g_queue_pop_head(&s->held);
        if (a == ACCESS_YES)
            deliver_one(s, e);
        event_unref(e);
    }
}

static void deliver_if_allowed(Subscription *s, const Event *e)
{
    AccessQuestion q;
    AccessAnswer a = ACCESS_YES;

    if (!s->held.length && s->cs->d->access && question_of(s, e, &q))
        a = access_check(s->cs->d->access, &q, NULL);
    if (s->held.length || a == ACCESS_ASK) {
        hold(s, e);
        if (!s->asking)
            ask_about_first(s);
    } else if (a == ACCESS_YES) {
        deliver_one(s, e);
    }
}

static void deliver(void *data)
{
    g_autoptr(Event) e = data;
    GQueue *list = e->info ? &hub.by_event[index_of(e->info)] : e->qemu_event ? &hub.qemu : NULL;

    for (GList *l = list ? list->head : NULL, *next; l; l = next) {
        next = l->next;
        if (subscription_matches(l->data, e))
            deliver_if_allowed(l->data, e);
    }
}

void event_set_journal(Journal *j)
{
    hub.journal = j;
}

Journal *event_journal(void)
{
    return hub.journal;
}

void event_publish(Event *e)
{
    if (!e)
        return;
    if (e->info && hub.journal)
        journal_append(hub.journal, e->proc, g_bytes_get_data(e->body, NULL), g_bytes_get_size(e->body));
    Loop *loop = atomic_load(&hub.loop);
    atomic_uint *wanted = e->info ? &hub.wanted[index_of(e->info)] : &hub.wanted_qemu;

    /* A guest can make many events; those that nobody wants cost the loop nothing. */
    if (!loop || atomic_load(wanted) == 0) {
        event_unref(e);
        return;
    }
    loop_post(loop, deliver, e);
}

/* Subscriptions: loop thread ----------------------------------------------------------------- */

static void subscription_free(Subscription *s)
{
    g_queue_unlink(s->list, &s->hub_link);
    g_queue_unlink(&s->cs->subscriptions, &s->client_link);
    atomic_fetch_sub(s->info ? &hub.wanted[index_of(s->info)] : &hub.wanted_qemu, 1);
    charge_release(&s->charge);
    if (s->asking)
        s->asking->s = NULL;
    while (s->held.head)
        event_unref(g_queue_pop_head(&s->held));
    g_clear_pointer(&s->pattern, g_regex_unref);
    g_free(s->key);
    g_free(s);
}

static GRegex *compile_pattern(const SubscribeRequest *r, GError **err)
{
    bool regex = r->qemu_flags & VIR_CONNECT_DOMAIN_QEMU_MONITOR_EVENT_REGISTER_REGEX;
    bool nocase = r->qemu_flags & VIR_CONNECT_DOMAIN_QEMU_MONITOR_EVENT_REGISTER_NOCASE;
    g_autofree char *escaped = regex ? g_strdup(r->qemu_event) : g_regex_escape_string(r->qemu_event, -1);
    g_autofree char *whole = regex ? g_strconcat(PATTERN_LIMIT, escaped, NULL)
                                   : g_strconcat(PATTERN_LIMIT "^", escaped, "\\z", NULL);
    g_autoptr(GError) error = NULL;

    if (strlen(r->qemu_event) > PATTERN_MAX) {
        error_set(err, VIR_ERR_INVALID_ARG, "event pattern of %zu bytes, at most %d are allowed", strlen(r->qemu_event),
                  PATTERN_MAX);
        return NULL;
    }
    if (regex && g_str_has_prefix(r->qemu_event, "(*")) { /* could set another limit */
        error_set(err, VIR_ERR_INVALID_ARG, "event pattern '%s' begins with a setting", r->qemu_event);
        return NULL;
    }
    GRegex *re = g_regex_new(whole, nocase ? G_REGEX_CASELESS : 0, 0, &error);
    if (!re)
        error_set(err, VIR_ERR_INVALID_ARG, "event pattern '%s': %s", r->qemu_event, error->message);
    return re;
}

bool event_subscribe(Call *c, const SubscribeRequest *r, int *ret_callback_id, GError **err)
{
    ClientState *cs = c->cs;
    const EventInfo *info = NULL;
    g_autoptr(GRegex) pattern = NULL;

    if (!r->qemu) {
        info = info_by_id(r->kind, r->event_id);
        if (!info || !(r->legacy ? info->legacy_proc : info->callback_proc)) {
            error_set(err, VIR_ERR_INVALID_ARG, "unsupported event id %d", r->event_id);
            return false;
        }
    } else if (r->qemu_event && !(pattern = compile_pattern(r, err))) {
        return false;
    }
    if (cs->subscriptions.length >= SUBSCRIPTIONS_MAX) {
        error_set(err, VIR_ERR_OPERATION_INVALID, "this connection has %d event subscriptions already",
                  SUBSCRIPTIONS_MAX);
        return false;
    }
    for (GList *l = cs->subscriptions.head; l && r->legacy; l = l->next) {
        const Subscription *o = l->data;
        if (o->legacy && o->info == info) {
            error_set(err, VIR_ERR_INTERNAL_ERROR, "%s events are registered already", info->name);
            return false;
        }
    }

    Charge charge = { 0 };
    if (!charge_take(&charge, cs->client->user, ACCOUNT_OBJECTS, 1, err))
        return false;

    Subscription *s = g_new0(Subscription, 1);
    s->charge = charge;
    s->hub_link.data = s;
    s->client_link.data = s;
    s->cs = cs;
    s->info = info;
    s->legacy = r->legacy;
    s->callback_id = cs->next_callback_id;
    cs->next_callback_id = cs->next_callback_id == INT_MAX ? 0 : cs->next_callback_id + 1;
    s->key = g_strdup(r->key);
    s->pattern = g_steal_pointer(&pattern);
    if (r->uuid) {
        s->has_uuid = true;
        memcpy(s->uuid, r->uuid, sizeof(s->uuid));
    }
    s->list = info ? &hub.by_event[index_of(info)] : &hub.qemu;
    g_queue_push_tail_link(s->list, &s->hub_link);
    g_queue_push_tail_link(&cs->subscriptions, &s->client_link);
    atomic_fetch_add(info ? &hub.wanted[index_of(info)] : &hub.wanted_qemu, 1);
    *ret_callback_id = s->callback_id;
    return true;
}

bool event_unsubscribe(Call *c, ObjectKind kind, bool qemu, int callback_id, GError **err)
{
    for (GList *l = c->cs->subscriptions.head; l; l = l->next) {
        Subscription *s = l->data;
        if (s->legacy || s->callback_id != callback_id)
            continue;
        if (qemu ? s->info != NULL : !s->info || s->info->object != kind)
            continue;
        subscription_free(s);
        return true;
    }
    error_set(err, VIR_ERR_INVALID_ARG, "event callback %d is not registered", callback_id);
    return false;
}

bool event_unsubscribe_legacy(Call *c, ObjectKind kind, int event_id, GError **err)
{
    for (GList *l = c->cs->subscriptions.head; l; l = l->next) {
        Subscription *s = l->data;
        if (s->legacy && s->info && s->info->object == kind && s->info->event_id == event_id) {
            subscription_free(s);
            return true;
        }
    }
    error_set(err, VIR_ERR_INVALID_ARG, "event %d is not registered", event_id);
    return false;
}

void event_client_closed(ClientState *cs)
{
    while (cs->subscriptions.head)
        subscription_free(cs->subscriptions.head->data);
}

void event_hub_init(Dispatcher *d)
{
    g_assert(!atomic_load(&hub.loop) && remote_n_events <= EVENTS_MAX);
    atomic_store(&hub.loop, d->loop);
}

void event_hub_done(void)
{
    atomic_store(&hub.loop, NULL);
}
