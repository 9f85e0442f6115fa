/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Loading libxml2: see xml_late.h. It stays loaded. */
#include "util/xml_late.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>

#include "util/error.h"

XmlLate xml_late;

static char *trouble; /* NULL: all is there */

static void load(void)
{
#define ENTRY(f) { #f, offsetof(XmlLate, f##_) },
    static const struct {
        const char *name;
        size_t off;
    } entries[] = { XML_LATE(ENTRY) };
#undef ENTRY
    void *library = dlopen(XML_LIBRARY, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);

    if (!library) {
        trouble = g_strdup(dlerror());
        return;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(entries); i++) {
        void *f = dlsym(library, entries[i].name);

        if (!f) {
            trouble = g_strdup_printf("'" XML_LIBRARY "' has no %s", entries[i].name);
            return;
        }
        *(void **)((char *)&xml_late + entries[i].off) = f;
    }
    xmlInitParser();
}

bool xml_late_load(GError **err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, load);
    if (!trouble)
        return true;
    error_set(err, VIR_ERR_INTERNAL_ERROR, "documents cannot be read: %s", trouble);
    return false;
}
