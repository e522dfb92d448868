#include "stages/unpack/wire_read.h"

#include "base/text.h"
#include "stages/unpack/entry.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

/* So much can lie ready from when we were the ones who slept: it is looked at before anybody is
 * called idle. */
#define IDLE_MAX ((size_t)1 << 20)

int wire_read_init(struct wire_read *w, int fd, int cancel_fd, int64_t stall_ms, int64_t total_ms,
                   struct err *err)
{
    w->fd = fd;
    w->cancel_fd = cancel_fd;
    w->stall_ms = stall_ms;
    w->from = w->to = 0;
    if (__builtin_add_overflow(text_monotonic_ms(), total_ms, &w->end))
        w->end = INT64_MAX;
    wire_read_news(w);
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return err_sys(err, errno, "cannot prepare the unpacking helper's pipe");
    return 0;
}

void wire_read_news(struct wire_read *w)
{
    w->news = text_monotonic_ms();
    w->idle = 0;
}

static int stalled(const struct wire_read *w, struct err *err)
{
    return err_set(err, ERR_INTERNAL, ETIMEDOUT, "the unpacking helper made no headway for %lld s",
                   (long long)(w->stall_ms / 1000));
}

/* Looks at cancel_fd also where the pipe has bytes at once: a busy helper must not outshout it. */
static int wait_for_bytes(struct wire_read *w, struct err *err)
{
    for (;;) {
        struct pollfd fds[] = {{.fd = w->fd, .events = POLLIN},
                               {.fd = w->cancel_fd, .events = POLLIN}};
        int64_t now = text_monotonic_ms(), stall = w->news + w->stall_ms;
        int64_t left = (stall < w->end ? stall : w->end) - now;
        int n = poll(fds, 2, left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left);
        if (n < 0 && errno != EINTR)
            return err_sys(err, errno, "cannot wait for the unpacking helper");
        if (n > 0 && fds[1].revents)
            return err_set(err, ERR_CANCELLED, ECANCELED, "cancelled");
        if (now >= w->end)
            return err_set(err, ERR_TOO_LARGE_TOTAL, ETIME,
                           "the archive takes more time to unpack than max_total_size allows; "
                           "-o max_total_size=SIZE allows more");
        if (n > 0 && (now < stall || w->idle < IDLE_MAX))
            return 0;
        if (now >= stall)
            return stalled(w, err);
    }
}

/* Bytes read, 0 at the end of the file, or a negative errno. */
static ssize_t fill(struct wire_read *w, struct err *err)
{
    if (w->from > 0) {
        memmove(w->buf, w->buf + w->from, w->to - w->from);
        w->to -= w->from;
        w->from = 0;
    }
    for (;;) {
        int r = wait_for_bytes(w, err);
        if (r < 0)
            return r;
        ssize_t n = read(w->fd, w->buf + w->to, sizeof w->buf - w->to);
        if (n >= 0) {
            w->to += (size_t)n;
            w->idle += (size_t)n;
            return n;
        }
        if (errno != EAGAIN && errno != EINTR)
            return err_sys(err, errno, "cannot read from the unpacking helper");
    }
}

/* 1 when n bytes lie in the buffer, 0 at the end of the file. */
static int need(struct wire_read *w, size_t n, struct err *err)
{
    while (w->to - w->from < n) {
        ssize_t r = fill(w, err);
        if (r < 0)
            return (int)r;
        if (r > 0)
            continue;
        if (w->to == w->from)
            return 0;
        return err_set(err, ERR_INTERNAL, EPIPE, "the unpacking helper stopped within a record");
    }
    return 1;
}

static bool xattrs_whole(const char *at, size_t left)
{
    struct entry_xattr x;
    int r;
    while ((r = entry_xattr_next(&at, &left, &x)) > 0)
        ;
    return r == 0;
}

static const char *fault_of_entry(const struct wire_record *h)
{
    bool link = h->type == WIRE_SYMLINK || h->type == WIRE_HARDLINK;
    if (h->type < WIRE_FILE || h->type > WIRE_SOCKET)
        return "an unknown type";
    if (h->mode & ~07777u)
        return "a mode beyond 07777";
    if (h->mtime_nsec > 999999999)
        return "a second of more than 1e9 ns";
    if (!link && h->target_len)
        return "a target that only links have";
    if (h->type != WIRE_FILE && (h->size || h->offset))
        return "contents that only files have";
    return NULL;
}

/* What is wrong with a header; NULL if nothing is. */
static const char *fault_of(const struct wire_record *h)
{
    uint64_t strings = (uint64_t)h->path_len + h->target_len + h->xattrs_len;
    if (h->magic != WIRE_MAGIC)
        return "a wrong magic number";
    if (h->length < sizeof *h || h->length > WIRE_RECORD_MAX)
        return "an impossible length";
    if (strings != h->length - sizeof *h)
        return "strings that do not fill it";
    if (h->reserved)
        return "a reserved field in use";
    switch ((enum wire_kind)h->kind) {
    case WIRE_ENTRY:
        return fault_of_entry(h);
    case WIRE_PROGRESS:
    case WIRE_END:
        return strings ? "strings that it cannot have" : NULL;
    case WIRE_ERROR:
        return h->target_len || h->xattrs_len ? "strings that it cannot have" : NULL;
    }
    return "an unknown kind";
}

static int garbage(const char *fault, struct err *err)
{
    return err_set(err, ERR_INTERNAL, EPROTO, "the unpacking helper wrote a record with %s", fault);
}

int wire_read_next(struct wire_read *w, struct wire_item *item, struct err *err)
{
    int r = need(w, sizeof item->head, err);
    if (r <= 0)
        return r;
    memcpy(&item->head, w->buf + w->from, sizeof item->head);
    const char *fault = fault_of(&item->head);
    if (fault)
        return garbage(fault, err);
    if ((r = need(w, item->head.length, err)) < 0)
        return r;
    item->path = w->buf + w->from + sizeof item->head;
    item->target = item->path + item->head.path_len;
    item->xattrs = item->target + item->head.target_len;
    w->from += item->head.length;
    if (!xattrs_whole(item->xattrs, item->head.xattrs_len))
        return garbage("broken xattrs", err);
    return 1;
}
