#include "base/io.h"

#include "base/cleanup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* at: NULL for where the file stands. */
static int write_all(int fd, const void *buf, size_t n, const int64_t *at)
{
    for (size_t put = 0; put < n;) {
        const char *p = (const char *)buf + put;
        ssize_t w = at ? pwrite(fd, p, n - put, (off_t)*at + (off_t)put) : write(fd, p, n - put);
        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0)
            return -errno;
        put += (size_t)w;
    }
    return 0;
}

static ssize_t read_all(int fd, void *buf, size_t n, const int64_t *at)
{
    size_t got = 0;
    while (got < n) {
        char *p = (char *)buf + got;
        ssize_t r = at ? pread(fd, p, n - got, (off_t)*at + (off_t)got) : read(fd, p, n - got);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return -errno;
        if (r == 0)
            break;
        got += (size_t)r;
    }
    return (ssize_t)got;
}

int io_write(int fd, const void *buf, size_t n)
{
    return write_all(fd, buf, n, NULL);
}

ssize_t io_read(int fd, void *buf, size_t n)
{
    return read_all(fd, buf, n, NULL);
}

int io_pwrite(int fd, const void *buf, size_t n, int64_t at)
{
    return write_all(fd, buf, n, &at);
}

ssize_t io_pread(int fd, void *buf, size_t n, int64_t at)
{
    return read_all(fd, buf, n, &at);
}

#define WRITE_BEHIND ((int64_t)16 << 20)

void io_write_behind(int fd, int64_t *begun, int64_t size)
{
    if (size - *begun < WRITE_BEHIND)
        return;
    sync_file_range(fd, *begun, size - *begun, SYNC_FILE_RANGE_WRITE);
    *begun = size;
}

/* Whoever owns a directory may let himself in, and write to it: root's way is free at once. */
static bool let_in(int dirfd, const char *name)
{
    int saved = errno;
    if (saved == EACCES && fchmodat(dirfd, name, 0700, AT_SYMLINK_NOFOLLOW) == 0)
        return true;
    errno = saved;
    return false;
}

static int unlink_in(int dir, const char *name, int flags)
{
    int r = unlinkat(dir, name, flags);
    if (r == 0 || errno != EACCES)
        return r;
    if (fchmod(dir, 0700) == 0)
        return unlinkat(dir, name, flags);
    errno = EACCES;
    return -1;
}

/* Opens a directory that lies on the same mount as dirfd; never through a symlink. */
static int open_below(int dirfd, const char *name)
{
    struct open_how how = {
        .flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
        .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
    };
    int fd = (int)syscall(SYS_openat2, dirfd, name, &how, sizeof how);
    return fd < 0 && let_in(dirfd, name) ? (int)syscall(SYS_openat2, dirfd, name, &how, sizeof how)
                                         : fd;
}

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* The tree may hold any name at all, ours too: try until one is free. */
static int move_up(int dir, const char *name, int top, unsigned *number)
{
    for (;;) {
        char moved[32];
        snprintf(moved, sizeof moved, ".%u", (*number)++);
        if (renameat2(dir, name, top, moved, RENAME_NOREPLACE) == 0)
            return 0;
        if (let_in(dir, name) && renameat2(dir, name, top, moved, RENAME_NOREPLACE) == 0)
            return 0;
        if (errno != EEXIST)
            return -errno;
    }
}

/* Unlinks what can be unlinked in `dir`; every subdirectory moves up to `top` under a number, so
 * that the tree gets flatter with each pass and no depth is ever walked. */
static int empty_into(DIR *dir, int top, unsigned *number)
{
    for (struct dirent *e; errno = 0, (e = readdir(dir));) {
        if (is_dots(e->d_name))
            continue;
        if (unlink_in(dirfd(dir), e->d_name, 0) == 0)
            continue;
        if (errno != EISDIR && errno != EPERM)
            return -errno;
        if (unlink_in(dirfd(dir), e->d_name, AT_REMOVEDIR) == 0)
            continue;
        if (errno != ENOTEMPTY && errno != EEXIST)
            return -errno;
        int r = move_up(dirfd(dir), e->d_name, top, number);
        if (r < 0)
            return r;
    }
    return -errno;
}

/* Takes fd over, also where it fails; NULL, and errno is set, for one that is none. */
static DIR *stream_of(int fd)
{
    int owned CLEANUP_CLOSE = fd;
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (dir)
        owned = -1;
    return dir;
}

DIR *io_list(int dirfd)
{
    return stream_of(openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static int empty_at(int top, const char *name, unsigned *number)
{
    DIR *dir CLEANUP_CLOSEDIR = stream_of(open_below(top, name));
    return dir ? empty_into(dir, top, number) : -errno;
}

/* Empties `top` itself: its own subdirectories are emptied in place, what they hold moves up. */
static int empty_top(int top, unsigned *number, bool *again)
{
    DIR *dir CLEANUP_CLOSEDIR = stream_of(fcntl(top, F_DUPFD_CLOEXEC, 0));
    if (!dir)
        return -errno;
    rewinddir(dir);
    *again = false;
    for (struct dirent *e; errno = 0, (e = readdir(dir));) {
        if (is_dots(e->d_name) || unlink_in(top, e->d_name, 0) == 0)
            continue;
        if (errno != EISDIR && errno != EPERM)
            return -errno;
        if (unlink_in(top, e->d_name, AT_REMOVEDIR) == 0)
            continue;
        int r = empty_at(top, e->d_name, number);
        if (r < 0)
            return r;
        if (unlink_in(top, e->d_name, AT_REMOVEDIR) < 0)
            return -errno;
        *again = true;
    }
    return -errno;
}

int io_remove_tree(int dirfd, const char *name)
{
    if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return -errno;
    int top CLEANUP_CLOSE = open_below(dirfd, name);
    if (top < 0)
        return -errno;
    unsigned number = 0;
    bool again = true;
    while (again) {
        int r = empty_top(top, &number, &again);
        if (r < 0)
            return r;
    }
    return unlinkat(dirfd, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}
