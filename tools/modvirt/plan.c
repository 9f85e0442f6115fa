/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * plan: what would happen if a document were defined and its guest started. The driver tells its steps
 * (conf/convert.h); what is different from the guest of that name comes from the daemon, where one runs.
 * Nothing is changed. One thread.
 */
#include <getopt.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "conf/convert.h"
#include "conf/domain.h"
#include "conf/kinds.h"
#include "libclient/client.h"
#include "protocols/remote_client.h"
#include "protocols/xdr_buf.h"
#include "tools/modvirt/difference.h"
#include "tools/modvirt/modvirt.h"
#include "util/error.h"
#include "util/json.h"
#include "util/module.h"
#include "util/paths.h"
#include "util/xml.h"

/* The guest of that name as the daemon has it. */
typedef struct Known {
    bool asked, defined, running;
    char *uuid, *config, *live;
} Known;

typedef struct Outcome {
    JsonObject *plan;
    GPtrArray *refused, *now, *next, *never; /* lines */
    Known known;
} Outcome;

static void known_clear(Known *k)
{
    g_free(k->uuid);
    g_free(k->config);
    g_free(k->live);
}

static char *ask_xml(RpcClient *c, const remote_nonnull_domain *dom, unsigned flags)
{
    remote_domain_get_xml_desc_args a = { .dom = *dom, .flags = (int)flags };
    remote_domain_get_xml_desc_ret r = { 0 };

    if (!remote_client_domain_get_xml_desc(rpc_client_calls(c), &a, &r, NULL))
        return NULL;
    char *text = g_strdup(r.xml);
    free(r.xml);
    return text;
}

/* False: there is no daemon to ask. */
static bool ask(const char *driver, const char *name, Known *k)
{
    g_autofree char *path = g_strdup_printf("%s/virt%sd-sock", paths()->run, driver);
    g_autoptr(RpcClient) c = access(path, F_OK) == 0 ? rpc_client_connect(path, NULL) : NULL;
    remote_domain_lookup_by_name_args a = { .name = (char *)name };
    remote_domain_lookup_by_name_ret r = { 0 };

    *k = (Known){ 0 };
    if (!c || !rpc_client_open(c, NULL, 0, NULL))
        return false;
    k->asked = true;
    if (!remote_client_domain_lookup_by_name(rpc_client_calls(c), &a, &r, NULL))
        return true;
    char uuid[37];
    uuid_format((const uint8_t *)r.dom.uuid, uuid);
    k->uuid = g_strdup(uuid);
    k->running = r.dom.id >= 0;
    remote_domain_is_persistent_args p = { .dom = r.dom };
    remote_domain_is_persistent_ret is = { 0 };
    k->defined =
        remote_client_domain_is_persistent(rpc_client_calls(c), &p, &is, NULL) && is.persistent;
    if (k->defined)
        k->config = ask_xml(c, &r.dom, VIR_DOMAIN_XML_SECURE | VIR_DOMAIN_XML_INACTIVE);
    else
        k->live = ask_xml(c, &r.dom, VIR_DOMAIN_XML_SECURE | VIR_DOMAIN_XML_MIGRATABLE);
    free(r.dom.name);
    return true;
}

/* What nothing waits for: it is shown as soon as it is defined, unless a guest runs, whose own is shown. */
static bool is_label(const char *line)
{
    static const char *const labels[] = { "title:", "description:", "metadata", "title/",
                                          "description/" };

    for (unsigned i = 0; i < G_N_ELEMENTS(labels); i++)
        if (g_str_has_prefix(line, labels[i]))
            return true;
    return false;
}

/* A running guest's document has what its start added. */
static bool is_of_the_run(const char *line)
{
    return strstr(line, "backingStore") || g_str_has_prefix(line, "seclabel[dac]") || g_str_has_prefix(line, "resource");
}

