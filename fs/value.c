#include "fs/kind.h"

#include "base/cleanup.h"
#include "fs/handle.h"
#include "fs/write.h"

#include <errno.h>
#include <poll.h>

struct value {
    struct handle *handle;
    struct poll_file poll;
    /* Guarded by the handle's lock. */
    bool was_read;
    uint64_t changes; /* of what was read */
};

static void free_value(struct value *v)
{
    if (v)
        handle_free(v->handle);
    free(v);
}

static struct value *new_value(void)
{
    struct value *v = calloc(1, sizeof *v);
    if (v && (v->handle = handle_new()))
        return v;
    free_value(v);
    return NULL;
}

static void open_value(fuse_req_t req, const struct node *n, struct fuse_file_info *fi)
{
    struct value *v = new_value();
    if (!v) {
        fuse_reply_err(req, ENOMEM);
        return;
    }
    fi->fh = (uint64_t)(uintptr_t)v;
    fi->direct_io = 1; /* contents change without notice, and their size with them */
    fi->noflush = 1;
    if (fuse_reply_open(req, fi) < 0)
        free_value(v);
}

static struct value *value_of(const struct fuse_file_info *fi)
{
    return (struct value *)(uintptr_t)fi->fh; // NOLINT(performance-no-int-to-ptr)
}

/* How often the value has changed; NULL: nobody counts. */
static const uint64_t *changes_of(const struct node *n)
{
    return n->node == TREE_STATE      ? &n->view.state_changes
           : n->node == TREE_ERROR    ? &n->view.error_changes
           : n->node == TREE_PROGRESS ? &n->view.progress_changes
                                      : NULL;
}

/* What a read at offset 0 sees is what the reads after it go on with. */
static int refresh(const struct ops *o, fuse_ino_t inode, struct value *v)
{
    struct handle *h = v->handle;
    struct node n;
    struct text fresh = {0};
    int64_t changed;
    if (!node_find(o, inode, &n))
        return ENODEV;
    if (!node_show(o, &n, &fresh, &changed)) {
        text_free(&fresh);
        return ENOMEM;
    }
    text_free(&h->text);
    h->text = fresh;
    v->was_read = true;
    v->changes = changes_of(&n) ? *changes_of(&n) : 0;
    return 0;
}

static int read_piece(const struct ops *o, fuse_ino_t inode, struct value *v, size_t size,
                      off_t off, struct text *piece)
{
    struct handle *h = v->handle;
    LOCK_SCOPE(&h->lock);
    int error = off == 0 || !h->text.data || !node_is_there(o, inode) ? refresh(o, inode, v) : 0;
    size_t at = (size_t)off < h->text.len ? (size_t)off : h->text.len;
    if (!error)
        text_addn(piece, h->text.data + at, h->text.len - at < size ? h->text.len - at : size);
    return piece->failed ? ENOMEM : error;
}

/* The answer goes out without the lock: by the time that it is there, the file may be closed. */
static void read_value(fuse_req_t req, fuse_ino_t inode, size_t size, off_t off,
                       struct fuse_file_info *fi)
{
    struct text piece CLEANUP_TEXT = {0};
    int error = read_piece(node_ops(req), inode, value_of(fi), size, off, &piece);
    if (error)
        fuse_reply_err(req, error);
    else
        fuse_reply_buf(req, piece.data, piece.len);
}

static void write_value(fuse_req_t req, fuse_ino_t inode, const char *bytes, size_t size, off_t off,
                        struct fuse_file_info *fi)
{
    uint64_t of;
    write_control(req, tree_unpack(inode, &of), value_of(fi)->handle, bytes, size);
}

/* Ready is what differs from what was read last; where nobody counts, always. */
static unsigned ready(const struct ops *o, fuse_ino_t inode, struct value *v)
{
    struct node n;
    LOCK_SCOPE(&v->handle->lock);
    if (!node_find(o, inode, &n))
        return POLLERR | POLLPRI;
    if (!changes_of(&n))
        return POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM;
    return v->was_read && v->changes == *changes_of(&n) ? 0 : POLLIN | POLLRDNORM | POLLPRI;
}

static void poll_value(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *fi,
                       struct fuse_pollhandle *poll)
{
    struct value *v = value_of(fi);
    poll_enter(&node_ops(req)->waiters, &v->poll, inode, poll);
    fuse_reply_poll(req, ready(node_ops(req), inode, v));
}

static void release_value(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *fi)
{
    poll_leave(&node_ops(req)->waiters, &value_of(fi)->poll);
    free_value(value_of(fi));
    fuse_reply_err(req, 0);
}

const struct node_kind value_kind = {
    .open = open_value,
    .read = read_value,
    .poll = poll_value,
    .release = release_value,
};

const struct node_kind control_kind = {
    .open = open_value,
    .read = read_value,
    .write = write_value,
    .release = release_value,
};
