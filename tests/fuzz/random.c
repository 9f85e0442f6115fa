/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Linked with every fuzz harness (scripts/fuzz wraps the two functions): uuids and MAC addresses that are
 * made on the way are a fixed sequence, and the clock that seeds libxml2's hash tables stands still, so
 * that two runs with one seed see the same. Single thread.
 */
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

ssize_t __wrap_getrandom(void *buf, size_t len, unsigned flags);
uint32_t __wrap_g_random_int(void);

uint32_t __wrap_g_random_int(void)
{
    static uint32_t state = 1;

    state = state * 1664525 + 1013904223;
    return state ^ state >> 16;
}

ssize_t __wrap_getrandom(void *buf, size_t len, unsigned flags)
{
    uint8_t *p = buf;

    for (size_t i = 0; i < len; i++)
        p[i] = (uint8_t)__wrap_g_random_int();
    return (ssize_t)len;
}

time_t time(time_t *ret)
{
    if (ret)
        *ret = 1;
    return 1;
}
