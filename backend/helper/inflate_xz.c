#include "inflate.h"

#include <errno.h>
#include <lzma.h>
#include <stdlib.h>

struct xz {
    lzma_stream lzma;
    uint8_t out[INFLATE_OUT_BYTES];
};

static void xz_close(void *state)
{
    struct xz *xz = state;
    lzma_end(&xz->lzma);
    free(xz);
}

static void *xz_open(void)
{
    struct xz *xz = malloc(sizeof *xz);
    if (!xz)
        return NULL;
    xz->lzma = (lzma_stream)LZMA_STREAM_INIT;
    /* A check of a kind that liblzma cannot compute would be passed over silently. */
    if (lzma_stream_decoder(&xz->lzma, INFLATE_MEMORY_BYTES,
                            LZMA_CONCATENATED | LZMA_TELL_UNSUPPORTED_CHECK) != LZMA_OK) {
        xz_close(xz);
        return NULL;
    }
    return xz;
}

static int failed(lzma_ret r, struct err *err)
{
    switch (r) {
    case LZMA_MEM_ERROR:
        return err_set(err, ERR_INTERNAL, ENOMEM, "tar.xz: out of memory");
    case LZMA_MEMLIMIT_ERROR:
        return err_set(err, ERR_UNSUPPORTED_FORMAT, EFBIG,
                       "tar.xz: needs more than %d MiB to unpack", INFLATE_MEMORY_BYTES >> 20);
    case LZMA_OPTIONS_ERROR:
        return err_set(err, ERR_UNSUPPORTED_FORMAT, ENOTSUP, "tar.xz: unknown filter or flag");
    case LZMA_UNSUPPORTED_CHECK:
        return err_set(err, ERR_UNSUPPORTED_FORMAT, ENOTSUP,
                       "tar.xz: an integrity check of an unknown kind");
    case LZMA_FORMAT_ERROR:
        return inflate_corrupt(err, FORMAT_XZ, "bytes that are no xz stream");
    default:
        return inflate_corrupt(err, FORMAT_XZ, "invalid compressed data or wrong check");
    }
}

static int xz_run(void *state, struct span *in, struct span *out, struct err *err)
{
    struct xz *xz = state;
    xz->lzma.next_in = in->data;
    xz->lzma.avail_in = in->len;
    xz->lzma.next_out = xz->out;
    xz->lzma.avail_out = sizeof xz->out;
    lzma_ret r = LZMA_OK;
    while (r == LZMA_OK && xz->lzma.avail_out > 0 && xz->lzma.avail_in > 0)
        r = lzma_code(&xz->lzma, LZMA_RUN);
    /* Called again for what the decoder still held, and it held nothing: no error. */
    if (r == LZMA_OK && in->len == 0)
        r = lzma_code(&xz->lzma, LZMA_RUN);
    if (r != LZMA_OK && r != LZMA_BUF_ERROR)
        return failed(r, err);
    *in = (struct span){xz->lzma.next_in, xz->lzma.avail_in};
    *out = (struct span){xz->out, sizeof xz->out - xz->lzma.avail_out};
    return xz->lzma.avail_out == 0;
}

static int xz_finish(void *state, struct err *err)
{
    struct xz *xz = state;
    xz->lzma.avail_in = 0;
    xz->lzma.next_out = xz->out;
    xz->lzma.avail_out = sizeof xz->out;
    lzma_ret r = lzma_code(&xz->lzma, LZMA_FINISH);
    if (r == LZMA_STREAM_END)
        return 0;
    if (r == LZMA_OK || r == LZMA_BUF_ERROR)
        return inflate_truncated(err, FORMAT_XZ);
    return failed(r, err);
}

const struct codec inflate_xz = {
    .format = FORMAT_XZ,
    .open = xz_open,
    .run = xz_run,
    .finish = xz_finish,
    .close = xz_close,
};
