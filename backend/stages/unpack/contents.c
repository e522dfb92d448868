#include "stages/unpack/contents.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK  (8 << 20)   /* bytes between two looks at cancel_fd */
#define BUFFER (64 * 1024) /* where the kernel cannot copy by itself */

static bool cancelled(int cancel_fd)
{
    struct pollfd p = {.fd = cancel_fd, .events = POLLIN};
    return poll(&p, 1, 0) > 0 && p.revents;
}

/* Bytes copied, 0 at the end of data, or a negative errno. */
static ssize_t copy_by_hand(int data, off_t from, int out, off_t to, size_t n)
{
    char buf[BUFFER];
    ssize_t got = pread(data, buf, n < sizeof buf ? n : sizeof buf, from);
    if (got <= 0)
        return got < 0 ? -errno : 0;
    ssize_t put = pwrite(out, buf, (size_t)got, to);
    return put < 0 ? -errno : put;
}

static ssize_t copy_some(int data, off_t from, int out, off_t to, size_t n)
{
    /* Below that, the call's own preparations cost more than two copies. */
    if (n <= BUFFER)
        return copy_by_hand(data, from, out, to, n);
    ssize_t r = copy_file_range(data, &from, out, &to, n < CHUNK ? n : CHUNK, 0);
    if (r >= 0)
        return r;
    if (errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP)
        return copy_by_hand(data, from, out, to, n);
    return -errno;
}

/* 0; an extent that ends early was cut short under us: the rest is zeros. */
static int copy_extent(int data, off_t from, off_t end, int out, off_t to, int cancel_fd)
{
    while (from < end) {
        ssize_t n = copy_some(data, from, out, to, (size_t)(end - from));
        if (n == -EINTR)
            continue;
        if (n <= 0)
            return (int)n;
        from += n;
        to += n;
        if (n > BUFFER / 2 && cancelled(cancel_fd))
            return -ECANCELED;
    }
    return 0;
}

/* Copies the data extents between two places of data to out, the first at out's 0. */
static int copy_extents(int data, off_t begin, off_t end, int out, int cancel_fd)
{
    for (off_t at = begin, stop; at < end; at = stop) {
        at = lseek(data, at, SEEK_DATA);
        if (at < 0 && errno == ENXIO)
            return 0;
        if (at < 0)
            return -errno;
        if (at >= end)
            return 0;
        stop = lseek(data, at, SEEK_HOLE);
        if (stop < 0 && errno != ENXIO)
            return -errno;
        stop = stop < 0 || stop > end ? end : stop;
        int r = copy_extent(data, at, stop, out, at - begin, cancel_fd);
        if (r < 0)
            return r;
    }
    return 0;
}

static int lengthen(int out, uint64_t size)
{
    struct stat st;
    if (fstat(out, &st) < 0)
        return -errno;
    return st.st_size < (off_t)size && ftruncate(out, (off_t)size) < 0 ? -errno : 0;
}

int contents_copy(int data, uint64_t offset, uint64_t size, int out, int cancel_fd)
{
    int64_t end;
    if (__builtin_add_overflow(offset, size, &end))
        return -EOVERFLOW;
    if (size == 0)
        return 0;
    int r = offset ? copy_extents(data, (off_t)offset, end, out, cancel_fd) : 0;
    return r < 0 ? r : lengthen(out, size);
}

int contents_copy_file(int from, uint64_t size, int out, int cancel_fd)
{
    int r = copy_extents(from, 0, (off_t)size, out, cancel_fd);
    return r < 0 ? r : lengthen(out, size);
}
