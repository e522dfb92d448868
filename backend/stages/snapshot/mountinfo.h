/* mountinfo: the lines of /proc/<pid>/mountinfo, taken apart (proc(5)). Any thread. */
#ifndef STAGES_SNAPSHOT_MOUNTINFO_H
#define STAGES_SNAPSHOT_MOUNTINFO_H

#include "base/text.h"

#include <stdbool.h>
#include <sys/types.h>

/* Valid during the call it is handed to; escapes are undone. */
struct mountinfo {
    int id, parent;      /* the mount's, and that of the one it is mounted on */
    dev_t dev;           /* of the superblock */
    const char *root;    /* what of that superblock is mounted */
    const char *point;   /* where, below the reader's root directory */
    const char *tags;    /* for mountinfo_group(); NULL: none */
    const char *type;    /* the file system's */
    const char *source;  /* what `mount` shows first */
    const char *options; /* the superblock's */
};

/* The peer group that it is of ("shared"), or that it follows ("master"); 0: none. */
int mountinfo_group(const struct mountinfo *m, const char *tag);

/* Calls each with every mount, in the order of the file, until it returns true. Returns 1 if it
 * did, 0 at the end of the file, or -errno. */
int mountinfo_each(const char *file, bool (*each)(void *ctx, const struct mountinfo *m), void *ctx);

/* Adds for each mount of this namespace below `dir`, which may be a link, what lies below it of
 * where it is mounted, with its NUL. A list, as the mount table must not change while it is read. 0
 * or -errno. */
int mountinfo_list_below(const char *dir, struct text *points);

/* What of `path` lies below `dir` ("a/b" for "/x/a/b" below "/x"); NULL if it does not. */
const char *mountinfo_below(const char *path, const char *dir);

#endif
