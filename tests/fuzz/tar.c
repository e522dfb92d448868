/* The helper's whole work over an archive, compressed or not; then its records through the parent's
 * gate, and its data file against them. */
#include "fuzz.h"
#include "tar_parent.h"
#include "unpack.h"

#include "base/cleanup.h"

#include <string.h>
#include <sys/stat.h>

static const struct limits limits = {2000, 1 << 20, 4 << 20, INT64_MAX};

static int run(int archive, int data, int records)
{
    static struct unpack u;
    struct err err = {0};
    FUZZ_MUST(unpack_init(&u, &limits, archive, data, records, &err) == 0);
    int r = unpack_run(&u, &err);
    if (r < 0)
        fuzz_error(r, &err);
    FUZZ_MUST(err.code != ERR_INTERNAL);
    FUZZ_MUST(emit_last(&u.emit, r < 0 ? &err : NULL, u.inflate.consumed) == 0);
    unpack_free(&u);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct stat st;
    int archive CLEANUP_CLOSE = fuzz_file(data, size);
    int contents CLEANUP_CLOSE = fuzz_file("", 0);
    int records CLEANUP_CLOSE = fuzz_file("", 0);
    bool failed = run(archive, contents, records) < 0;
    FUZZ_MUST(fstat(contents, &st) == 0 && st.st_size <= unpack_data_max(&limits));
    tar_parent_check(records, &limits, size % 2 ? POLICY_FAITHFUL : POLICY_STRICT,
                     (uint64_t)st.st_size, failed);
    return 0;
}

#ifdef FUZZING
/* A header whose checksum is wrong goes nowhere: each that looks like one gets its own. */
static void seal(uint8_t *h)
{
    unsigned sum = 0;
    memset(h + 148, ' ', 8);
    for (size_t i = 0; i < 512; i++)
        sum += h[i];
    for (size_t i = 6; i > 0; i--, sum /= 8)
        h[148 + i - 1] = (uint8_t)('0' + sum % 8);
    h[154] = '\0';
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    size = LLVMFuzzerMutate(data, size, max);
    for (size_t at = 0; seed % 16 && at + 512 <= size; at += 512)
        if (memcmp(data + at + 257, "ustar", 5) == 0)
            seal(data + at);
    return size;
}
#endif
