/* tree: the virtual tree as one table (nodes.def). A new file for users is one row there.
 *
 * An inode number is the number of what the node is of (an image's id) and the node's id packed, so
 * there is no map from inodes to anything: what cannot be unpacked does not exist. Number 0 is the
 * part of the tree that is always there. Pure, but for children, who ask the backend (memory); any
 * thread. */
#ifndef FS_TREE_H
#define FS_TREE_H

#include "backend/backend.h"
#include "fs/control.h"
#include "fs/show.h"

#include <sys/stat.h>

enum tree_node {
    TREE_NONE,
#define NODE(id, parent, of, name, mode, kind, show, store, children, life) TREE_##id,
#include "fs/nodes.def"
#undef NODE
    TREE_NODES
};

/* What the number in an inode is. */
enum tree_of {
    TREE_OF_NOTHING,  /* 0 */
    TREE_OF_IMAGE,    /* an image's id */
    TREE_OF_SNAPSHOT, /* a snapshot's number */
    TREE_OF_IMPORT,   /* that of an import under way */
};

/* How long a node's attributes hold good. */
enum tree_life {
    TREE_FIXED,   /* as long as the program runs */
    TREE_CHANGES, /* they have to be asked for each time */
    TREE_COMES,   /* the node itself comes and goes while its folder stays */
};

struct handle_dir;

/* Those of a folder's children whose names are no row's. */
struct tree_children {
    bool (*find)(struct backend *backend, uint64_t of, const char *name, uint64_t *inode);
    int (*list)(struct backend *backend, uint64_t of, struct handle_dir *dir); /* 0 or -ENOMEM */
};

extern const struct tree_children images_children, snapshots_children, export_children,
    imports_children;

#define TREE_EXPORT_SUFFIX ".tar" /* behind the name of what is exported */

struct tree_row {
    enum tree_node parent;
    enum tree_of of;
    const char *name;                     /* NULL: of what it is, images/NAME */
    mode_t mode;                          /* with the type */
    show_fn *show;                        /* a file's or link's contents; NULL: none */
    enum control_file store;              /* CONTROL_NONE: not to be written */
    const struct tree_children *children; /* NULL: rows alone */
    enum tree_life life;
};

extern const struct tree_row tree_rows[TREE_NODES];

static inline uint64_t tree_inode(uint64_t of, enum tree_node node)
{
    return of << 8 | (uint64_t)node;
}

/* The node of an inode; TREE_NONE if there is none. *of is 0 for what is always there. */
enum tree_node tree_unpack(uint64_t inode, uint64_t *of);

/* The child of that name by the table alone (not images/NAME); TREE_NONE if there is none. */
enum tree_node tree_child(enum tree_node parent, const char *name);

/* "ctl/fetch", "images/NAME/state": as a user would say it, below the mount point. */
void tree_path(enum tree_node node, const char *image, struct text *out);
/* The same of a snapshot's node: "images/NAME/snapshots/ID/state". */
void tree_path_of_snapshot(enum tree_node node, const char *image, const char *id,
                           struct text *out);

#endif
