#include "fs/write.h"

#include "base/cleanup.h"
#include "fs/kind.h"

#include <errno.h>
#include <string.h>

/* A request on its way through the backend. */
struct pending {
    fuse_req_t req;
    struct error_log *error_log;
    size_t size;           /* of the write; 0: an rmdir */
    struct notify *notify; /* of an rmdir: */
    uint64_t image;        /* 0: there was none of that name */
    char *file;            /* as error_log names it */
    char *bytes;           /* the write, for error_log */
    struct control_span *spans;
    size_t count; /* of spans */
};

static void free_pending(struct pending *p)
{
    free(p->file);
    free(p->bytes);
    free(p->spans);
    free(p);
}

static void answer(void *ctx, const struct err *err, size_t line)
{
    struct pending *p = ctx;
    if (p->image)
        notify_rmdir_ended(p->notify, p->image, err->num == 0);
    if (err->num) {
        struct control_span span = line < p->count ? p->spans[line] : (struct control_span){0};
        error_log_add(p->error_log, p->file, p->bytes + span.at, span.len, err);
        fuse_reply_err(p->req, err->num);
    } else if (p->size) {
        fuse_reply_write(p->req, p->size);
    } else {
        fuse_reply_err(p->req, 0);
    }
    free_pending(p);
}

static char *path_of(enum tree_node node, const char *image)
{
    struct text path = {0};
    tree_path(node, image, &path);
    return path.data;
}

static struct pending *new_pending(fuse_req_t req, enum tree_node node, const char *image,
                                   const char *bytes, size_t size)
{
    struct pending *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->req = req;
    p->error_log = node_ops(req)->error_log;
    p->file = path_of(node, image);
    p->bytes = strndup(bytes, size);
    if (p->file && p->bytes)
        return p;
    free_pending(p);
    return NULL;
}

/* --- control files */

static void refuse(fuse_req_t req, enum tree_node node, const char *line, size_t len,
                   const struct err *err)
{
    char *file CLEANUP_FREE = path_of(node, "");
    error_log_add(node_ops(req)->error_log, file ? file : "", line, len, err);
    fuse_reply_err(req, err->num);
}

static bool was_torn(struct handle *h, const char *bytes, size_t size)
{
    LOCK_SCOPE(&h->lock);
    bool torn = h->torn;
    h->torn = torn || control_is_torn(bytes, size);
    return torn;
}

static void submit(fuse_req_t req, enum tree_node node, struct control *c, const char *bytes,
                   size_t size)
{
    struct pending *p = new_pending(req, node, "", bytes, size);
    if (!p) {
        struct err err = {0};
        err_sys(&err, ENOMEM, "cannot hold the write");
        refuse(req, node, bytes + c->line_at, c->line_len, &err);
        return;
    }
    p->size = size;
    p->spans = steal_ptr(c->spans);
    p->count = c->command.kind == BACKEND_FETCH ? c->command.count : 1;
    backend_submit(node_ops(req)->backend, &c->command, answer, p);
}

static void set_log_level(fuse_req_t req, enum log_level level, size_t size)
{
    log_set_level(level);
    fuse_reply_write(req, size);
}

static void run_control(fuse_req_t req, enum tree_node node, const char *bytes, size_t size)
{
    struct control c;
    struct err err = {0};
    if (control_parse(&c, tree_rows[node].store, bytes, size, &err) < 0)
        refuse(req, node, bytes + c.line_at, c.line_len, &err);
    else if (tree_rows[node].store == CONTROL_LOG_LEVEL)
        set_log_level(req, c.level, size);
    else
        submit(req, node, &c, bytes, size);
    control_free(&c);
}

void write_control(fuse_req_t req, enum tree_node node, struct handle *h, const char *bytes,
                   size_t size)
{
    struct err err = {0};
    if (tree_rows[node].store == CONTROL_ERROR_LOG) {
        error_log_clear(node_ops(req)->error_log);
        fuse_reply_write(req, size);
    } else if (was_torn(h, bytes, size)) {
        err_set(&err, ERR_INTERNAL, EINVAL,
                "an earlier write to this open file ended in the middle of a line: end each write "
                "in a newline");
        refuse(req, node, bytes, strcspn(bytes, "\n") < size ? strcspn(bytes, "\n") : size, &err);
    } else {
        run_control(req, node, bytes, size);
    }
}

/* --- folders */

void write_refuse_path(fuse_req_t req, const char *path, int num, const char *reason)
{
    struct err err = {0};
    err_set(&err, ERR_INTERNAL, num, "%s", reason);
    error_log_add(node_ops(req)->error_log, path, "", 0, &err);
    fuse_reply_err(req, num);
}

static void write_rmdir(fuse_req_t req, fuse_ino_t folder, const char *name)
{
    struct pending *p = new_pending(req, TREE_IMAGE, name, "", 0);
    if (!p) {
        struct text path CLEANUP_TEXT = {0};
        tree_path(TREE_IMAGE, name, &path);
        write_refuse_path(req, path.data ? path.data : "", ENOMEM, "no memory to hold the request");
        return;
    }
    if (backend_find(node_ops(req)->backend, name, &p->image)) {
        p->notify = node_ops(req)->notify;
        notify_rmdir_begins(p->notify, p->image, name);
    }
    struct backend_command command = {.kind = BACKEND_REMOVE, .name = name, .image = p->image};
    backend_submit(node_ops(req)->backend, &command, answer, p);
}

bool write_path(fuse_req_t req, enum tree_node node, uint64_t of, struct text *path)
{
    struct node n = {0};
    if (!node_find(node_ops(req), tree_inode(of, node), &n)) {
        fuse_reply_err(req, ENOENT);
        return false;
    }
    text_add(path, "");
    if (tree_rows[node].of == TREE_OF_SNAPSHOT)
        tree_path_of_snapshot(node, n.snapshot.image_name, n.snapshot.id, path);
    else
        tree_path(node, tree_rows[node].of == TREE_OF_IMPORT ? n.import.name : n.view.name, path);
    return true;
}

void write_refuse(fuse_req_t req, enum tree_node node, uint64_t of, int num, const char *reason)
{
    struct text path CLEANUP_TEXT = {0};
    uid_t caller = fuse_req_ctx(req)->uid;
    /* Links are open to all: the kernel asks for anyone, and error_log is not anyone's to fill. */
    if (S_ISLNK(tree_rows[node].mode) && caller != 0 && caller != node_ops(req)->uid)
        fuse_reply_err(req, num);
    else if (write_path(req, node, of, &path))
        write_refuse_path(req, path.failed ? "" : path.data, num, reason);
}

void write_refuse_child(fuse_req_t req, enum tree_node parent, uint64_t of, const char *name)
{
    struct text path CLEANUP_TEXT = {0};
    if (!write_path(req, parent, of, &path))
        return;
    if (path.len)
        text_add(&path, "/");
    text_add_escaped(&path, name, strlen(name));
    write_refuse_path(
        req, path.failed ? "" : path.data, EPERM,
        "nothing can be made, renamed or removed here but by rmdir images/NAME, and snapshots "
        "by mkdir, rmdir and mv in images/NAME/snapshots");
}

const struct node_kind images_kind = {.rmdir = write_rmdir};
