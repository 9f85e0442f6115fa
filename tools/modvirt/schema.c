/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* schema and reference: what the descriptions say, for other tools and for readers. */
#include "conf/schema.h"

#include <stdio.h>

#include "tools/modvirt/modvirt.h"
#include "util/paths.h"

int cmd_schema(int argc, char **argv)
{
    const DocKind *k;

    if (argc > 2)
        return usage_error(command_find("schema"));
    if (argc == 1) {
        for (unsigned i = 0; (k = doc_kind_at(i)); i++)
            printf("%-24s <%s>\n", k->name, k->root);
        return EXIT_OK;
    }
    k = doc_kind_find(argv[1]);
    if (!k)
        return trouble("schema", "there is no kind '%s'; 'modvirt schema' lists the kinds", argv[1]);
    g_autofree char *rng = schema_rng(k);
    fputs(rng, stdout);
    return EXIT_OK;
}

int cmd_reference(int argc, char **argv)
{
    g_autoptr(GString) index = g_string_new("# Reference of documents\n\n");
    g_autoptr(GError) err = NULL;
    const DocKind *k;

    if (argc != 2)
        return usage_error(command_find("reference"));
    if (!path_make_dir(argv[1], 0755, &err))
        return trouble("reference", "%s", err->message);
    for (unsigned i = 0; (k = doc_kind_at(i)); i++) {
        g_autofree char *name = g_strconcat(k->name, ".md", NULL);
        g_autofree char *path = g_build_filename(argv[1], name, NULL);
        g_autofree char *page = schema_reference(k);
        g_string_append_printf(index, "- [%s](%s): `<%s>`\n", k->name, name, k->root);
        if (!g_file_set_contents(path, page, -1, &err))
            return trouble("reference", "%s", err->message);
    }
    g_autofree char *path = g_build_filename(argv[1], "index.md", NULL);
    return g_file_set_contents(path, index->str, -1, &err) ? EXIT_OK : trouble("reference", "%s", err->message);
}
