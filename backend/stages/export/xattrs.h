/* xattrs: the extended attributes of one entry, as records of its headers. One thread. */
#ifndef EXPORT_XATTRS_H
#define EXPORT_XATTRS_H

#include "base/text.h"

struct xattrs {
    struct text records; /* sorted by name; without what an overlay keeps its books with */
    char *names, *value; /* room, of XATTR_LIST_MAX and XATTR_SIZE_MAX bytes */
    const char **sorted;
};

/* xattrs_free() also after a failure, 0 or -ENOMEM. */
int xattrs_begin(struct xattrs *x);

/* Of what is open as fd; with a name, of what has it in that folder, links not followed. 0 or
 * -errno. */
int xattrs_read(struct xattrs *x, int fd, const char *name);

void xattrs_free(struct xattrs *x);

#endif
