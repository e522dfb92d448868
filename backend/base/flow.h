/* flow: bytes from one thread that makes them to readers who may wait for them.
 *
 * The maker fills a bounded buffer, piece by piece, and waits while it is full; a reader takes what
 * is there, or is answered once something is. Answers are called without a lock held: on the thread
 * that reads if there is something, else on the one thread that all flows share, never on the
 * maker's: it may have descriptors of its own, and it has better things to do. */
#ifndef BASE_FLOW_H
#define BASE_FLOW_H

#include "base/err.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct flows;
struct flow;

#define FLOW_PIECE ((size_t)128 << 10) /* bytes that are made before a reader sees them */
#define FLOW_SIZE  (4 * FLOW_PIECE)    /* bytes of one flow's buffer */

/* A reader's: it is there until it is answered, or its cancellation returned true. */
struct flow_read {
    size_t size; /* bytes wanted at most, more than 0 */
    /* Called exactly once. `data` is n bytes, good until this returns; n 0 and err NULL: the end.
     * ECANCELED: it was cancelled before it was asked for. It must not block. */
    void (*answer)(struct flow_read *r, const void *data, size_t n, const struct err *err);
    struct flow_read *next; /* the flow's */
    atomic_bool cancelled;  /* likewise; false at first */
};

/* What all flows share, with its thread. NULL: no thread, or no memory. */
struct flows *flows_open(void);
/* All flows are freed by then. NULL is allowed. */
void flows_close(struct flows *flows);

/* NULL: no memory. */
struct flow *flow_new(struct flows *flows);
/* Waits until what can be answered is, and no answer is being given. NULL is allowed. */
void flow_settle(struct flow *f);
/* Settles it first. Nobody reads or makes any more. NULL is allowed. */
void flow_free(struct flow *f);

/* --- the maker */

/* Room for *n bytes, at least one, once there is some; NULL: the flow is broken off, nobody wants
 * more. */
void *flow_room(struct flow *f, size_t *n);
/* So many bytes of that room are filled. */
void flow_filled(struct flow *f, size_t n);
/* There will be no more: readers see the end behind what there is, or that error (NULL: none). */
void flow_end(struct flow *f, const struct err *err);

/* --- readers: any thread */

/* Reads are answered in the order in which they come. */
void flow_read(struct flow *f, struct flow_read *r);
/* True: it waited, and is not answered any more. False: it is answered, or being answered; or it
 * was not asked for yet, and will be answered ECANCELED when it is. */
bool flow_cancel(struct flow *f, struct flow_read *r);

/* --- any thread */

/* Readers get that error from now on, at once; the maker gets no more room. */
void flow_break(struct flow *f, const struct err *err);
/* Is there no more to be made? */
bool flow_is_broken(struct flow *f);
/* ms for which nobody has taken anything, nor waits for it. */
int64_t flow_idle(struct flow *f);
/* It is idle, and has been for long, until someone reads again. */
void flow_rest(struct flow *f);

#endif
