#include "fs/mounted.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#define MOUNTINFO "/proc/self/mountinfo"

/* What the kernel has of the root will do, and nobody need answer. */
static int look(int dirfd, const char *path, struct statx *stx)
{
    int flags = AT_STATX_DONT_SYNC | (*path ? 0 : AT_EMPTY_PATH);
    return statx(dirfd, path, flags, STATX_MNT_ID, stx) < 0 ? -errno : 0;
}

/* Numbers of mounts are given anew at once: the device is there as long as the file system is. */
static bool is_it(const struct mounted *m, uint64_t id, unsigned major, unsigned minor)
{
    return id == m->id && major == m->major && minor == m->minor;
}

int mounted_open(struct mounted *m, const char *path)
{
    struct statx stx;
    *m = (struct mounted){.path = path, .table = -1};
    int table CLEANUP_CLOSE = open(MOUNTINFO, O_RDONLY | O_CLOEXEC);
    int r = look(AT_FDCWD, path, &stx);
    if (r < 0)
        return r;
    m->major = stx.stx_dev_major;
    m->minor = stx.stx_dev_minor;
    m->id = stx.stx_mnt_id;
    if (stx.stx_mask & STATX_MNT_ID)
        m->table = steal_fd(table);
    return 0;
}

void mounted_close(struct mounted *m)
{
    if (m->table >= 0)
        close(steal_fd(m->table));
}

int mounted_check(const struct mounted *m, int folder)
{
    struct statx stx;
    int r = look(folder, "", &stx);
    if (r < 0)
        return r;
    return stx.stx_dev_major == m->major && stx.stx_dev_minor == m->minor ? 0 : -ESTALE;
}

/* Private: what is mounted below the one is not to appear below the other. */
int mounted_copy(const struct mounted *m)
{
    struct mount_attr attr = {.propagation = MS_PRIVATE};
    if (m->table < 0)
        return -ENOSYS;
    int copy CLEANUP_CLOSE =
        open_tree(AT_FDCWD, m->path, OPEN_TREE_CLONE | (unsigned)OPEN_TREE_CLOEXEC);
    if (copy < 0 || mount_setattr(copy, "", AT_EMPTY_PATH, &attr, sizeof attr) < 0)
        return -errno;
    int r = mounted_check(m, copy);
    return r < 0 ? r : steal_fd(copy);
}

/* ID PARENT MAJOR:MINOR … */
static bool is_line(const struct mounted *m, const char *line)
{
    unsigned long long id;
    unsigned major, minor;
    return sscanf(line, "%llu %*u %u:%u", &id, &major, &minor) == 3 && is_it(m, id, major, minor);
}

/* Its folder may have another name by now, and others may be mounted over it. */
static int is_missing(const struct mounted *m)
{
    FILE *f CLEANUP_FCLOSE = fopen(MOUNTINFO, "re");
    if (!f)
        return -errno;
    char *line CLEANUP_FREE = NULL;
    size_t cap = 0;
    errno = 0;
    while (getline(&line, &cap, f) >= 0)
        if (is_line(m, line))
            return 0;
    return errno ? -errno : 1;
}

int mounted_is_gone(const struct mounted *m)
{
    struct statx stx;
    if (look(AT_FDCWD, m->path, &stx) == 0 &&
        is_it(m, stx.stx_mnt_id, stx.stx_dev_major, stx.stx_dev_minor))
        return 0;
    return is_missing(m);
}
