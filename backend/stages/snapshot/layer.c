#include "stages/snapshot/layer.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "stages/snapshot/super.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define UPPER     "upper"
#define UPPER_NEW "upper.new" /* until it looks like the image's root */
#define WORK      "work"
#define SCRATCH   "probe" /* what asks whether the layer is in use */

static int make_dir(int at, const char *name)
{
    if (mkdirat(at, name, 0700) < 0 && errno != EEXIST)
        return -errno;
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* The host's labels are the host's to give, and overlay's own marks must not come from an image. */
static bool belongs_to_image(const char *xattr)
{
    return strncmp(xattr, "security.", 9) != 0 && strncmp(xattr, "trusted.overlay.", 16) != 0;
}

static int copy_xattr(int from, int to, const char *name)
{
    ssize_t n = fgetxattr(from, name, NULL, 0);
    char *value CLEANUP_FREE = n < 0 ? NULL : malloc((size_t)n + 1);
    if (!value)
        return -errno;
    n = fgetxattr(from, name, value, (size_t)n);
    return n < 0 || fsetxattr(to, name, value, (size_t)n, 0) < 0 ? -errno : 0;
}

static int copy_xattrs(int from, int to)
{
    ssize_t n = flistxattr(from, NULL, 0);
    if (n <= 0)
        return n < 0 && errno != EOPNOTSUPP ? -errno : 0;
    char *names CLEANUP_FREE = malloc((size_t)n);
    if (!names)
        return -errno;
    n = flistxattr(from, names, (size_t)n);
    if (n < 0)
        return -errno;
    for (const char *x = names; x < names + n; x += strlen(x) + 1) {
        int r = belongs_to_image(x) ? copy_xattr(from, to, x) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

/* Owner before mode, which it resets; times last, which all else moves. */
static int copy_looks(int from, int to)
{
    struct stat st;
    if (fstat(from, &st) < 0)
        return -errno;
    int r = copy_xattrs(from, to);
    if (r < 0)
        return r;
    if (fchown(to, st.st_uid, st.st_gid) < 0 || fchmod(to, st.st_mode & 07777) < 0 ||
        futimens(to, (struct timespec[]){st.st_atim, st.st_mtim}) < 0)
        return -errno;
    return 0;
}

static int make_upper(int layer, int root)
{
    int upper CLEANUP_CLOSE = make_dir(layer, UPPER_NEW);
    if (upper < 0)
        return upper;
    int r = copy_looks(root, upper);
    if (r < 0)
        return r;
    /* A journal keeps the order of what it is given: the first sync takes all of it along, where a
     * sync before the rename would be one more wait for the disk. Without a journal a power cut
     * here can leave an upper of root's, 0700, in place of the image's looks. */
    if (renameat(layer, UPPER_NEW, layer, UPPER) < 0 || fsync(upper) < 0 || fsync(layer) < 0)
        return -errno;
    return 0;
}

static int open_dir(int at, const char *name, bool *missing)
{
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    *missing = fd < 0 && errno == ENOENT;
    return fd < 0 ? -errno : fd;
}

int layer_make(const struct paths *paths, const char *name, int root, struct layer *l,
               struct err *err)
{
    bool missing;
    struct layer made CLEANUP_LAYER = LAYER_NONE;
    if ((made.dir = make_dir(paths->overlays, name)) < 0)
        return err_sys(err, -made.dir, "cannot make overlays/%s", name);
    if ((made.work = make_dir(made.dir, WORK)) < 0)
        return err_sys(err, -made.work, "cannot make overlays/%s/" WORK, name);
    if ((made.upper = open_dir(made.dir, UPPER, &missing)) < 0 && missing) {
        int r = make_upper(made.dir, root);
        if (r == 0 && fsync(paths_layers(paths, name)) < 0)
            r = -errno;
        made.upper = r < 0 ? r : open_dir(made.dir, UPPER, &missing);
    }
    if (made.upper < 0)
        return err_sys(err, -made.upper, "cannot make overlays/%s/" UPPER, name);
    *l = made;
    made = LAYER_NONE;
    return 0;
}

void layer_close(struct layer *l)
{
    cleanup_close(&l->work);
    cleanup_close(&l->upper);
    cleanup_close(&l->dir);
    *l = LAYER_NONE;
}

/* How to ask the kernel who writes to an upper, with what was seen on 6.18:
 *
 * - Only an overlay with index=on is refused (EBUSY); with index=off the kernel warns in its log
 *   and goes on. The layer's own mount has index=off all the same: index=on ties the upper to the
 *   identity of its lower, and once the image was unpacked anew every mount gives ESTALE and what
 *   was written is out of reach.
 * - Asking with the layer as upper and work of a detached overlay (EBUSY, else 0) leaves work/index
 *   and trusted.overlay.origin behind, so that the next question over another lower gives ESTALE
 *   and an error in the kernel's log. Worse, it takes the layer while that superblock lives, which
 *   a fork elsewhere in the program draws out: an overlay that is mounted meanwhile never counts
 *   as a user, and the next question is answered 0 while it is live.
 * - With the upper named as its own workdir (EBUSY, else EINVAL) nothing is taken and nothing
 *   written, but each question puts an error into the kernel's log that is none.
 * - With the upper as *lower* of a scratch overlay (EBUSY, else 0) nothing of the layer is taken or
 *   written, and the log is silent. That is how we ask; where there is no scratch to be had (the
 *   disk is full, which must not make a layer in use look free) the way before serves. */
static int ask_as_lower(const struct layer *l)
{
    int r = io_remove_tree(l->dir, SCRATCH);
    if (r < 0)
        return r;
    int scratch CLEANUP_CLOSE = make_dir(l->dir, SCRATCH);
    int upper CLEANUP_CLOSE = scratch < 0 ? -1 : make_dir(scratch, UPPER);
    int work CLEANUP_CLOSE = scratch < 0 ? -1 : make_dir(scratch, WORK);
    if (upper < 0 || work < 0)
        return -EIO;
    struct super s = {
        .source = SCRATCH, .lower = l->upper, .upper = upper, .work = work, .exclusive = true};
    int mount CLEANUP_CLOSE = super_make(&s, POLICY_STRICT, NULL);
    return mount < 0 ? mount : 0;
}

static int ask_as_upper(const struct layer *l)
{
    struct super s = {
        .source = SCRATCH, .lower = l->dir, .upper = l->upper, .work = l->upper, .exclusive = true};
    int mount CLEANUP_CLOSE = super_make(&s, POLICY_STRICT, NULL);
    return mount < 0 ? mount : 0;
}

/* The kernel looked, and what it does not like is not that someone else has the layer. Whatever
 * else kept it from looking (no memory, a disk that fails) is no answer: a layer that may be in use
 * must not be taken away. */
static bool is_free(int r)
{
    return r == 0 || r == -EINVAL || r == -ESTALE;
}

int layer_in_use(const struct paths *paths, const char *name)
{
    bool missing = false;
    struct layer l CLEANUP_LAYER = LAYER_NONE;
    l.dir = open_dir(paths->overlays, name, &missing);
    if (l.dir >= 0)
        l.upper = open_dir(l.dir, UPPER, &missing);
    if (l.dir < 0 || l.upper < 0)
        return missing ? 0 : l.dir < 0 ? l.dir : l.upper;
    int r = ask_as_lower(&l);
    io_remove_tree(l.dir, SCRATCH);
    if (r != 0 && r != -EBUSY)
        r = ask_as_upper(&l);
    return is_free(r) ? 0 : r;
}
