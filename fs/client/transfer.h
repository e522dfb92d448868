/* transfer: bytes that go from one open file to another, with a bar where standard error is a
 * terminal, and an end at Ctrl-C.
 *
 * The copying has a thread of its own: what it waits for, a pipe or the file system's answer, may
 * take as long as it likes, and the user is heard all the same. */
#ifndef CLIENT_TRANSFER_H
#define CLIENT_TRANSFER_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct transfer {
    const char *name, *phase; /* what the bar says */
    int64_t total;            /* bytes, below 1: unknown */
    /* On the thread: opens what it needs, copies with transfer_copy, closes. 0 or -errno. The
     * daemon wants a file closed by the thread that has opened it. */
    int (*run)(struct transfer *transfer, struct err *err);
    void *ctx;
    /* Once the user has enough, and the thread is still under way: takes back what is half done, so
     * that its call, if it waits for the daemon, returns. May be NULL. */
    void (*break_off)(struct transfer *transfer);
    /* transfer_go's own */
    char *buffer;
    _Atomic bool stop;
    /* What has come of it. */
    _Atomic int64_t done;
    int64_t ms;
};

/* 0, or what run returned with err set, or the number of the signal (above 0) that broke it off. */
int transfer_go(struct transfer *transfer, struct err *err);

/* All that can be read. -errno: *wrote says which of the two failed. */
int transfer_copy(struct transfer *transfer, int from, int to, bool *wrote);

#endif
