/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whom there is no place for. When local clients that say nothing keep others waiting, the user with the
 * most of them loses those that have had a moment to begin, and for a while each further one pushes out its
 * oldest. No user but the owner gets all of max_clients.
 *
 * Clients of the network are counted apart, so that they cannot keep local ones out. When too many of
 * them have not authenticated, the host that has the most loses its oldest: whoever floods us pushes
 * out itself. All have a time by which they must have begun, and the network's one by which they must be
 * through. Loop thread.
 */
#include <unistd.h>

#include "rpc/server-internal.h"

enum {
    PRESSED_USEC = G_USEC_PER_SEC,         /* as AUTH_BEGIN_USEC, while others wait for a place */
    AUTH_BEGIN_USEC = 15 * G_USEC_PER_SEC, /* from connecting to the first question, TLS included */
    AUTH_END_USEC = 120 * G_USEC_PER_SEC,  /* somebody may have to type a password */
};

/* Authenticated, or as good as gone. */
void client_leave_anonymous(Client *c)
{
    if (!c->anonymous)
        return;
    c->anonymous = false;
    g_queue_unlink(&c->server->anonymous, &c->anonymous_link);
    c->server->n_anonymous[side_of(c->kind)]--;
}

/* Closes one that has not authenticated, and forgets it at once as far as limits go. */
static void client_drop_anonymous(Client *c, const char *why)
{
    client_log_bad(c, why);
    client_leave_anonymous(c);
    client_close(c, false);
}

/* The share of one user, other than the owner, in max_clients. */
bool server_has_its_share(Server *s, const Identity *peer)
{
    unsigned n = GPOINTER_TO_UINT(g_hash_table_lookup(s->per_uid, GUINT_TO_POINTER(peer->uid)));

    return s->limits.max_clients && peer->uid != 0 && peer->uid != geteuid() &&
           n >= s->limits.max_clients - s->limits.max_clients / 4;
}

void server_count_uid(Server *s, const Client *c, int by)
{
    if (!c->peer->has_unix)
        return;

    gpointer key = GUINT_TO_POINTER(c->peer->uid);
    unsigned n = GPOINTER_TO_UINT(g_hash_table_lookup(s->per_uid, key)) + (unsigned)by;

    if (n)
        g_hash_table_insert(s->per_uid, key, GUINT_TO_POINTER(n));
    else
        g_hash_table_remove(s->per_uid, key);
}

/* Of the local clients that have not authenticated most are this user's. */
static uid_t uid_with_most_anonymous(const Server *s)
{
    g_autoptr(GHashTable) count = g_hash_table_new(NULL, NULL);
    unsigned most = 0;
    uid_t uid = 0;

    for (const GList *l = s->anonymous.head; l; l = l->next) {
        const Client *c = l->data;

        if (side_of(c->kind) != SIDE_LOCAL || !c->peer->has_unix)
            continue;

        gpointer key = GUINT_TO_POINTER(c->peer->uid);
        unsigned n = GPOINTER_TO_UINT(g_hash_table_lookup(count, key)) + 1;

        g_hash_table_insert(count, key, GUINT_TO_POINTER(n));
        if (n > most) {
            most = n;
            uid = c->peer->uid;
        }
    }
    return uid;
}

/* Local clients fill the places of those that have not authenticated: drops at most n of the user with the
 * most, the oldest first, if they connected before a time. Those that wait for a backend (somebody types
 * a password) stay. */
void server_relieve(Server *s, unsigned n, uint64_t before)
{
    uid_t uid = uid_with_most_anonymous(s);

    for (GList *l = s->anonymous.head, *next; l && n; l = next) {
        Client *c = l->data;

        next = l->next;
        if (c->since > before)
            break; /* the rest came later */
        if (side_of(c->kind) != SIDE_LOCAL || !c->peer->has_unix || c->peer->uid != uid || c->auth.busy)
            continue;
        s->pressed_until = now_usec() + SERVER_BURST_USEC;
        client_drop_anonymous(c, "it does not authenticate, and others wait for its place");
        n--;
    }
}

bool server_is_pressed(const Server *s)
{
    return s->pressed_until && now_usec() < s->pressed_until;
}

int server_on_sweep(sd_event_source *src, uint64_t usec, void *data)
{
    Server *s = data;
    uint64_t now = now_usec();

    for (GList *l = s->anonymous.head, *next; l; l = next) {
        Client *c = l->data;
        bool network = side_of(c->kind) == SIDE_NETWORK;

        next = l->next;
        if (now - c->since < AUTH_BEGIN_USEC)
            break; /* the rest came later */
        if (!c->auth.seen)
            client_drop_anonymous(c, "it has not begun to authenticate");
        else if (now - c->since >= AUTH_END_USEC && (network || !c->auth.busy))
            client_drop_anonymous(c, "it has not authenticated in time");
    }
    if (s->limits.max_anonymous_clients && s->n_anonymous[SIDE_LOCAL] >= s->limits.max_anonymous_clients)
        server_relieve(s, UINT_MAX, now - PRESSED_USEC);
    server_update_watching(s);
    s->sweep = sd_event_source_disable_unref(s->sweep);
    if (s->anonymous.length)
        loop_timer_set(s->loop, &s->sweep, SERVER_SWEEP_USEC, server_on_sweep, s);
    return 0;
}

/* Too many of the network have not authenticated: the host with the most of them loses its oldest. */
void server_thin_out(Server *s)
{
    g_autoptr(GHashTable) count = g_hash_table_new(g_int64_hash, g_int64_equal);
    Client *victim = NULL;
    unsigned most = 0;

    for (GList *l = s->anonymous.tail; l; l = l->prev) { /* so that the oldest of a host comes last */
        Client *c = l->data;

        if (side_of(c->kind) != SIDE_NETWORK)
            continue;

        unsigned n = GPOINTER_TO_UINT(g_hash_table_lookup(count, &c->origin)) + 1;

        g_hash_table_replace(count, &c->origin, GUINT_TO_POINTER(n));
        if (n >= most) {
            most = n;
            victim = c;
        }
    }
    if (victim)
        client_drop_anonymous(victim, "too many of its host have not authenticated");
}
