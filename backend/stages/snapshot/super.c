#include "stages/snapshot/super.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

struct option {
    const char *key, *value;
};

const char *super_spell(char out[static SUPER_VALUE_MAX], int fd)
{
    char link[48]; /* not /proc/self: descriptors may be this thread's own */
    snprintf(link, sizeof link, "/proc/thread-self/fd/%d", fd);
    ssize_t n = readlink(link, out, SUPER_VALUE_MAX);
    if (n <= 0 || n == SUPER_VALUE_MAX || memchr(out, ',', (size_t)n) ||
        memchr(out, ':', (size_t)n) || memchr(out, '\\', (size_t)n))
        return strcpy(out, link);
    out[n] = '\0';
    return out;
}

/* What the kernel had to say, if anything: "e overlay: why". */
static const char *explanation(int context, char *out, size_t size)
{
    ssize_t n = read(context, out, size - 1);
    out[n > 0 ? n : 0] = '\0';
    out[strcspn(out, "\n")] = '\0';
    return strlen(out) > 2 ? out + 2 : "the kernel's log may say more";
}

static int configure(int context, const struct option *options, size_t n, struct err *err)
{
    char why[256];
    for (size_t i = 0; i < n; i++)
        if (fsconfig(context, FSCONFIG_SET_STRING, options[i].key, options[i].value, 0) < 0) {
            int num = errno;
            return err_set(err, ERR_MOUNT_FAILED, num == EINVAL ? ENOTSUP : num,
                           "overlay option %s=%s: %s (%s)", options[i].key, options[i].value,
                           strerror(num), explanation(context, why, sizeof why));
        }
    if (fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
        return 0;
    int num = errno; /* the kernel makes a folder in work */
    return err_set(err, num == ENOSPC || num == EDQUOT ? ERR_NO_SPACE : ERR_MOUNT_FAILED, num,
                   "cannot make the overlay: %s (%s)", strerror(num),
                   explanation(context, why, sizeof why));
}

static uint64_t flags_of(enum policy policy)
{
    return MOUNT_ATTR_NODEV | (policy == POLICY_FAITHFUL ? 0 : MOUNT_ATTR_NOSUID);
}

int super_make(const struct super *s, enum policy policy, struct err *err)
{
    char lower[SUPER_VALUE_MAX], upper[SUPER_VALUE_MAX], work[SUPER_VALUE_MAX];
    /* Some are defaults of the kernel, which a distribution may have set otherwise. A chown with
     * metacopy would leave contents in the image that the layer is to own. xino keeps inode
     * numbers unique and one st_dev for all where image and layer lie on two file systems. */
    const struct option options[] = {
        {"source", s->source},
        {"lowerdir", super_spell(lower, s->lower)},
        {"upperdir", super_spell(upper, s->upper)},
        {"workdir", super_spell(work, s->work)},
        {"redirect_dir", "on"},
        {"metacopy", "off"},
        {"xino", "auto"},
        {"index", s->exclusive ? "on" : "off"},
    };
    int context CLEANUP_CLOSE = fsopen("overlay", FSOPEN_CLOEXEC);
    if (context < 0)
        return err_set(err, ERR_MOUNT_FAILED, errno, "cannot make an overlay: %s", strerror(errno));
    /* The end of a writable overlay syncs the whole file system that its upper lies on. */
    if (s->exclusive && fsconfig(context, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0)
        return err_set(err, ERR_MOUNT_FAILED, errno, "overlay option ro: %s", strerror(errno));
    int r = configure(context, options, ARRAY_SIZE(options), err);
    if (r < 0)
        return r;
    int mount = fsmount(context, FSMOUNT_CLOEXEC, (unsigned)flags_of(policy));
    if (mount < 0)
        return err_set(err, ERR_MOUNT_FAILED, errno, "cannot mount the overlay: %s",
                       strerror(errno));
    return mount;
}

int super_attach(int mount, int dirfd, const char *name, struct err *err)
{
    if (move_mount(mount, "", dirfd, name, MOVE_MOUNT_F_EMPTY_PATH) < 0)
        return err_set(err, ERR_MOUNT_FAILED, errno, "cannot attach the mount at active/%s: %s",
                       name, strerror(errno));
    return 0;
}

int super_set_flags(int mount, enum policy policy)
{
    struct mount_attr attr = {
        .attr_set = flags_of(policy),
        .attr_clr = (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOSUID) & ~flags_of(policy),
    };
    return mount_setattr(mount, "", AT_EMPTY_PATH, &attr, sizeof attr) < 0 ? -errno : 0;
}
