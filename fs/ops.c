#include "fs/ops.h"

#include "base/cleanup.h"
#include "fs/handle.h"
#include "fs/write.h"

#include <errno.h>
#include <string.h>

/* How long the kernel may answer for us, in seconds. Names that the tree always has stay: whatever
 * is done with them asks us, or finds that nobody answers any more. An image's name is looked up
 * each time, and what lies in its folder is as sure as that. Attributes of folders are asked for at
 * each step of a path: a second of those is worth it. So is one of an image's folder that was
 * listed: whoever lists them looks at each. It may be removed in that time, see ops_vanished(). */
#define FOREVER 86400.0
#define FOLDER  1.0

static const struct ops *ops_of(fuse_req_t req)
{
    return fuse_req_userdata(req);
}

/* --- nodes */

struct node {
    enum tree_node node;
    uint64_t image;
    struct backend_view view; /* of an image's nodes */
};

/* false: the inode stands for nothing (any more). */
static bool find_node(const struct ops *o, fuse_ino_t inode, struct node *n)
{
    n->node = tree_unpack(inode, &n->image);
    if (n->node == TREE_NONE)
        return false;
    if (!n->image)
        return true;
    return backend_view(o->backend, n->image, &n->view) &&
           (n->node != TREE_ROOTFS || n->view.rootfs);
}

static bool show(const struct ops *o, const struct node *n, struct text *out, int64_t *changed)
{
    const struct show s = {.backend = o->backend,
                           .error_log = o->error_log,
                           .view = n->image ? &n->view : NULL,
                           .changed = changed};
    *changed = n->image ? n->view.updated : o->started;
    text_add(out, "");
    if (tree_rows[n->node].show)
        tree_rows[n->node].show(&s, out);
    return !out->failed;
}

static mode_t mode_of(const struct ops *o, enum tree_node node)
{
    mode_t mode = tree_rows[node].mode;
    if (node == TREE_IMAGES)
        return o->has_ctl_group ? mode | 0220 : mode;
    return o->has_ctl_group && tree_rows[node].store != CONTROL_NONE ? mode | 0060 : mode;
}

static bool is_of_ctl_group(const struct ops *o, enum tree_node node)
{
    return o->has_ctl_group && (tree_rows[node].store != CONTROL_NONE || node == TREE_IMAGES);
}

static nlink_t links_of(const struct ops *o, enum tree_node node, int64_t *changed)
{
    size_t images = 0;
    nlink_t links = S_ISDIR(tree_rows[node].mode) ? 2 : 1;
    if (node == TREE_ROOT)
        return links + 2;
    if (node == TREE_IMAGES) {
        backend_count(o->backend, &images, changed);
        links += images;
    }
    return links;
}

static struct timespec timespec_of(int64_t ms)
{
    return (struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
}

static void fill_attr(const struct ops *o, const struct node *n, struct stat *st)
{
    struct text t CLEANUP_TEXT = {0};
    int64_t changed;
    bool shown = show(o, n, &t, &changed);
    *st = (struct stat){
        .st_ino = tree_inode(n->image, n->node),
        .st_mode = mode_of(o, n->node),
        .st_nlink = links_of(o, n->node, &changed),
        .st_uid = o->uid,
        .st_gid = is_of_ctl_group(o, n->node) ? o->ctl_gid : o->gid,
        .st_blksize = 4096,
    };
    if (shown)
        st->st_size = (off_t)t.len;
    st->st_atim = st->st_mtim = st->st_ctim = timespec_of(changed);
}

static void fill_entry(const struct ops *o, const struct node *n, struct fuse_entry_param *e)
{
    const struct tree_row *row = &tree_rows[n->node];
    *e = (struct fuse_entry_param){
        .ino = tree_inode(n->image, n->node),
        .entry_timeout = n->node != TREE_IMAGE && row->life != TREE_COMES ? FOREVER : 0,
        .attr_timeout = S_ISDIR(row->mode) ? FOLDER : 0,
    };
    fill_attr(o, n, &e->attr);
}

/* ESTALE: the kernel looks the path up again, and finds that it is gone, or another image of that
 * name. */
static int absence(const struct ops *o, fuse_ino_t inode)
{
    uint64_t image;
    bool rootfs;
    (void)tree_unpack(inode, &image);
    return image && !backend_exists(o->backend, image, &rootfs) ? ESTALE : ENOENT;
}

/* Its attributes are asked for from now on. Not its entry in images/: for that the kernel waits for
 * whoever uses that folder, who may wait for us. */
void ops_vanished(struct ops *ops, struct fuse_session *session, uint64_t image)
{
    atomic_store(&ops->vanished, text_monotonic_ms());
    fuse_lowlevel_notify_inval_inode(session, tree_inode(image, TREE_IMAGE), -1, 0);
}

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
    /* Reads of a file must not be gathered ahead: each one at offset 0 is a fresh look. */
    conn->max_readahead = 0;
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    const struct ops *o = ops_of(req);
    struct node n;
    struct fuse_entry_param e;
    uint64_t image;
    enum tree_node folder = tree_unpack(parent, &image);
    uint64_t inode = tree_inode(image, tree_child(folder, name));
    if (folder == TREE_IMAGES && backend_find(o->backend, name, &image))
        inode = tree_inode(image, TREE_IMAGE);
    if (!find_node(o, inode, &n)) {
        fuse_reply_err(req, absence(o, parent));
        return;
    }
    fill_entry(o, &n, &e);
    fuse_reply_entry(req, &e);
}

