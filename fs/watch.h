/* watch: what the replayer (replay.h) is answered. It does what has happened already: so each call
 * is answered as if it did it, from the command that it was given alone, and changes nothing.
 *
 * Each returns whether it was the replayer's call, and is answered; else it is for ops.c. The
 * replayer is known by the number of its process, and its open files by what stands for them. */
#ifndef FS_WATCH_H
#define FS_WATCH_H

#include "fs/node.h"

bool watch_lookup(fuse_req_t req, fuse_ino_t folder, const char *name);
bool watch_getattr(fuse_req_t req, fuse_ino_t inode);
bool watch_mkdir(fuse_req_t req, fuse_ino_t folder, const char *name);
bool watch_symlink(fuse_req_t req, fuse_ino_t folder, const char *name);
bool watch_open(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *fi);
bool watch_write(fuse_req_t req, const struct fuse_file_info *fi, size_t size);
/* Flush and release, which come with no number of a process. */
bool watch_close(fuse_req_t req, const struct fuse_file_info *fi);
/* Unlink and rmdir. */
bool watch_remove(fuse_req_t req, fuse_ino_t folder, const char *name);

#endif
