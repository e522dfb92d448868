/* link_copy: a copy in place of a hard link.
 *
 * fuse-overlayfs writes through whichever name of an image's file it met first, and finds what was
 * written under none of them once it is started anew. So where it lies on top no file of an image
 * has two names. (The kernel's overlay gives the name that is written to a file of its own, too.)
 */
#ifndef UNPACK_LINK_COPY_H
#define UNPACK_LINK_COPY_H

#include <stdint.h>

/* Makes at/name a file as target_at/target is one, contents (shared, where the file system can),
 * xattrs of users, mode and times; what is no file, or may not be read, is linked after all: it
 * cannot be written to either. *left is the bytes that copies may still have. 0, -EFBIG if that is
 * not enough, -ECANCELED once cancel_fd asks for it, or -errno. */
int link_copy(int target_at, const char *target, int at, const char *name, int64_t *left,
              int cancel_fd);

#endif
