/* spill: directories' xattrs, kept in an unnamed file until all children are there.
 *
 * Set at once, a default ACL would be inherited by every child; kept in memory, an archive could
 * make us large. One thread. */
#ifndef UNPACK_SPILL_H
#define UNPACK_SPILL_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct spill {
    int fd; /* -1 until the first record */
    int64_t end;
};

#define SPILL_INIT                                                                                 \
    {                                                                                              \
        .fd = -1                                                                                   \
    }

/* Remembers what a directory has from now on, nothing too; dirfd is where the file is made. Costs
 * nothing until the first directory that has any. */
int spill_add(struct spill *s, int dirfd, const char *path, const char *xattrs, size_t len,
              struct err *err);

/* Calls each with every record in the order in which they came; stops at the first negative. */
int spill_each(const struct spill *s,
               int (*each)(void *ctx, const char *path, const char *xattrs, size_t len,
                           struct err *err),
               void *ctx, struct err *err);

void spill_close(struct spill *s);

#endif
