/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxml2 is loaded when a document is read for the first time. It brings libicu and the C++ library, two
 * megabytes that a daemon which forwards, or has nothing to read yet, need not carry. Its functions
 * are called by their own names, which mean the entries of a table; what is not in the list does not
 * link. Constants and structures are those of its headers, as ever.
 *
 * The table is filled by the first xml_parse() or xml_peek(), so whoever has a document may call them. Any
 * thread.
 */
#pragma once

#include <glib.h>
#include <libxml/SAX2.h>
#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <libxml/tree.h>
#include <libxml/xmlerror.h>
#include <stdbool.h>

/* clang-format off */
#define XML_LATE(X)                                                                                          \
    X(inputPush) X(xmlAddChild) X(xmlBufferContent) X(xmlBufferCreate) X(xmlBufferFree) X(xmlCtxtReset)      \
    X(xmlCtxtUseOptions) X(xmlDictSize) X(xmlDocCopyNode) X(xmlDocGetRootElement) X(xmlFirstElementChild)    \
    X(xmlFreeDoc) X(xmlFreeNode) X(xmlFreeNs) X(xmlFreeParserCtxt) X(xmlFreeParserInputBuffer)               \
    X(xmlGetLineNo) X(xmlHasProp) X(xmlInitParser) X(xmlIsBlankNode) X(xmlNewIOInputStream) X(xmlNewNs)      \
    X(xmlNewParserCtxt) X(xmlNodeDump) X(xmlParseDocument) X(xmlParserInputBufferCreateMem)                  \
    X(xmlSAX2EndElementNs) X(xmlSAX2StartElementNs) X(xmlSAXVersion) X(xmlStopParser) X(xmlStrEqual)         \
    X(xmlUnlinkNode) X(xmlValidateNCName)

#define XML_LATE_FIELD(f) __typeof__(f) *f##_;
typedef struct XmlLate { XML_LATE(XML_LATE_FIELD) } XmlLate;
#undef XML_LATE_FIELD
/* clang-format on */

extern XmlLate xml_late;
bool xml_late_load(GError **err);

#define inputPush xml_late.inputPush_
#define xmlAddChild xml_late.xmlAddChild_
#define xmlBufferContent xml_late.xmlBufferContent_
#define xmlBufferCreate xml_late.xmlBufferCreate_
#define xmlBufferFree xml_late.xmlBufferFree_
#define xmlCtxtReset xml_late.xmlCtxtReset_
#define xmlCtxtUseOptions xml_late.xmlCtxtUseOptions_
#define xmlDictSize xml_late.xmlDictSize_
#define xmlDocCopyNode xml_late.xmlDocCopyNode_
#define xmlDocGetRootElement xml_late.xmlDocGetRootElement_
#define xmlFirstElementChild xml_late.xmlFirstElementChild_
#define xmlFreeDoc xml_late.xmlFreeDoc_
#define xmlFreeNode xml_late.xmlFreeNode_
#define xmlFreeNs xml_late.xmlFreeNs_
#define xmlFreeParserCtxt xml_late.xmlFreeParserCtxt_
#define xmlFreeParserInputBuffer xml_late.xmlFreeParserInputBuffer_
#define xmlGetLineNo xml_late.xmlGetLineNo_
#define xmlHasProp xml_late.xmlHasProp_
#define xmlInitParser xml_late.xmlInitParser_
#define xmlIsBlankNode xml_late.xmlIsBlankNode_
#define xmlNewIOInputStream xml_late.xmlNewIOInputStream_
#define xmlNewNs xml_late.xmlNewNs_
#define xmlNewParserCtxt xml_late.xmlNewParserCtxt_
#define xmlNodeDump xml_late.xmlNodeDump_
#define xmlParseDocument xml_late.xmlParseDocument_
#define xmlParserInputBufferCreateMem xml_late.xmlParserInputBufferCreateMem_
#define xmlSAX2EndElementNs xml_late.xmlSAX2EndElementNs_
#define xmlSAX2StartElementNs xml_late.xmlSAX2StartElementNs_
#define xmlSAXVersion xml_late.xmlSAXVersion_
#define xmlStopParser xml_late.xmlStopParser_
#define xmlStrEqual xml_late.xmlStrEqual_
#define xmlUnlinkNode xml_late.xmlUnlinkNode_
#define xmlValidateNCName xml_late.xmlValidateNCName_
