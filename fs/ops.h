/* ops: libfuse's low-level operations: inode → row of the tree → callback → reply.
 *
 * Reads are answered from memory at once. Control writes are handed to the backend and answered
 * from its thread when they are on disk; no FUSE thread waits for that. */
#ifndef FS_OPS_H
#define FS_OPS_H

#include "backend/backend.h"
#include "fs/error_log.h"
#include "fs/notify.h"
#include "fs/poll.h"

#include <fuse_lowlevel.h>
#include <stdatomic.h>

struct events;

struct ops {
    struct backend *backend;
    struct error_log *error_log;
    struct events *events;
    struct notify *notify;
    struct poll_waiters waiters;
    uid_t uid;
    gid_t gid;
    gid_t ctl_gid; /* of ctl and images, if has_ctl_group */
    bool has_ctl_group;
    int64_t started;       /* ms since 1970: the time of what never changes */
    atomic_llong vanished; /* monotonic ms of the last removal of an image */
};

extern const struct fuse_lowlevel_ops ops_table;

/* An image was removed: what the kernel has of it is not to be shown. Any thread; does not block.
 */
void ops_vanished(struct ops *ops, struct fuse_session *session, uint64_t image);

#endif
