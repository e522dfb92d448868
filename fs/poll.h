/* poll: open files that are waited for with poll(2).
 *
 * Whoever answers a poll enters the file first and looks at its value then: what changes in between
 * is not missed. Any thread; nothing blocks. */
#ifndef FS_POLL_H
#define FS_POLL_H

#define FUSE_USE_VERSION 312

#include "base/lock.h"

#include <fuse_lowlevel.h>
#include <stdint.h>

#define POLL_BUCKETS 64

/* One open file's; part of what it is to its kind. Zero: nobody waits for it. Guarded by the
 * waiters' lock. */
struct poll_file {
    struct fuse_pollhandle
        *handle; /* the newest: the kernel means the same file with all of them */
    uint64_t key;
    struct poll_file *before, *after;
};

struct poll_waiters {
    struct lock lock;
    struct poll_file *buckets[POLL_BUCKETS];
};

void poll_init(struct poll_waiters *all);
/* By then every file has left. */
void poll_destroy(struct poll_waiters *all);

/* From now on whoever waits for the file is woken by poll_wake(key), once. Takes the handle over;
 * NULL, where the kernel asks for the state alone, changes nothing. A file has one key. */
void poll_enter(struct poll_waiters *all, struct poll_file *file, uint64_t key,
                struct fuse_pollhandle *handle);

/* Before the file is released; it need not be waited for. */
void poll_leave(struct poll_waiters *all, struct poll_file *file);

/* Wakes all that wait for files of that key: they poll again, and enter anew if they wait on. Not
 * once the session is destroyed. */
void poll_wake(struct poll_waiters *all, uint64_t key);

#endif
