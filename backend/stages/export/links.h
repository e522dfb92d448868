/* links: files that have several names: which of them came first. One thread.
 *
 * 24 bytes and the name for each such file; what has one name only is none of its business. */
#ifndef EXPORT_LINKS_H
#define EXPORT_LINKS_H

#include "base/text.h"

#include <sys/stat.h>

struct links_slot {
    dev_t dev;
    ino_t ino;
    size_t path; /* of `paths`; 0: empty */
};

/* Zeroed at first. */
struct links {
    struct links_slot *slots;
    size_t count, capacity; /* capacity: a power of two */
    struct text paths;      /* each with its NUL, behind one that is empty */
};

/* *first is the path under which that file was seen first, good until the next call; NULL if this
 * is the first time, and then `path` is kept. 0 or -ENOMEM. */
int links_see(struct links *l, const struct stat *st, const char *path, const char **first);

void links_free(struct links *l);

#endif
