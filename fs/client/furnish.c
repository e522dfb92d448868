/* What is mounted in a root file system while somebody is in there. All by descriptor: a path is
 * resolved once, and below the root. */
#include "fs/client/inside.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define QUIET (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)

/* What could not be: because the image has no such folder, or since the kernel refused. */
struct lacks {
    struct text missing, refused;
};

static int open_below(int root, const char *path, uint64_t flags)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC | flags,
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    long fd;
    do
        fd = syscall(SYS_openat2, root, path, &how, sizeof how);
    while (fd < 0 && errno == EAGAIN);
    return fd < 0 ? -errno : (int)fd;
}

/* A new mount of that type, detached; options are "key=value", up to a NULL. */
static int new_mount(const char *type, const char *const *options, unsigned attributes)
{
    int fs CLEANUP_CLOSE = fsopen(type, FSOPEN_CLOEXEC);
    if (fs < 0)
        return -errno;
    fsconfig(fs, FSCONFIG_SET_STRING, "source", type, 0);
    for (; *options; options++) {
        char key[32];
        const char *value = strchr(*options, '=');
        snprintf(key, sizeof key, "%.*s", (int)(value - *options), *options);
        if (fsconfig(fs, FSCONFIG_SET_STRING, key, value + 1, 0) < 0)
            return -errno;
    }
    if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return -errno;
    int fd = fsmount(fs, FSMOUNT_CLOEXEC, attributes);
    return fd < 0 ? -errno : fd;
}

static int copy_mount(const char *path, unsigned flags)
{
    int fd = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags);
    return fd < 0 ? -errno : fd;
}

static int attach(int mount, int at)
{
    return move_mount(mount, "", at, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0
               ? -errno
               : 0;
}

/* The host's, to be read alone. */
static int copy_to_read(const char *path)
{
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
    int fd CLEANUP_CLOSE = copy_mount(path, AT_RECURSIVE);
    if (fd < 0)
        return fd;
    if (mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof attr) < 0)
        return -errno;
    return steal_fd(fd);
}

/* Puts the mount (or a -errno in its place) there, or notes why not. No link is followed, for where
 * it leads is the image's affair. 0 or -errno. */
static int put(int root, const char *path, uint64_t flags, int mount, struct lacks *lacks)
{
    int at CLEANUP_CLOSE = open_below(root, path, flags | O_NOFOLLOW);
    if (at < 0) {
        text_addf(&lacks->missing, " /%s", path);
        return at;
    }
    int r = mount < 0 ? mount : attach(mount, at);
    if (r < 0)
        text_addf(&lacks->refused, " /%s (%s)", path, strerror(-r));
    return r;
}

static void put_folder(int root, const char *path, int mount, struct lacks *lacks)
{
    int fd CLEANUP_CLOSE = mount;
    put(root, path, O_DIRECTORY, fd, lacks);
}

static void put_file(int root, const char *path, int mount, struct lacks *lacks)
{
    int fd CLEANUP_CLOSE = mount;
    put(root, path, 0, fd, lacks);
}

static const char *const nothing[] = {NULL};

static int new_tmpfs(const char *mode, unsigned attributes)
{
    const char *options[] = {mode, NULL};
    return new_mount("tmpfs", options, QUIET | attributes);
}

static int new_pts(bool mapped)
{
    const char *options[] = {"ptmxmode=0666", "mode=0620", mapped ? NULL : "gid=5", NULL};
    return new_mount("devpts", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
}

/* The host's own node: nobody may make one in a user namespace, nor use it. */
static void put_node(int dev, const char *name, const char *host, struct lacks *lacks)
{
    int fd CLEANUP_CLOSE = openat(dev, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0)
        put_file(dev, name, copy_mount(host, 0), lacks);
}

static void fill_dev(int dev, bool mapped, struct lacks *lacks)
{
    static const char *const nodes[] = {"null", "zero", "full", "random", "urandom", "tty"};
    static const char *const links[][2] = {{"fd", "/proc/self/fd"},
                                           {"stdin", "/proc/self/fd/0"},
                                           {"stdout", "/proc/self/fd/1"},
                                           {"stderr", "/proc/self/fd/2"},
                                           {"ptmx", "pts/ptmx"}};
    char host[32];
    for (size_t i = 0; i < ARRAY_SIZE(nodes); i++) {
        snprintf(host, sizeof host, "/dev/%s", nodes[i]);
        put_node(dev, nodes[i], host, lacks);
    }
    for (size_t i = 0; i < ARRAY_SIZE(links); i++)
        (void)symlinkat(links[i][1], dev, links[i][0]);
    /* So that the terminal we are on has a name in there. */
    const char *terminal = ttyname(STDIN_FILENO);
    if (terminal)
        put_node(dev, "console", terminal, lacks);
    if (mkdirat(dev, "pts", 0755) == 0)
        put_folder(dev, "pts", new_pts(mapped), lacks);
    if (mkdirat(dev, "shm", 01777) == 0)
        put_folder(dev, "shm", new_tmpfs("mode=1777", 0), lacks);
}

/* What is put in there goes into the new mount, wherever that is. */
static void put_dev(int root, bool mapped, struct lacks *lacks)
{
    int dev CLEANUP_CLOSE = new_tmpfs("mode=0755", MOUNT_ATTR_NOEXEC);
    if (put(root, "dev", O_DIRECTORY, dev, lacks) == 0)
        fill_dev(dev, mapped, lacks);
}

static void put_sys(int root, struct lacks *lacks)
{
    int sys = new_mount("sysfs", nothing, QUIET | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY);
    put_folder(root, "sys", sys < 0 ? copy_to_read("/sys") : sys, lacks);
}

/* Over whatever stands there, also over a link. What is missing is not made: it would stay. Nor is
 * it told of: many an image is not meant to look up names. */
static void put_resolv_conf(int root, struct lacks *lacks)
{
    struct lacks own = {0};
    if (access("/etc/resolv.conf", R_OK) == 0)
        put_file(root, "etc/resolv.conf", copy_to_read("/etc/resolv.conf"), &own);
    if (own.refused.len > 0)
        text_add(&lacks->refused, own.refused.data);
    text_free(&own.missing);
    text_free(&own.refused);
}

static void tell(const char *name, struct lacks *lacks)
{
    if (lacks->missing.len > 0 && !lacks->missing.failed)
        fprintf(stderr,
                "imgstore: %s: it goes without%s: the image has nothing there to mount on\n", name,
                lacks->missing.data);
    if (lacks->refused.len > 0 && !lacks->refused.failed)
        fprintf(stderr, "imgstore: %s: it goes without%s: that cannot be mounted here\n", name,
                lacks->refused.data);
    text_free(&lacks->missing);
    text_free(&lacks->refused);
}

void inside_furnish(int root, const char *name, bool mapped)
{
    struct lacks lacks = {0};
    put_folder(root, "proc", new_mount("proc", nothing, QUIET | MOUNT_ATTR_NOEXEC), &lacks);
    put_sys(root, &lacks);
    put_dev(root, mapped, &lacks);
    put_folder(root, "run", new_tmpfs("mode=0755", 0), &lacks);
    put_folder(root, "tmp", new_tmpfs("mode=1777", MOUNT_ATTR_STRICTATIME), &lacks);
    put_resolv_conf(root, &lacks);
    tell(name, &lacks);
}
