#include "stages/unpack/link_copy.h"

#include "base/cleanup.h"
#include "stages/unpack/beneath.h"
#include "stages/unpack/contents.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static int copy_xattr(int from, int to, const char *name, char *value)
{
    ssize_t n = fgetxattr(from, name, value, XATTR_SIZE_MAX);
    return n < 0 || fsetxattr(to, name, value, (size_t)n, 0) < 0 ? -errno : 0;
}

/* Those of users: the others come of themselves, or are not ours to set. */
static int copy_xattrs(int from, int to)
{
    static const char users[] = "user.";
    ssize_t n = flistxattr(from, NULL, 0);
    if (n <= 0)
        return n < 0 && errno != EOPNOTSUPP ? -errno : 0;
    char *names CLEANUP_FREE = malloc((size_t)n);
    char *value CLEANUP_FREE = malloc(XATTR_SIZE_MAX);
    if (!names || !value)
        return -ENOMEM;
    n = flistxattr(from, names, (size_t)n);
    int r = n < 0 ? -errno : 0;
    for (const char *x = names; r == 0 && x < names + n; x += strlen(x) + 1)
        if (strncmp(x, users, sizeof users - 1) == 0)
            r = copy_xattr(from, to, x, value);
    return r;
}

static int copy(int from, const struct stat *st, int to, int cancel_fd)
{
    int r = contents_copy_file(from, (uint64_t)st->st_size, to, cancel_fd);
    if (r == 0)
        r = copy_xattrs(from, to);
    if (r == 0 && (fchmod(to, st->st_mode & 07777) < 0 ||
                   futimens(to, (struct timespec[]){st->st_atim, st->st_mtim}) < 0))
        r = -errno;
    return r;
}

int link_copy(int target_at, const char *target, int at, const char *name, int64_t *left,
              int cancel_fd)
{
    struct stat st;
    if (fstatat(target_at, target, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    int from CLEANUP_CLOSE =
        S_ISREG(st.st_mode) ? beneath_open(target_at, target, O_RDONLY, 0) : -EACCES;
    if (from == -EACCES)
        return linkat(target_at, target, at, name, 0) < 0 ? -errno : 0;
    if (from < 0)
        return from;
    if (st.st_size > *left)
        return -EFBIG;
    *left -= st.st_size;
    int to CLEANUP_CLOSE = beneath_open(at, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
    return to < 0 ? to : copy(from, &st, to, cancel_fd);
}
