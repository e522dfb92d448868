/* import/NAME: what is written there is handed over piece by piece; the backend says what is
 * refused, and when it has become an image. */
#include "fs/kind.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "fs/write.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* A request on its way through the backend, or (req NULL) the end of what was closed. */
struct pending {
    fuse_req_t req;
    struct error_log *error_log;
    size_t size; /* of the write */
    char path[sizeof "import/" + BACKEND_NAME_MAX];
};

static void refuse(fuse_req_t req, const char *name, const struct err *err)
{
    struct text path CLEANUP_TEXT = {0};
    text_add(&path, "import/");
    text_add_escaped(&path, name, strlen(name));
    write_refuse_path(req, path.failed ? "" : path.data, err->num, err->text);
}

static void answer(void *ctx, const struct err *err)
{
    struct pending *p = ctx;
    if (p->req)
        fuse_req_interrupt_func(p->req, NULL, NULL);
    if (err->num)
        error_log_add(p->error_log, p->path, "", 0, err);
    if (p->req && p->size && !err->num)
        fuse_reply_write(p->req, p->size);
    else if (p->req)
        fuse_reply_err(p->req, err->num);
    free(p);
}

static struct pending *new_pending(fuse_req_t req, const char *name)
{
    struct pending *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->req = req;
    p->error_log = node_ops(req)->error_log;
    snprintf(p->path, sizeof p->path, "import/%s", name);
    return p;
}

static struct backend_import *import_of(const struct fuse_file_info *fi)
{
    return (struct backend_import *)(uintptr_t)fi->fh; // NOLINT(performance-no-int-to-ptr)
}

/* NULL: there is no memory, and that was the answer. */
static struct pending *pending_of(fuse_req_t req, fuse_ino_t inode)
{
    struct node n;
    struct pending *p =
        node_find(node_ops(req), inode, &n) ? new_pending(req, n.import.name) : NULL;
    if (!p)
        write_refuse(req, n.node, n.of, ENOMEM, "no memory to hold the request");
    return p;
}

/* --- the folder */

static void no_one(void *ctx, const struct err *err)
{
}

static void create(fuse_req_t req, fuse_ino_t folder, const char *name, struct fuse_file_info *fi)
{
    const struct ops *o = node_ops(req);
    struct backend_import *import;
    struct fuse_entry_param e;
    struct node n;
    struct err err = {0};
    if (backend_import_begin(o->backend, name, fuse_req_ctx(req)->pid, &import, &err) < 0) {
        refuse(req, name, &err);
        return;
    }
    (void)node_find(o, tree_inode(backend_import_id(import), TREE_IMPORT), &n);
    node_entry(o, &n, &e);
    fi->fh = (uint64_t)(uintptr_t)import;
    fi->direct_io = 1; /* each write is to be told at once what becomes of it */
    if (fuse_reply_create(req, &e, fi) < 0)
        backend_import_release(import, no_one, NULL);
}

static void unlink_import(fuse_req_t req, fuse_ino_t folder, const char *name)
{
    struct err err = {0};
    if (backend_import_unlink(node_ops(req)->backend, name, &err) < 0)
        refuse(req, name, &err);
    else
        fuse_reply_err(req, 0);
}

const struct node_kind imports_kind = {.create = create, .unlink = unlink_import};

/* --- what is written */

static void open_again(fuse_req_t req, const struct node *n, struct fuse_file_info *fi)
{
    bool reads = (fi->flags & O_ACCMODE) == O_RDONLY;
    write_refuse(req, n->node, n->of, reads ? EACCES : EBUSY,
                 reads ? "is being written, and cannot be read; images/NAME/rootfs is what it "
                         "becomes"
                       : "is being written already; wait for it, or break it off with rm");
}

static void read_back(fuse_req_t req, fuse_ino_t inode, size_t size, off_t off,
                      struct fuse_file_info *fi)
{
    uint64_t of;
    enum tree_node node = tree_unpack(inode, &of);
    write_refuse(req, node, of, EACCES, "is being written, and cannot be read");
}

static void write_piece(fuse_req_t req, fuse_ino_t inode, const char *bytes, size_t size, off_t off,
                        struct fuse_file_info *fi)
{
    struct pending *p = pending_of(req, inode);
    if (!p)
        return;
    p->size = size;
    backend_import_write(import_of(fi), bytes, size, off, answer, p);
}

/* What ends a thread is pending as SIGKILL, whatever it was sent. */
static bool is_killed(pid_t thread)
{
    char path[32], status[4096];
    snprintf(path, sizeof path, "/proc/%d/status", (int)thread);
    int fd CLEANUP_CLOSE = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : io_read(fd, status, sizeof status - 1);
    status[n < 0 ? 0 : n] = '\0';
    const char *pending = strstr(status, "\nSigPnd:");
    return pending && strtoull(pending + strlen("\nSigPnd:"), NULL, 16) >> (SIGKILL - 1) & 1;
}

/* The kernel tells of any signal, also of one that the writer handles and goes on after; it waits
 * for the answer all the same. */
static void interrupt(fuse_req_t req, void *import)
{
    if (is_killed(fuse_req_ctx(req)->pid))
        backend_import_abandon(import);
}

static void flush(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *fi)
{
    struct pending *p = pending_of(req, inode);
    if (!p)
        return;
    fuse_req_interrupt_func(req, interrupt, import_of(fi));
    backend_import_flush(import_of(fi), fuse_req_ctx(req)->pid, answer, p);
}

/* Nobody waits for it, but for what it leaves in error_log. */
static void release(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *fi)
{
    struct node n;
    struct pending *p =
        node_find(node_ops(req), inode, &n) ? new_pending(req, n.import.name) : NULL;
    if (p)
        p->req = NULL;
    backend_import_release(import_of(fi), p ? answer : no_one, p);
    fuse_reply_err(req, 0);
}

/* A mode, an owner and times are given to what is copied here; an image has its own. */
static void setattr(fuse_req_t req, const struct node *n, const struct stat *attr, int to_set)
{
    struct stat st;
    if ((to_set & FUSE_SET_ATTR_SIZE) && attr->st_size != n->import.size) {
        write_refuse(req, n->node, n->of, EINVAL,
                     "cannot be truncated: it takes bytes one after "
                     "another, and keeps them");
        return;
    }
    node_attr(node_ops(req), n, NULL, 0, &st);
    fuse_reply_attr(req, &st, 0);
}

static void stat_import(const struct ops *o, const struct node *n, const struct fuse_file_info *fi,
                        pid_t asker, struct stat *st)
{
    st->st_size = n->import.size;
    st->st_atim = st->st_mtim = st->st_ctim = node_time(n->import.changed);
}

const struct node_kind import_kind = {
    .open = open_again,
    .read = read_back,
    .write = write_piece,
    .flush = flush,
    .release = release,
    .stat = stat_import,
    .setattr = setattr,
};
