/* contents: a file's bytes out of the data file, holes left as holes.
 *
 * The range is what the helper claims: nothing outside the data file can be read through it, what
 * the data file lacks reads as zeros. One thread. */
#ifndef UNPACK_CONTENTS_H
#define UNPACK_CONTENTS_H

#include <stdint.h>

/* Makes `out`, a new empty file, `size` bytes long, with those at `offset` of data. 0, -ECANCELED
 * once cancel_fd (-1: none) is readable, or another negative errno. */
int contents_copy(int data, uint64_t offset, uint64_t size, int out, int cancel_fd);

/* The same of a whole file of that size. */
int contents_copy_file(int from, uint64_t size, int out, int cancel_fd);

#endif
