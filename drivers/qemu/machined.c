/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Conversations with org.freedesktop.machine1 (machined.h). Each is on a connection of its own, made for it by the
 * worker that runs the start or the stop: one call, a second or two in all at most, whatever the bus or the service
 * does. After a conversation that took all its time nobody tries again for half a minute. The service is started
 * by the bus only on a host that systemd runs. Workers, within the domain's turn.
 */
#define LOG_SOURCE "qemu.machined"
#include "drivers/qemu/machined.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <string.h>
#include <systemd/sd-bus.h>

#include "drivers/qemu/start.h"
#include "util/fd.h"
#include "util/log.h"
#include "util/loop.h"
#include "util/paths.h"

#define SERVICE "org.freedesktop.machine1"
#define PATH    "/org/freedesktop/machine1"
#define MANAGER "org.freedesktop.machine1.Manager"
#define SYSTEMD "org.freedesktop.systemd1"
#define BUS     "org.freedesktop.DBus"

enum { SEC = 1000000, ANSWER = 2 * SEC, REST = 30 * SEC, NAME_MAX_LEN = 64, CGROUP_FILE_MAX = 1 << 20 };

static atomic_uint_least64_t silent_until;

typedef struct Talk {
    sd_bus *bus;
    uint64_t deadline;
} Talk;

static void talk_end(Talk *t)
{
    sd_bus_close_unref(t->bus);
    t->bus = NULL;
}

static uint64_t left(const Talk *t)
{
    uint64_t now = now_usec();
    return t->deadline > now ? t->deadline - now : 0;
}

/* The library waits for the bus's first words for as long as it likes; here it is not asked to. */
static int wait_ready(Talk *t)
{
    while (left(t) > 0) {
        int r = sd_bus_is_ready(t->bus);
        if (r != 0)
            return MIN(r, 0);
        r = sd_bus_process(t->bus, NULL);
        if (r == 0)
            r = sd_bus_wait(t->bus, left(t));
        if (r < 0 && r != -EINTR)
            return r;
    }
    return -ETIMEDOUT;
}

/* Scratch roots are nobody's machines, unless somebody says which bus to use. */
static int talk_begin(Talk *t)
{
    *t = (Talk){ .deadline = now_usec() + ANSWER };
    if (paths()->session || (paths()->root && !g_getenv("DBUS_SYSTEM_BUS_ADDRESS")))
        return -ENOENT;
    if (now_usec() < atomic_load(&silent_until))
        return -EBUSY;
    int r = sd_bus_open_system(&t->bus);
    if (r >= 0)
        r = wait_ready(t);
    if (r < 0)
        talk_end(t);
    if (r == -ETIMEDOUT) {
        atomic_store(&silent_until, now_usec() + REST);
        log_warn("the system bus does not answer: guests are not registered as machines");
    }
    return r;
}

static int ask(Talk *t, sd_bus_message *m, sd_bus_error *error, sd_bus_message **reply)
{
    int r = left(t) > 0 ? sd_bus_call(t->bus, m, left(t), error, reply) : -ETIMEDOUT;

    if (r == -ETIMEDOUT)
        atomic_store(&silent_until, now_usec() + REST);
    return r;
}

static bool is_owned(Talk *t, const char *name)
{
    sd_bus_message *m = NULL, *reply = NULL;
    int owned = 0;
    int r = sd_bus_message_new_method_call(t->bus, &m, BUS, "/org/freedesktop/DBus", BUS, "NameHasOwner");

    if (r >= 0)
        r = sd_bus_message_append(m, "s", name);
    if (r >= 0)
        r = ask(t, m, NULL, &reply);
    if (r >= 0)
        r = sd_bus_message_read(reply, "b", &owned);
    sd_bus_message_unref(m);
    sd_bus_message_unref(reply);
    return r >= 0 && owned;
}

static bool is_activatable(Talk *t, const char *name)
{
    sd_bus_message *m = NULL, *reply = NULL;
    bool found = false;
    const char *one;
    int r = sd_bus_message_new_method_call(t->bus, &m, BUS, "/org/freedesktop/DBus", BUS, "ListActivatableNames");

    if (r >= 0)
        r = ask(t, m, NULL, &reply);
    if (r >= 0)
        r = sd_bus_message_enter_container(reply, 'a', "s");
    while (r >= 0 && !found && sd_bus_message_read(reply, "s", &one) > 0)
        found = strcmp(one, name) == 0;
    sd_bus_message_unref(m);
    sd_bus_message_unref(reply);
    return found;
}

/* Is it there, or may the bus start it? */
static bool has_machined(Talk *t)
{
    return is_owned(t, SERVICE) || (is_owned(t, SYSTEMD) && is_activatable(t, SERVICE));
}

/* Names -------------------------------------------------------------------------------------------- */

/* What host names may have, and nothing else. */
static char *machine_name(const char *guest, int id)
{
    GString *s = g_string_new(NULL);

    g_string_append_printf(s, "qemu-%d-", id);
    for (const char *p = guest; *p && s->len < NAME_MAX_LEN; p++) {
        bool dot = *p == '.' || *p == '-';
        if (g_ascii_isalnum(*p) || (dot && s->str[s->len - 1] != '.' && !(*p == '.' && s->str[s->len - 1] == '-')))
            g_string_append_c(s, *p);
    }
    while (s->str[s->len - 1] == '-' || s->str[s->len - 1] == '.')
        g_string_truncate(s, s->len - 1);
    return g_string_free(s, false);
}

