/* wire_read: the helper's records, one at a time, from a pipe whose other end nobody trusts.
 *
 * Memory is one fixed buffer. Every field that has a meaning on its own is checked here; what the
 * entry may be is for policy to say. It never waits for ever: the wait ends when cancel_fd becomes
 * readable, when stall_ms have passed without news, or at the end of the time that there is for
 * the whole. What is news the caller says: bytes are none, or a helper that dribbles would live for
 * ever. One thread. */
#ifndef UNPACK_WIRE_READ_H
#define UNPACK_WIRE_READ_H

#include "base/err.h"
#include "base/wire.h"

#include <stddef.h>
#include <stdint.h>

struct wire_read {
    int fd;           /* the pipe's end for reading; borrowed */
    int cancel_fd;    /* borrowed; -1: none */
    int64_t stall_ms; /* longest time without news */
    int64_t news;     /* when there was some last; monotonic ms */
    int64_t end;      /* of the whole; INT64_MAX: none */
    size_t idle;      /* bytes read since the last news */
    size_t from, to;  /* what of buf is not consumed yet */
    char buf[2 * WIRE_RECORD_MAX];
};

/* The strings point into the buffer, without a NUL, and hold until the next call. */
struct wire_item {
    struct wire_record head;
    const char *path, *target, *xattrs;
};

/* Sets fd non-blocking. total_ms: for the whole, INT64_MAX for no bound. */
int wire_read_init(struct wire_read *w, int fd, int cancel_fd, int64_t stall_ms, int64_t total_ms,
                   struct err *err);

/* The last record brought the work on. */
void wire_read_news(struct wire_read *w);

/* 1: a record. 0: end of file behind a whole record. Else a negative errno with err set:
 * -ECANCELED, -ETIMEDOUT (stalled), -EPIPE (end of file within a record), -EPROTO (garbage). */
int wire_read_next(struct wire_read *w, struct wire_item *item, struct err *err);

#endif
