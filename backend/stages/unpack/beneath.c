#include "stages/unpack/beneath.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int beneath_open(int dirfd, const char *path, int flags, mode_t mode)
{
    struct open_how how = {
        .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC | O_NOFOLLOW),
        .mode = flags & O_CREAT ? mode : 0,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
    };
    int fd;
    /* EAGAIN: a rename somewhere raced with the check for `..`, of which we have none. */
    do
        fd = (int)syscall(SYS_openat2, dirfd, *path ? path : ".", &how, sizeof how);
    while (fd < 0 && (errno == EAGAIN || errno == EINTR));
    return fd < 0 ? -errno : fd;
}

int beneath_parent(struct beneath *b, const char *path, const char **name)
{
    const char *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) : 0;
    *name = slash ? slash + 1 : path;
    if (b->fd >= 0 && strncmp(b->path, path, len) == 0 && b->path[len] == '\0')
        return b->fd;
    beneath_forget(b);
    if (len > LIMIT_PATH_MAX)
        return -ENAMETOOLONG;
    memcpy(b->path, path, len);
    b->path[len] = '\0';
    return b->fd = beneath_open(b->root, b->path, O_RDONLY | O_DIRECTORY, 0);
}

void beneath_forget(struct beneath *b)
{
    if (b->fd >= 0)
        close(b->fd);
    b->fd = -1;
}
