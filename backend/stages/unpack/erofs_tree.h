/* erofs_tree: the inodes of an image and their places in its metadata.
 *
 * The metadata are two runs of blocks behind the contents: the inodes, each with its xattrs and,
 * where it fits the block, a symlink's target or a directory's last names; then the full blocks of
 * directories, and what did not fit. Both are in the order in which a walk of the tree asks for
 * them: a directory's names, their inodes, then the directories among them. One thread. */
#ifndef UNPACK_EROFS_TREE_H
#define UNPACK_EROFS_TREE_H

#include "stages/unpack/entry.h"
#include "stages/unpack/erofs.h"
#include "stages/unpack/heap.h"
#include "stages/unpack/namespace.h"

#define EROFS_TREE_NONE UINT32_MAX

struct erofs_tree_inode {
    uint64_t size;    /* of a directory: of its names, once placed */
    uint64_t strings; /* in the heap: the xattrs as on disk, then a symlink's target */
    int64_t mtime;
    uint64_t place; /* once placed: bytes from the metadata's begin */
    uint32_t mtime_nsec, uid, gid, rdev;
    uint32_t block;       /* the first, of a file's contents; else from the second run's begin */
    uint32_t nlink;       /* 0 until it is placed */
    uint16_t mode;        /* type and permissions, as in st_mode */
    uint16_t xattrs_size; /* bytes of xattrs on disk, their header included */
    uint16_t inlined;     /* bytes of size that lie behind the inode */
};

struct erofs_tree {
    struct erofs_tree_inode *inodes;
    size_t count, capacity;
    uint32_t *inode_of; /* by node; EROFS_TREE_NONE: a directory that is only implied, or none */
    size_t nodes;
    struct heap heap;

    /* Once placed. */
    const struct namespace *ns;
    uint32_t *first;    /* by node, and one more: where its children begin in `children` */
    uint32_t *children; /* each directory's, by name */
    uint64_t inode_bytes, names_blocks; /* the length of either run */
};

#define EROFS_TREE_INIT(dirfd)                                                                     \
    {                                                                                              \
        .heap = HEAP_INIT(dirfd)                                                                   \
    }

/* Makes a new inode the node's; what the node was before is forgotten. 0, -ENOMEM, -EINVAL for
 * xattrs that Linux could not hold, or what the heap's file met. */
int erofs_tree_set(struct erofs_tree *t, uint32_t node, const struct entry *e);
/* Gives the node another name's inode. */
int erofs_tree_link(struct erofs_tree *t, uint32_t node, uint32_t target);
/* Once all are there: sorts the names, places the inodes. 0 or a negative errno. */
int erofs_tree_place(struct erofs_tree *t, const struct namespace *ns);
void erofs_tree_free(struct erofs_tree *t);

struct erofs_tree_inode *erofs_tree_inode(const struct erofs_tree *t, uint32_t node);

/* Calls each with every node in the order of the places, the root first: a name, which may be a
 * second one of its inode. Stops at the first negative. */
int erofs_tree_walk(struct erofs_tree *t,
                    int (*each)(struct erofs_tree *t, uint32_t node, void *ctx), void *ctx);

/* A directory's names in their order, `.` and `..` among them. */
struct erofs_tree_names {
    const struct erofs_tree *tree;
    uint32_t dir, at;
    unsigned dots;
    /* What erofs_tree_next found. */
    uint32_t node;
    const char *name;
    size_t len;
};
#define EROFS_TREE_NAMES(tree_, dir_)                                                              \
    (struct erofs_tree_names)                                                                      \
    {                                                                                              \
        .tree = (tree_), .dir = (dir_), .at = (tree_)->first[dir_]                                 \
    }
bool erofs_tree_next(struct erofs_tree_names *n);

#endif
