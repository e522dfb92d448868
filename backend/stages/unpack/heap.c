#include "stages/unpack/heap.h"

#include "base/cleanup.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define BUFFER (64 * 1024)

static int flush(struct heap *h)
{
    if (h->fd < 0)
        h->fd = openat(h->dirfd, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    int r = h->fd < 0 ? -errno : io_write(h->fd, h->buffer, h->held);
    if (r == 0)
        h->held = 0;
    return r;
}

int64_t heap_add(struct heap *h, const void *bytes, size_t n)
{
    uint64_t at = h->end;
    if (!h->buffer && !(h->buffer = malloc(BUFFER)))
        return -ENOMEM;
    for (size_t some; n > 0; n -= some, bytes = (const char *)bytes + some) {
        int r = h->held == BUFFER ? flush(h) : 0;
        if (r < 0)
            return r;
        some = n < BUFFER - h->held ? n : BUFFER - h->held;
        memcpy(h->buffer + h->held, bytes, some);
        h->held += some;
        h->end += some;
    }
    return (int64_t)at;
}

/* What fits the buffer never saw a file. */
int heap_end(struct heap *h)
{
    return h->fd < 0 ? 0 : flush(h);
}

int heap_read(const struct heap *h, uint64_t at, void *bytes, size_t n)
{
    if (h->fd < 0) {
        memcpy(bytes, h->buffer + at, n);
        return 0;
    }
    ssize_t got = io_pread(h->fd, bytes, n, (int64_t)at);
    return got < 0 ? (int)got : (size_t)got < n ? -EIO : 0;
}

void heap_close(struct heap *h)
{
    free(h->buffer);
    if (h->fd >= 0)
        close(h->fd);
    *h = (struct heap)HEAP_INIT(-1);
}
