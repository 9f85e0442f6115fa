/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A start told instead of done (conf/convert.h): the same table of steps, of which those that only look
 * are run and the others are asked what they would do and what stands against it. A step that is refused
 * does not keep the later ones from being looked at, as long as there is a definition to look with. One
 * thread, in the tool.
 */
#include "drivers/qemu/plan.h"

#include "drivers/qemu/driver.h"
#include "drivers/qemu/start.h"
#include "util/error.h"
#include "util/json.h"

static JsonObject *tell(const StartStep *step, const Start *s, const GError *refused)
{
    g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *why = refused ? error_text(refused) : NULL;
    JsonObject *does = json_object_new_array();

    if (step->tell && !(step->looks && refused))
        step->tell(s, lines);
    for (unsigned i = 0; i < lines->len; i++)
        json_object_array_add(does, json_object_new_string(lines->pdata[i]));
    return json_make(J_STR("name", step->name), J_OBJ("does", does), J_STR("refused", why));
}

char *qemu_plan(DomainDef *take, QemuCaps *caps)
{
    static const StartHow how = { 0 };
    Start s = { .how = &how,
                .def = take,
                .caps = caps ? qemu_caps_ref(caps) : NULL,
                .status = qemu_status_new(),
                .dev = { .root = -1 } };
    JsonObject *steps = json_object_new_array();
    bool usable = true;

    s.status->starting = true;
    start_name_files(&s);
    for (const StartStep *step = start_steps; step->name && usable; step++) {
        g_autoptr(GError) error = NULL;
        bool ok = step->looks ? step->run(&s, &error) : !step->check || step->check(&s, &error);
        json_object_array_add(steps, tell(step, &s, ok ? NULL : error));
        usable = ok || !step->looks || s.caps;
    }
    g_autoptr(JsonObject) plan = json_make(J_STR("name", s.def->name), J_OBJ("steps", steps));
    char *text = json_text(plan);
    qemu_caps_unref(s.caps);
    driver_status_unref(&s.status->base);
    domain_free(s.def);
    return text;
}
