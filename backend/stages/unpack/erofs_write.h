/* erofs_write: writes the metadata of a placed tree behind the contents, and the superblock before
 * them. One thread. */
#ifndef UNPACK_EROFS_WRITE_H
#define UNPACK_EROFS_WRITE_H

#include "stages/unpack/erofs_tree.h"

/* fd holds the contents up to `end`, a multiple of EROFS_BLOCK, and nothing in its first block; it
 * is an image afterwards. The same tree gives the same bytes. 0 or a negative errno; -EFBIG if it
 * has more blocks than the format can count. */
int erofs_write(struct erofs_tree *t, int fd, uint64_t end);

#endif