static void op_getattr(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *fi)
{
    struct node n;
    struct stat st;
    if (!find_node(ops_of(req), inode, &n)) {
        fuse_reply_err(req, absence(ops_of(req), inode));
        return;
    }
    fill_attr(ops_of(req), &n, &st);
    fuse_reply_attr(req, &st, S_ISDIR(st.st_mode) ? FOLDER : 0);
}

/* Truncating a control file to nothing is what `>` does; all else is not the user's to change. */
static void op_setattr(fuse_req_t req, fuse_ino_t inode, struct stat *attr, int to_set,
                       struct fuse_file_info *fi)
{
    uint64_t image;
    enum tree_node node = tree_unpack(inode, &image);
    bool truncates = (to_set & FUSE_SET_ATTR_SIZE) &&
                     !(to_set & (FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID));
    if (!truncates || tree_rows[node].store == CONTROL_NONE)
        write_refuse(req, node, image, EPERM, "is not to be changed");
    else if (attr->st_size != 0)
        write_refuse(req, node, image, EINVAL, "can be truncated to nothing only");
    else
        op_getattr(req, inode, fi);
}

static void op_readlink(fuse_req_t req, fuse_ino_t inode)
{
    struct node n;
    struct text target CLEANUP_TEXT = {0};
    int64_t changed;
    if (!find_node(ops_of(req), inode, &n))
        fuse_reply_err(req, absence(ops_of(req), inode));
    else if (!show(ops_of(req), &n, &target, &changed))
        fuse_reply_err(req, ENOMEM);
    else
        fuse_reply_readlink(req, target.data);
}

/* --- files */

static void op_open(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *fi)
{
    struct node n;
    if (!find_node(ops_of(req), inode, &n)) {
        fuse_reply_err(req, absence(ops_of(req), inode));
        return;
    }
    if ((fi->flags & O_ACCMODE) != O_RDONLY && tree_rows[n.node].store == CONTROL_NONE) {
        write_refuse(req, n.node, n.image, EPERM, "is not to be written");
        return;
    }
    struct handle *h = handle_new();
    if (!h) {
        fuse_reply_err(req, ENOMEM);
        return;
    }
    fi->fh = (uint64_t)(uintptr_t)h;
    fi->direct_io = 1; /* contents change without notice, and their size with them */
    if (fuse_reply_open(req, fi) < 0)
        handle_free(h);
}

static struct handle *handle_of(const struct fuse_file_info *fi)
{
    return (struct handle *)(uintptr_t)fi->fh; // NOLINT(performance-no-int-to-ptr)
}

/* What a read at offset 0 sees is what the reads after it go on with. */
static int refresh(const struct ops *o, fuse_ino_t inode, struct handle *h)
{
    struct node n;
    struct text fresh = {0};
    int64_t changed;
    if (!find_node(o, inode, &n))
        return ENODEV;
    if (!show(o, &n, &fresh, &changed)) {
        text_free(&fresh);
        return ENOMEM;
    }
    text_free(&h->text);
    h->text = fresh;
    return 0;
}

static bool is_there(const struct ops *o, fuse_ino_t inode)
{
    uint64_t image;
    bool rootfs;
    (void)tree_unpack(inode, &image);
    return !image || backend_exists(o->backend, image, &rootfs);
}

static int read_piece(const struct ops *o, fuse_ino_t inode, struct handle *h, size_t size,
                      off_t off, struct text *piece)
{
    LOCK_SCOPE(&h->lock);
    int error = off == 0 || !h->text.data || !is_there(o, inode) ? refresh(o, inode, h) : 0;
    size_t at = (size_t)off < h->text.len ? (size_t)off : h->text.len;
    if (!error)
        text_addn(piece, h->text.data + at, h->text.len - at < size ? h->text.len - at : size);
    return piece->failed ? ENOMEM : error;
}

/* The answer goes out without the lock: by the time that it is there, the file may be closed. */
static void op_read(fuse_req_t req, fuse_ino_t inode, size_t size, off_t off,
                    struct fuse_file_info *fi)
{
    struct text piece CLEANUP_TEXT = {0};
    int error = read_piece(ops_of(req), inode, handle_of(fi), size, off, &piece);
    if (error)
        fuse_reply_err(req, error);
    else
        fuse_reply_buf(req, piece.data, piece.len);
}

static void op_write(fuse_req_t req, fuse_ino_t inode, const char *bytes, size_t size, off_t off,
                     struct fuse_file_info *fi)
{
    uint64_t image;
    write_control(req, tree_unpack(inode, &image), handle_of(fi), bytes, size);
}

static void op_release(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *fi)
{
    handle_free(handle_of(fi));
    fuse_reply_err(req, 0);
}

/* --- folders */

