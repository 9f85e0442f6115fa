/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The list (plug_steps.h) without what runs it, which is in plug_run.c. Pure. */
#include "drivers/qemu/plug_steps.h"

#include <string.h>

static void step_free(void *p)
{
    PlugStep *s = p;

    g_free(s->id);
    g_free(s->pty);
    json_object_put(s->args);
    g_free(s);
}

PlugSteps *plug_steps_new(bool removing)
{
    PlugSteps *s = g_new0(PlugSteps, 1);

    s->list = g_ptr_array_new_with_free_func(step_free);
    s->removing = removing;
    return s;
}

void plug_steps_free(PlugSteps *s)
{
    if (!s)
        return;
    g_ptr_array_unref(s->list);
    g_free(s);
}

void plug_steps_add(PlugSteps *s, PlugCommand command, const char *id, JsonObject *args, int fd)
{
    PlugStep *n = g_new0(PlugStep, 1);

    *n = (PlugStep){ .command = command, .id = g_strdup(id), .args = args, .fd = fd };
    g_ptr_array_add(s->list, n);
}

void plug_steps_option(PlugSteps *s, const char *option, JsonObject *o)
{
    static const struct {
        const char *option;
        PlugCommand command;
        const char *id;
    } rows[] = {
        { "-object", PLUG_OBJECT, "id" },         { "-chardev", PLUG_CHARDEV, "id" },
        { "-blockdev", PLUG_BLOCK, "node-name" }, { "-netdev", PLUG_NETDEV, "id" },
        { "-device", PLUG_DEVICE, "id" },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        if (strcmp(rows[i].option, option) == 0) {
            plug_steps_add(s, rows[i].command, json_get_str(o, rows[i].id), o, -1);
            return;
        }
    }
    json_object_put(o);
    s->refused = option;
}

void plug_steps_before_device(PlugSteps *s, PlugSteps *other)
{
    unsigned at = 0;

    while (at < s->list->len && ((const PlugStep *)s->list->pdata[at])->command != PLUG_DEVICE)
        at++;
    while (other->list->len > 0)
        g_ptr_array_insert(s->list, (int)at, g_ptr_array_steal_index(other->list, other->list->len - 1));
}