static void append_escaped(GString *s, const char *part)
{
    for (const char *p = part; *p; p++) {
        bool plain = g_ascii_isalnum(*p) || *p == '_' || *p == ':' || (*p == '.' && p != part);
        if (plain)
            g_string_append_c(s, *p);
        else
            g_string_append_printf(s, "\\x%02x", (unsigned char)*p);
    }
}

char *machine_slice(const char *partition)
{
    g_auto(GStrv) parts = g_strsplit(partition ? partition : "/machine", "/", -1);
    GString *s = g_string_new(NULL);

    for (char **p = parts; *p; p++) {
        if (!**p)
            continue;
        if (s->len)
            g_string_append_c(s, '-');
        append_escaped(s, *p);
    }
    g_string_append(s, s->len ? ".slice" : "-.slice");
    return g_string_free(s, false);
}

/* Where systemd has put the process: the group of its own tree, or of the only one. */
static char *scope_of(pid_t pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/cgroup", (int)pid), *text = NULL;
    char *unified = NULL;

    if (!fd_read_file(AT_FDCWD, path, CGROUP_FILE_MAX, &text, NULL, NULL))
        return NULL;
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line; line++) {
        g_auto(GStrv) words = g_strsplit(*line, ":", 3);
        if (g_strv_length(words) != 3 || !g_str_has_suffix(words[2], ".scope"))
            continue;
        if (strcmp(words[1], "name=systemd") == 0) {
            g_free(unified);
            return g_strdup(words[2]);
        }
        if (!*words[1] && !unified)
            unified = g_strdup(words[2]);
    }
    return unified;
}

/* Registering --------------------------------------------------------------------------------------- */

static int append_interfaces(sd_bus_message *m, const DomainDef *d)
{
    const NetDef *net;
    int r = sd_bus_message_open_container(m, 'a', "i");

    for (guint i = 0; r >= 0 && (net = domain_next(d, DEVICE_INTERFACE, &i));) {
        unsigned index = net->ifname ? if_nametoindex(net->ifname) : 0;
        if (index)
            r = sd_bus_message_append(m, "i", (int)index);
    }
    return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_properties(sd_bus_message *m, const DomainDef *d)
{
    g_autofree char *slice = machine_slice(d->partition);

    return sd_bus_message_append(m, "a(sv)", 3, "Slice", "s", slice, "After", "as", 1, "virtqemud.service", "Before", "as", 1,
                                 "virt-guest-shutdown.target");
}

static int create(Talk *t, const Start *s, const char *name, sd_bus_error *error)
{
    sd_bus_message *m = NULL;
    int r = sd_bus_message_new_method_call(t->bus, &m, SERVICE, PATH, MANAGER, "CreateMachineWithNetwork");

    if (r >= 0)
        r = sd_bus_message_append(m, "s", name);
    if (r >= 0)
        r = sd_bus_message_append_array(m, 'y', s->def->uuid.v, sizeof(Uuid));
    if (r >= 0)
        r = sd_bus_message_append(m, "ssus", "libvirt-qemu", "vm", (uint32_t)s->status->pid, "");
    if (r >= 0)
        r = append_interfaces(m, s->def);
    if (r >= 0)
        r = append_properties(m, s->def);
    if (r >= 0)
        r = ask(t, m, error, NULL);
    sd_bus_message_unref(m);
    return r;
}

bool start_machine(Start *s, GError **err)
{
    g_autofree char *name = machine_name(s->def->name, s->status->id);
    sd_bus_error error = SD_BUS_ERROR_NULL;
    Talk t;
    (void)err;

    if (talk_begin(&t) < 0)
        return true;
    if (has_machined(&t)) {
        int r = create(&t, s, name, &error);
        if (r < 0)
            log_warn("'%s' is not registered as a machine: %s", s->def->name, error.message ? error.message : g_strerror(-r));
        else
            s->status->machine = g_steal_pointer(&name);
        s->status->scope = r < 0 ? NULL : scope_of(s->status->pid);
    }
    sd_bus_error_free(&error);
    talk_end(&t);
    return true;
}

/* A machine whose leader has ended is forgotten by itself; this is for the moment until then. */
void start_undo_machine(const Run *r)
{
    Talk t;

    if (!r->status->machine || talk_begin(&t) < 0)
        return;
    sd_bus_message *m = NULL;
    if (sd_bus_message_new_method_call(t.bus, &m, SERVICE, PATH, MANAGER, "TerminateMachine") >= 0 &&
        sd_bus_message_set_auto_start(m, false) >= 0 && sd_bus_message_append(m, "s", r->status->machine) >= 0)
        (void)ask(&t, m, NULL, NULL); /* not there any more is as good */
    sd_bus_message_unref(m);
    talk_end(&t);
}

void start_tell_machine(const Start *s, GPtrArray *lines)
{
    g_autofree char *name = machine_name(s->def->name, s->status->id), *slice = machine_slice(s->def->partition);
    Talk t;

    if (talk_begin(&t) < 0)
        return;
    if (has_machined(&t))
        g_ptr_array_add(lines, g_strdup_printf("register '%s' with systemd-machined, in '%s'", name, slice));
    talk_end(&t);
}
