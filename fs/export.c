/* export/NAME.tar, NAME@ID.tar: a live tree as an archive, which is made while it is read. A read
 * waits by contract, but no thread of FUSE's does: it is put down with the backend and answered
 * from there.
 */
#include "fs/kind.h"

#include "base/cleanup.h"
#include "fs/write.h"

#include <errno.h>

struct export
{
    struct backend_export *backend;
    struct text file; /* as error_log names it */
};

struct waiting {
    struct flow_read read; /* the first member */
    fuse_req_t req;
    const struct export *export;
};

static struct export *export_of(const struct fuse_file_info *fi)
{
    return (struct export *)(uintptr_t)fi->fh; // NOLINT(performance-no-int-to-ptr)
}

static void free_export(struct export *x)
{
    text_free(&x->file);
    free(x);
}

static void refuse(fuse_req_t req, const struct export *x, const struct err *err)
{
    write_refuse_path(req, x->file.data ? x->file.data : "", err->num, err->text);
}

static void open_export(fuse_req_t req, const struct node *n, struct fuse_file_info *fi)
{
    struct err err = {0};
    struct export *x = calloc(1, sizeof *x);
    if (!x) {
        fuse_reply_err(req, ENOMEM);
        return;
    }
    bool whole = n->node == TREE_EXPORT_IMAGE;
    if (whole)
        tree_path(n->node, n->view.name, &x->file);
    else
        tree_path_of_snapshot(n->node, n->snapshot.image_name, n->snapshot.id, &x->file);
    if (backend_export_open(node_ops(req)->backend, whole ? n->of : 0, whole ? 0 : n->of,
                            &x->backend, &err) < 0) {
        refuse(req, x, &err);
        free_export(x);
        return;
    }
    fi->fh = (uint64_t)(uintptr_t)x;
    fi->direct_io = 1;
    fi->nonseekable = 1;
    if (fuse_reply_open(req, fi) < 0) {
        backend_export_close(x->backend);
        free_export(x);
    }
}

/* An interruption may be on its way meanwhile: once it cannot be called any more, nobody but us has
 * what it is called with. */
static void answer(struct flow_read *r, const void *data, size_t n, const struct err *err)
{
    struct waiting *w = (struct waiting *)r;
    fuse_req_interrupt_func(w->req, NULL, NULL);
    if (!err)
        fuse_reply_buf(w->req, data, n);
    else if (err->num == ECANCELED)
        fuse_reply_err(w->req, EINTR);
    else
        refuse(w->req, w->export, err);
    free(w);
}

/* libfuse holds the request's lock. It calls this from fuse_req_interrupt_func(), too, where a
 * request that is answered is freed too early: but then the read was not asked for yet, and will be
 * answered where it is. */
static void interrupt(fuse_req_t req, void *data)
{
    struct waiting *w = data;
    if (!backend_export_cancel(w->export->backend, &w->read))
        return;
    fuse_reply_err(req, EINTR);
    free(w);
}

static void read_export(fuse_req_t req, fuse_ino_t inode, size_t size, off_t off,
                        struct fuse_file_info *fi)
{
    struct waiting *w = malloc(sizeof *w);
    if (!w) {
        fuse_reply_err(req, ENOMEM);
        return;
    }
    *w = (struct waiting){{.size = size, .answer = answer}, req, export_of(fi)};
    fuse_req_interrupt_func(req, interrupt, w);
    backend_export_read(w->export->backend, &w->read);
}

/* Whoever has closed it has no other read under way, as a rule: what follows at once, say a
 * deactivate, must not find the export moving. */
static void flush_export(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *fi)
{
    backend_export_rest(export_of(fi)->backend);
    fuse_reply_err(req, 0);
}

static void release_export(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *fi)
{
    struct export *x = export_of(fi);
    backend_export_close(x->backend);
    free_export(x);
    fuse_reply_err(req, 0);
}

const struct node_kind export_kind = {
    .open = open_export,
    .read = read_export,
    .flush = flush_export,
    .release = release_export,
};
