#include "store/space.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

static int64_t bytes_in(uint64_t blocks, uint64_t size)
{
    int64_t bytes;
    return __builtin_mul_overflow(blocks, size, &bytes) ? INT64_MAX : bytes;
}

int64_t space_free(const struct statvfs *fs)
{
    return bytes_in(fs->f_bavail, fs->f_frsize);
}

int64_t space_unused(const struct statvfs *fs)
{
    return bytes_in(fs->f_bfree, fs->f_frsize);
}

/* Some file systems make inodes as they need them, and say that they have none. */
static bool lacks(const struct statvfs *fs, const struct space_need *need)
{
    return need->bytes > space_free(fs) ||
           (fs->f_files > 0 && need->inodes > 0 && (uint64_t)need->inodes > fs->f_favail);
}

int space_check(int fd, const char *what, const struct space_need *need, struct err *err)
{
    struct statvfs fs;
    if (fstatvfs(fd, &fs) < 0 || !lacks(&fs, need))
        return 0;
    return err_set(err, ERR_NO_SPACE, ENOSPC, "%s does not fit", what);
}

static int64_t bytes_of(const struct statvfs *fs, const struct amount *amount)
{
    return amount->percent > 0
               ? (int64_t)(fs->f_blocks * fs->f_frsize / 100 * (uint64_t)amount->percent)
               : amount->bytes;
}

int64_t space_missing_of(const struct statvfs *fs, const struct amount *least, int64_t more)
{
    int64_t want;
    if (__builtin_add_overflow(bytes_of(fs, least), more, &want))
        want = INT64_MAX;
    return want > space_free(fs) ? want - space_free(fs) : 0;
}

int64_t space_missing(const char *path, const struct amount *least, int64_t more)
{
    struct statvfs fs;
    return statvfs(path, &fs) < 0 ? 0 : space_missing_of(&fs, least, more);
}

int64_t space_taken(const struct stat *st)
{
    return (int64_t)st->st_blocks * 512; /* whatever st_blksize is */
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
    add_amounts(err, label, space_free(&fs), fs.f_files > 0 ? (int64_t)fs.f_favail : -1);
}
