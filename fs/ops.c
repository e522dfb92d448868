#include "fs/ops.h"

#include "base/cleanup.h"
#include "fs/handle.h"
#include "fs/kind.h"
#include "fs/watch.h"
#include "fs/write.h"

#include <errno.h>
#include <poll.h>

#define READY_ALWAYS (POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM)

const struct node_kind *const kind_of_node[TREE_NODES] = {
#define NODE(id, parent, of, name, mode, kind, show, store, children, life) [TREE_##id] = (kind),
#include "fs/nodes.def"
#undef NODE
};

/* One that can do nothing for a node that has no kind, or is none. */
static const struct node_kind *kind_of(fuse_ino_t inode)
{
    static const struct node_kind nothing;
    uint64_t of;
    const struct node_kind *kind = kind_of_node[tree_unpack(inode, &of)];
    return kind ? kind : &nothing;
}

/* --- nodes */

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
    /* What is read asynchronously cannot be interrupted, and whoever waits in it not be killed. */
    conn->want &= ~(unsigned)FUSE_CAP_ASYNC_DIO;
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct node n;
    struct fuse_entry_param e;
    if (watch_lookup(req, parent, name))
        return;
    if (!node_find_child(node_ops(req), parent, name, &n)) {
        fuse_reply_err(req, node_absence(node_ops(req), parent));
        return;
    }
    node_entry(node_ops(req), &n, &e);
    fuse_reply_entry(req, &e);
}

static void op_getattr(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *fi)
{
    struct node n;
    struct stat st;
    if (watch_getattr(req, inode))
        return;
    if (!node_find(node_ops(req), inode, &n)) {
        fuse_reply_err(req, node_absence(node_ops(req), inode));
        return;
    }
    node_attr(node_ops(req), &n, fi, fuse_req_ctx(req)->pid, &st);
    fuse_reply_attr(req, &st, S_ISDIR(st.st_mode) ? NODE_FOLDER : 0);
}

/* Truncating a control file to nothing is what `>` does; all else is not the user's to change. */
static void op_setattr(fuse_req_t req, fuse_ino_t inode, struct stat *attr, int to_set,
                       struct fuse_file_info *fi)
{
    uint64_t image;
    struct node n;
    enum tree_node node = tree_unpack(inode, &image);
    if (kind_of(inode)->setattr && node_find(node_ops(req), inode, &n)) {
        kind_of(inode)->setattr(req, &n, attr, to_set);
        return;
    }
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
    if (!node_find(node_ops(req), inode, &n))
        fuse_reply_err(req, node_absence(node_ops(req), inode));
    else if (!node_show(node_ops(req), &n, &target, &changed))
        fuse_reply_err(req, ENOMEM);
    else
        fuse_reply_readlink(req, target.data);
}

/* --- files */

static void op_open(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *fi)
{
    struct node n;
    const struct node_kind *kind = kind_of(inode);
    if (watch_open(req, inode, fi))
        return;
    if (!node_find(node_ops(req), inode, &n))
        fuse_reply_err(req, node_absence(node_ops(req), inode));
    else if ((fi->flags & O_ACCMODE) != O_RDONLY && !kind->write)
        write_refuse(req, n.node, n.of, EPERM, "is not to be written");
    else if (!kind->open)
        fuse_reply_err(req, EPERM);
    else
        kind->open(req, &n, fi);
}

static void op_read(fuse_req_t req, fuse_ino_t inode, size_t size, off_t off,
                    struct fuse_file_info *fi)
{
    if (kind_of(inode)->read)
        kind_of(inode)->read(req, inode, size, off, fi);
    else
        fuse_reply_err(req, EBADF);
}

static void op_write(fuse_req_t req, fuse_ino_t inode, const char *bytes, size_t size, off_t off,
                     struct fuse_file_info *fi)
{
    if (watch_write(req, fi, size))
        return;
    if (kind_of(inode)->write)
        kind_of(inode)->write(req, inode, bytes, size, off, fi);
    else
        fuse_reply_err(req, EBADF);
}

