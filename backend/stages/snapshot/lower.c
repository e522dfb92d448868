#include "stages/snapshot/lower.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "stages/snapshot/mountinfo.h"
#include "stages/snapshot/super.h"
#include "stages/unpack/info.h"
#include "stages/unpack/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOP_TRIES 64 /* another process may take the free device first */

/* --- an image in a file */

/* The kernel's own words are about what it tried, not about what is wrong. */
static int mount_source(const char *source)
{
    int context CLEANUP_CLOSE = fsopen("erofs", FSOPEN_CLOEXEC);
    if (context < 0 || fsconfig(context, FSCONFIG_SET_STRING, "source", source, 0) < 0 ||
        fsconfig(context, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0 ||
        fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return -errno;
    int mount =
        fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID);
    return mount < 0 ? -errno : mount;
}

static int mount_file(int image)
{
    char source[SUPER_VALUE_MAX];
    return mount_source(super_spell(source, image));
}

/* AUTOCLEAR: the device goes with its last user. */
static int attach_loop(int image, char device[static 32])
{
    struct loop_config config = {
        .fd = (uint32_t)image,
        .block_size = 4096,
        .info.lo_flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO,
    };
    int control CLEANUP_CLOSE = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    int r = control < 0 ? -errno : -EBUSY;
    for (int tries = 0; control >= 0 && tries < LOOP_TRIES; tries++) {
        int number = ioctl(control, LOOP_CTL_GET_FREE);
        snprintf(device, 32, "/dev/loop%d", number);
        int fd CLEANUP_CLOSE = number < 0 ? -1 : open(device, O_RDONLY | O_CLOEXEC);
        if (fd >= 0 && ioctl(fd, LOOP_CONFIGURE, &config) == 0)
            return steal_fd(fd);
        r = -errno;
        if (errno != EBUSY)
            break;
    }
    return r;
}

static int mount_loop(int image)
{
    char device[32];
    int loop CLEANUP_CLOSE = attach_loop(image, device);
    return loop < 0 ? loop : mount_source(device);
}

static const struct {
    int (*mount)(int image);
    const char *words;
} ways[] = {
    [IMAGE_MOUNT_FILE] = {mount_file, "from its file"},
    [IMAGE_MOUNT_LOOP] = {mount_loop, "over a loop device"},
};

int lower_mount_erofs(int image, enum image_mount how, struct err *err)
{
    char why[256] = "";
    int r = -ENOTSUP;
    for (size_t i = IMAGE_MOUNT_FILE; i < ARRAY_SIZE(ways); i++) {
        if (how != IMAGE_MOUNT_ANY && how != i)
            continue;
        if ((r = ways[i].mount(image)) >= 0)
            return r;
        size_t len = strlen(why);
        snprintf(why + len, sizeof why - len, "%s%s: %s", len ? "; " : "", ways[i].words,
                 strerror(-r));
    }
    return err_set(err, ERR_MOUNT_FAILED, -r, "cannot mount an erofs image %s", why);
}

/* --- an image of the store */

static int open_root(const struct paths *p, const char *key)
{
    char root[PATHS_FILE_MAX];
    snprintf(root, sizeof root, "%.*s/" SINK_ROOTFS, PATHS_KEY_MAX, key);
    return openat(p->images, root, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static bool is_mounted(int root)
{
    struct statx stx;
    return statx(root, "", AT_EMPTY_PATH, STATX_TYPE, &stx) == 0 &&
           stx.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

static int fail(struct err *err, const char *key, int num)
{
    return err_set(err, ERR_MOUNT_FAILED, num, "the unpacked image images/%s: %s", key,
                   strerror(num));
}

/* One at a time: names share it. The lock ends with the caller's descriptor of the folder. */
static int mount_image(const struct paths *p, const char *key, int image, int root, struct err *err)
{
    while (flock(root, LOCK_EX) < 0)
        if (errno != EINTR)
            return fail(err, key, errno);
    int there CLEANUP_CLOSE = open_root(p, key);
    if (there >= 0 && is_mounted(there))
        return steal_fd(there);
    int mount CLEANUP_CLOSE = lower_mount_erofs(image, p->image_mount, err);
    if (mount < 0) {
        err_context(err, "images/%s", key);
        return mount;
    }
    if (move_mount(mount, "", root, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
        return fail(err, key, errno);
    int fd = open_root(p, key);
    return fd < 0 ? fail(err, key, errno) : fd;
}

const char *lower_sink(const struct paths *p, const char *key, bool *lost)
{
    char path[PATHS_FILE_MAX];
    struct stage_result result = {0};
    *lost = false;
    snprintf(path, sizeof path, "%.*s/" SINK_IMAGE, PATHS_KEY_MAX, key);
    if (faccessat(p->images, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return sink_erofs.name;
    bool missing = errno == ENOENT;
    if (info_read(p->images, key, &result, NULL) < 0)
        return NULL;
    *lost = missing && result.sink == sink_erofs.name;
    return result.sink;
}

bool lower_is_lost(const struct paths *p, const char *key)
{
    bool lost;
    (void)lower_sink(p, key, &lost);
    return lost;
}

bool lower_is_there(const struct paths *p, const char *sha256, enum policy policy)
{
    char key[PATHS_FILE_MAX];
    if (!paths_have_image(p, sha256, policy))
        return false;
    paths_image(key, sha256, policy);
    if (!lower_is_lost(p, key))
        return true;
    errno = ENOENT;
    return false;
}

int lower_open(const struct paths *p, const char *key, struct err *err)
{
    char path[PATHS_FILE_MAX];
    if (!*key) /* of no image that is known; and /rootfs is none of ours */
        return fail(err, key, ENOENT);
    int root CLEANUP_CLOSE = open_root(p, key);
    if (root < 0)
        return fail(err, key, errno);
    if (is_mounted(root))
        return steal_fd(root);
    snprintf(path, sizeof path, "%.*s/" SINK_IMAGE, PATHS_KEY_MAX, key);
    int image CLEANUP_CLOSE = openat(p->images, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    int num = image < 0 ? errno : 0;
    if (num == ENOENT && !lower_is_lost(p, key))
        return steal_fd(root);
    return num ? fail(err, key, num) : mount_image(p, key, image, root, err);
}

int lower_unmount(const struct paths *p, const char *key)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%.*s/images/%.*s/" SINK_ROOTFS, PATHS_DIR_MAX, p->dir,
             PATHS_KEY_MAX, key);
    while (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
        ;
    if (errno == EPERM && geteuid() != 0) /* who may not mount has nothing mounted there */
        return 0;
    return errno == EINVAL || errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
}

void lower_unmount_all(const struct paths *p)
{
    static const char suffix[] = "/" SINK_ROOTFS;
    char dir[PATH_MAX];
    struct text points CLEANUP_TEXT = {0};
    snprintf(dir, sizeof dir, "%.*s/images", PATHS_DIR_MAX, p->dir);
    (void)mountinfo_list_below(dir, &points); /* those that it could list */
    for (size_t at = 0, next; at < points.len; at = next) {
        char *key = points.data + at, *end = strchr(key, '/');
        next = at + strlen(key) + 1;
        if (end && strcmp(end, suffix) == 0) {
            *end = '\0';
            lower_unmount(p, key);
        }
    }
}
