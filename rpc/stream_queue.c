/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a client sends on a stream, on its way from the loop to a worker (stream.h). The messages themselves
 * wait here: nothing is copied between the socket and where the worker puts it. Whoever is behind lets the
 * queue become full; the client is not read then until half of it is taken.
 *
 * The stream belongs to the loop thread; what the worker shares with it is under the lock.
 */
#include <pthread.h>

#include "rpc/dispatch-internal.h"
#include "rpc/message-internal.h"
#include "util/lock.h"

struct StreamQueue {
    gatomicrefcount refs;
    Lock lock;
    pthread_cond_t more;
    GQueue messages;
    size_t bytes; /* what they take of memory */
    bool full, ended, gone;
    Message *taken; /* the worker's */
    Stream *stream; /* the loop's; NULL: over */
    Loop *loop;
};

StreamQueue *stream_queue_new(Stream *s, Loop *loop)
{
    StreamQueue *q = g_new0(StreamQueue, 1);

    g_atomic_ref_count_init(&q->refs);
    lock_init(&q->lock);
    pthread_cond_init(&q->more, NULL);
    q->stream = s;
    q->loop = loop;
    return q;
}

StreamQueue *stream_queue_ref(StreamQueue *q)
{
    g_atomic_ref_count_inc(&q->refs);
    return q;
}

StreamQueue *stream_queue_unref(StreamQueue *q)
{
    if (!q || !g_atomic_ref_count_dec(&q->refs))
        return NULL;
    g_queue_clear_full(&q->messages, (GDestroyNotify)message_unref);
    message_unref(q->taken);
    pthread_cond_destroy(&q->more);
    lock_done(&q->lock);
    g_free(q);
    return NULL;
}

static size_t weight(const Message *m)
{
    return sizeof(*m) + m->len;
}

bool stream_queue_put(StreamQueue *q, Message *m)
{
    LOCK_SCOPE(&q->lock);

    g_queue_push_tail(&q->messages, message_ref(m));
    q->bytes += weight(m);
    q->full = q->full || q->bytes > STREAM_IN_HIGH;
    pthread_cond_signal(&q->more);
    return q->full;
}

void stream_queue_end(StreamQueue *q)
{
    LOCK_SCOPE(&q->lock);
    q->ended = true;
    pthread_cond_signal(&q->more);
}

void stream_queue_leave(StreamQueue *q)
{
    q->stream = NULL;
    lock_enter(&q->lock);
    q->gone = true;
    pthread_cond_signal(&q->more);
    lock_leave(&q->lock);
    stream_queue_unref(q);
}

static void on_room(void *data)
{
    StreamQueue *q = data;

    if (q->stream)
        stream_resume(q->stream);
    stream_queue_unref(q);
}

StreamTaken stream_take(StreamQueue *q, StreamPiece *ret)
{
    bool room = false;

    q->taken = message_unref(q->taken);
    lock_enter(&q->lock);
    while (!q->gone && !q->ended && g_queue_is_empty(&q->messages))
        pthread_cond_wait(&q->more, &q->lock.m);
    if (!q->gone && (q->taken = g_queue_pop_head(&q->messages))) {
        q->bytes -= weight(q->taken);
        room = q->full && q->bytes < STREAM_IN_HIGH / 2;
        q->full = q->full && !room;
    }
    bool gone = q->gone;
    lock_leave(&q->lock);
    if (room)
        loop_post(q->loop, on_room, stream_queue_ref(q));
    if (gone || !q->taken)
        return gone ? STREAM_GONE : STREAM_END;

    const uint8_t *body = message_body(q->taken);
    if (q->taken->h.type == MSG_HOLE)
        *ret = (StreamPiece){ .n = (uint64_t)be32_get(body) << 32 | be32_get(body + 4) };
    else
        *ret = (StreamPiece){ body, message_body_len(q->taken) };
    return STREAM_PIECE;
}
