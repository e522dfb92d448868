/* mounted: the mount that the tree is served at, its copies and its end.
 *
 * A copy (a mount of its own, which is nowhere) is as good to work through, and keeps nobody from
 * unmounting; but it keeps the file system there, so that FUSE does not tell of an unmount while
 * there is one: that shows here. One thread at a time. */
#ifndef FS_MOUNTED_H
#define FS_MOUNTED_H

#include <stdint.h>

struct mounted {
    const char *path; /* absolute; the caller's */
    unsigned major, minor;
    uint64_t id;
    int table; /* poll(2) it for POLLPRI: mounts have come or gone, anywhere. -1: none */
};

/* Takes the mount that is at path. 0 or -errno: then, or where the kernel numbers no mounts, there
 * are no copies. */
int mounted_open(struct mounted *m, const char *path);
void mounted_close(struct mounted *m);

/* A copy, close-on-exec, which is unmounted when its last descriptor is closed; -ESTALE if
 * something else is at path, or -errno: a copy takes the right to mount. */
int mounted_copy(const struct mounted *m);

/* Is that folder on its device? 0, -ESTALE or -errno. */
int mounted_check(const struct mounted *m, int folder);

/* 1: it is mounted nowhere in this namespace; 0: it is, perhaps elsewhere, or below another;
 * -errno: it could not be found out. Nobody need serve the tree. Cheap as long as it is where it
 * was. */
int mounted_is_gone(const struct mounted *m);

#endif
