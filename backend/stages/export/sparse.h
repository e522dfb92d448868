/* sparse: where a file's contents are nothing but zeros, told by them alone.
 *
 * A file system's own word on holes would differ with where a file lies: an image tells none, and
 * the layer over it does. The same contents give the same map here, whatever holds them. One
 * thread. */
#ifndef EXPORT_SPARSE_H
#define EXPORT_SPARSE_H

#include "base/flow.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SPARSE_BLOCK 4096      /* holes begin and end at multiples of this, or with the file */
#define SPARSE_MIN   (1 << 16) /* bytes of the shortest hole that is worth its line in the map */
#define SPARSE_STEP                                                                                \
    (1 << 20) /* files that are longer are looked at: a block each so many bytes,                  \
                 and all of one in which any of those is zeros. No hole that is as                 \
                 long is missed, and a file without one costs a hundredth more */
#define SPARSE_EXTENTS (1 << 15) /* of one file at most; what is behind them is not looked at */

struct sparse_extent {
    int64_t at, size; /* bytes */
};

/* Zeroed at first; used again for the next file. */
struct sparse {
    struct sparse_extent *data; /* what is no hole, in order; a last one of 0 bytes at the end of a
                                   file that ends in a hole */
    size_t count, capacity;
    int64_t bytes;   /* of all of them */
    struct text map; /* as it stands in an archive: GNU's format 1.0, padded to PAX_BLOCK */
};

/* Looks at `size` bytes of a regular file; the file's position is lost. 1: it has holes, and *s
 * says where. 0: none that is worth it. Or -errno; -ECANCELED once the flow is broken off.
 * `room` is for reading, a multiple of SPARSE_BLOCK. */
int sparse_find(struct sparse *s, int fd, int64_t size, void *room, size_t n, struct flow *flow);

void sparse_free(struct sparse *s);

#endif