static bool compare(Outcome *o, const DriverConverter *driver, const char *new_text, GError **err)
{
    Known *k = &o->known;
    const char *old = k->config ? k->config : k->live;

    if (!k->asked || !old)
        return true;
    ConvertRequest r = { .text = old,
                         .len = strlen(old),
                         .parse = DOMAIN_PARSE_INACTIVE,
                         .format = DOMAIN_FORMAT_INACTIVE | DOMAIN_FORMAT_SECURE,
                         .to = "domain" };
    g_autofree char *same_form = driver->convert(&r, err);
    g_autoptr(GPtrArray) lines = same_form ? difference(same_form, new_text, err) : NULL;
    if (!lines)
        return false;
    for (unsigned i = 0; i < lines->len; i++) {
        const char *line = lines->pdata[i];
        if (!k->config && is_of_the_run(line))
            continue;
        if (g_str_has_prefix(line, "uuid:")) {
            g_ptr_array_add(
                o->refused,
                g_strdup_printf("definition: the guest of this name has the uuid %s", k->uuid));
            continue;
        }
        g_ptr_array_add(!k->running && is_label(line) ? o->now : o->next, g_strdup(line));
    }
    if (k->running && !k->defined)
        g_ptr_array_add(o->now, g_strdup("the guest becomes persistent"));
    return true;
}

static void note_ignored(Outcome *o, const char *text, gsize len)
{
    g_autoptr(GError) error = NULL;
    const DocKind *k = doc_kind_find("domain");
    void *def = doc_parse(k, text, len, k->tool_parse | DOMAIN_PARSE_STRICT, &error);

    if (def) {
        doc_free(k, def);
        return;
    }
    g_auto(GStrv) lines = g_strsplit(error->message, "\n", -1);
    for (char **l = lines; *l; l++)
        g_ptr_array_add(o->never, g_strdup(*l));
}

static void note_refusals(Outcome *o)
{
    JsonObject *steps = json_get(o->plan, "steps");

    for (size_t i = 0; i < json_len(steps); i++) {
        JsonObject *s = json_object_array_get_idx(steps, i);
        const char *why = json_get_str(s, "refused");
        if (why)
            g_ptr_array_add(o->refused, g_strdup_printf("%s: %s", json_get_str(s, "name"), why));
    }
}

static bool look(Outcome *o, const char *driver_name, const ConvertRequest *r, GError **err)
{
    const DriverConverter *driver = module_symbol(driver_name, CONVERTER_SYMBOL, err);
    ConvertRequest as_defined = *r;

    if (driver && !driver->plan)
        error_set(err, VIR_ERR_NO_SUPPORT, "driver '%s' has no plans", driver_name);
    if (!driver || !driver->plan)
        return false;
    as_defined.to = "domain";
    as_defined.parse = DOMAIN_PARSE_INACTIVE;
    as_defined.format = DOMAIN_FORMAT_INACTIVE | DOMAIN_FORMAT_SECURE;
    g_autofree char *defined = driver->convert(&as_defined, err),
                    *text = defined ? driver->plan(r, err) : NULL;
    o->plan = text ? json_parse("plan", text, strlen(text), NULL, err) : NULL;
    if (!o->plan)
        return false;
    note_refusals(o);
    note_ignored(o, r->text, r->len);
    (void)ask(driver_name, json_get_str(o->plan, "name"), &o->known);
    return compare(o, driver, defined, err);
}

/* Output ------------------------------------------------------------------------------------------ */

static void print_lines(const char *head, const GPtrArray *lines)
{
    if (!lines->len)
        return;
    printf("\n%s\n", head);
    for (unsigned i = 0; i < lines->len; i++)
        printf("  %s\n", (char *)lines->pdata[i]);
}

