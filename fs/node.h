/* node: an inode, looked up: what stands behind it, and what the kernel is told of it. Any thread.
 */
#ifndef FS_NODE_H
#define FS_NODE_H

#include "fs/ops.h"
#include "fs/tree.h"

/* How long the kernel may answer for us, in seconds. Names that the tree always has stay: whatever
 * is done with them asks us, or finds that nobody answers any more. An image's name is looked up
 * each time, and what lies in its folder is as sure as that. Attributes of folders are asked for at
 * each step of a path: a second of those is worth it. So is one of an image's folder that was
 * listed: whoever lists them looks at each. It may be removed in that time, see ops_vanished(). */
#define NODE_FOREVER 86400.0
#define NODE_FOLDER  1.0

struct node {
    enum tree_node node;
    uint64_t of; /* the number in its inode */
    union {
        struct backend_view view;         /* of an image's nodes */
        struct backend_snapshot snapshot; /* of a snapshot's */
        struct backend_import_view import;
    };
};

static inline struct ops *node_ops(fuse_req_t req)
{
    return fuse_req_userdata(req);
}

/* false: the inode stands for nothing (any more). */
bool node_find(const struct ops *o, fuse_ino_t inode, struct node *n);
/* A folder's child. Likewise. */
bool node_find_child(const struct ops *o, fuse_ino_t folder, const char *name, struct node *n);
/* What such an inode is answered: ESTALE makes the kernel look the path up again, and find that it
 * is gone, or another image of that name. */
int node_absence(const struct ops *o, fuse_ino_t inode);
/* Is what the inode is of still there? */
bool node_is_there(const struct ops *o, fuse_ino_t inode);

struct timespec node_time(int64_t ms); /* since 1970 */

/* Its contents; false: no memory. */
bool node_show(const struct ops *o, const struct node *n, struct text *out, int64_t *changed);
/* Of the open file fi, if not NULL, for that process, if not 0. */
void node_attr(const struct ops *o, const struct node *n, const struct fuse_file_info *fi,
               pid_t asker, struct stat *st);
void node_entry(const struct ops *o, const struct node *n, struct fuse_entry_param *e);

#endif
