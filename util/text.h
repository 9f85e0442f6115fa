/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Text that comes from outside: images, servers, guests. */
#pragma once

#include <stdbool.h>

/* Whether documents and answers can say it: UTF-8 without control characters. NULL can be. */
bool text_can_be_said(const char *text);
