/* Mutations of an xz stream that its own checksums let through: each header gets the right one. */
#include "fuzz.h"

#ifdef FUZZING
#include <lzma.h>
#include <string.h>

static void seal(uint8_t *begin, uint8_t *end)
{
    uint32_t crc = lzma_crc32(begin, (size_t)(end - begin), 0);
    for (size_t i = 0; i < sizeof crc; i++)
        end[i] = (uint8_t)(crc >> 8 * i);
}

/* The stream header's twelve bytes, then the first block's header, whose first byte is its size in
 * words less one. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    size = LLVMFuzzerMutate(data, size, max);
    if (seed % 16 == 0 || size < 13 ||
        memcmp(data,
               "\xfd"
               "7zXZ",
               6) != 0)
        return size;
    seal(data + 6, data + 8);
    size_t block = ((size_t)data[12] + 1) * 4;
    if (data[12] != 0 && 12 + block <= size)
        seal(data + 12, data + 12 + block - 4);
    return size;
}
#endif
