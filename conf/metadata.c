/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Elements of applications in <metadata> (metadata.h). Documents are small; each call parses anew. */
#include "conf/metadata.h"

#include <string.h>

#include "util/error.h"
#include "util/xml.h"

static xmlNode *find(xmlNode *root, const char *uri)
{
    for (xmlNode *n = root->children; n; n = n->next)
        if (n->type == XML_ELEMENT_NODE && n->ns && n->ns->href && g_str_equal((const char *)n->ns->href, uri))
            return n;
    return NULL;
}

/* Elements below n that are in a namespace of this URI go to ns, NULL: into none. */
static void rename_namespace(xmlNode *n, const char *uri, xmlNs *ns)
{
    for (; n; n = n->next) {
        if (n->type != XML_ELEMENT_NODE)
            continue;
        if (!uri ? !n->ns : n->ns && g_str_equal((const char *)n->ns->href, uri))
            n->ns = ns;
        rename_namespace(n->children, uri, ns);
    }
}

/* Takes the declarations of uri off n; they must not be in use any more. */
static void drop_declarations(xmlNode *n, const char *uri)
{
    for (xmlNs **d = &n->nsDef; *d;) {
        xmlNs *old = *d;
        if (!old->href || !g_str_equal((const char *)old->href, uri)) {
            d = &old->next;
            continue;
        }
        *d = old->next;
        old->next = NULL;
        xmlFreeNs(old);
    }
}

/* Indentation that came from where the element stood. */
static void drop_indentation(xmlNode *n)
{
    bool elements = xmlFirstElementChild(n) != NULL;

    for (xmlNode *c = n->children, *next; c; c = next) {
        next = c->next;
        if (c->type == XML_ELEMENT_NODE) {
            drop_indentation(c);
        } else if (elements && xmlIsBlankNode(c)) {
            xmlUnlinkNode(c);
            xmlFreeNode(c);
        }
    }
}

char *metadata_get(const char *metadata, const char *uri)
{
    g_autoptr(XmlDoc) doc = metadata ? xml_parse(metadata, strlen(metadata), NULL) : NULL;
    xmlNode *n = doc ? find(xml_root(doc), uri) : NULL;

    if (!n)
        return NULL;
    xmlNode *next = n->next;
    n->next = NULL; /* of this element alone */
    rename_namespace(n, uri, NULL);
    n->next = next;
    drop_declarations(n, uri);
    drop_indentation(n);
    return xml_dump(n, 0);
}

bool metadata_set(char **metadata, const char *uri, const char *key, const char *xml, GError **err)
{
    static const char empty[] = "<metadata/>";
    const char *old = *metadata ? *metadata : empty;
    g_autoptr(XmlDoc) doc = xml_parse(old, strlen(old), err);

    if (!doc)
        return false;
    g_autoptr(XmlDoc) given = xml ? xml_parse(xml, strlen(xml), err) : NULL;
    if (xml && !given) {
        g_prefix_error(err, "metadata element: ");
        return false;
    }
    if (xml && (!key || xmlValidateNCName((const xmlChar *)key, 0) != 0)) {
        error_set(err, VIR_ERR_INVALID_ARG, "'%.50s' is not a name that XML takes as the prefix of a namespace", key ? key : "");
        return false;
    }
    xmlNode *root = xml_root(doc), *n = find(root, uri);
    if (n) {
        xmlUnlinkNode(n);
        xmlFreeNode(n);
    }
    if (given) {
        n = xmlDocCopyNode(xml_root(given), root->doc, 1);
        xmlNs *ns = n ? xmlNewNs(n, (const xmlChar *)uri, (const xmlChar *)key) : NULL;
        if (!ns) {
            xmlFreeNode(n);
            error_set(err, VIR_ERR_XML_ERROR, "metadata element: prefix '%s' is declared in it already", key);
            return false;
        }
        rename_namespace(n, NULL, ns);
        xmlAddChild(root, n);
    }
    g_free(*metadata);
    *metadata = xmlFirstElementChild(root) ? xml_dump(root, 1) : NULL;
    return true;
}
