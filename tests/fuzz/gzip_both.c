/* ISA-L's gzip against zlib's: what the one takes the other takes, and makes the same of it. */
#include "fuzz.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "inflate.h"

#include <string.h>

#define OUTPUT_MAX ((size_t)1 << 20)

extern const struct codec inflate_gzip_zlib; /* inflate_gzip_zlib.c, under another name */

struct outcome {
    bool good, cut; /* cut: it was too long to be looked at to its end */
    struct text output;
};

static void run(const struct codec *codec, const uint8_t *data, size_t size, struct outcome *o)
{
    struct span in = {data, size};
    struct err err = {0};
    void *state = codec->open();
    int r = 1;
    FUZZ_MUST(state);
    while (!o->cut && r >= 0 && (r > 0 || in.len > 0)) {
        struct span out = {0};
        r = codec->run(state, &in, &out, &err);
        if (r >= 0)
            text_addn(&o->output, (const char *)out.data, out.len);
        o->cut = o->output.len > OUTPUT_MAX;
    }
    if (r >= 0 && !o->cut)
        r = codec->finish(state, &err);
    codec->close(state);
    FUZZ_MUST(!o->output.failed);
    o->good = r >= 0;
    if (r < 0)
        fuzz_error(r, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct outcome isal = {0}, zlib = {0};
    run(&inflate_gzip, data, size, &isal);
    run(&inflate_gzip_zlib, data, size, &zlib);
    if (!isal.cut && !zlib.cut) {
        FUZZ_MUST(isal.good == zlib.good);
        FUZZ_MUST(!isal.good || (isal.output.len == zlib.output.len &&
                                 (isal.output.len == 0 || memcmp(isal.output.data, zlib.output.data,
                                                                 isal.output.len) == 0)));
    }
    text_free(&isal.output);
    text_free(&zlib.output);
    return 0;
}
