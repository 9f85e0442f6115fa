/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Work on files whose server may be dead, done by a process of its own (work.c): one that is held up can be
 * left behind, a thread cannot. Looks have a deadline; changes and streams go on as long as something moves.
 */
#pragma once

#include "drivers/storage/backend.h"

typedef enum ApartOp {
    APART_CHECK, APART_START, APART_BUILD, APART_REMOVE, APART_MEASURE, APART_LIST, APART_LOOK, APART_CREATE,
    APART_DELETE, APART_RESIZE, APART_WIPE, APART_READ, APART_WRITE, APART_FIND, APART_CHAIN, _APART_N,
} ApartOp;

typedef struct ApartRequest {
    ApartOp op;
    const StoragePoolDef *pool;          /* may be NULL where path is what it is about */
    const StorageVolumeDef *vol, *input; /* may be NULL */
    const char *path;                    /* or a volume's name */
    unsigned flags;                      /* also a format */
    uint64_t offset, length;             /* length: also a new capacity */
    int fd;                              /* of streams, -1: none */
    const char *program;                 /* that knows the pool; NULL: it is a directory */
    const SecretValue *secret;           /* may be NULL */
} ApartRequest;

/* Whether what is at one of these may hang (NULL: no matter). Never in that process itself. */
bool apart_needed(const StoragePoolDef *pool, const char *path, const char *other);
/* Runs it there. VIR_ERR_OPERATION_TIMEOUT: nobody answered. ret: what the operation says; may be NULL. Workers. */
bool apart_run(const ApartRequest *r, const StorageJob *job, char **ret, GError **err);

/* What it said, taken apart. */
bool apart_answer(const char *said, char **ret, GError **err);

/* For that process. */
typedef struct ApartWork {
    ApartOp op;
    StoragePoolDef *pool;
    StorageVolumeDef *vol, *input;
    char *path;
    unsigned flags;
    uint64_t offset, length;
    char *secret; /* base64, "": none */
} ApartWork;
void apart_enter(void);
bool apart_inside(void);
bool apart_read(int fd, ApartWork *ret, GError **err);
void apart_work_clear(ApartWork *w);
