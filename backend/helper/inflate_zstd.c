#include "inflate.h"

#include <errno.h>
#include <stdlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#define WINDOW_LOG_MAX                                                                             \
    27 /* INFLATE_MEMORY_BYTES; what `zstd` itself decodes without being asked                     \
        */

struct zstd {
    ZSTD_DCtx *ctx;
    bool inside; /* a frame has begun and not ended */
    uint8_t out[INFLATE_OUT_BYTES];
};

static void zstd_close(void *state)
{
    struct zstd *z = state;
    ZSTD_freeDCtx(z->ctx);
    free(z);
}

static void *zstd_open(void)
{
    struct zstd *z = malloc(sizeof *z);
    if (!z)
        return NULL;
    z->inside = false;
    z->ctx = ZSTD_createDCtx();
    if (!z->ctx ||
        ZSTD_isError(ZSTD_DCtx_setParameter(z->ctx, ZSTD_d_windowLogMax, WINDOW_LOG_MAX))) {
        zstd_close(z);
        return NULL;
    }
    return z;
}

static int failed(size_t r, struct err *err)
{
    switch (ZSTD_getErrorCode(r)) {
    case ZSTD_error_frameParameter_windowTooLarge:
        return err_set(err, ERR_UNSUPPORTED_FORMAT, EFBIG,
                       "tar.zst: needs a window of more than %d MiB", 1 << (WINDOW_LOG_MAX - 20));
    case ZSTD_error_memory_allocation:
        return err_set(err, ERR_INTERNAL, ENOMEM, "tar.zst: out of memory");
    default:
        return inflate_corrupt(err, FORMAT_ZSTD, ZSTD_getErrorName(r));
    }
}

static int zstd_run(void *state, struct span *in, struct span *out, struct err *err)
{
    struct zstd *z = state;
    ZSTD_inBuffer from = {in->data, in->len, 0};
    ZSTD_outBuffer to = {z->out, sizeof z->out, 0};
    do {
        size_t r = ZSTD_decompressStream(z->ctx, &to, &from);
        if (ZSTD_isError(r))
            return failed(r, err);
        z->inside = r != 0;
    } while (to.pos < to.size && from.pos < from.size);
    *in = (struct span){in->data + from.pos, in->len - from.pos};
    *out = (struct span){z->out, to.pos};
    return z->inside && to.pos == to.size;
}

static int zstd_finish(void *state, struct err *err)
{
    const struct zstd *z = state;
    return z->inside ? inflate_truncated(err, FORMAT_ZSTD) : 0;
}

const struct codec inflate_zstd = {
    .format = FORMAT_ZSTD,
    .open = zstd_open,
    .run = zstd_run,
    .finish = zstd_finish,
    .close = zstd_close,
};
