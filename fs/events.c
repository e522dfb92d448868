#include "fs/events.h"

#include "base/cleanup.h"
#include "base/lock.h"
#include "fs/event.h"
#include "fs/kind.h"
#include "fs/lines.h"
#include "fs/poll.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>

/* The kernel makes several requests of a large read, and goes on with the next one if one is
 * answered in full: which would wait at the end, with all that was read. */
#define PIECE 65536

#define ONE_MISSED "{\"missed\":1}\n" /* there was no memory to make its line */

struct file {
    struct lines_reader reader;
    off_t next;          /* the offset at which it goes on */
    int64_t back;        /* bytes before it that are those before the reader's place */
    bool sought;         /* it was asked where the end is, since its last read: */
    off_t sought_offset; /* at that offset, */
    int64_t sought_end;  /* which was this place */
    pid_t follower;      /* who asked; 0: nobody has */
    int64_t base;        /* for whom offset 0 is this place */
    struct poll_file poll;
    struct file *after, **link;
};

/* A read that waits. */
struct waiter {
    fuse_req_t req;
    struct file *file;
    size_t size;
    bool interrupted;
    struct waiter *after, **link; /* link NULL: in no list */
};

struct events {
    struct backend *backend;
    struct poll_waiters poll;
    pthread_t thread;
    bool started; /* the opener's thread only */

    struct lock lock; /* guards all below, files and waiters too */
    pthread_cond_t wake;
    struct lines lines;
    int64_t changed; /* ms since 1970: the last line's time; 0: there is none */
    struct file *files;
    struct waiter *waiters, *woken; /* who waits, and who is being looked at */
    bool news, ending;
};

#define LINK_IN(list, item)                                                                        \
    do {                                                                                           \
        (item)->after = *(list);                                                                   \
        (item)->link = (list);                                                                     \
        if (*(list))                                                                               \
            (*(list))->link = &(item)->after;                                                      \
        *(list) = (item);                                                                          \
    } while (0)

#define UNLINK(item)                                                                               \
    do {                                                                                           \
        *(item)->link = (item)->after;                                                             \
        if ((item)->after)                                                                         \
            (item)->after->link = (item)->link;                                                    \
        (item)->link = NULL;                                                                       \
    } while (0)

static struct events *events_of(fuse_req_t req)
{
    return node_ops(req)->events;
}

/* --- lines */

/* What the ring has no room for. Of a line that stands for one that was missed there is no number.
 */
static void forget_history(const struct events *e)
{
    char oldest[EVENT_LINE_MIN / 2];
    lines_peek(&e->lines, oldest, sizeof oldest - 1);
    int64_t seq = event_seq(oldest);
    if (seq)
        backend_keep_history(e->backend, seq);
}

static void add_event(struct events *e, const struct backend_event *event)
{
    struct text line CLEANUP_TEXT = {0};
    event_add(&line, event);
    const char *s = line.failed ? ONE_MISSED : line.data;
    LOCK_SCOPE(&e->lock);
    if (lines_add(&e->lines, s, strlen(s)))
        forget_history(e);
    e->changed = event->time;
}

static void report(void *ctx, const struct backend_event *list, size_t n)
{
    struct events *e = ctx;
    for (size_t i = 0; i < n; i++)
        add_event(e, &list[i]);
    LOCK_SCOPE(&e->lock);
    e->news = true;
    pthread_cond_signal(&e->wake);
}

struct events *events_new(int64_t keep)
{
    struct events *e = calloc(1, sizeof *e);
    if (!e || lines_init(&e->lines, keep) < 0) {
        free(e);
        return NULL;
    }
    lock_init(&e->lock, LOCK_EVENTS, "events");
    lock_cond_init(&e->wake);
    poll_init(&e->poll);
    return e;
}

int events_attach(struct events *e, struct backend *backend, struct err *err)
{
    e->backend = backend;
    int r = backend_history(backend, e->lines.keep / EVENT_LINE_MIN + 1, report, e, err);
    if (r < 0)
        return r;
    forget_history(e);
    backend_set_reporter(backend, report, e);
    return 0;
}

/* --- open files */

/* The place of offset 0. An empty log's is a byte before its lines, which makes its size 1: tail(1)
 * takes a regular file that ends where it begins for a pipe, and reads up to an end that never
 * comes before it follows. */
static int64_t base_of(const struct events *e)
{
    return e->lines.end ? e->lines.oldest : -1;
}

/* For a process that has asked for the end, in order to follow, that place stays when the oldest
 * lines go, or the first comes: the size would shrink, which tail takes for a file that was emptied
 * and prints all anew; and it reads by how much the size has grown. */
static int64_t base_for(const struct events *e, pid_t asker)
{
    int64_t base = base_of(e);
    for (const struct file *f = asker ? e->files : NULL; f; f = f->after)
        if (f->follower == asker && f->base < base)
            base = f->base;
    return base;
}

