/* entry: one header of the archive, its strings and numbers checked against what Linux and a
 * record can hold. What it means for a tree is the parent's to judge. */
#ifndef HELPER_ENTRY_H
#define HELPER_ENTRY_H

#include "base/err.h"
#include "base/limits.h"
#include "base/wire.h"

#include <stddef.h>
#include <stdint.h>

struct archive_entry;

struct entry {
    enum wire_type type;
    uint32_t mode; /* 07777 */
    uint32_t uid, gid;
    uint32_t rdev_major, rdev_minor;
    int64_t mtime; /* 0 if there is none, or none that a file system could keep */
    uint32_t mtime_nsec;
    uint64_t size;             /* FILE: logical bytes; else 0 */
    const char *path, *target; /* exact bytes as archived; borrowed from the archive_entry */
    size_t path_len, target_len;
    size_t xattrs_len;
    uint8_t xattrs[LIMIT_XATTRS_MAX * 5]; /* as in a record; a name has at least a byte */
};

/* *e is valid until the archive_entry changes. */
int entry_read(struct archive_entry *ae, struct entry *e, struct err *err);

/* "path: text" with the path escaped and cut: for messages. */
int entry_fail(const char *path, struct err *err, enum err_code code, int num, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

#endif
