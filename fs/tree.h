/* tree: the virtual tree as one table (nodes.def). A new file for users is one row there.
 *
 * An inode number is an image's id and a node's id packed, so there is no map from inodes to
 * anything: what cannot be unpacked does not exist. Image id 0 is the part of the tree that is
 * always there. Pure; any thread. */
#ifndef FS_TREE_H
#define FS_TREE_H

#include "backend/backend.h"
#include "fs/control.h"
#include "fs/show.h"

#include <sys/stat.h>

enum tree_node {
    TREE_NONE,
#define NODE(id, parent, name, mode, show, store, life) TREE_##id,
#include "fs/nodes.def"
#undef NODE
    TREE_NODES
};

/* How long a node's attributes hold good. */
enum tree_life {
    TREE_FIXED,   /* as long as the program runs */
    TREE_CHANGES, /* they have to be asked for each time */
    TREE_COMES,   /* the node itself comes and goes while its folder stays */
};

struct tree_row {
    enum tree_node parent;
    const char *name;        /* NULL: images/NAME */
    mode_t mode;             /* with the type */
    show_fn *show;           /* a file's or link's contents; NULL: none */
    enum control_file store; /* CONTROL_NONE: not to be written */
    enum tree_life life;
};

extern const struct tree_row tree_rows[TREE_NODES];

static inline uint64_t tree_inode(uint64_t image, enum tree_node node)
{
    return image << 8 | (uint64_t)node;
}

/* The node of an inode; TREE_NONE if there is none. *image is 0 for what is always there. */
enum tree_node tree_unpack(uint64_t inode, uint64_t *image);

/* The child of that name by the table alone (not images/NAME); TREE_NONE if there is none. */
enum tree_node tree_child(enum tree_node parent, const char *name);

/* "ctl/fetch", "images/NAME/state": as a user would say it, below the mount point. */
void tree_path(enum tree_node node, const char *image, struct text *out);

#endif
