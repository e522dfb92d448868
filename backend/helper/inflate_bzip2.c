#include "inflate.h"

#include <bzlib.h>
#include <errno.h>
#include <stdlib.h>

struct bzip2 {
    bz_stream bz;
    bool inside; /* a stream has begun and not ended */
    char out[INFLATE_OUT_BYTES];
};

static void *bzip2_open(void)
{
    return calloc(1, sizeof(struct bzip2));
}

static int failed(int r, struct err *err)
{
    switch (r) {
    case BZ_MEM_ERROR:
        return err_set(err, ERR_INTERNAL, ENOMEM, "tar.bz2: out of memory");
    case BZ_DATA_ERROR_MAGIC:
        return inflate_corrupt(err, FORMAT_BZIP2, "bytes that are no bzip2 stream");
    default:
        return inflate_corrupt(err, FORMAT_BZIP2, "invalid compressed data or wrong CRC");
    }
}

/* One call of the decoder; libbz2 wants a fresh one for each stream. */
static int step(struct bzip2 *b, struct err *err)
{
    if (!b->inside) {
        b->bz.bzalloc = NULL;
        b->bz.bzfree = NULL;
        if (BZ2_bzDecompressInit(&b->bz, 0, 0) != BZ_OK)
            return failed(BZ_MEM_ERROR, err);
        b->inside = true;
    }
    int r = BZ2_bzDecompress(&b->bz);
    if (r == BZ_STREAM_END) {
        BZ2_bzDecompressEnd(&b->bz);
        b->inside = false;
        return 0;
    }
    return r == BZ_OK ? 0 : failed(r, err);
}

static int bzip2_run(void *state, struct span *in, struct span *out, struct err *err)
{
    struct bzip2 *b = state;
    b->bz.next_in = (char *)in->data; /* libbz2 reads it only */
    b->bz.avail_in = (unsigned)in->len;
    b->bz.next_out = b->out;
    b->bz.avail_out = sizeof b->out;
    bool full = true;
    do {
        int r = step(b, err);
        if (r < 0)
            return r;
        full = b->inside && b->bz.avail_out == 0;
    } while (!full && b->bz.avail_in > 0);
    *in = (struct span){(const uint8_t *)b->bz.next_in, b->bz.avail_in};
    *out = (struct span){(const uint8_t *)b->out, sizeof b->out - b->bz.avail_out};
    return full;
}

static int bzip2_finish(void *state, struct err *err)
{
    const struct bzip2 *b = state;
    return b->inside ? inflate_truncated(err, FORMAT_BZIP2) : 0;
}

static void bzip2_close(void *state)
{
    struct bzip2 *b = state;
    if (b->inside)
        BZ2_bzDecompressEnd(&b->bz);
    free(b);
}

const struct codec inflate_bzip2 = {
    .format = FORMAT_BZIP2,
    .open = bzip2_open,
    .run = bzip2_run,
    .finish = bzip2_finish,
    .close = bzip2_close,
};
