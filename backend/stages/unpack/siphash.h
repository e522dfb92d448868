/* siphash: SipHash-1-3 (Aumasson, Bernstein), a keyed hash: who does not know the key cannot make
 * names collide. Pure; any thread. */
#ifndef UNPACK_SIPHASH_H
#define UNPACK_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t siphash(const uint64_t key[static 2], const void *bytes, size_t n);

#endif
