/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Flows that are the same for every kind of object. Lists and look-ups read published views and never wait. */
#include "drivers/common/answers.h"

#include <string.h>

#include "drivers/common/internal.h"
#include "util/error.h"

bool answer_lookup(Call *c, int missing, Object *found, void *ret, GError **err, const char *fmt, ...)
{
    g_autoptr(Object) o = found;
    g_autoptr(ObjectView) v = o ? object_view(o) : NULL;

    if (v) {
        AclObject a = object_view_acl(v);
        if (call_allows(c, &a, "getattr")) {
            v->kind->wire_fill(v, ret);
            return true;
        }
    }
    va_list ap;
    va_start(ap, fmt);
    g_autofree char *text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    error_set(err, missing, "%s", text);
    return false;
}

bool answer_list(Call *c, Registry *r, unsigned flags, bool need_results, unsigned max, unsigned *ret_n,
                 unsigned *ret_len, void *ret_val, GError **err)
{
    g_autoptr(GPtrArray) views = registry_collect(r, c, flags);
    const KindInfo *k = r->kind;

    *ret_n = views->len;
    if (!need_results)
        return true;
    if (views->len > max) {
        error_set(err, VIR_ERR_RPC, "%u %ss are more than one reply can hold (%u); use filters", views->len, k->word, max);
        return false;
    }
    char *array = g_malloc0_n(views->len, k->wire_size);
    for (unsigned i = 0; i < views->len; i++)
        k->wire_fill(views->pdata[i], array + i * k->wire_size);
    *ret_len = views->len;
    *(void **)ret_val = array;
    return true;
}

void answer_names(Call *c, Registry *r, unsigned flags, int max, unsigned *ret_len, char ***ret_val)
{
    g_autoptr(GPtrArray) views = registry_collect(r, c, flags);
    unsigned n = MIN(views->len, (unsigned)MAX(max, 0));

    *ret_len = n;
    *ret_val = g_new0(char *, n);
    for (unsigned i = 0; i < n; i++)
        (*ret_val)[i] = g_strdup(((const ObjectView *)views->pdata[i])->name);
}

int answer_count(Call *c, Registry *r, unsigned flags)
{
    g_autoptr(GPtrArray) views = registry_collect(r, c, flags);

    return (int)views->len;
}

/* Changes of the persistent side ------------------------------------------------------------- */

bool settle_identity(const ObjectTurn *t, void *def, GError **err)
{
    const ObjectView *v = object_turn_view(t);
    const KindInfo *k = v->kind;

    /* The identity was decided when the object was found, by a look into the document. Should the parser
     * see another name in it, we would write another object's files. */
    if (k->def_name && !g_str_equal(*k->def_name(def), v->name)) {
        error_set(err, VIR_ERR_XML_ERROR, "%s/name: '%s' is not the name '%s' that the document was taken for",
                  k->document, *k->def_name(def), v->name);
        return false;
    }
    /* A document without uuid got a random one by now. */
    if (k->def_uuid) {
        memcpy(k->def_uuid(def)->v, v->uuid, sizeof(v->uuid));
        k->def_uuid(def)->set = true;
    }
    return true;
}

bool define_object(ObjectTurn *t, void *take, GError **err)
{
    if (!settle_identity(t, take, err)) {
        kind_free_def(object_turn_view(t)->kind, take);
        return false;
    }
    object_turn_set_config(t, take);
    object_turn_set_persistent(t, true);
    return true;
}

bool undefine_object(ObjectTurn *t, GError **err)
{
    const ObjectView *v = object_turn_view(t);

    if (!v->persistent) {
        error_set(err, VIR_ERR_OPERATION_INVALID, "cannot undefine transient %s", v->kind->word);
        return false;
    }
    object_turn_set_autostart(t, false);
    if (v->kind->set_links) {
        v->kind->set_links(t->next, 0);
        t->links_dirty = true;
    }
    object_turn_set_persistent(t, false);
    object_turn_set_config(t, NULL);
    return true;
}

bool autostart_object(ObjectTurn *t, bool on, GError **err)
{
    const ObjectView *v = object_turn_view(t);

    if (!v->persistent) {
        error_set(err, VIR_ERR_OPERATION_INVALID, "cannot set autostart for transient %s", v->kind->word);
        return false;
    }
    object_turn_set_autostart(t, on);
    return true;
}
