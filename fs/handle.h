/* handle: an open file or directory of the tree. One thread at a time holds its lock. */
#ifndef FS_HANDLE_H
#define FS_HANDLE_H

#include "base/lock.h"
#include "fs/tree.h"

struct handle {
    struct lock lock; /* guards all below */
    struct text text; /* what a read at offset 0 made, for the reads that follow it */
    bool torn;        /* a write ended in mid-line: no more of them */
};

struct handle_entry {
    uint64_t inode;
    size_t at;        /* of its name among the folder's */
    const char *name; /* once it is listed */
};

/* A directory as it was when it was opened. Read-only, once it is listed. */
struct handle_dir {
    size_t count, capacity;
    struct handle_entry *entries; /* `.` and `..` first */
    struct text names;            /* each with its NUL */
};

struct handle *handle_new(void);
void handle_free(struct handle *h);

/* NULL: out of memory. */
struct handle_dir *handle_list(struct backend *backend, enum tree_node node, uint64_t of);
/* One more, for tree_children's list. 0 or -ENOMEM. */
int handle_add(struct handle_dir *d, uint64_t inode, const char *name);
void handle_free_dir(struct handle_dir *d);

#endif
