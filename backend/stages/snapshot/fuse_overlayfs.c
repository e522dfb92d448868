/* For users who may not mount: the program fuse-overlayfs serves the layer, fusermount3 mounts and
 * unmounts it, both found in PATH.
 *
 * The program has a descriptor of overlays/<name> with a lock on it, for as long as it runs: in
 * whichever namespace its mount is still held, whoever started it, the lock tells. What is mounted
 * and has no lock is dead: its program was killed.
 *
 * Nobody without privileges can mount again what he has unmounted for others: so it is asked
 * before, who would keep it. */
#include "stages/snapshot/snapshot.h"

#include "base/cleanup.h"
#include "base/run.h"
#include "base/text.h"
#include "stages/snapshot/elsewhere.h"
#include "stages/snapshot/layer.h"
#include "stages/snapshot/lower.h"
#include "stages/unpack/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SERVER  "fuse-overlayfs"
#define MOUNTER "fusermount3"

#define MOUNT_MS   30000
#define UNMOUNT_MS 30000
#define ASK_MS     10000
#define END_MS     5000 /* that the program gets to end in, once nobody has its mount any more */
#define STEP_NS    2000000

/* --- the lock */

/* Whoever looks shares it: two that look must not take each other for the program. */
static int lock_layer(int dir, int how)
{
    while (flock(dir, how | LOCK_NB) < 0)
        if (errno != EINTR)
            return errno == EWOULDBLOCK ? -EBUSY : -errno;
    return 0;
}

/* -EBUSY if a program serves it, 0 if none does or there is no layer, or -errno. */
static int is_served(const struct paths *p, const char *name)
{
    int dir CLEANUP_CLOSE =
        openat(p->overlays, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir < 0)
        return errno == ENOENT ? 0 : -errno;
    return lock_layer(dir, LOCK_SH);
}

static bool is_in_time(int64_t end)
{
    nanosleep(&(struct timespec){.tv_nsec = STEP_NS}, NULL);
    return text_monotonic_ms() < end;
}

static int await_end(const struct paths *p, const char *name)
{
    int r;
    int64_t end = text_monotonic_ms() + END_MS;
    while ((r = is_served(p, name)) == -EBUSY && is_in_time(end))
        ;
    return r;
}

static int fail_served(const char *name, int r, struct err *err)
{
    if (r != -EBUSY)
        return err_sys(err, -r, "cannot tell whether the layer of %s is in use",
                       snapshot_called(name));
    return snapshot_fail_held(name, NULL, err);
}

/* --- mounting */

