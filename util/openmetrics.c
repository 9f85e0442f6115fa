/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* OpenMetrics text: families and samples (openmetrics.h). Values of labels are any text: a name cannot break
 * out of its quotes. Pure, any thread. */
#include "util/openmetrics.h"

void openmetrics_family(GString *out, const char *name, const char *type, const char *help)
{
    g_string_append_printf(out, "# TYPE %s %s\n# HELP %s %s\n", name, type, name, help);
}

static void add_value(GString *out, const char *v)
{
    for (; *v; v++) {
        if (*v == '\n')
            g_string_append(out, "\\n");
        else if (*v == '"' || *v == '\\')
            g_string_append_printf(out, "\\%c", *v);
        else
            g_string_append_c(out, *v);
    }
}

static void add_head(GString *out, const char *name, const OpenmetricsLabel *labels)
{
    g_string_append(out, name);
    if (!labels || !labels->name)
        return;
    g_string_append_c(out, '{');
    for (const OpenmetricsLabel *l = labels; l->name; l++) {
        g_string_append_printf(out, "%s%s=\"", l == labels ? "" : ",", l->name);
        add_value(out, l->value);
        g_string_append_c(out, '"');
    }
    g_string_append_c(out, '}');
}

void openmetrics_sample(GString *out, const char *name, const OpenmetricsLabel *labels, uint64_t v)
{
    add_head(out, name, labels);
    g_string_append_printf(out, " %" G_GUINT64_FORMAT "\n", v);
}

void openmetrics_sample_ns(GString *out, const char *name, const OpenmetricsLabel *labels,
                           uint64_t ns)
{
    add_head(out, name, labels);
    g_string_append_printf(out, " %" G_GUINT64_FORMAT ".%09u\n", ns / 1000000000,
                           (unsigned)(ns % 1000000000));
}
