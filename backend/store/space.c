#include "store/space.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

static int64_t free_bytes(const struct statvfs *fs)
{
    int64_t bytes;
    return __builtin_mul_overflow(fs->f_bavail, fs->f_frsize, &bytes) ? INT64_MAX : bytes;
}

/* Some file systems make inodes as they need them, and say that they have none. */
static bool lacks(const struct statvfs *fs, const struct space_need *need)
{
    return need->bytes > free_bytes(fs) ||
           (fs->f_files > 0 && need->inodes > 0 && (uint64_t)need->inodes > fs->f_favail);
}

int space_check(int fd, const char *what, const struct space_need *need, struct err *err)
{
    struct statvfs fs;
    if (fstatvfs(fd, &fs) < 0 || !lacks(&fs, need))
        return 0;
    return err_set(err, ERR_NO_SPACE, ENOSPC, "%s does not fit", what);
}

static void add_amounts(struct err *err, const char *label, int64_t bytes, int64_t inodes)
{
    size_t len = strlen(err->text);
    const char *comma = bytes >= 0 && inodes >= 0 ? ", " : "";
    char b[48] = "", i[48] = "";
    if (bytes >= 0)
        snprintf(b, sizeof b, "%lld bytes", (long long)bytes);
    if (inodes >= 0)
        snprintf(i, sizeof i, "%lld inodes", (long long)inodes);
    snprintf(err->text + len, sizeof err->text - len, "; %s: %s%s%s", label, b, comma, i);
}

void space_explain(struct err *err, const struct space_need *need, const char *path)
{
    struct statvfs fs;
    char label[512];
    if (!err || err->code != ERR_NO_SPACE)
        return;
    if (need && (need->bytes > 0 || need->inodes > 0))
        add_amounts(err, "needed", need->bytes > 0 ? need->bytes : -1,
                    need->inodes > 0 ? need->inodes : -1);
    if (statvfs(path, &fs) < 0)
        return;
    snprintf(label, sizeof label, "free in %s", path);
    add_amounts(err, label, free_bytes(&fs), fs.f_files > 0 ? (int64_t)fs.f_favail : -1);
}
