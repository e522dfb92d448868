#include "fs/kind.h"

#include "base/cleanup.h"
#include "fs/handle.h"
#include "fs/write.h"

#include <errno.h>

static void open_value(fuse_req_t req, const struct node *n, struct fuse_file_info *fi)
{
    struct handle *h = handle_new();
    if (!h) {
        fuse_reply_err(req, ENOMEM);
        return;
    }
    fi->fh = (uint64_t)(uintptr_t)h;
    fi->direct_io = 1; /* contents change without notice, and their size with them */
    fi->noflush = 1;
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
    if (!node_find(o, inode, &n))
        return ENODEV;
    if (!node_show(o, &n, &fresh, &changed)) {
        text_free(&fresh);
        return ENOMEM;
    }
    text_free(&h->text);
    h->text = fresh;
    return 0;
}

static int read_piece(const struct ops *o, fuse_ino_t inode, struct handle *h, size_t size,
                      off_t off, struct text *piece)
{
    LOCK_SCOPE(&h->lock);
    int error = off == 0 || !h->text.data || !node_is_there(o, inode) ? refresh(o, inode, h) : 0;
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
    int error = read_piece(node_ops(req), inode, handle_of(fi), size, off, &piece);
    if (error)
        fuse_reply_err(req, error);
    else
        fuse_reply_buf(req, piece.data, piece.len);
}

static void write_value(fuse_req_t req, fuse_ino_t inode, const char *bytes, size_t size, off_t off,
                        struct fuse_file_info *fi)
{
    uint64_t of;
    write_control(req, tree_unpack(inode, &of), handle_of(fi), bytes, size);
}

static void release_value(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *fi)
{
    handle_free(handle_of(fi));
    fuse_reply_err(req, 0);
}

const struct node_kind value_kind = {
    .open = open_value,
    .read = read_value,
    .release = release_value,
};

const struct node_kind control_kind = {
    .open = open_value,
    .read = read_value,
    .write = write_value,
    .release = release_value,
};