/* What the kernel says next is where the lines of now begin, or where it was told that they end;
 * where this file's last read has ended, or a step back from there. */
static void find_place(const struct events *e, struct file *f, off_t off)
{
    if (f->sought && off == f->sought_offset) {
        lines_seek(&e->lines, &f->reader, f->sought_end);
        f->back = 0;
    } else if (off < f->next && f->next - off <= f->back) {
        lines_seek(&e->lines, &f->reader, f->reader.position - (f->next - off));
        f->back -= f->next - off;
    } else if (off != f->next) {
        if (off == 0 || !f->follower)
            f->base = base_of(e);
        int64_t there = e->lines.end - f->base;
        lines_seek(&e->lines, &f->reader, f->base + (off < there ? off : there));
        f->back = 0;
    }
    f->sought = false;
    f->next = off;
}

/* 0: *buf has the *n bytes that come next, none at the end. */
static int take(const struct events *e, struct file *f, size_t size, char **buf, size_t *n)
{
    int64_t ready = lines_ready(&e->lines, &f->reader);
    size_t most = (uint64_t)ready < size ? (size_t)ready : size;
    bool told = f->reader.note_at < f->reader.note_len || f->reader.position < e->lines.oldest;
    *n = 0;
    if (most == 0)
        return 0;
    if (!(*buf = malloc(most)))
        return ENOMEM;
    *n = lines_read(&e->lines, &f->reader, *buf, most);
    f->next += (off_t)*n;
    f->back = told ? 0 : f->back + (int64_t)*n;
    if (told && f->reader.position - f->next < f->base)
        f->base = f->reader.position - f->next; /* it was told more than it has missed */
    return 0;
}

static struct file *file_of(const struct fuse_file_info *fi)
{
    return (struct file *)(uintptr_t)fi->fh; // NOLINT(performance-no-int-to-ptr)
}

static void free_file(struct events *e, struct file *f)
{
    poll_leave(&e->poll, &f->poll);
    free(f);
}

static void open_events(fuse_req_t req, const struct node *n, struct fuse_file_info *fi)
{
    struct events *e = events_of(req);
    struct file *f = calloc(1, sizeof *f);
    if (!f) {
        fuse_reply_err(req, ENOMEM);
        return;
    }
    lock_take(&e->lock);
    lines_seek(&e->lines, &f->reader, e->lines.oldest);
    LINK_IN(&e->files, f);
    lock_release(&e->lock);
    fi->fh = (uint64_t)(uintptr_t)f;
    fi->direct_io = 1; /* what was read once is not what comes next */
    fi->noflush = 1;
    if (fuse_reply_open(req, fi) == 0)
        return;
    lock_take(&e->lock);
    UNLINK(f);
    lock_release(&e->lock);
    free_file(e, f);
}

/* By then no read of it is under way. */
static void release_events(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *fi)
{
    struct events *e = events_of(req);
    struct file *f = file_of(fi);
    lock_take(&e->lock);
    UNLINK(f);
    lock_release(&e->lock);
    free_file(e, f);
    fuse_reply_err(req, 0);
}

static void stat_events(const struct ops *o, const struct node *n, const struct fuse_file_info *fi,
                        pid_t asker, struct stat *st)
{
    struct events *e = o->events;
    LOCK_SCOPE(&e->lock);
    int64_t base = base_for(e, asker);
    st->st_size = e->lines.end - base;
    if (e->changed)
        st->st_mtim = st->st_ctim = st->st_atim = node_time(e->changed);
    if (!fi)
        return;
    struct file *f = file_of(fi);
    f->follower = asker;
    f->base = base;
    f->sought = true;
    f->sought_offset = st->st_size;
    f->sought_end = e->lines.end;
}

/* --- reads that wait */

/* The request is answered once it is out of the lists: libfuse holds a lock of its own here, which
 * is taken before ours. */
static void interrupt(fuse_req_t req, void *ctx)
{
    struct waiter *w = ctx;
    struct events *e = events_of(req);
    lock_take(&e->lock);
    bool mine = w->link != NULL;
    if (mine)
        UNLINK(w);
    else
        w->interrupted = true; /* it is about to wait, or just being answered */
    lock_release(&e->lock);
    if (!mine)
        return;
    fuse_reply_err(req, EINTR);
    free(w);
}

/* It is in no list any more, and no interrupt can have it. */
static void answer(struct waiter *w, int error, const char *buf, size_t n)
{
    fuse_req_interrupt_func(w->req, NULL, NULL);
    if (error)
        fuse_reply_err(w->req, error);
    else
        fuse_reply_buf(w->req, buf, n);
    free(w);
}

