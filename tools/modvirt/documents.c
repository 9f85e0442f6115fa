/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * validate and convert: documents of any kind. Validation is strict: every unknown name is an error, and
 * all of a document's errors are told, each with its line and path. JSON documents are firmware descriptors.
 */
#include <getopt.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "conf/convert.h"
#include "conf/domain.h"
#include "conf/firmware_descriptor.h"
#include "conf/kinds.h"
#include "tools/modvirt/modvirt.h"
#include "util/error.h"
#include "util/module.h"
#include "util/xml.h"

/* The kind that a document's root names. */
static const DocKind *kind_of(const char *text, gsize len, GError **err)
{
    g_autoptr(XmlDoc) doc = xml_parse(text, len, err);

    if (!doc)
        return NULL;
    const char *root = (const char *)xml_root(doc)->name;
    const DocKind *k = doc_kind_of(xml_root(doc));
    if (!k)
        error_set(err, VIR_ERR_XML_ERROR,
                  "line %u: <%s> is the root of no kind of document that we know",
                  xml_line(xml_root(doc)), root);
    return k;
}

static const DocKind *kind_named(const char *command, const char *name)
{
    const DocKind *k = doc_kind_find(name);

    if (!k)
        (void)trouble(command, "there is no kind '%s'; 'modvirt schema' lists the kinds", name);
    return k;
}

/* NULL: valid. Else the error's text. */
static char *problem_of(const char *path, const DocKind *k, const char **ret_kind)
{
    g_autoptr(GError) err = NULL;
    gsize len = 0;
    g_autofree char *text = read_document(path, XML_SIZE_MAX, &len, &err);

    if (text && !k && *(text + strspn(text, " \t\r\n")) == '{') {
        *ret_kind = "firmware descriptor";
        (void)firmware_descriptor_check(text, len, &err);
    } else if (text && !k)
        k = kind_of(text, len, &err);
    if (k && text) {
        *ret_kind = k->name;
        void *def = doc_parse(k, text, len, k->tool_parse | DOMAIN_PARSE_STRICT, &err);
        if (def)
            doc_free(k, def);
    }
    return err ? error_text(err) : NULL;
}

int cmd_validate(int argc, char **argv)
{
    static const struct option longs[] = { { "json", no_argument, NULL, 'j' },
                                           { "kind", required_argument, NULL, 'k' },
                                           { 0 } };
    const Command *self = command_find("validate");
    const DocKind *kind = NULL;
    bool json = false, all_valid = true;
    int c;

    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (c == 'j')
            json = true;
        else if (c == 'k') {
            kind = kind_named("validate", optarg);
            if (!kind)
                return EXIT_TROUBLE;
        } else
            return usage_error(self);
    }
    if (optind == argc)
        return usage_error(self);

    json_object *list = json ? json_object_new_array() : NULL;
    for (int i = optind; i < argc; i++) {
        const char *found = "unknown";
        g_autofree char *problem = problem_of(argv[i], kind, &found);
        all_valid &= !problem;
        if (!json) {
            if (problem)
                printf("%s: not valid: %s\n", argv[i], problem);
            else
                printf("%s: valid %s\n", argv[i], found);
            continue;
        }
        json_object *o = json_object_new_object();
        json_object_object_add(o, "file", json_object_new_string(argv[i]));
        json_object_object_add(o, "kind", json_object_new_string(found));
        json_object_object_add(o, "valid", json_object_new_boolean(!problem));
        if (problem) {
            g_auto(GStrv) lines = g_strsplit(problem, "\n", -1);
            json_object *errors = json_object_new_array();
            for (char **l = lines; *l; l++)
                json_object_array_add(errors, json_object_new_string(*l));
            json_object_object_add(o, "errors", errors);
        }
        json_object_array_add(list, o);
    }
    if (json) {
        printf("%s\n", json_object_to_json_string_ext(list, JSON_C_TO_STRING_PRETTY |
                                                                JSON_C_TO_STRING_NOSLASHESCAPE));
        json_object_put(list);
    }
    return all_valid ? EXIT_OK : EXIT_NO;
}

