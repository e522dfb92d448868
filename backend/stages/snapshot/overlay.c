#include "stages/snapshot/snapshot.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "stages/snapshot/aside.h"
#include "stages/snapshot/holder.h"
#include "stages/snapshot/layer.h"
#include "stages/snapshot/lower.h"
#include "stages/snapshot/super.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

/* A holder that nobody can name may be a passing one: it is asked again until some looks in a row
 * have seen no helper at all, or for SETTLE_MS. A helper needs from 0.5 ms (no other mounts) to
 * 6 ms (200), if it gets a processor; of one that has ended the kernel keeps the mounts a little
 * longer (a grace period of RCU). */
#define SETTLE_MS      300
#define SETTLE_LOOKS   16
#define SETTLE_TRIES   5 /* from one look to the next, which reads all of /proc */
#define SETTLE_STEP_NS 2000000

/* As super_spell() has it: a folder of the store may be a link to another disk. */
static void upper_path(char out[static PATH_MAX], const struct paths *p, const char *name)
{
    char overlays[PATH_MAX];
    snprintf(out, PATH_MAX, "%.*s/overlays", PATHS_DIR_MAX, p->dir);
    bool resolved = realpath(out, overlays);
    snprintf(out, PATH_MAX, "%.*s/%s/upper", PATHS_DIR_MAX, resolved ? overlays : out, name);
}

/* The superblock mounted at active/<name>; 0 if none of ours is. By path: a descriptor there, which
 * a fork in another thread would copy, keeps the mount busy. */
static dev_t mounted_dev(const struct paths *p, const char *name)
{
    struct statx stx;
    struct statfs fs;
    char path[PATH_MAX];
    snapshot_point(path, p, name);
    if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &stx) < 0 ||
        !(stx.stx_attributes & STATX_ATTR_MOUNT_ROOT))
        return 0;
    if (statfs(path, &fs) < 0 || fs.f_type != OVERLAYFS_SUPER_MAGIC)
        return 0;
    return makedev(stx.stx_dev_major, stx.stx_dev_minor);
}

static bool overlay_mounted(const struct paths *p, const char *name)
{
    return mounted_dev(p, name) != 0;
}

/* 0 if nobody writes to the layer, mounted here or not; else an error, and *h is who (dev as in
 * there). Where nobody can be named it is asked again for a while: a helper on its way into its
 * jail, which holds copies of all mounts for a moment, must not make a layer look used. */
static int in_use(const struct paths *p, const char *name, dev_t dev, struct holder *h,
                  struct err *err)
{
    char upper[PATH_MAX];
    upper_path(upper, p, name);
    int64_t end = text_monotonic_ms() + SETTLE_MS;
    *h = (struct holder){.dev = dev};
    for (int tries = 0, unseen = 0;; tries++) {
        int r = layer_in_use(p, name);
        if (r == 0)
            return 0;
        if (tries % SETTLE_TRIES == 0) { /* also where it cannot be told: it can be lent back */
            holder_find(h, upper);
            unseen = h->passing ? 0 : unseen + 1;
        }
        if (r != -EBUSY)
            return err_sys(err, -r, "cannot tell whether the layer of %s is in use",
                           snapshot_called(name));
        if (h->pid || unseen == SETTLE_LOOKS || text_monotonic_ms() >= end)
            break;
        nanosleep(&(struct timespec){.tv_nsec = SETTLE_STEP_NS}, NULL);
    }
    return snapshot_fail_held(name, h->who, err);
}

static int attach(const struct paths *p, const char *name, int mount, struct err *err)
{
    if (mkdirat(p->active, name, 0700) < 0 && errno != EEXIST)
        return err_sys(err, errno, "cannot make active/%s", name);
    return super_attach(mount, p->active, name, err);
}

/* What is to be mounted. */
struct wanted {
    const struct paths *paths;
    const char *name, *key;
    enum policy policy;
    const struct holder *holder; /* who can lend the superblock; NULL: it is made */
    struct err *err;
};

static int mount_layer(const struct wanted *w)
{
    int lower CLEANUP_CLOSE = lower_open(w->paths, w->key, w->err);
    if (lower < 0)
        return lower;
    struct layer layer CLEANUP_LAYER = LAYER_NONE;
    int r = layer_make(w->paths, w->name, lower, &layer, w->err);
    if (r < 0)
        return r;
    char source[PATHS_FILE_MAX];
    snprintf(source, sizeof source, "imgstore:%s", w->name);
    struct super s = {.source = source, .lower = lower, .upper = layer.upper, .work = layer.work};
    int mount CLEANUP_CLOSE = super_make(&s, w->policy, w->err);
    return mount < 0 ? mount : attach(w->paths, w->name, mount, w->err);
}

/* After an unmount that turned out not to be the last one the same superblock is mounted here
 * again, as two over one layer would overwrite each other's files. Only where nobody is found who
 * could lend it a new one has to do. */
static int mount_wanted(void *ctx)
{
    const struct wanted *w = ctx;
    char upper[PATH_MAX];
    upper_path(upper, w->paths, w->name);
    int mount CLEANUP_CLOSE = w->holder ? holder_borrow(w->holder, upper) : -1;
    if (mount >= 0 && super_set_flags(mount, w->policy) == 0)
        return attach(w->paths, w->name, mount, w->err);
    return mount_layer(w);
}

static int mount_aside(struct wanted *w)
{
    int r = aside_run(mount_wanted, w);
    return r == -EAGAIN ? err_set(w->err, ERR_MOUNT_FAILED, EAGAIN, "no thread to mount on") : r;
}

