#include "stages/export/sparse.h"

#include "base/array.h"
#include "base/io.h"
#include "stages/export/pax.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_zero(const char *block, size_t n)
{
    return n == 0 || (block[0] == 0 && memcmp(block, block + 1, n - 1) == 0);
}

/* Is any of the blocks that are looked at first zeros? A file that has got shorter is none of our
 * business here. */
static int may_have_holes(int fd, int64_t size, char *room, struct flow *flow)
{
    for (int64_t at = 0; at < size; at += SPARSE_STEP) {
        size_t n = size - at < SPARSE_BLOCK ? (size_t)(size - at) : SPARSE_BLOCK;
        ssize_t got = io_pread(fd, room, n, at);
        if (got < 0 || flow_is_broken(flow))
            return got < 0 ? (int)got : -ECANCELED;
        if ((size_t)got == n && is_zero(room, n))
            return 1;
    }
    return 0;
}

/* --- a look at all of it */

struct scan {
    struct sparse *sparse;
    int64_t data; /* where what is no hole begins */
    int64_t hole; /* where the zeros do that were seen last; -1: something came behind them */
    bool failed;
};

static void add_extent(struct scan *scan, int64_t end)
{
    struct sparse *s = scan->sparse;
    struct sparse_extent *data = array_more(s->data, s->count, &s->capacity, sizeof *data);
    scan->failed |= !data;
    if (!data)
        return;
    s->data = data;
    s->data[s->count++] = (struct sparse_extent){scan->data, end - scan->data};
    s->bytes += end - scan->data;
}

/* The zeros that there were end at `end`. */
static void end_hole(struct scan *scan, int64_t end)
{
    bool more = scan->sparse->count < SPARSE_EXTENTS;
    if (more && scan->hole >= 0 && end - scan->hole >= SPARSE_MIN) {
        if (scan->hole > scan->data)
            add_extent(scan, scan->hole);
        scan->data = end;
    }
    scan->hole = -1;
}

static void see(struct scan *scan, const char *bytes, size_t n, int64_t at)
{
    for (size_t i = 0; i < n; i += SPARSE_BLOCK) {
        if (!is_zero(bytes + i, n - i < SPARSE_BLOCK ? n - i : SPARSE_BLOCK))
            end_hole(scan, at + (int64_t)i);
        else if (scan->hole < 0)
            scan->hole = at + (int64_t)i;
    }
}

/* What the file system knows to be a hole need not be read. */
static int64_t skip_hole(int fd, int64_t at, int64_t size)
{
    off_t data = lseek(fd, at, SEEK_DATA);
    if (data < 0)
        return errno == ENXIO ? size : at;
    return data >= size ? size : data / SPARSE_BLOCK * SPARSE_BLOCK;
}

/* Returns where it has stopped, or -errno. */
static int64_t scan_all(struct scan *scan, int fd, int64_t size, char *room, size_t n,
                        struct flow *flow)
{
    int64_t at = 0;
    while (at < size && scan->sparse->count < SPARSE_EXTENTS && !scan->failed) {
        int64_t data = scan->hole >= 0 ? skip_hole(fd, at, size) : at;
        size_t want = size - data < (int64_t)n ? (size_t)(size - data) : n;
        ssize_t got = io_pread(fd, room, want, data);
        if (got < 0 || flow_is_broken(flow))
            return got < 0 ? got : -ECANCELED;
        memset(room + got, 0, want - (size_t)got);
        see(scan, room, want, data);
        at = data + (int64_t)want;
    }
    return at;
}

static void make_map(struct sparse *s)
{
    s->map.len = 0;
    text_addf(&s->map, "%zu\n", s->count);
    for (size_t i = 0; i < s->count; i++)
        text_addf(&s->map, "%lld\n%lld\n", (long long)s->data[i].at, (long long)s->data[i].size);
    static const char zeros[PAX_BLOCK];
    text_addn(&s->map, zeros, pax_padding((int64_t)s->map.len));
}

int sparse_find(struct sparse *s, int fd, int64_t size, void *room, size_t n, struct flow *flow)
{
    int r = size > SPARSE_STEP ? may_have_holes(fd, size, room, flow) : 0;
    if (r <= 0)
        return r;
    struct scan scan = {.sparse = s, .hole = -1};
    s->count = 0;
    s->bytes = 0;
    int64_t seen = scan_all(&scan, fd, size, room, n, flow);
    if (seen < 0)
        return (int)seen;
    if (seen == size)
        end_hole(&scan, size);
    if (s->count == 0 && scan.data == 0)
        return scan.failed ? -ENOMEM : 0;
    add_extent(&scan, size);
    make_map(s);
    return scan.failed || s->map.failed ? -ENOMEM : 1;
}

void sparse_free(struct sparse *s)
{
    free(s->data);
    text_free(&s->map);
    *s = (struct sparse){0};
}
