/* write: what users ask for, from the bytes of a write(2) or an rmdir(2) to the answer.
 *
 * Every refusal is explained in ctl/error_log before it is answered. */
#ifndef FS_WRITE_H
#define FS_WRITE_H

#include "fs/handle.h"
#include "fs/ops.h"

void write_control(fuse_req_t req, enum tree_node node, struct handle *h, const char *bytes,
                   size_t size);

/* For opening a file to write it, and for changing what is not the user's to change. */
void write_refuse(fuse_req_t req, enum tree_node node, uint64_t of, int num, const char *reason);
/* EPERM for making, removing or renaming a child. */
void write_refuse_child(fuse_req_t req, enum tree_node parent, uint64_t of, const char *name);
/* With that line in error_log. */
void write_refuse_path(fuse_req_t req, const char *path, int num, const char *reason);

/* As error_log names it; false: what it is of is gone, and that was the answer. */
bool write_path(fuse_req_t req, enum tree_node node, uint64_t of, struct text *path);

#endif
