/* notify: one thread that makes the kernel tell watchers what has changed.
 *
 * Changes are handed in by whoever makes them and are coalesced, an image a slot: it costs the same
 * however many there are and whether anyone looks, and what is held in memory is bounded by the
 * number of images. First those are woken that wait in poll(2), then the replayer (replay.h) has
 * inotify told, a command at a time. A replayer that hangs, as whoever watches may make it, holds
 * up nothing but that; it is not waited for forever. One that dies is started again; what it was at
 * is not told. It keeps the file system there while it lives: once the tree is unmounted it is
 * ended, for FUSE to end. */
#ifndef FS_NOTIFY_H
#define FS_NOTIFY_H

#include "base/err.h"
#include "fs/replay.h"

#define NOTIFY_PROGRESS_MS 200  /* between two words of one image's progress */
#define NOTIFY_HANG_MS     3000 /* for a command, which takes less than one */

struct notify;

/* What it works through; ctx is theirs. Called on its thread; neither may block. */
struct notify_ways {
    /* Wakes who polls that file: of BACKEND_STATE, _ERROR and _PROGRESS. */
    void (*wake)(void *ctx, uint64_t image, unsigned files);
    /* As replay_start; *pid may stay 0. NULL: inotify is not told. */
    int (*start)(void *ctx, pid_t *pid);
    /* Is the tree unmounted? 1: for good; 0 or, to be asked again, -errno. */
    int (*is_gone)(void *ctx);
    void *ctx;
};

struct notify *notify_new(const struct notify_ways *ways); /* NULL: out of memory */
/* is_gone is asked whenever poll(2) finds POLLPRI at mounts, the caller's descriptor; -1: never. */
int notify_start(struct notify *n, int mounts, struct err *err);

/* Changes of an image, of enum backend_change. Any thread; does not block. */
void notify_change(struct notify *n, unsigned changes, uint64_t id, const char *name);

/* Around a user's own rmdir of images/NAME: the kernel tells of that folder by itself, and holds
 * locks until it is answered; only its files are left to tell of, once that is over. Any thread. */
void notify_rmdir_begins(struct notify *n, uint64_t id, const char *name);
void notify_rmdir_ended(struct notify *n, uint64_t id, bool removed);

/* Is the caller of that (thread) id the replayer? Then command is what it was last told to do. Any
 * thread. */
bool notify_is_replayer(struct notify *n, pid_t caller, struct replay_command *command);

/* Ends the thread and the replayer; changes are still taken, and forgotten. Waits a second at the
 * most: a replayer that is stuck in the kernel is let go of with the mount. NULL is allowed. */
void notify_stop(struct notify *n);
/* After the session is destroyed. */
void notify_free(struct notify *n);

#endif