/* Lines may have come, or an interrupt, since it was found to be at the end. */
static void wait_for_more(struct events *e, struct waiter *w)
{
    char *buf CLEANUP_FREE = NULL;
    size_t n = 0;
    fuse_req_interrupt_func(w->req, interrupt, w);
    lock_take(&e->lock);
    int error = w->interrupted ? EINTR : e->ending ? ENODEV : take(e, w->file, w->size, &buf, &n);
    if (!error && n == 0)
        LINK_IN(&e->waiters, w);
    lock_release(&e->lock);
    if (error || n)
        answer(w, error, buf, n);
}

static void park(fuse_req_t req, struct file *f, size_t size)
{
    struct waiter *w = calloc(1, sizeof *w);
    if (!w) {
        fuse_reply_err(req, ENOMEM);
        return;
    }
    *w = (struct waiter){.req = req, .file = f, .size = size};
    wait_for_more(events_of(req), w);
}

static void read_events(fuse_req_t req, fuse_ino_t inode, size_t size, off_t off,
                        struct fuse_file_info *fi)
{
    struct events *e = events_of(req);
    struct file *f = file_of(fi);
    char *buf CLEANUP_FREE = NULL;
    size_t n = 0;
    if (size >= PIECE) /* the engine's thread waits for as long as that is copied */
        size = PIECE - 1;
    lock_take(&e->lock);
    find_place(e, f, off);
    int error = take(e, f, size, &buf, &n);
    lock_release(&e->lock);
    if (!error && n == 0 && size && (fi->flags & O_NONBLOCK))
        error = EAGAIN;
    if (error)
        fuse_reply_err(req, error);
    else if (n || !size)
        fuse_reply_buf(req, buf, n);
    else
        park(req, f, size);
}

/* The kernel tells no offset: it is taken to be where the last read has ended, or where the kernel
 * was last told that the end is, if that was later. Who goes there and back sees what is new. */
static void poll_events(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *fi,
                        struct fuse_pollhandle *poll)
{
    struct events *e = events_of(req);
    struct file *f = file_of(fi);
    poll_enter(&e->poll, &f->poll, inode, poll);
    lock_take(&e->lock);
    bool ready = f->sought ? e->lines.end > f->sought_end : lines_ready(&e->lines, &f->reader) > 0;
    lock_release(&e->lock);
    fuse_reply_poll(req, ready ? POLLIN | POLLRDNORM | POLLPRI : 0);
}

const struct node_kind events_kind = {
    .open = open_events,
    .read = read_events,
    .poll = poll_events,
    .release = release_events,
    .stat = stat_events,
};

/* --- the thread that wakes them */

/* The next of the woken for whom there is something; NULL: none. The others wait on: what came was
 * read by another thread, at the same open file. */
static struct waiter *next_woken(struct events *e, char **buf, size_t *n, int *error)
{
    LOCK_SCOPE(&e->lock);
    for (struct waiter *w; (w = e->woken);) {
        UNLINK(w);
        *error = take(e, w->file, w->size, buf, n);
        if (*error || *n)
            return w;
        LINK_IN(&e->waiters, w);
    }
    return NULL;
}

static void wake_readers(struct events *e)
{
    for (;;) {
        char *buf CLEANUP_FREE = NULL;
        size_t n = 0;
        int error;
        struct waiter *w = next_woken(e, &buf, &n, &error);
        if (!w)
            return;
        answer(w, error, buf, n);
    }
}

/* False: it is to end. All who wait are woken then. */
static bool wait_for_news(struct events *e)
{
    LOCK_SCOPE(&e->lock);
    while (!e->news && !e->ending)
        lock_wait(&e->lock, &e->wake);
    e->news = false;
    e->woken = steal_ptr(e->waiters);
    if (e->woken)
        e->woken->link = &e->woken;
    return !e->ending;
}

static void *run(void *arg)
{
    struct events *e = arg;
    while (wait_for_news(e)) {
        wake_readers(e);
        poll_wake(&e->poll, tree_inode(0, TREE_EVENTS));
    }
    return NULL;
}

int events_start(struct events *e, struct err *err)
{
    int r = pthread_create(&e->thread, NULL, run, e);
    if (r)
        return err_sys(err, r, "cannot start threads");
    e->started = true;
    return 0;
}

void events_stop(struct events *e)
{
    lock_take(&e->lock);
    e->ending = true;
    pthread_cond_signal(&e->wake);
    lock_release(&e->lock);
    if (e->started)
        pthread_join(e->thread, NULL);
    e->started = false;
    for (struct waiter *w; (w = e->woken);) {
        UNLINK(w);
        answer(w, ENODEV, NULL, 0);
    }
}

void events_free(struct events *e)
{
    if (!e)
        return;
    for (struct file *f; (f = e->files);) {
        UNLINK(f);
        free_file(e, f);
    }
    poll_destroy(&e->poll);
    lines_free(&e->lines);
    lock_destroy(&e->lock);
    pthread_cond_destroy(&e->wake);
    free(e);
}