/* Without asking the program, which may not answer. */
static bool is_mount(const char *path)
{
    struct statx stx;
    return statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW | AT_STATX_DONT_SYNC, STATX_TYPE, &stx) == 0 &&
           (stx.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

static bool fuse_mounted(const struct paths *p, const char *name)
{
    char path[PATH_MAX];
    snapshot_point(path, p, name);
    return is_mount(path) && is_served(p, name) == -EBUSY;
}

static bool fuse_dead(const struct paths *p, const char *name)
{
    char path[PATH_MAX];
    snapshot_point(path, p, name);
    return is_mount(path) && is_served(p, name) == 0;
}

/* --- the programs */

static int detach(const char *path, bool lazily, char said[static RUN_SAID_MAX])
{
    char *argv[] = {(char *)MOUNTER, (char *)(lazily ? "-uz" : "-u"), (char *)"--",
                    (char *)(uintptr_t)path, NULL};
    return run_program(argv, -1, UNMOUNT_MS, said);
}

/* Whatever becomes of it, the next step finds out. */
static void detach_dead(const char *path)
{
    char said[RUN_SAID_MAX];
    (void)detach(path, true, said);
}

static int say(struct err *err, int r, const char *program, const char *what, const char *said)
{
    if (r < 0)
        return err_set(err, ERR_MOUNT_FAILED, -r, "cannot run %s: %s", program, strerror(-r));
    return err_set(err, ERR_MOUNT_FAILED, strstr(said, strerror(EBUSY)) ? EBUSY : EPERM,
                   "cannot %s: %s", what, said);
}

/* paths_open() has refused a store whose path these options could not spell. */
static int serve(const char *lower, const char *layer, int lock, const char *point, struct err *err)
{
    char said[RUN_SAID_MAX];
    struct text options CLEANUP_TEXT = {0};
    text_addf(&options, "lowerdir=%s,upperdir=%s/upper,workdir=%s/work", lower, layer, layer);
    if (options.failed)
        return err_sys(err, ENOMEM, "cannot mount");
    char *argv[] = {(char *)SERVER, (char *)"-o", options.data, (char *)(uintptr_t)point, NULL};
    int r = run_program(argv, lock, MOUNT_MS, said);
    if (r == 0 && is_mount(point))
        return 0;
    return r == 0 ? err_set(err, ERR_MOUNT_FAILED, EIO, SERVER " has mounted nothing")
                  : say(err, r, SERVER, "mount", said);
}

/* Whoever looks whether it is served has it for a moment, and so has a child that is being forked
 * just then, with copies of all descriptors. */
static int claim(const char *name, int dir, struct err *err)
{
    int r;
    int64_t end = text_monotonic_ms() + END_MS;
    while ((r = lock_layer(dir, LOCK_EX)) == -EBUSY && is_in_time(end))
        ;
    return r < 0 ? fail_served(name, r, err) : 0;
}

static int fuse_mount(const struct paths *p, const char *name, const char *key, enum policy policy,
                      struct err *err)
{
    char point[PATH_MAX], lower_path[PATH_MAX], layer_path[PATH_MAX];
    snapshot_point(point, p, name);
    if (is_mount(point)) {
        int served = is_served(p, name);
        if (served < 0) /* what may be alive is left alone */
            return served == -EBUSY ? 0 : fail_served(name, served, err);
        detach_dead(point);
    }
    int lower CLEANUP_CLOSE = lower_open(p, key, err);
    if (lower < 0)
        return lower;
    struct layer layer CLEANUP_LAYER = LAYER_NONE;
    int r = layer_make(p, name, lower, &layer, err);
    if (r < 0 || (r = claim(name, layer.dir, err)) < 0)
        return r;
    if (mkdirat(p->active, name, 0700) < 0 && errno != EEXIST)
        return err_sys(err, errno, "cannot make active/%s", name);
    snprintf(lower_path, sizeof lower_path, "%.*s/images/%.*s/" SINK_ROOTFS, PATHS_DIR_MAX, p->dir,
             PATHS_KEY_MAX, key);
    snprintf(layer_path, sizeof layer_path, "%.*s/overlays/%s", PATHS_DIR_MAX, p->dir, name);
    return serve(lower_path, layer_path, layer.dir, point, err);
}

/* --- unmounting */

static int fuse_busy(const struct paths *p, const char *name, struct err *err)
{
    char path[PATH_MAX], why[HOLDER_TEXT_MAX];
    snapshot_point(path, p, name);
    if (!fuse_mounted(p, name) || !holder_in_mount(path, why))
        return 0;
    return err_set(err, ERR_MOUNT_FAILED, EBUSY, "%s is in use: %s", snapshot_called(name), why);
}

static int unmount_live(const char *name, const char *path, struct err *err)
{
    char why[HOLDER_TEXT_MAX], said[RUN_SAID_MAX];
    struct err failed = {0};
    if (elsewhere_kept(path, why))
        return snapshot_fail_held(name, why, err);
    int r = detach(path, false, said);
    if (r == 0 || !is_mount(path))
        return 0;
    if (say(&failed, r, MOUNTER, "unmount", said) != -EBUSY) {
        if (err)
            *err = failed;
        return -failed.num;
    }
    holder_of_mount(path, why);
    return err_set(err, ERR_MOUNT_FAILED, EBUSY, "%s is in use: %s", snapshot_called(name), why);
}

static int fuse_unmount(const struct paths *p, const char *name, const char *key,
                        enum policy policy, struct err *err)
{
    char path[PATH_MAX];
    int r = 0;
    snapshot_point(path, p, name);
    if (fuse_dead(p, name))
        detach_dead(path);
    else if (is_mount(path))
        r = unmount_live(name, path, err);
    if (r < 0)
        return r;
    if ((r = await_end(p, name)) < 0)
        return fail_served(name, r, err);
    unlinkat(p->active, name, AT_REMOVEDIR);
    return 0;
}

/* --- what it needs */

/* All that is missing at once: nobody wants to be told one by one. */
static int check_programs(struct err *err)
{
    static const char *const needs[][3] = {{SERVER, "--version", "fuse-overlayfs"},
                                           {MOUNTER, "-V", "fuse3"}};
    char said[RUN_SAID_MAX], missing[64] = "", packages[64] = "";
    for (size_t i = 0; i < ARRAY_SIZE(needs); i++) {
        char *argv[] = {(char *)(uintptr_t)needs[i][0], (char *)(uintptr_t)needs[i][1], NULL};
        if (run_program(argv, -1, ASK_MS, said) >= 0)
            continue;
        size_t m = strlen(missing), n = strlen(packages);
        snprintf(missing + m, sizeof missing - m, "%s%s", m ? " and " : "", needs[i][0]);
        snprintf(packages + n, sizeof packages - n, " %s", needs[i][2]);
    }
    return *missing ? err_set(err, ERR_MOUNT_FAILED, ENOENT, "%s not found in PATH: apt install%s",
                              missing, packages)
                    : 0;
}

static int check_device(struct err *err)
{
    int fd CLEANUP_CLOSE = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    if (fd >= 0)
        return 0;
    int num = errno;
    return err_set(err, ERR_MOUNT_FAILED, num, "/dev/fuse: %s: as root, %s", strerror(num),
                   num == EACCES || num == EPERM ? "chmod 666 /dev/fuse" : "modprobe fuse");
}

/* What a layer must be able to do. (To rename a directory of the image is beyond this program: who
 * wants that is told EXDEV, and copies, as mv does.) */
static int try_writes(int point, struct err *err)
{
    if (unlinkat(point, "gone", AT_REMOVEDIR) < 0 || mkdirat(point, "gone", 0755) < 0 ||
        fchmodat(point, "dir", 0700, 0) < 0)
        return err_sys(err, errno, "cannot write to the layer: put the store on another disk");
    return 0;
}

static int try_point(const char *path, struct err *err)
{
    int point CLEANUP_CLOSE = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return point < 0 ? err_sys(err, errno, "cannot open the mount") : try_writes(point, err);
}

static void probe_path(char out[static PATH_MAX], const struct paths *p, const char *below)
{
    snprintf(out, PATH_MAX, "%.*s/overlays/" PATHS_PROBE "%s", PATHS_DIR_MAX, p->dir, below);
}

static int try_mount(void *ctx, int folder, struct err *err)
{
    const struct paths *p = ctx;
    char layer_path[PATH_MAX], lower_path[PATH_MAX], point[PATH_MAX], said[RUN_SAID_MAX];
    static const char *const folders[] = {"lower", "lower/dir", "lower/gone", "point"};
    for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
        if (mkdirat(folder, folders[i], 0755) < 0)
            return err_sys(err, errno, "cannot make overlays/" PATHS_PROBE "/%s", folders[i]);
    int lower CLEANUP_CLOSE = openat(folder, "lower", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct layer l CLEANUP_LAYER = LAYER_NONE;
    int r = lower < 0 ? err_sys(err, errno, "cannot open overlays/" PATHS_PROBE "/lower")
                      : layer_make(p, PATHS_PROBE, lower, &l, err);
    if (r < 0 || (r = claim(PATHS_PROBE, l.dir, err)) < 0)
        return r;
    probe_path(layer_path, p, "");
    probe_path(lower_path, p, "/lower");
    probe_path(point, p, "/point");
    if ((r = serve(lower_path, layer_path, l.dir, point, err)) < 0)
        return r;
    layer_close(&l);
    r = is_served(p, PATHS_PROBE) == -EBUSY
            ? try_point(point, err)
            : err_set(err, ERR_MOUNT_FAILED, ENOTSUP, "locks tell nothing on the store's disk");
    /* Lazily: a desktop's indexer that looks at each new mount may be in there. */
    int gone = detach(point, true, said), ended = await_end(p, PATHS_PROBE);
    if (r == 0 && gone != 0)
        return say(err, gone, MOUNTER, "unmount", said);
    return r < 0 || ended == 0 ? r : fail_served(PATHS_PROBE, ended, err);
}

static int fuse_probe(struct paths *p, struct err *err)
{
    char point[PATH_MAX];
    int r = check_programs(err);
    if (r == 0)
        r = check_device(err);
    if (r < 0)
        return r;
    probe_path(point, p, "/point");
    if (is_mount(point)) /* of a start that was killed */
        detach_dead(point);
    return paths_probe(p->overlays, "overlays", try_mount, p, err);
}

const struct snapshot_backend snapshot_fuse_overlayfs = {
    .name = SERVER,
    .without_root = true,
    .probe = fuse_probe,
    .mount = fuse_mount,
    .busy = fuse_busy,
    .unmount = fuse_unmount,
    .mounted = fuse_mounted,
    .dead = fuse_dead,
};
