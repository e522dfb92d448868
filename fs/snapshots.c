/* images/NAME/snapshots/: mkdir, rmdir and rename in there. */
#include "fs/kind.h"

#include "base/cleanup.h"
#include "fs/handle.h"
#include "fs/write.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* A request on its way through the backend. The kernel holds the folder's lock meanwhile: nothing
 * on that way may look the folder up through the mount. */
struct asked {
    fuse_req_t req;
    fuse_ino_t folder;
    char *name; /* of mkdir, which is answered with what is there then; else NULL */
    char *path; /* as error_log names it */
};

static void free_asked(struct asked *a)
{
    if (!a)
        return;
    free(a->name);
    free(a->path);
    free(a);
}

static void answer_made(const struct asked *a)
{
    struct node n;
    struct fuse_entry_param e;
    if (!node_find_child(node_ops(a->req), a->folder, a->name, &n)) {
        fuse_reply_err(a->req, ENOENT);
        return;
    }
    node_entry(node_ops(a->req), &n, &e);
    fuse_reply_entry(a->req, &e);
}

static void answer(void *ctx, const struct err *err, size_t line)
{
    struct asked *a = ctx;
    if (err->num) {
        write_refuse_path(a->req, a->path, err->num, err->text);
    } else if (a->name) {
        answer_made(a);
    } else {
        fuse_reply_err(a->req, 0);
    }
    free_asked(a);
}

/* "images/NAME/snapshots/ID"; NULL: that has been answered. */
static char *path_of(fuse_req_t req, fuse_ino_t folder, const char *name)
{
    struct text path = {0};
    uint64_t image;
    enum tree_node node = tree_unpack(folder, &image);
    if (!write_path(req, node, image, &path))
        return NULL;
    text_add(&path, "/");
    text_add_escaped(&path, name, strlen(name));
    if (!path.failed)
        return path.data;
    text_free(&path);
    fuse_reply_err(req, ENOMEM);
    return NULL;
}

static void refuse(fuse_req_t req, fuse_ino_t folder, const char *name, int num, const char *reason)
{
    char *path CLEANUP_FREE = path_of(req, folder, name);
    if (path)
        write_refuse_path(req, path, num, reason);
}

static void submit(fuse_req_t req, fuse_ino_t folder, const char *name,
                   struct backend_command command)
{
    char *path = path_of(req, folder, name);
    if (!path)
        return;
    bool makes = command.kind == BACKEND_SNAPSHOT_MAKE;
    struct asked *a = calloc(1, sizeof *a);
    char *copy = makes ? strdup(name) : NULL;
    if (!a || (makes && !copy)) {
        write_refuse_path(req, path, ENOMEM, "no memory to hold the request");
        free(a);
        free(copy);
        free(path);
        return;
    }
    *a = (struct asked){.req = req, .folder = folder, .name = copy, .path = path};
    (void)tree_unpack(folder, &command.image);
    command.snapshot = name;
    backend_submit(node_ops(req)->backend, &command, answer, a);
}

static void make(fuse_req_t req, fuse_ino_t folder, const char *name)
{
    submit(req, folder, name, (struct backend_command){.kind = BACKEND_SNAPSHOT_MAKE});
}

static void remove_one(fuse_req_t req, fuse_ino_t folder, const char *name)
{
    submit(req, folder, name, (struct backend_command){.kind = BACKEND_SNAPSHOT_REMOVE});
}

/* A target that is there is EEXIST in any case: a snapshot is not replaced by chance. */
static void rename_one(fuse_req_t req, fuse_ino_t folder, const char *name, fuse_ino_t to_folder,
                       const char *to_name, unsigned flags)
{
    if (flags & ~(unsigned)RENAME_NOREPLACE)
        refuse(req, folder, name, EINVAL, "snapshots cannot be exchanged");
    else if (to_folder != folder)
        refuse(req, folder, name, EXDEV,
               "a snapshot is renamed within its image's snapshots/ only");
    else
        submit(req, folder, name,
               (struct backend_command){.kind = BACKEND_SNAPSHOT_RENAME, .to = to_name});
}

const struct node_kind snapshots_kind = {.mkdir = make, .rmdir = remove_one, .rename = rename_one};