static void print_text(const Outcome *o)
{
    JsonObject *steps = json_get(o->plan, "steps");
    const Known *k = &o->known;
    size_t n = 0;

    printf("To start '%s':\n", json_get_str(o->plan, "name"));
    for (size_t i = 0; i < json_len(steps); i++) {
        JsonObject *s = json_object_array_get_idx(steps, i), *does = json_get(s, "does");
        const char *why = json_get_str(s, "refused");
        printf("%3zu. %s%s\n", ++n, json_get_str(s, "name"), why ? "  (refused)" : "");
        for (size_t l = 0; l < json_len(does); l++)
            printf("       %s\n", json_object_get_string(json_object_array_get_idx(does, l)));
    }
    print_lines("Refused:", o->refused);
    print_lines("Not at all (no part of a definition):", o->never);
    if (!k->asked) {
        printf("\nNo daemon answers: nothing is known of a guest of this name.\n");
        return;
    }
    if (!k->uuid) {
        printf("\nThere is no guest of this name yet.\n");
        return;
    }
    print_lines("A redefinition changes now:", o->now);
    print_lines(k->running ? "A redefinition changes at the next boot of the running guest:"
                           : "A redefinition changes at the next start:",
                o->next);
    if (!o->now->len && !o->next->len)
        printf("\nA redefinition changes nothing.\n");
}

static JsonObject *json_lines(const GPtrArray *lines)
{
    JsonObject *a = json_object_new_array();

    for (unsigned i = 0; i < lines->len; i++)
        json_object_array_add(a, json_object_new_string(lines->pdata[i]));
    return a;
}

static void print_json(Outcome *o)
{
    const Known *k = &o->known;
    const char *state = !k->asked    ? "unknown"
                        : !k->uuid   ? "undefined"
                        : k->running ? "running"
                                     : "defined";

    json_object_object_add(o->plan, "refused", json_lines(o->refused));
    json_object_object_add(o->plan, "guest", json_object_new_string(state));
    json_object_object_add(o->plan, "changes",
                           json_make(J_OBJ("now", json_lines(o->now)),
                                     J_OBJ("next-boot", json_lines(o->next)),
                                     J_OBJ("not-at-all", json_lines(o->never))));
    printf("%s\n", json_object_to_json_string_ext(o->plan, JSON_C_TO_STRING_PRETTY |
                                                               JSON_C_TO_STRING_NOSLASHESCAPE));
}

int cmd_plan(int argc, char **argv)
{
    static const struct option longs[] = {
        { "json", no_argument, NULL, 'j' },
        { "driver", required_argument, NULL, 'd' },
        { "capabilities", required_argument, NULL, 'c' },
        { 0 },
    };
    const char *driver = "qemu", *capabilities = NULL;
    bool json = false;
    int c;

    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (c == 'j')
            json = true;
        else if (c == 'd')
            driver = optarg;
        else if (c == 'c')
            capabilities = optarg;
        else
            return usage_error(command_find("plan"));
    }
    if (optind != argc - 1 || strchr(driver, '/'))
        return usage_error(command_find("plan"));

    g_autoptr(GError) err = NULL;
    gsize len = 0;
    g_autofree char *text = read_document(argv[optind], XML_SIZE_MAX, &len, &err);
    if (!text || !paths_ready(&err))
        return trouble("plan", "%s", err->message);
    ConvertRequest r = { .text = text, .len = len, .to = "plan", .capabilities = capabilities };
    Outcome o = { .refused = g_ptr_array_new_with_free_func(g_free),
                  .now = g_ptr_array_new_with_free_func(g_free),
                  .next = g_ptr_array_new_with_free_func(g_free),
                  .never = g_ptr_array_new_with_free_func(g_free) };
    bool ok = look(&o, driver, &r, &err), refused = o.refused->len > 0;
    if (ok && json)
        print_json(&o);
    else if (ok)
        print_text(&o);
    json_object_put(o.plan);
    known_clear(&o.known);
    g_ptr_array_unref(o.refused);
    g_ptr_array_unref(o.now);
    g_ptr_array_unref(o.next);
    g_ptr_array_unref(o.never);
    if (!ok) {
        g_autofree char *why = error_text(err);
        fprintf(stderr, "%s: %s\n", argv[optind], why);
        return EXIT_NO;
    }
    return refused ? EXIT_NO : EXIT_OK;
}
