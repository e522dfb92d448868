/* io: whole reads and writes, interrupted calls taken up again. Any thread. */
#ifndef BASE_IO_H
#define BASE_IO_H

#include <dirent.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* 0 or -errno; all n bytes were written. */
int io_write(int fd, const void *buf, size_t n);

/* Bytes read, short only at the end of the file; or -errno. */
ssize_t io_read(int fd, void *buf, size_t n);

/* The same at places of their own: the file's position stays. */
int io_pwrite(int fd, const void *buf, size_t n, int64_t at);
ssize_t io_pread(int fd, void *buf, size_t n, int64_t at);

/* Has the kernel begin to write back what a growing file of now `size` bytes has behind *begun, if
 * that is worth it, so that the fsync at the end finds little left to do. */
void io_write_behind(int fd, int64_t *begun, int64_t size);

/* A stream of dirfd's names, from the first one on and with a position of its own. NULL: errno says
 * why. */
DIR *io_list(int dirfd);

/* Removes everything below dirfd/name, and it; a missing name is success. Iterative: the depth of
 * the tree costs neither stack nor descriptors. Never follows a symlink, never crosses a mount.
 * Returns 0 or -errno. */
int io_remove_tree(int dirfd, const char *name);

#endif
