/* gzip by zlib, where ISA-L is missing. It checks CRC-32 and ISIZE of each member. */
#include "inflate.h"

#include <stdlib.h>
#include <zlib.h>

struct gzip {
    z_stream z;
    bool inside; /* a member has begun and not ended */
    uint8_t out[INFLATE_OUT_BYTES];
};

static void *gzip_open(void)
{
    struct gzip *gz = calloc(1, sizeof *gz);
    if (gz && inflateInit2(&gz->z, 15 + 16) != Z_OK) {
        free(gz);
        return NULL;
    }
    return gz;
}

/* One call of the decoder; a member that ends makes room for the next. */
static int step(struct gzip *gz, struct err *err)
{
    gz->inside = true;
    int r = inflate(&gz->z, Z_NO_FLUSH);
    if (r == Z_STREAM_END) {
        gz->inside = false;
        inflateReset(&gz->z);
        return 0;
    }
    if (r != Z_OK && r != Z_BUF_ERROR)
        return inflate_corrupt(err, FORMAT_GZIP, gz->z.msg ? gz->z.msg : "invalid compressed data");
    return 0;
}

static int gzip_run(void *state, struct span *in, struct span *out, struct err *err)
{
    struct gzip *gz = state;
    gz->z.next_in = (Bytef *)in->data; /* zlib reads it only */
    gz->z.avail_in = (uInt)in->len;
    gz->z.next_out = gz->out;
    gz->z.avail_out = sizeof gz->out;
    bool full = true;
    do {
        int r = step(gz, err);
        if (r < 0)
            return r;
        full = gz->inside && gz->z.avail_out == 0;
    } while (!full && gz->z.avail_in > 0);
    *in = (struct span){gz->z.next_in, gz->z.avail_in};
    *out = (struct span){gz->out, sizeof gz->out - gz->z.avail_out};
    return full;
}

static int gzip_finish(void *state, struct err *err)
{
    const struct gzip *gz = state;
    return gz->inside ? inflate_truncated(err, FORMAT_GZIP) : 0;
}

static void gzip_close(void *state)
{
    struct gzip *gz = state;
    inflateEnd(&gz->z);
    free(gz);
}

const struct codec inflate_gzip = {
    .format = FORMAT_GZIP,
    .open = gzip_open,
    .run = gzip_run,
    .finish = gzip_finish,
    .close = gzip_close,
};
