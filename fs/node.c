#include "fs/node.h"

#include "base/cleanup.h"
#include "fs/kind.h"

#include <errno.h>

static bool is_there_while_active(enum tree_node node)
{
    return node == TREE_ROOTFS || node == TREE_EXPORT_IMAGE || node == TREE_SNAPSHOT_ROOTFS ||
           node == TREE_EXPORT_SNAPSHOT;
}

bool node_find(const struct ops *o, fuse_ino_t inode, struct node *n)
{
    n->node = tree_unpack(inode, &n->of);
    if (n->node == TREE_NONE)
        return false;
    switch (tree_rows[n->node].of) {
    case TREE_OF_NOTHING:
        return true;
    case TREE_OF_IMAGE:
        return backend_view(o->backend, n->of, &n->view) &&
               (!is_there_while_active(n->node) || n->view.rootfs);
    case TREE_OF_SNAPSHOT:
        return backend_snapshot_view(o->backend, n->of, &n->snapshot) &&
               (!is_there_while_active(n->node) || n->snapshot.rootfs);
    case TREE_OF_IMPORT:
        return backend_import_view(o->backend, n->of, &n->import);
    }
    return false;
}

bool node_find_child(const struct ops *o, fuse_ino_t folder, const char *name, struct node *n)
{
    uint64_t of;
    enum tree_node parent = tree_unpack(folder, &of);
    const struct tree_children *children = tree_rows[parent].children;
    uint64_t inode = tree_inode(of, tree_child(parent, name));
    if (children)
        (void)children->find(o->backend, of, name, &inode);
    return node_find(o, inode, n);
}

bool node_is_there(const struct ops *o, fuse_ino_t inode)
{
    uint64_t of;
    bool rootfs;
    struct backend_snapshot snapshot;
    struct backend_import_view view;
    switch (tree_rows[tree_unpack(inode, &of)].of) {
    case TREE_OF_NOTHING:
        return true;
    case TREE_OF_IMAGE:
        return backend_exists(o->backend, of, &rootfs);
    case TREE_OF_SNAPSHOT:
        return backend_snapshot_view(o->backend, of, &snapshot);
    case TREE_OF_IMPORT:
        return backend_import_view(o->backend, of, &view);
    }
    return false;
}

int node_absence(const struct ops *o, fuse_ino_t inode)
{
    return node_is_there(o, inode) ? ENOENT : ESTALE;
}

static bool is_of(const struct node *n, enum tree_of of)
{
    return tree_rows[n->node].of == of;
}

bool node_show(const struct ops *o, const struct node *n, struct text *out, int64_t *changed)
{
    const struct show s = {.backend = o->backend,
                           .error_log = o->error_log,
                           .view = is_of(n, TREE_OF_IMAGE) ? &n->view : NULL,
                           .snapshot = is_of(n, TREE_OF_SNAPSHOT) ? &n->snapshot : NULL,
                           .changed = changed};
    *changed = s.view ? s.view->updated : s.snapshot ? s.snapshot->updated : o->started;
    text_add(out, "");
    if (tree_rows[n->node].show)
        tree_rows[n->node].show(&s, out);
    return !out->failed;
}

static mode_t mode_of(const struct ops *o, enum tree_node node)
{
    mode_t mode = tree_rows[node].mode;
    if (!o->has_ctl_group)
        return mode;
    if (node == TREE_IMAGES || node == TREE_SNAPSHOTS)
        return mode | 0220;
    if (node == TREE_IMPORTS || node == TREE_IMPORT)
        return mode | 0020;
    return tree_rows[node].store != CONTROL_NONE ? mode | 0060 : mode;
}

static bool is_of_ctl_group(const struct ops *o, enum tree_node node)
{
    return o->has_ctl_group &&
           (tree_rows[node].store != CONTROL_NONE || node == TREE_IMAGES ||
            node == TREE_SNAPSHOTS || node == TREE_IMPORTS || node == TREE_IMPORT);
}

static nlink_t links_of(const struct ops *o, const struct node *n, int64_t *changed)
{
    size_t below = 0;
    int64_t since = 0;
    nlink_t links = S_ISDIR(tree_rows[n->node].mode) ? 2 : 1;
    for (enum tree_node i = TREE_NONE + 1; i < TREE_NODES; i++)
        links += tree_rows[i].parent == n->node && tree_rows[i].name && S_ISDIR(tree_rows[i].mode);
    if (n->node == TREE_IMAGES)
        backend_count(o->backend, &below, changed);
    if (n->node == TREE_SNAPSHOTS) {
        backend_snapshot_count(o->backend, n->of, &below, &since);
        *changed = since > n->view.created ? since : n->view.created;
    }
    if (n->node == TREE_IMPORTS)
        (void)backend_import_list(o->backend, NULL, changed);
    return links + below;
}

struct timespec node_time(int64_t ms)
{
    return (struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
}

void node_attr(const struct ops *o, const struct node *n, const struct fuse_file_info *fi,
               pid_t asker, struct stat *st)
{
    struct text t CLEANUP_TEXT = {0};
    int64_t changed;
    const struct node_kind *kind = kind_of_node[n->node];
    bool shown = node_show(o, n, &t, &changed);
    *st = (struct stat){
        .st_ino = tree_inode(n->of, n->node),
        .st_mode = mode_of(o, n->node),
        .st_nlink = links_of(o, n, &changed),
        .st_uid = o->uid,
        .st_gid = is_of_ctl_group(o, n->node) ? o->ctl_gid : o->gid,
        .st_blksize = 4096,
    };
    if (shown)
        st->st_size = (off_t)t.len;
    st->st_atim = st->st_mtim = st->st_ctim = node_time(changed);
    if (kind && kind->stat)
        kind->stat(o, n, fi, asker, st);
}

void node_entry(const struct ops *o, const struct node *n, struct fuse_entry_param *e)
{
    const struct tree_row *row = &tree_rows[n->node];
    *e = (struct fuse_entry_param){
        .ino = tree_inode(n->of, n->node),
        .entry_timeout = n->node != TREE_IMAGE && row->life != TREE_COMES ? NODE_FOREVER : 0,
        .attr_timeout = S_ISDIR(row->mode) ? NODE_FOLDER : 0,
    };
    node_attr(o, n, NULL, 0, &e->attr);
}
