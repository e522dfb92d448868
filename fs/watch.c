#include "fs/watch.h"

#include "fs/notify.h"

#include <errno.h>
#include <string.h>

/* REPLAY_GONE_DIR, which is no row: nobody else finds it. */
#define GONE_INODE tree_inode(0, (enum tree_node)0xff)

static bool is_replayer(fuse_req_t req, struct replay_command *c)
{
    return notify_is_replayer(node_ops(req)->notify, fuse_req_ctx(req)->pid, c);
}

/* images/NAME, by the name that the command is about. */
static bool is_folder(const struct replay_command *c, fuse_ino_t parent, const char *name)
{
    return parent == tree_inode(0, TREE_IMAGES) && strcmp(name, c->name) == 0;
}

static bool is_rootfs(const struct replay_command *c, fuse_ino_t parent, const char *name)
{
    return parent == tree_inode(c->id, TREE_IMAGE) &&
           strcmp(name, tree_rows[TREE_ROOTFS].name) == 0;
}

/* Is its end what is told? */
static bool ends(const struct replay_command *c)
{
    return c->kind == REPLAY_VANISH || c->kind == REPLAY_GONE;
}

/* The node that it means: of the image that the command is about, which may be gone, and its name
 * another one's. 0: none. */
static fuse_ino_t find(const struct ops *o, const struct replay_command *c, fuse_ino_t folder,
                       const char *name)
{
    uint64_t of, id;
    enum tree_node node = tree_unpack(folder, &of);
    if (folder == tree_inode(0, TREE_ROOT) && strcmp(name, REPLAY_GONE_DIR) == 0)
        return c->kind == REPLAY_GONE ? GONE_INODE : 0;
    if (folder == GONE_INODE || folder == tree_inode(c->id, TREE_IMAGE)) {
        node = tree_child(TREE_IMAGE, name);
        return node == TREE_NONE ? 0 : tree_inode(c->id, node);
    }
    if (node != TREE_IMAGES)
        return tree_inode(0, tree_child(node, name));
    bool is_it = ends(c) || (backend_find(o->backend, name, &id) && id == c->id);
    return is_it && strcmp(name, c->name) == 0 ? tree_inode(c->id, TREE_IMAGE) : 0;
}

/* As it was, without what it held. */
static void fill_stat(const struct ops *o, fuse_ino_t inode, struct stat *st)
{
    uint64_t of;
    enum tree_node node = tree_unpack(inode, &of);
    mode_t mode = inode == GONE_INODE ? S_IFDIR | 0700 : tree_rows[node].mode;
    *st = (struct stat){.st_ino = inode,
                        .st_mode = mode,
                        .st_nlink = S_ISDIR(mode) ? 2 : 1,
                        .st_uid = o->uid,
                        .st_gid = o->gid};
    st->st_atim.tv_sec = st->st_mtim.tv_sec = st->st_ctim.tv_sec = text_now_ms() / 1000;
}

/* The kernel keeps what it is told of an image here for no time: others may find another there. */
static void reply_entry(fuse_req_t req, fuse_ino_t inode)
{
    struct node n;
    struct fuse_entry_param e = {.ino = inode};
    if (inode && node_find(node_ops(req), inode, &n))
        node_entry(node_ops(req), &n, &e);
    else if (inode)
        fill_stat(node_ops(req), inode, &e.attr);
    if (inode >> 8) {
        e.attr_timeout = 0;
        e.entry_timeout = inode == tree_inode(inode >> 8, TREE_IMAGE) ? 0 : e.entry_timeout;
    }
    if (inode)
        fuse_reply_entry(req, &e);
    else
        fuse_reply_err(req, ENOENT);
}

/* What it is about to make is not there yet, whatever others have seen of it: else it could not be
 * made, and nobody be told. */
bool watch_lookup(fuse_req_t req, fuse_ino_t folder, const char *name)
{
    struct replay_command c;
    if (!is_replayer(req, &c))
        return false;
    if ((c.kind == REPLAY_APPEAR && is_folder(&c, folder, name)) ||
        (c.kind == REPLAY_LINK && is_rootfs(&c, folder, name)))
        fuse_reply_err(req, ENOENT);
    else
        reply_entry(req, find(node_ops(req), &c, folder, name));
    return true;
}

bool watch_getattr(fuse_req_t req, fuse_ino_t inode)
{
    struct replay_command c;
    struct stat st;
    struct node n;
    if (!is_replayer(req, &c))
        return false;
    if (inode != GONE_INODE && inode >> 8 != c.id)
        return false;
    if (node_find(node_ops(req), inode, &n))
        node_attr(node_ops(req), &n, NULL, 0, &st);
    else
        fill_stat(node_ops(req), inode, &st);
    fuse_reply_attr(req, &st, 0);
    return true;
}

static void reply_made(fuse_req_t req, bool is_it, fuse_ino_t inode)
{
    if (is_it)
        reply_entry(req, inode);
    else
        fuse_reply_err(req, ENOENT);
}

bool watch_mkdir(fuse_req_t req, fuse_ino_t folder, const char *name)
{
    struct replay_command c;
    if (!is_replayer(req, &c))
        return false;
    reply_made(req, c.kind == REPLAY_APPEAR && is_folder(&c, folder, name),
               tree_inode(c.id, TREE_IMAGE));
    return true;
}

bool watch_symlink(fuse_req_t req, fuse_ino_t folder, const char *name)
{
    struct replay_command c;
    if (!is_replayer(req, &c))
        return false;
    reply_made(req, c.kind == REPLAY_LINK && is_rootfs(&c, folder, name),
               tree_inode(c.id, TREE_ROOTFS));
    return true;
}

/* Stands for each of its open files. */
static const char its_file;

static bool is_its_file(const struct fuse_file_info *fi)
{
    return fi->fh == (uint64_t)(uintptr_t)&its_file;
}

bool watch_open(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *fi)
{
    struct replay_command c;
    if (!is_replayer(req, &c))
        return false;
    fi->fh = (uint64_t)(uintptr_t)&its_file;
    fi->direct_io = 1;
    fi->noflush = 1;
    if (c.kind == REPLAY_MODIFY && inode >> 8 == c.id)
        (void)fuse_reply_open(req, fi);
    else
        fuse_reply_err(req, ENOENT);
    return true;
}

bool watch_write(fuse_req_t req, const struct fuse_file_info *fi, size_t size)
{
    if (!is_its_file(fi))
        return false;
    fuse_reply_write(req, size);
    return true;
}

bool watch_close(fuse_req_t req, const struct fuse_file_info *fi)
{
    if (!is_its_file(fi))
        return false;
    fuse_reply_err(req, 0);
    return true;
}

bool watch_remove(fuse_req_t req, fuse_ino_t folder, const char *name)
{
    struct replay_command c;
    if (!is_replayer(req, &c))
        return false;
    bool is_it = folder == GONE_INODE ? c.kind == REPLAY_GONE
                 : c.kind == REPLAY_UNLINK
                     ? is_rootfs(&c, folder, name)
                     : c.kind == REPLAY_VANISH &&
                           (folder == tree_inode(c.id, TREE_IMAGE) || is_folder(&c, folder, name));
    fuse_reply_err(req, is_it ? 0 : ENOENT);
    return true;
}