static int convert_by_driver(const char *driver, const char *file, const ConvertRequest *r)
{
    g_autoptr(GError) err = NULL;
    bool sane = !strchr(driver, '/');
    const DriverConverter *converter =
        sane && paths_ready(&err) ? module_symbol(driver, CONVERTER_SYMBOL, &err) : NULL;

    if (!converter)
        return trouble("convert", "driver '%s': %s", driver,
                       err ? err->message : "not the name of a driver");
    g_autofree char *out = converter->convert(r, &err);
    if (!out) {
        g_autofree char *why = error_text(err);
        fprintf(stderr, "%s: %s\n", file, why);
        return EXIT_NO;
    }
    fputs(out, stdout);
    return EXIT_OK;
}

int cmd_convert(int argc, char **argv)
{
    static const struct option longs[] = {
        { "from", required_argument, NULL, 'f' },
        { "to", required_argument, NULL, 't' },
        { "driver", required_argument, NULL, 'd' },
        { "live", no_argument, NULL, 'l' },
        { "inactive", no_argument, NULL, 'i' },
        { "migratable", no_argument, NULL, 'm' },
        { "secure", no_argument, NULL, 's' },
        { "capabilities", required_argument, NULL, 'c' },
        { 0 },
    };
    const Command *self = command_find("convert");
    const char *from = NULL, *to = NULL, *driver = NULL, *capabilities = NULL;
    unsigned format = 0, parse = 0;
    bool mode = false;
    int c;

    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        switch (c) {
        case 'f':
            from = optarg;
            break;
        case 't':
            to = optarg;
            break;
        case 'l':
            mode = true;
            break;
        case 'i':
            parse |= DOMAIN_PARSE_INACTIVE, format |= DOMAIN_FORMAT_INACTIVE;
            mode = true;
            break;
        case 'm':
            format |= DOMAIN_FORMAT_MIGRATABLE;
            mode = true;
            break;
        case 's':
            format |= DOMAIN_FORMAT_SECURE;
            break;
        case 'd':
            driver = optarg;
            break;
        case 'c':
            capabilities = optarg;
            break;
        default:
            return usage_error(self);
        }
    }
    if (optind != argc - 1)
        return usage_error(self);

    g_autoptr(GError) err = NULL;
    gsize len = 0;
    g_autofree char *text = read_document(argv[optind], XML_SIZE_MAX, &len, &err);
    if (!text)
        return trouble("convert", "%s", err->message);
    const DocKind *found = from ? NULL : kind_of(text, len, &err);
    if (!from && !found) {
        g_autofree char *why = error_text(err);
        fprintf(stderr, "%s: %s\n", argv[optind], why);
        return EXIT_NO;
    }
    if (found)
        from = found->name;
    bool native = to && g_str_has_suffix(to, "-argv") && g_strcmp0(from, "domain") == 0;
    g_autofree char *named = native && !driver ? g_strndup(to, strlen(to) - strlen("-argv")) : NULL;
    if (named)
        driver = named; /* "qemu-argv" is what "qemu" makes */
    if (capabilities && !driver)
        return usage_error(self);
    if (to && !native && strcmp(from, to) != 0)
        return trouble("convert",
                       "from '%s' to '%s' is not supported yet; a kind can be converted to itself",
                       from, to);
    const DocKind *k = kind_named("convert", from);
    if (!k)
        return EXIT_TROUBLE;

    if (!mode)
        parse = k->tool_parse, format |= k->tool_format;
    if (driver)
        return convert_by_driver(driver, argv[optind],
                                 &(ConvertRequest){ .text = text,
                                                    .len = len,
                                                    .parse = parse,
                                                    .format = format,
                                                    .to = native ? to : from,
                                                    .capabilities = capabilities });
    void *def = doc_parse(k, text, len, parse, &err);
    g_autofree char *out = def ? doc_format(k, def, format, &err) : NULL;
    if (def)
        doc_free(k, def);
    if (!out) {
        g_autofree char *why = error_text(err);
        fprintf(stderr, "%s: %s\n", argv[optind], why);
        return EXIT_NO;
    }
    fputs(out, stdout);
    return EXIT_OK;
}
