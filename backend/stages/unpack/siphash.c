#include "stages/unpack/siphash.h"

#include <string.h>

static uint64_t rotl(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static void round_(uint64_t v[static 4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotl(v[1], 13) ^ v[0];
    v[3] = rotl(v[3], 16) ^ v[2];
    v[0] = rotl(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotl(v[1], 17) ^ v[2];
    v[3] = rotl(v[3], 21) ^ v[0];
    v[2] = rotl(v[2], 32);
}

static void take(uint64_t v[static 4], uint64_t word)
{
    v[3] ^= word;
    round_(v);
    v[0] ^= word;
}

uint64_t siphash(const uint64_t key[static 2], const void *bytes, size_t n)
{
    uint64_t v[4] = {
        key[0] ^ 0x736f6d6570736575, /* the constants are the algorithm's own */
        key[1] ^ 0x646f72616e646f6d,
        key[0] ^ 0x6c7967656e657261,
        key[1] ^ 0x7465646279746573,
    };
    const unsigned char *p = bytes;
    uint64_t last = (uint64_t)n << 56, word;
    for (; n >= 8; n -= 8, p += 8) {
        memcpy(&word, p, 8);
        take(v, word);
    }
    for (size_t i = 0; i < n; i++)
        last |= (uint64_t)p[i] << (8 * i);
    take(v, last);
    v[2] ^= 0xff;
    round_(v);
    round_(v);
    round_(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}
