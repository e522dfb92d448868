/* One decompressor, over whatever it is given: FUZZ_FORMAT says which. */
#include "fuzz.h"

#include "base/cleanup.h"
#include "inflate.h"

#include <string.h>

#define OUTPUT_MAX (8 << 20) /* after that it has shown what it can */

/* What was taken in order to get there must stay within the input, and each piece be readable. */
static void drain(struct inflate *inf, size_t size)
{
    struct err err = {0};
    const void *piece;
    ssize_t n;
    uint64_t produced = 0;
    volatile uint8_t sum = 0;
    while ((n = inflate_next(inf, &piece, &err)) > 0) {
        sum = (uint8_t)(sum + ((const uint8_t *)piece)[0] + ((const uint8_t *)piece)[n - 1]);
        produced += (uint64_t)n;
        FUZZ_MUST((size_t)n <= INFLATE_OUT_BYTES || inf->codec->format == FORMAT_ZSTD);
        FUZZ_MUST(inf->produced == produced && inf->consumed <= size);
        if (produced > OUTPUT_MAX)
            return;
    }
    if (n < 0)
        fuzz_error((int)n, &err);
    else
        FUZZ_MUST(inf->consumed == size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct inflate inf;
    struct err err = {0};
    if (format_sniff(data, size) != FUZZ_FORMAT)
        return 0;
    int fd CLEANUP_CLOSE = fuzz_file(data, size);
    FUZZ_MUST(inflate_init(&inf, fd, &err) == 0);
    FUZZ_MUST(inflate_start(&inf, &err) == 0);
    drain(&inf, size);
    inflate_free(&inf);
    return 0;
}
