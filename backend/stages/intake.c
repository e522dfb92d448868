#include "stages/intake.h"

#include "base/boot.h"
#include "base/cleanup.h"
#include "base/io.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>

static int intake_err(const struct intake *in, int num, const char *verb, struct err *err)
{
    return err_sys(err, num, "cannot %s %s", verb, in->what);
}

int intake_open(struct intake *in, const struct paths *paths, const char *name, int excl,
                const char *what, struct err *err)
{
    struct stat st;
    *in = (struct intake){.paths = paths, .what = what, .fd = -1};
    snprintf(in->name, sizeof in->name, "%s", name);
    in->digest = digest_new();
    in->buffer = malloc(INTAKE_BUFFER);
    if (!in->digest || !in->buffer)
        return err_set(err, ERR_INTERNAL, ENOMEM, "out of memory");
    in->fd = openat(paths->blobs, name,
                    O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | excl, 0600);
    if (in->fd < 0 || fstat(in->fd, &st) < 0)
        return intake_err(in, errno, "open", err);
    return S_ISREG(st.st_mode) ? 0 : intake_err(in, EINVAL, "open", err);
}

static bool is_readable(int fd)
{
    struct pollfd pfd = {.fd = fd, .events = POLLIN};
    return poll(&pfd, 1, 0) > 0;
}

int intake_take_up(struct intake *in, int cancel_fd, struct err *err)
{
    for (;;) {
        if (is_readable(cancel_fd))
            return err_set(err, ERR_CANCELLED, ECANCELED, "cancelled");
        ssize_t n = io_read(in->fd, in->buffer, INTAKE_BUFFER);
        if (n < 0)
            return intake_err(in, (int)-n, "read", err);
        digest_add(in->digest, in->buffer, (size_t)n);
        in->size += n;
        if ((size_t)n < INTAKE_BUFFER)
            return 0;
    }
}

int intake_restart(struct intake *in, struct err *err)
{
    if (ftruncate(in->fd, 0) < 0 || lseek(in->fd, 0, SEEK_SET) < 0)
        return intake_err(in, errno, "empty", err);
    digest_restart(in->digest);
    in->size = in->begun = 0;
    in->buffered = 0;
    return 0;
}

/* Bytes are written once: what was cut short ends the file, and is not repeated behind it. */
static int put(struct intake *in, const void *bytes, size_t n, struct err *err)
{
    int r = io_write(in->fd, bytes, n);
    if (r < 0)
        return intake_err(in, -r, "write", err);
    io_write_behind(in->fd, &in->begun, in->size);
    return 0;
}

int intake_flush(struct intake *in, struct err *err)
{
    size_t n = in->buffered;
    in->buffered = 0;
    return put(in, in->buffer, n, err);
}

int intake_add(struct intake *in, const void *bytes, size_t n, struct err *err)
{
    digest_add(in->digest, bytes, n);
    for (const char *from = bytes; n > 0;) {
        bool whole = in->buffered == 0 && n >= INTAKE_BUFFER; /* then there is nothing to gather */
        size_t take = whole ? n : INTAKE_BUFFER - in->buffered;
        if (take > n)
            take = n;
        in->size += (int64_t)take;
        int r = 0;
        if (whole) {
            r = put(in, from, take, err);
        } else {
            memcpy(in->buffer + in->buffered, from, take);
            in->buffered += take;
            r = in->buffered == INTAKE_BUFFER ? intake_flush(in, err) : 0;
        }
        if (r < 0)
            return r;
        from += take;
        n -= take;
    }
    return 0;
}

int intake_digest(struct intake *in, char sha256[static DIGEST_HEX_MAX], struct err *err)
{
    return digest_hex(in->digest, sha256) ? 0 : err_set(err, ERR_INTERNAL, ENOMEM, "out of memory");
}

static int sniff(struct intake *in, enum format *format, struct err *err)
{
    char head[FORMAT_SNIFF_BYTES];
    ssize_t n = pread(in->fd, head, sizeof head, 0);
    if (n < 0)
        return intake_err(in, errno, "read", err);
    *format = format_sniff(head, (size_t)n);
    if (*format == FORMAT_UNKNOWN)
        return err_set(err, ERR_UNSUPPORTED_FORMAT, EINVAL, "the file is empty");
    return 0;
}

/* The mark is worth nothing after a power cut, whether or not what is synced here comes through. */
int intake_sync(struct intake *in, enum format *format, struct err *err)
{
    int r = intake_flush(in, err);
    if (r < 0 || (r = sniff(in, format, err)) < 0)
        return r;
    boot_mark(in->fd);
    return fsync(in->fd) < 0 ? intake_err(in, errno, "sync", err) : 0;
}

int intake_name(struct intake *in, const char *sha256, enum format format, struct err *err)
{
    char blob[PATHS_FILE_MAX];
    int blobs = in->paths->blobs;
    paths_blob(blob, sha256, format);
    if (renameat(blobs, in->name, blobs, blob) < 0)
        return intake_err(in, errno, "name", err);
    close(steal_fd(in->fd));
    return fsync(blobs) < 0 ? intake_err(in, errno, "sync the name of", err) : 0;
}

void intake_close(struct intake *in, bool keep)
{
    if (in->fd >= 0) {
        if (!keep)
            unlinkat(in->paths->blobs, in->name, 0);
        close(steal_fd(in->fd));
    }
    digest_free(in->digest);
    free(in->buffer);
    in->digest = NULL;
    in->buffer = NULL;
}
