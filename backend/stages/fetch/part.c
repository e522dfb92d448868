#include "stages/fetch/part.h"

#include "base/boot.h"
#include "base/cleanup.h"
#include "base/io.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#define TAG_XATTR   "user.imgstore.etag"
#define BUFFER_SIZE ((size_t)64 << 10)

static int part_err(int num, const char *what, struct err *err)
{
    return err_sys(err, num, "cannot %s the download", what);
}

static void read_tag(struct part *p)
{
    ssize_t n = fgetxattr(p->fd, TAG_XATTR, p->tag, sizeof p->tag - 1);
    p->tag[n < 0 ? 0 : n] = '\0';
}

static bool is_readable(int fd)
{
    struct pollfd pfd = {.fd = fd, .events = POLLIN};
    return poll(&pfd, 1, 0) > 0;
}

/* Takes in what an earlier run left, and stands at its end. */
static int take_up(struct part *p, int cancel_fd, struct err *err)
{
    for (;;) {
        if (is_readable(cancel_fd))
            return err_set(err, ERR_CANCELLED, ECANCELED, "cancelled");
        ssize_t n = io_read(p->fd, p->buffer, BUFFER_SIZE);
        if (n < 0)
            return part_err((int)-n, "read", err);
        digest_add(p->digest, p->buffer, (size_t)n);
        p->size += n;
        if ((size_t)n < BUFFER_SIZE)
            return 0;
    }
}

static int open_file(struct part *p, struct err *err)
{
    char name[PATHS_FILE_MAX];
    struct stat st;
    paths_part(name, p->sha256);
    p->fd =
        openat(p->paths->blobs, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    if (p->fd < 0 || fstat(p->fd, &st) < 0)
        return part_err(errno, "open", err);
    return S_ISREG(st.st_mode) ? 0 : part_err(EINVAL, "open", err);
}

int part_open(struct part *p, const struct paths *paths, const char *sha256, int cancel_fd,
              struct err *err)
{
    *p = (struct part){.paths = paths, .sha256 = sha256, .fd = -1};
    p->digest = digest_new();
    p->buffer = malloc(BUFFER_SIZE);
    if (!p->digest || !p->buffer)
        return err_set(err, ERR_INTERNAL, ENOMEM, "out of memory");
    int r = open_file(p, err);
    if (r < 0)
        return r;
    read_tag(p);
    return take_up(p, cancel_fd, err);
}

int part_restart(struct part *p, const char *tag, struct err *err)
{
    if (ftruncate(p->fd, 0) < 0 || lseek(p->fd, 0, SEEK_SET) < 0)
        return part_err(errno, "empty", err);
    digest_restart(p->digest);
    p->size = p->begun = 0;
    p->buffered = 0;
    p->tag[0] = '\0';
    size_t len = tag ? strlen(tag) : 0;
    /* Where there are no xattrs, this download is one that cannot be resumed. */
    if (len > 0 && len < PART_TAG_MAX && fsetxattr(p->fd, TAG_XATTR, tag, len, 0) == 0)
        memcpy(p->tag, tag, len + 1);
    else
        fremovexattr(p->fd, TAG_XATTR);
    return 0;
}

/* Bytes are written once: what was cut short ends the file, and is not repeated behind it. */
int part_flush(struct part *p, struct err *err)
{
    size_t n = p->buffered;
    p->buffered = 0;
    int r = io_write(p->fd, p->buffer, n);
    if (r < 0)
        return part_err(-r, "write", err);
    io_write_behind(p->fd, &p->begun, p->size);
    return 0;
}

int part_add(struct part *p, const void *bytes, size_t n, struct err *err)
{
    digest_add(p->digest, bytes, n);
    for (const char *from = bytes; n > 0;) {
        size_t take = BUFFER_SIZE - p->buffered;
        if (take > n)
            take = n;
        memcpy(p->buffer + p->buffered, from, take);
        p->buffered += take;
        p->size += (int64_t)take;
        from += take;
        n -= take;
        int r = p->buffered == BUFFER_SIZE ? part_flush(p, err) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

bool part_whole(struct part *p)
{
    char got[DIGEST_HEX_MAX];
    return digest_hex(p->digest, got) && strcmp(got, p->sha256) == 0;
}

static int check_digest(struct part *p, struct err *err)
{
    char got[DIGEST_HEX_MAX];
    if (!digest_hex(p->digest, got))
        return err_set(err, ERR_INTERNAL, ENOMEM, "out of memory");
    if (strcmp(got, p->sha256) == 0)
        return 0;
    return err_set(err, ERR_CHECKSUM_MISMATCH, EBADMSG, "expected %s, got %s", p->sha256, got);
}

static int sniff(struct part *p, enum format *format, struct err *err)
{
    char head[FORMAT_SNIFF_BYTES];
    ssize_t n = pread(p->fd, head, sizeof head, 0);
    if (n < 0)
        return part_err(errno, "read", err);
    *format = format_sniff(head, (size_t)n);
    if (*format == FORMAT_UNKNOWN)
        return err_set(err, ERR_UNSUPPORTED_FORMAT, EINVAL, "the file is empty");
    return 0;
}

/* The tag goes first: a whole part needs none, and a blob never had one. The mark is worth nothing
 * after a power cut, whether or not what is synced here comes through. */
static int make_blob(struct part *p, enum format format, struct err *err)
{
    char part[PATHS_FILE_MAX], blob[PATHS_FILE_MAX];
    paths_part(part, p->sha256);
    paths_blob(blob, p->sha256, format);
    fremovexattr(p->fd, TAG_XATTR);
    boot_mark(p->fd);
    if (fsync(p->fd) < 0)
        return part_err(errno, "sync", err);
    if (renameat(p->paths->blobs, part, p->paths->blobs, blob) < 0)
        return part_err(errno, "name", err);
    close(steal_fd(p->fd));
    return fsync(p->paths->blobs) < 0 ? part_err(errno, "sync the name of", err) : 0;
}

int part_finish(struct part *p, enum format *format, struct err *err)
{
    int r = check_digest(p, err);
    if (r < 0 || (r = part_flush(p, err)) < 0 || (r = sniff(p, format, err)) < 0)
        return r;
    return make_blob(p, *format, err);
}

static bool can_resume(struct part *p)
{
    struct stat st;
    part_flush(p, NULL); /* what of it the disk takes is a beginning all the same */
    return p->tag[0] && fstat(p->fd, &st) == 0 && st.st_size > 0;
}

static void remove_file(struct part *p)
{
    char name[PATHS_FILE_MAX];
    paths_part(name, p->sha256);
    unlinkat(p->paths->blobs, name, 0);
}

void part_close(struct part *p, bool keep)
{
    if (p->fd >= 0) {
        if (!keep || !can_resume(p))
            remove_file(p);
        close(steal_fd(p->fd));
    }
    digest_free(p->digest);
    free(p->buffer);
    p->digest = NULL;
    p->buffer = NULL;
}