static void op_opendir(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *fi)
{
    struct node n;
    if (!find_node(ops_of(req), inode, &n)) {
        fuse_reply_err(req, absence(ops_of(req), inode));
        return;
    }
    struct handle_dir *d = handle_list(ops_of(req)->backend, n.node, n.image);
    if (!d) {
        fuse_reply_err(req, ENOMEM);
        return;
    }
    fi->fh = (uint64_t)(uintptr_t)d;
    if (fuse_reply_open(req, fi) < 0)
        free(d);
}

static const struct handle_dir *dir_of(const struct fuse_file_info *fi)
{
    return (const struct handle_dir *)(uintptr_t)fi->fh; // NOLINT(performance-no-int-to-ptr)
}

static size_t add_plain(fuse_req_t req, char *buf, size_t size, const struct handle_entry *entry,
                        off_t next)
{
    uint64_t image;
    struct stat st = {.st_ino = entry->inode,
                      .st_mode = tree_rows[tree_unpack(entry->inode, &image)].mode};
    return fuse_add_direntry(req, buf, size, entry->name, &st, next);
}

/* A reply that is on its way while an image is removed comes behind the word of it: where images
 * come and go, each is asked for. */
static double listed_timeout(const struct ops *o)
{
    bool quiet = text_monotonic_ms() - atomic_load(&o->vanished) > (int64_t)(FOLDER * 1000);
    return quiet ? FOLDER : 0;
}

/* What has gone since the folder was opened is passed over; `.` and `..` must not be looked up. */
static size_t add_plus(fuse_req_t req, char *buf, size_t size, const struct handle_entry *entry,
                       off_t next)
{
    struct node n;
    struct fuse_entry_param e;
    if (!find_node(ops_of(req), entry->inode, &n))
        return 0;
    fill_entry(ops_of(req), &n, &e);
    if (n.node == TREE_IMAGE)
        e.entry_timeout = e.attr_timeout = listed_timeout(ops_of(req));
    if (entry->name[0] == '.')
        e.ino = 0;
    return fuse_add_direntry_plus(req, buf, size, entry->name, &e, next);
}

static void reply_dir(fuse_req_t req, size_t size, off_t off, struct fuse_file_info *fi,
                      size_t (*add)(fuse_req_t req, char *buf, size_t size,
                                    const struct handle_entry *entry, off_t next))
{
    const struct handle_dir *d = dir_of(fi);
    char *buf CLEANUP_FREE = malloc(size);
    size_t used = 0;
    if (!buf) {
        fuse_reply_err(req, ENOMEM);
        return;
    }
    for (size_t i = off < 0 ? 0 : (size_t)off; i < d->count; i++) {
        size_t n = add(req, buf + used, size - used, &d->entries[i], (off_t)i + 1);
        if (n > size - used)
            break;
        used += n;
    }
    fuse_reply_buf(req, buf, used);
}

static void op_readdir(fuse_req_t req, fuse_ino_t inode, size_t size, off_t off,
                       struct fuse_file_info *fi)
{
    reply_dir(req, size, off, fi, add_plain);
}

static void op_readdirplus(fuse_req_t req, fuse_ino_t inode, size_t size, off_t off,
                           struct fuse_file_info *fi)
{
    reply_dir(req, size, off, fi, add_plus);
}

static void op_releasedir(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *fi)
{
    free((void *)(uintptr_t)fi->fh); // NOLINT(performance-no-int-to-ptr)
    fuse_reply_err(req, 0);
}

/* --- what only the program itself may do: make, remove, rename */

static void refuse_child(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    uint64_t image;
    enum tree_node node = tree_unpack(parent, &image);
    write_refuse_child(req, node, image, name);
}

static void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    if (parent == tree_inode(0, TREE_IMAGES))
        write_rmdir(req, name);
    else
        refuse_child(req, parent, name);
}

static void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
    refuse_child(req, parent, name);
}

static void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    refuse_child(req, parent, name);
}

static void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
    refuse_child(req, parent, name);
}

static void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
                      struct fuse_file_info *fi)
{
    refuse_child(req, parent, name);
}

static void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
    refuse_child(req, parent, name);
}

static void op_link(fuse_req_t req, fuse_ino_t inode, fuse_ino_t parent, const char *name)
{
    refuse_child(req, parent, name);
}

static void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t to_parent,
                      const char *to_name, unsigned flags)
{
    refuse_child(req, parent, name);
}

const struct fuse_lowlevel_ops ops_table = {
    .init = op_init,
    .lookup = op_lookup,
    .getattr = op_getattr,
    .setattr = op_setattr,
    .readlink = op_readlink,
    .open = op_open,
    .read = op_read,
    .write = op_write,
    .release = op_release,
    .opendir = op_opendir,
    .readdir = op_readdir,
    .readdirplus = op_readdirplus,
    .releasedir = op_releasedir,
    .rmdir = op_rmdir,
    .mkdir = op_mkdir,
    .unlink = op_unlink,
    .mknod = op_mknod,
    .create = op_create,
    .symlink = op_symlink,
    .link = op_link,
    .rename = op_rename,
};
