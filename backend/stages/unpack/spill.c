#include "stages/unpack/spill.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define SPILL_NAME "xattrs"

struct head {
    uint32_t path_len, xattrs_len;
};

static int make(struct spill *s, int dirfd, struct err *err)
{
    s->fd = openat(dirfd, SPILL_NAME, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (s->fd < 0 || unlinkat(dirfd, SPILL_NAME, 0) < 0)
        return err_sys(err, errno, "cannot make a file for xattrs");
    return 0;
}

static int append(struct spill *s, const void *bytes, size_t n, struct err *err)
{
    int r = io_write(s->fd, bytes, n);
    if (r < 0)
        return err_sys(err, -r, "cannot keep the xattrs of a directory");
    s->end += (int64_t)n;
    return 0;
}

int spill_add(struct spill *s, int dirfd, const char *path, const char *xattrs, size_t len,
              struct err *err)
{
    struct head head = {(uint32_t)strlen(path), (uint32_t)len};
    int r = 0;
    if (s->fd < 0 && (len == 0 || (r = make(s, dirfd, err)) < 0))
        return r;
    if ((r = append(s, &head, sizeof head, err)) < 0 ||
        (r = append(s, path, head.path_len, err)) < 0)
        return r;
    return append(s, xattrs, len, err);
}

int spill_each(const struct spill *s,
               int (*each)(void *ctx, const char *path, const char *xattrs, size_t len,
                           struct err *err),
               void *ctx, struct err *err)
{
    char path[LIMIT_PATH_MAX + 1], xattrs[WIRE_RECORD_MAX];
    struct head head;
    int r = 0;
    if (s->fd >= 0 && lseek(s->fd, 0, SEEK_SET) < 0)
        return err_sys(err, errno, "cannot read the xattrs of directories");
    for (int64_t at = 0; at < s->end && r >= 0;) {
        if (io_read(s->fd, &head, sizeof head) != sizeof head || head.path_len >= sizeof path ||
            head.xattrs_len > sizeof xattrs ||
            io_read(s->fd, path, head.path_len) != head.path_len ||
            io_read(s->fd, xattrs, head.xattrs_len) != head.xattrs_len)
            return err_sys(err, EIO, "cannot read the xattrs of directories");
        path[head.path_len] = '\0';
        at += (int64_t)sizeof head + head.path_len + head.xattrs_len;
        r = each(ctx, path, xattrs, head.xattrs_len, err);
    }
    return r;
}

void spill_close(struct spill *s)
{
    if (s->fd >= 0)
        close(steal_fd(s->fd));
}
