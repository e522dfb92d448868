#include "contents.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "base/wire.h"

#include <string.h>

#define GATHER_BYTES ((size_t)256 * 1024)
#define GATHER_MAX   ((size_t)32 * 1024) /* larger pieces are written from where they lie */

int contents_init(struct contents *c, int fd, struct err *err)
{
    *c = (struct contents){.fd = fd, .ended = WIRE_BLOCK, .gathered = malloc(GATHER_BYTES)};
    if (!c->gathered)
        return err_set(err, ERR_INTERNAL, ENOMEM, "out of memory");
    return 0;
}

void contents_free(struct contents *c)
{
    free(c->gathered);
    *c = (struct contents){.fd = -1};
}

static int write_at(struct contents *c, uint64_t at, const uint8_t *data, size_t n, struct err *err)
{
    int r = io_pwrite(c->fd, data, n, (int64_t)at);
    if (r < 0)
        return err_sys(err, -r, "cannot write the unpacked data");
    if (at + n > c->written)
        c->written = at + n;
    return 0;
}

static int write_gathered(struct contents *c, struct err *err)
{
    int r = write_at(c, c->at, c->gathered, c->len, err);
    c->len = 0;
    return r;
}

int contents_begin(struct contents *c, uint64_t size, uint64_t *offset, struct err *err)
{
    uint64_t end;
    if (__builtin_add_overflow(c->ended, size, &end) || end > INT64_MAX - WIRE_BLOCK)
        return err_set(err, ERR_TOO_LARGE_TOTAL, EFBIG, "more contents than a file can hold");
    c->start = c->ended;
    c->size = size;
    c->pos = 0;
    *offset = size ? c->start : 0;
    return 0;
}

/* Puts a piece behind what is gathered, zeros in the gap between. A whole block of gap is kept as a
 * hole. */
static int gather(struct contents *c, uint64_t at, const void *data, size_t n, struct err *err)
{
    uint64_t gap = at - (c->at + c->len);
    if (c->len > 0 && (gap >= WIRE_BLOCK || c->len + gap + n > GATHER_BYTES)) {
        int r = write_gathered(c, err);
        if (r < 0)
            return r;
    }
    if (c->len == 0) {
        c->at = at;
        gap = 0;
    }
    memset(c->gathered + c->len, 0, gap);
    memcpy(c->gathered + c->len + gap, data, n);
    c->len += gap + n;
    return 0;
}

int contents_write(struct contents *c, int64_t offset, const void *data, size_t n, struct err *err)
{
    uint64_t end;
    if (offset < 0 || (uint64_t)offset < c->pos ||
        __builtin_add_overflow((uint64_t)offset, (uint64_t)n, &end) || end > c->size)
        return err_set(err, ERR_CORRUPT_ARCHIVE, EBADMSG,
                       "contents out of order or beyond the file's size");
    c->pos = end;
    uint64_t at = c->start + (uint64_t)offset;
    if (n <= GATHER_MAX)
        return gather(c, at, data, n, err);
    int r = write_gathered(c, err);
    return r < 0 ? r : write_at(c, at, data, n, err);
}

void contents_end(struct contents *c)
{
    uint64_t end = c->start + c->size;
    c->ended = (end + WIRE_BLOCK - 1) / WIRE_BLOCK * WIRE_BLOCK;
}

int contents_flush(struct contents *c, struct err *err)
{
    int r = write_gathered(c, err);
    if (r < 0 || c->written >= c->ended)
        return r;
    while (ftruncate(c->fd, (off_t)c->ended) < 0)
        if (errno != EINTR)
            return err_sys(err, errno, "cannot extend the unpacked data");
    c->written = c->ended;
    return 0;
}