static void op_flush(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *fi)
{
    if (watch_close(req, fi))
        return;
    if (kind_of(inode)->flush)
        kind_of(inode)->flush(req, inode, fi);
    else
        fuse_reply_err(req, 0);
}

static void op_poll(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *fi,
                    struct fuse_pollhandle *poll)
{
    if (kind_of(inode)->poll) {
        kind_of(inode)->poll(req, inode, fi, poll);
        return;
    }
    if (poll)
        fuse_pollhandle_destroy(poll);
    fuse_reply_poll(req, READY_ALWAYS);
}

static void op_release(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *fi)
{
    if (watch_close(req, fi))
        return;
    if (kind_of(inode)->release)
        kind_of(inode)->release(req, inode, fi);
    else
        fuse_reply_err(req, 0);
}

/* --- folders */

static void op_opendir(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *fi)
{
    struct node n;
    if (!node_find(node_ops(req), inode, &n)) {
        fuse_reply_err(req, node_absence(node_ops(req), inode));
        return;
    }
    struct handle_dir *d = handle_list(node_ops(req)->backend, n.node, n.of);
    if (!d) {
        fuse_reply_err(req, ENOMEM);
        return;
    }
    fi->fh = (uint64_t)(uintptr_t)d;
    if (fuse_reply_open(req, fi) < 0)
        handle_free_dir(d);
}

static struct handle_dir *dir_of(const struct fuse_file_info *fi)
{
    return (struct handle_dir *)(uintptr_t)fi->fh; // NOLINT(performance-no-int-to-ptr)
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
    bool quiet = text_monotonic_ms() - atomic_load(&o->vanished) > (int64_t)(NODE_FOLDER * 1000);
    return quiet ? NODE_FOLDER : 0;
}

/* What has gone since the folder was opened is passed over; `.` and `..` must not be looked up. */
static size_t add_plus(fuse_req_t req, char *buf, size_t size, const struct handle_entry *entry,
                       off_t next)
{
    struct node n;
    struct fuse_entry_param e;
    if (!node_find(node_ops(req), entry->inode, &n))
        return 0;
    node_entry(node_ops(req), &n, &e);
    if (n.node == TREE_IMAGE)
        e.entry_timeout = e.attr_timeout = listed_timeout(node_ops(req));
    if (n.node == TREE_SNAPSHOT) /* goes through the kernel alone, which waits for this answer */
        e.entry_timeout = e.attr_timeout = NODE_FOLDER;
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
    handle_free_dir(dir_of(fi));
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
    if (watch_remove(req, parent, name))
        return;
    if (kind_of(parent)->rmdir)
        kind_of(parent)->rmdir(req, parent, name);
    else
        refuse_child(req, parent, name);
}

static void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
    if (watch_mkdir(req, parent, name))
        return;
    if (kind_of(parent)->mkdir)
        kind_of(parent)->mkdir(req, parent, name);
    else
        refuse_child(req, parent, name);
}

static void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    if (watch_remove(req, parent, name))
        return;
    if (kind_of(parent)->unlink)
        kind_of(parent)->unlink(req, parent, name);
    else
        refuse_child(req, parent, name);
}

static void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
                      struct fuse_file_info *fi)
{
    if (kind_of(parent)->create)
        kind_of(parent)->create(req, parent, name, fi);
    else
        refuse_child(req, parent, name);
}

static void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t to_parent,
                      const char *to_name, unsigned flags)
{
    if (kind_of(parent)->rename)
        kind_of(parent)->rename(req, parent, name, to_parent, to_name, flags);
    else
        refuse_child(req, parent, name);
}

static void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
    refuse_child(req, parent, name);
}

static void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
    if (!watch_symlink(req, parent, name))
        refuse_child(req, parent, name);
}

static void op_link(fuse_req_t req, fuse_ino_t inode, fuse_ino_t parent, const char *name)
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
    .flush = op_flush,
    .poll = op_poll,
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
