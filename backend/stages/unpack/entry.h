/* entry: one member of an archive, as policy has let it through.
 *
 * What the rooms behind policy share: the sinks see these and never a record. Pure; any thread. */
#ifndef UNPACK_ENTRY_H
#define UNPACK_ENTRY_H

#include "base/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What an entry can carry besides its name and contents. */
struct entry_meta {
    uint32_t mode; /* permission bits, 07777 */
    uint32_t uid, gid;
    uint32_t mtime_nsec; /* < 1e9 */
    int64_t mtime;       /* seconds since 1970 */
};

/* The pointers belong to who made it and hold until the next one is made. */
struct entry {
    enum wire_type type;
    bool skip;          /* the policy leaves it out of the image */
    const char *path;   /* relative, no empty, `.` or `..` component; "" is the root */
    const char *target; /* SYMLINK: as archived.  HARDLINK: as path.  Else "" */
    unsigned climb;     /* SYMLINK: levels that its target rises above its own directory */
    struct entry_meta meta;
    uint32_t rdev_major, rdev_minor; /* CHARDEV, BLOCKDEV */
    uint64_t offset;                 /* FILE: in the data file; 0: it is one hole */
    uint64_t size;                   /* FILE: logical bytes; offset + size fits an int64_t */
    const char *xattrs;              /* as on the wire, well formed */
    size_t xattrs_len;
};

/* What a directory that the archive only implies looks like. */
#define ENTRY_META_IMPLIED ((struct entry_meta){.mode = 0755})

struct entry_xattr {
    const char *name, *value; /* no NUL behind either */
    size_t name_len, value_len;
};

/* Takes the next xattr off *at, *left bytes. 1, 0 at the end, -1 if they are not well formed. */
int entry_xattr_next(const char **at, size_t *left, struct entry_xattr *x);

/* The number of components of a path: 0 for the root. */
unsigned entry_depth(const char *path);

/* A path as messages show it: escaped, and cut where it is long. Returns out. */
#define ENTRY_SHOWN_MAX 256
const char *entry_shown(const char *path, size_t len, char out[static ENTRY_SHOWN_MAX]);

#endif
