/* kind: what can be done with a node of the tree, one file a kind; nodes.def says which a node is
 * of.
 *
 * Every member answers the request, at once or later, and may be NULL: then there is nothing of
 * that kind to be done, and ops.c answers. Called on FUSE's threads, several at a time: none may
 * wait for the disk, the network or another request. */
#ifndef FS_KIND_H
#define FS_KIND_H

#include "fs/node.h"

struct node_kind {
    /* Files. fi->fh is the kind's own, from open (or create) to release. */
    void (*open)(fuse_req_t req, const struct node *node, struct fuse_file_info *fi);
    void (*read)(fuse_req_t req, fuse_ino_t inode, size_t size, off_t off,
                 struct fuse_file_info *fi);
    void (*write)(fuse_req_t req, fuse_ino_t inode, const char *bytes, size_t size, off_t off,
                  struct fuse_file_info *fi);
    void (*flush)(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *fi);
    /* Takes the poll handle over, NULL if nobody waits. */
    void (*poll)(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *fi,
                 struct fuse_pollhandle *poll);
    void (*release)(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *fi);
    /* Sets what of a stat is otherwise than the row says. Of an open file if fi is not NULL: so
     * lseek(2) asks for its end. asker: the process, 0 if none that is known. */
    void (*stat)(const struct ops *o, const struct node *node, const struct fuse_file_info *fi,
                 pid_t asker, struct stat *st);
    /* NULL: control files can be truncated to nothing, and all else not be changed. */
    void (*setattr)(fuse_req_t req, const struct node *node, const struct stat *attr, int to_set);

    /* Folders: a child of the folder of that inode. */
    void (*mkdir)(fuse_req_t req, fuse_ino_t folder, const char *name);
    void (*rmdir)(fuse_req_t req, fuse_ino_t folder, const char *name);
    void (*unlink)(fuse_req_t req, fuse_ino_t folder, const char *name);
    void (*create)(fuse_req_t req, fuse_ino_t folder, const char *name, struct fuse_file_info *fi);
    void (*rename)(fuse_req_t req, fuse_ino_t folder, const char *name, fuse_ino_t to_folder,
                   const char *to_name, unsigned flags);
};

extern const struct node_kind value_kind;     /* value.c: contents that show makes */
extern const struct node_kind control_kind;   /* value.c: likewise, and written to */
extern const struct node_kind images_kind;    /* write.c */
extern const struct node_kind snapshots_kind; /* snapshots.c */
extern const struct node_kind events_kind;    /* events.c */
extern const struct node_kind export_kind;    /* export.c: archives, made while they are read */
extern const struct node_kind imports_kind, import_kind; /* import.c: the folder, what is in it */

/* NULL: there is nothing to be done with it but what ops.c does. */
extern const struct node_kind *const kind_of_node[TREE_NODES];

#endif
