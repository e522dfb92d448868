#include "stages/export/export.h"

#include "base/cleanup.h"
#include "stages/export/tree.h"
#include "stages/snapshot/aside.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

struct call {
    const char *mount;
    struct flow *flow;
    struct err *err;
};

/* An empty folder is not to be taken for an image. */
static int check(int fd, struct err *err)
{
    struct statfs fs;
    struct statx stx;
    if (fstatfs(fd, &fs) < 0 || statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &stx) < 0)
        return err_sys(err, errno, "cannot look at the mount");
    if ((fs.f_type != OVERLAYFS_SUPER_MAGIC && fs.f_type != FUSE_SUPER_MAGIC) ||
        !(stx.stx_attributes & STATX_ATTR_MOUNT_ROOT))
        return err_set(err, ERR_IO, ENODEV, "it is not mounted");
    return 0;
}

/* A copy of the mount is without what someone has mounted on it, cannot be written through, and
 * leaves access times alone. */
static int copy(int mount, struct err *err)
{
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
                                          MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOATIME,
                              .attr_clr = MOUNT_ATTR__ATIME};
    int fd CLEANUP_CLOSE =
        open_tree(mount, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (fd < 0 && errno == EPERM) /* to who is not root: the mount itself, whose files are his */
        return openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof attr) < 0)
        return err_sys(err, errno, "cannot copy the mount");
    return steal_fd(fd);
}

/* The copy alone would not keep the mount from being taken away. */
static int open_and_write(const struct call *c)
{
    int mount CLEANUP_CLOSE = open(c->mount, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (mount < 0)
        return err_sys(c->err, errno, "cannot open %s", c->mount);
    int r = check(mount, c->err);
    if (r < 0)
        return r;
    int root CLEANUP_CLOSE = copy(mount, c->err);
    return root < 0 ? root : tree_write(root, c->flow, c->err);
}

/* The program's other descriptors would stay open for as long as a reader likes. */
static int run(void *ctx)
{
    close_range(0, UINT_MAX, 0);
    return open_and_write(ctx);
}

int export_run(const char *mount, struct flow *flow, struct err *err)
{
    struct err why = {0};
    struct call c = {.mount = mount, .flow = flow, .err = &why};
    int r = aside_run(run, &c);
    if (r < 0 && !why.num)
        err_set(&why, ERR_INTERNAL, -r, "no thread to export on");
    flow_end(flow, r < 0 ? &why : NULL);
    if (r < 0 && err)
        *err = why;
    return r;
}
