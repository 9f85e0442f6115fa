/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * "modvirt events": what a daemon's journal has kept. Every line begins with the place behind it, so that
 * whoever kept the last line can read on from there, and is told when something between is gone. One
 * thread.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "protocols/modvirt_client.h"
#include "protocols/modvirt_types.h"
#include "protocols/xdr_buf.h"
#include "tools/modvirt/daemons.h"
#include "tools/modvirt/event_text.h"
#include "tools/modvirt/modvirt.h"
#include "util/error.h"
#include "util/json.h"

enum { PAGE = 1024, FOLLOW_USEC = 250000 };
enum { KIND_EVENT, KIND_STARTED, KIND_STOPPED, KIND_LOST }; /* of modvirt_event */

typedef struct Options {
    const char *since, *daemon;
    bool follow, json;
} Options;

/* What is not an event of a guest. */
static void tell(const Options *o, const char *cursor, const char *note, uint64_t n, bool counted)
{
    if (o->json) {
        g_autoptr(JsonObject) line = json_make(J_STR("cursor", cursor), J_STR("note", note));
        if (counted)
            json_object_object_add(line, "count", json_object_new_uint64(n));
        g_autofree char *text = json_text(line);
        puts(text);
    } else if (counted) {
        printf("%s -- %s: %" G_GUINT64_FORMAT "\n", cursor, note, (guint64)n);
    } else {
        printf("%s -- %s\n", cursor, note);
    }
}

static void show(const Options *o, const char *id, const modvirt_event *e, bool *watching)
{
    g_autofree char *cursor =
        g_strdup_printf("%s:%s:%" G_GUINT64_FORMAT, o->daemon, id, (guint64)e->seq);
    uint64_t n = 0;

    switch (e->kind) {
    case KIND_EVENT: {
        g_autofree char *text =
            event_text(e->proc, e->body.body_val, e->body.body_len, cursor, e->usec, o->json);
        if (text)
            puts(text);
        break;
    }
    case KIND_STARTED:
        tell(
            o, cursor,
            *watching
                ? "the daemon had been killed, it started again; what guests did between is not known"
                : "the daemon started; what guests did before is not known",
            0, false);
        break;
    case KIND_STOPPED:
        tell(o, cursor, "the daemon stopped", 0, false);
        break;
    case KIND_LOST:
        for (u_int i = 0; i < e->body.body_len; i++)
            n = n << 8 | (uint8_t)e->body.body_val[i];
        tell(o, cursor, "events that could not be written", n, true);
        break;
    default:
        break;
    }
    *watching = e->kind != KIND_STOPPED;
}

static bool show_page(const Options *o, const modvirt_events_ret *r, bool *watching)
{
    const char *colon = strchr(r->cursor, ':');
    g_autofree char *id = g_strndup(r->cursor, colon ? (gsize)(colon - r->cursor) : 0);
    g_autofree char *here = g_strdup_printf("%s:%s", o->daemon, r->cursor);

    if (r->unknown)
        tell(o, here, "the journal is another one than that place was of; this is all that it has",
             0, false);
    if (r->missing)
        tell(o, here, "events that are not kept any more", r->missing, true);
    for (u_int i = 0; i < r->events.events_len; i++)
        show(o, id, &r->events.events_val[i], watching);
    return fflush(stdout) == 0;
}

static int run(const char *command, const Options *o)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(RpcClient) c = daemon_connect(o->daemon, &err);
    g_autofree char *since = g_strdup(o->since);
    bool watching = false, more = true;

    if (!c)
        return trouble(command, "%s: %s", o->daemon, err->message);
    while (more || o->follow) {
        modvirt_events_args a = { .since = since, .max = PAGE };
        modvirt_events_ret r = { 0 };

        if (!more)
            g_usleep(FOLLOW_USEC);
        if (!c)
            c = daemon_connect(o->daemon, NULL);
        if (!c || !modvirt_client_events(rpc_client_calls(c), &a, &r, &err)) {
            if (!o->follow)
                return trouble(command, "%s: %s", o->daemon, err->message);
            /* It stopped, or is being exchanged: the place is good for its successor, too. */
            g_clear_pointer(&c, rpc_client_free);
            g_clear_error(&err);
            more = false;
            continue;
        }
        bool taken = show_page(o, &r, &watching);
        more = r.more;
        g_free(since);
        since = g_steal_pointer(&r.cursor);
        proc_free((xdrproc_t)xdr_modvirt_events_ret, &r);
        if (!taken)
            return EXIT_TROUBLE; /* nobody reads any more */
    }
    return EXIT_OK;
}

int cmd_events(int argc, char **argv)
{
    Options o = { 0 };
    g_autofree char *daemon = NULL;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--follow") == 0)
            o.follow = true;
        else if (strcmp(argv[i], "--json") == 0)
            o.json = true;
        else if (strcmp(argv[i], "--since") == 0 && i + 1 < argc)
            o.since = argv[++i];
        else if (argv[i][0] != '-' && !o.daemon)
            o.daemon = argv[i];
        else
            return usage_error(command_find(argv[0]));
    }
    /* A place begins with the daemon whose it is. */
    const char *colon = o.since ? strchr(o.since, ':') : NULL;
    if (o.since) {
        daemon = g_strndup(o.since, colon ? (gsize)(colon - o.since) : 0);
        if (!colon || (o.daemon && strcmp(o.daemon, daemon) != 0))
            return trouble(argv[0], "'%s' is no place in a journal%s%s", o.since,
                           o.daemon ? " of " : "", o.daemon ? o.daemon : "");
        o.daemon = daemon;
        o.since = colon + 1;
    }
    if (!o.daemon)
        o.daemon = "virtqemud";
    return run(argv[0], &o);
}
