/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How holes go through a pipe: each stretch of a stream is announced, then comes its data, if it is not a hole. */
#pragma once

#include <stdint.h>

typedef struct StreamFrame {
    uint64_t length; /* bytes */
    uint64_t hole;   /* 1: there is no data */
} StreamFrame;