static int overlay_mount(const struct paths *p, const char *name, const char *key,
                         enum policy policy, struct err *err)
{
    if (overlay_mounted(p, name))
        return 0;
    struct holder h;
    int r = in_use(p, name, 0, &h, err);
    if (r < 0)
        return r;
    struct wanted w = {.paths = p, .name = name, .key = key, .policy = policy, .err = err};
    return mount_aside(&w);
}

static int detach(const struct paths *p, const char *name, int flags, struct err *err)
{
    char path[PATH_MAX], why[HOLDER_TEXT_MAX];
    snapshot_point(path, p, name);
    if (umount2(path, UMOUNT_NOFOLLOW | flags) == 0)
        return 0;
    int num = errno;
    if ((num == EINVAL || num == ENOENT) && !mounted_dev(p, name))
        return 0;
    if (num == EAGAIN && flags == MNT_EXPIRE)
        return 0;
    if (num != EBUSY)
        return err_set(err, ERR_MOUNT_FAILED, num, "cannot unmount %s: %s", path, strerror(num));
    holder_of_mount(path, why);
    return err_set(err, ERR_MOUNT_FAILED, EBUSY, "%s is in use: %s", snapshot_called(name), why);
}

/* The first of two expiries only asks: EAGAIN says that nobody is in there. */
static int overlay_busy(const struct paths *p, const char *name, struct err *err)
{
    return detach(p, name, MNT_EXPIRE, err);
}

static int overlay_unmount(const struct paths *p, const char *name, const char *key,
                           enum policy policy, struct err *err)
{
    dev_t dev = mounted_dev(p, name);
    int r = dev ? detach(p, name, 0, err) : 0;
    if (r < 0)
        return r;
    struct holder h;
    r = in_use(p, name, dev, &h, err);
    if (r < 0) {
        struct err failed;
        struct wanted w = {
            .paths = p, .name = name, .key = key, .policy = policy, .holder = &h, .err = &failed};
        if (dev && mount_aside(&w) < 0)
            err_context(err, "cannot be mounted again (%s)", failed.text);
        return r;
    }
    unlinkat(p->active, name, AT_REMOVEDIR);
    return 0;
}

/* What a layer must be able to do: a rename of an image's directory needs extended attributes
 * (EXDEV without), a deletion needs whiteouts and directory entries that tell their type. */
static int try_writes(int mount, struct err *err)
{
    if (renameat(mount, "dir", mount, "moved") < 0)
        return err_sys(err, errno, "cannot rename a directory of the image");
    if (unlinkat(mount, "gone", AT_REMOVEDIR) < 0)
        return err_sys(err, errno, "cannot delete a directory of the image");
    if (mkdirat(mount, "made", 0755) < 0)
        return err_sys(err, errno, "cannot write to the layer");
    return 0;
}

/* A layer for the start. */
static int try_overlay(void *ctx, int folder, struct err *err)
{
    const struct paths *p = ctx;
    if (mkdirat(folder, "lower", 0755) < 0 || mkdirat(folder, "lower/dir", 0755) < 0 ||
        mkdirat(folder, "lower/gone", 0755) < 0)
        return err_sys(err, errno, "cannot make overlays/" PATHS_PROBE "/lower");
    int lower CLEANUP_CLOSE = openat(folder, "lower", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lower < 0)
        return err_sys(err, errno, "cannot open overlays/" PATHS_PROBE "/lower");
    struct layer l CLEANUP_LAYER = LAYER_NONE;
    int r = layer_make(p, PATHS_PROBE, lower, &l, err);
    if (r < 0)
        return r;
    struct super s = {.source = "imgstore", .lower = lower, .upper = l.upper, .work = l.work};
    int mount CLEANUP_CLOSE = super_make(&s, POLICY_STRICT, err);
    if (mount < 0)
        return mount;
    if ((r = try_writes(mount, err)) < 0)
        return r;
    if (layer_in_use(p, PATHS_PROBE) != -EBUSY)
        return err_set(err, ERR_MOUNT_FAILED, ENOTSUP, "the kernel does not tell who is in use");
    close(steal_fd(mount));
    if (layer_in_use(p, PATHS_PROBE))
        return err_set(err, ERR_MOUNT_FAILED, EBUSY, "an overlay stays in use after its end");
    return 0;
}

static const char *advice(int num)
{
    switch (num) {
    case EPERM:
    case EACCES:
        return "mounting needs CAP_SYS_ADMIN: run as root, in a container with --privileged";
    case ENODEV:
        return "this kernel has no overlay file system: load it (modprobe overlay)";
    case ENOSYS:
        return "the mount API is missing: Linux 6.1 or newer, and no filter that hides it";
    case ENOSPC:
    case EDQUOT:
        return "free some space or inodes in the store";
    default:
        return "writable layers need a file system with extended attributes and d_type: put the "
               "store on ext4, xfs or btrfs with --store";
    }
}

static int overlay_probe(struct paths *p, struct err *err)
{
    struct err why = {0};
    int r = paths_probe(p->overlays, "overlays", try_overlay, p, &why);
    if (r == -EPERM && geteuid() != 0) /* no news to who is no root, and he may have other ways */
        return err_set(err, why.code, EPERM, "mounting needs CAP_SYS_ADMIN");
    return r < 0 ? err_set(err, why.code, -r, "%s; %s", why.text, advice(-r)) : 0;
}

const struct snapshot_backend snapshot_overlay = {
    .name = "overlay",
    .probe = overlay_probe,
    .mount = overlay_mount,
    .busy = overlay_busy,
    .unmount = overlay_unmount,
    .mounted = overlay_mounted,
};
