/* beneath: directory descriptors inside one tree, reached without following anything.
 *
 * Every path is resolved by the kernel from the tree's root with RESOLVE_BENEATH and without
 * symlinks, magic links or mounts: whatever stands where a directory should be, the answer is an
 * error and never another place. One thread. */
#ifndef UNPACK_BENEATH_H
#define UNPACK_BENEATH_H

#include "base/limits.h"

#include <stdint.h>
#include <sys/types.h>

/* The directory asked for last: archives list the members of one together. */
struct beneath {
    int root; /* borrowed */
    int fd;   /* -1: nothing cached */
    char path[LIMIT_PATH_MAX + 1];
};

#define BENEATH_INIT(root_)                                                                        \
    {                                                                                              \
        .root = (root_), .fd = -1                                                                  \
    }

/* The directory that holds path's last component, and in *name that component; valid until the next
 * call. A negative errno if it cannot be reached. */
int beneath_parent(struct beneath *b, const char *path, const char **name);

/* Must be told when a directory goes or changes its permissions. */
void beneath_forget(struct beneath *b);

/* Opens a path below dirfd ("" is dirfd itself), O_CLOEXEC and O_NOFOLLOW added. The descriptor, to
 * be closed, or a negative errno. */
int beneath_open(int dirfd, const char *path, int flags, mode_t mode);

#endif
