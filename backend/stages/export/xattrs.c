#include "stages/export/xattrs.h"

#include "stages/export/pax.h"

#include <errno.h>
#include <limits.h>
#include <linux/limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#define NAMES_MAX (XATTR_LIST_MAX / 3) /* `user.` is no attribute: the shortest has a name */
#define PATH_ROOM 320

/* What has attributes is not always to be opened. The descriptors are this thread's own. */
static const char *path_of(char path[static PATH_ROOM], int fd, const char *name)
{
    snprintf(path, PATH_ROOM, "/proc/thread-self/fd/%d/%s", fd, name);
    return path;
}

static ssize_t list(struct xattrs *x, int fd, const char *name)
{
    char path[PATH_ROOM];
    return name ? llistxattr(path_of(path, fd, name), x->names, XATTR_LIST_MAX)
                : flistxattr(fd, x->names, XATTR_LIST_MAX);
}

static ssize_t get(struct xattrs *x, int fd, const char *name, const char *xattr)
{
    char path[PATH_ROOM];
    return name ? lgetxattr(path_of(path, fd, name), xattr, x->value, XATTR_SIZE_MAX)
                : fgetxattr(fd, xattr, x->value, XATTR_SIZE_MAX);
}

/* On the layers below another overlay they would mean something. */
static bool is_of_overlay(const char *name)
{
    static const char trusted[] = "trusted.overlay.", user[] = "user.overlay.";
    return strncmp(name, trusted, sizeof trusted - 1) == 0 ||
           strncmp(name, user, sizeof user - 1) == 0;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static size_t sort(struct xattrs *x, size_t len)
{
    size_t count = 0;
    for (size_t at = 0; at < len && count < NAMES_MAX; at += strlen(x->names + at) + 1)
        if (!is_of_overlay(x->names + at))
            x->sorted[count++] = x->names + at;
    qsort(x->sorted, count, sizeof *x->sorted, compare);
    return count;
}

int xattrs_begin(struct xattrs *x)
{
    *x = (struct xattrs){.names = malloc(XATTR_LIST_MAX + 1),
                         .value = malloc(XATTR_SIZE_MAX),
                         .sorted = malloc(NAMES_MAX * sizeof *x->sorted)};
    return x->names && x->value && x->sorted ? 0 : -ENOMEM;
}

/* One that has gone since they were listed is passed over, like a name. */
int xattrs_read(struct xattrs *x, int fd, const char *name)
{
    x->records.len = 0;
    ssize_t len = list(x, fd, name);
    if (len <= 0)
        return len == 0 || errno == ENOTSUP ? 0 : -errno;
    x->names[len] = '\0';
    size_t count = sort(x, (size_t)len);
    for (size_t i = 0; i < count; i++) {
        ssize_t n = get(x, fd, name, x->sorted[i]);
        if (n >= 0)
            pax_xattr(&x->records, x->sorted[i], x->value, (size_t)n);
        else if (errno != ENODATA)
            return -errno;
    }
    return x->records.failed ? -ENOMEM : 0;
}

void xattrs_free(struct xattrs *x)
{
    free(x->names);
    free(x->value);
    free(x->sorted);
    text_free(&x->records);
}
