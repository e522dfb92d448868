#include "stages/unpack/ahead.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/text.h"
#include "stages/unpack/info.h"
#include "stages/unpack/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#define PIPE_BYTES (1 << 20)
/* What stays free beside the download: one pipe full of an archive may become a thousand times as
 * much. */
#define SPARE_BYTES  ((int64_t)1 << 30)
#define SPARE_INODES 20000
#define TELL_MS      100             /* between two words of progress to the stage that waits */
#define WITHOUT_END  (INT64_MAX / 4) /* ms: what waits for the network is in no hurry */

struct aheads {
    struct lock lock; /* guards all below, and each one's next, sealed and key */
    struct ahead *first;
    struct ahead *dropped; /* cancelled, and to be reaped */
    int64_t count, most;
};

struct ahead {
    struct aheads *all;
    struct ahead *next;
    bool sealed;
    char key[PATHS_FILE_MAX]; /* that of the image, once it is sealed */

    /* Read-only while the threads run. */
    bool needed; /* whatever room there is */
    char part_name[PATHS_FILE_MAX], name[PATHS_NAME_MAX + 1], sha256[PATHS_DIGEST_LEN + 1];
    struct stage_settings settings;
    struct stage_job job;
    int source;           /* the download, to read at places of our own */
    int cancel, more;     /* eventfds: it is not wanted; there are more bytes, or will be none */
    int feed_fd, read_fd; /* the pipe: the feeder's, the unpacker's end */
    int done;             /* an eventfd: the unpacker has ended */
    pthread_t feeder, unpacker;

    atomic_llong total;    /* bytes that the download will have; -1: not known */
    atomic_llong size;     /* of these, there are */
    atomic_bool all_there; /* set after size */
    atomic_llong consumed; /* of those, by the helper's word */

    atomic_bool ended; /* set after what follows, before `done` is raised */

    /* The unpacker's until it has ended. */
    struct stage_result result;
    int status;
    struct err why;
    int part; /* the image's folder; -1: there is none */
};

/* --- threads */

static void raise_event(int fd)
{
    (void)eventfd_write(fd, 1);
}

/* Whether or not the archive turns out to be worth it, the download must not lack the room. */
static bool has_room(const struct ahead *a, int64_t there)
{
    int64_t more = atomic_load(&a->total) - there;
    if (a->needed)
        return true;
    const struct space_need need = {.bytes = SPARE_BYTES + (more > 0 ? more : 0),
                                    .inodes = SPARE_INODES};
    return space_check(a->source, "", &need, NULL) == 0 &&
           space_check(a->job.paths->images, "", &need, NULL) == 0;
}

/* False: nobody wants more. */
static bool feed_some(struct ahead *a, loff_t *at, int64_t there)
{
    struct pollfd p[] = {{.fd = a->cancel, .events = POLLIN},
                         {.fd = a->more, .events = POLLIN},
                         {.fd = a->feed_fd, .events = POLLOUT}};
    eventfd_t ignored;
    bool pending = *at < there;
    if (poll(p, pending ? 3 : 2, -1) < 0)
        return errno == EINTR;
    if (p[0].revents || p[2].revents & POLLERR)
        return false;
    if (p[1].revents)
        (void)eventfd_read(a->more, &ignored);
    if (!pending || !p[2].revents)
        return true;
    if (!has_room(a, there)) {
        raise_event(a->cancel);
        return false;
    }
    ssize_t n = splice(a->source, at, a->feed_fd, NULL, (size_t)(there - *at), SPLICE_F_NONBLOCK);
    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static void *feed(void *arg)
{
    struct ahead *a = arg;
    loff_t at = 0;
    bool wanted = true;
    while (wanted) {
        bool all = atomic_load(&a->all_there);
        int64_t there = atomic_load(&a->size);
        if (all && at == there)
            break;
        wanted = feed_some(a, &at, there);
    }
    close(steal_fd(a->feed_fd));
    return NULL;
}

/* The name may be another's by now, whose work must stay. */
static bool is_there(const struct ahead *a)
{
    struct stat ours, there;
    return a->part >= 0 && fstat(a->part, &ours) == 0 &&
           fstatat(a->job.paths->images, a->part_name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
           ours.st_ino == there.st_ino;
}

/* At once: the download may need the room. */
static void give_back(struct ahead *a)
{
    if (is_there(a))
        io_remove_tree(a->job.paths->images, a->part_name);
}

static void note_progress(void *ctx, int64_t done, int64_t total)
{
    struct ahead *a = ctx;
    (void)total;
    atomic_store(&a->consumed, done);
}

static void *unpack(void *arg)
{
    struct ahead *a = arg;
    a->status = unpack_image(&a->job, a->read_fd, a->part_name, &a->part, &a->result, &a->why);
    close(steal_fd(a->read_fd));
    if (a->status < 0) {
        log_debug(a->name, "unpacking ahead: %s", a->why.text);
        give_back(a);
    }
    atomic_store(&a->ended, true);
    raise_event(a->done);
    return NULL;
}

/* --- one */

static void free_ahead(struct ahead *a)
{
    const int fds[] = {a->source, a->cancel, a->more, a->feed_fd, a->read_fd, a->done, a->part};
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        cleanup_close(&fds[i]);
    free(a);
}

static bool open_fds(struct ahead *a, int source)
{
    int pipe[2];
    a->source = fcntl(source, F_DUPFD_CLOEXEC, 0);
    a->cancel = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    a->more = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    a->done = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (a->source < 0 || a->cancel < 0 || a->more < 0 || a->done < 0 || pipe2(pipe, O_CLOEXEC) < 0)
        return false;
    a->read_fd = pipe[0];
    a->feed_fd = pipe[1];
    (void)fcntl(a->feed_fd, F_SETPIPE_SZ, PIPE_BYTES); /* a smaller one will do */
    return fcntl(a->feed_fd, F_SETFL, O_NONBLOCK) == 0;
}

static struct ahead *make(const struct stage_job *job, int source, int64_t total)
{
    struct ahead *a = calloc(1, sizeof *a);
    if (!a)
        return NULL;
    a->all = job->settings->aheads;
    a->source = a->cancel = a->more = a->feed_fd = a->read_fd = a->done = a->part = -1;
    a->settings = *job->settings;
    a->settings.helper_stall = a->settings.helper_total = WITHOUT_END;
    snprintf(a->name, sizeof a->name, "%s", job->name);
    snprintf(a->sha256, sizeof a->sha256, "%s", job->sha256);
    paths_image(a->key, job->sha256, job->policy);
    paths_image_part(a->part_name, job->sha256, job->policy);
    a->result.size = -1;
    a->total = total;
    if (!open_fds(a, source)) {
        free_ahead(a);
        return NULL;
    }
    a->job = (struct stage_job){.name = a->name,
                                .url = "",
                                .sha256 = a->sha256,
                                .policy = job->policy,
                                .paths = job->paths,
                                .settings = &a->settings,
                                .cancel_fd = a->cancel,
                                .progress = note_progress,
                                .ctx = a};
    return a;
}

static bool start(struct ahead *a)
{
    if (pthread_create(&a->feeder, NULL, feed, a) != 0)
        return false;
    if (pthread_create(&a->unpacker, NULL, unpack, a) == 0)
        return true;
    raise_event(a->cancel);
    pthread_join(a->feeder, NULL);
    return false;
}

static void join(struct ahead *a)
{
    pthread_join(a->unpacker, NULL);
    pthread_join(a->feeder, NULL);
}

/* Moved out of the way at once, removed with the next sweep. */
static void discard(struct ahead *a)
{
    if (is_there(a))
        paths_discard(a->job.paths->images, a->part_name, NULL);
    free_ahead(a);
}

static void throw_away(struct ahead *a)
{
    raise_event(a->cancel);
    join(a);
    discard(a);
}

/* --- all */

struct aheads *aheads_new(int64_t most)
{
    struct aheads *all = calloc(1, sizeof *all);
    if (!all)
        return NULL;
    lock_init(&all->lock, LOCK_AHEADS, "aheads");
    all->most = most;
    return all;
}

/* NULL key: the first. */
static struct ahead **find(struct aheads *all, const char *key)
{
    struct ahead **p = &all->first;
    while (*p && key && strcmp((*p)->key, key) != 0)
        p = &(*p)->next;
    return p;
}

static struct ahead *remove_at(struct aheads *all, struct ahead **p)
{
    struct ahead *a = *p;
    if (a) {
        *p = a->next;
        all->count--;
    }
    return a;
}

static struct ahead *take_sealed(struct aheads *all, const char *key)
{
    LOCK_SCOPE(&all->lock);
    struct ahead **p = find(all, key);
    return *p && (*p)->sealed ? remove_at(all, p) : NULL;
}

bool aheads_drop(struct aheads *all, const char *key)
{
    struct ahead *a = take_sealed(all, key);
    if (!a)
        return false;
    raise_event(a->cancel);
    LOCK_SCOPE(&all->lock);
    a->next = all->dropped;
    all->dropped = a;
    return true;
}

void aheads_reap(struct aheads *all)
{
    struct ahead *list;
    {
        LOCK_SCOPE(&all->lock);
        list = steal_ptr(all->dropped);
    }
    for (struct ahead *next; list; list = next) {
        next = list->next;
        throw_away(list);
    }
}

void aheads_free(struct aheads *all)
{
    if (!all)
        return;
    while (aheads_drop(all, NULL))
        ;
    aheads_reap(all);
    lock_destroy(&all->lock);
    free(all);
}

static bool add(struct ahead *a)
{
    struct aheads *all = a->all;
    LOCK_SCOPE(&all->lock);
    if ((all->count >= all->most && !a->needed) || *find(all, a->key))
        return false;
    a->next = all->first;
    all->first = a;
    all->count++;
    return true;
}

static void leave(struct ahead *a)
{
    LOCK_SCOPE(&a->all->lock);
    struct ahead **p = &a->all->first;
    while (*p != a)
        p = &(*p)->next;
    remove_at(a->all, p);
}

struct ahead *ahead_begin(const struct stage_job *job, int source, int64_t total, bool needed)
{
    if (!job->settings->aheads || paths_have_image(job->paths, job->sha256, job->policy))
        return NULL;
    struct ahead *a = make(job, source, total);
    if (!a)
        return NULL;
    a->needed = needed;
    bool added = has_room(a, 0) && add(a);
    if (added && start(a))
        return a;
    if (added)
        leave(a);
    free_ahead(a);
    return NULL;
}

void ahead_bytes(struct ahead *a, int64_t size, bool all)
{
    if (!a || (size == atomic_load(&a->size) && !all))
        return;
    atomic_store(&a->size, size);
    if (all)
        atomic_store(&a->all_there, true);
    raise_event(a->more);
}

void ahead_seal(struct ahead *a)
{
    if (!a)
        return;
    LOCK_SCOPE(&a->all->lock);
    a->sealed = true;
}

/* False: there is one of that key. */
static bool seal_as(struct ahead *a, const char *key)
{
    LOCK_SCOPE(&a->all->lock);
    if (*find(a->all, key))
        return false;
    snprintf(a->key, sizeof a->key, "%s", key);
    a->sealed = true;
    return true;
}

bool ahead_seal_as(struct ahead *a, const char *sha256)
{
    char key[PATHS_FILE_MAX];
    paths_image(key, sha256, a->job.policy);
    return !paths_have_image(a->job.paths, sha256, a->job.policy) && seal_as(a, key);
}

void ahead_end(struct ahead *a)
{
    if (!a)
        return;
    leave(a);
    throw_away(a);
}

void ahead_remove(struct ahead *a)
{
    if (!a)
        return;
    leave(a);
    raise_event(a->cancel);
    join(a);
    give_back(a);
    free_ahead(a);
}

/* --- taken */

/* As long as it makes headway: all bytes are there. */
static bool wait_for(struct ahead *a, const struct stage_job *job, int64_t size)
{
    struct pollfd p[] = {{.fd = a->done, .events = POLLIN},
                         {.fd = job->cancel_fd, .events = POLLIN}};
    int64_t now = text_monotonic_ms(), news = now, seen = 0, consumed;
    int64_t stall = unpack_stall_ms(job->settings), total = unpack_total_ms(job->settings);
    int64_t end = total > WITHOUT_END ? INT64_MAX : now + total;
    for (; !p[0].revents && !p[1].revents && now - news < stall && now < end;
         now = text_monotonic_ms()) {
        poll(p, 2, TELL_MS);
        if ((consumed = atomic_load(&a->consumed)) > seen)
            news = now;
        seen = consumed;
        job->progress(job->ctx, seen < size ? seen : size, size);
    }
    return p[0].revents && !p[1].revents;
}

int ahead_wait(struct ahead *a, const struct stage_job *job, struct stage_result *result,
               struct err *err)
{
    bool ended = wait_for(a, job, atomic_load(&a->size));
    struct pollfd cancelled = {.fd = job->cancel_fd, .events = POLLIN};
    if (!ended && poll(&cancelled, 1, 0) > 0)
        return err_set(err, ERR_CANCELLED, ECANCELED, "cancelled");
    if (!ended || !atomic_load(&a->ended))
        return err_set(err, ERR_TIMEOUT, ETIMEDOUT, "unpacking makes no headway");
    *result = a->result;
    if (a->status < 0 && err)
        *err = a->why;
    return a->status;
}

/* What was begun before its digest was known lies under a name of its own. */
static bool put_in_place(const struct ahead *a, const struct stage_job *job)
{
    char part[PATHS_FILE_MAX];
    int images = job->paths->images;
    paths_image_part(part, job->sha256, job->policy);
    return strcmp(part, a->part_name) == 0 || (paths_discard(images, part, NULL) == 0 &&
                                               renameat(images, a->part_name, images, part) == 0);
}

void ahead_pass_over(const struct stage_job *job)
{
    char key[PATHS_FILE_MAX];
    paths_image(key, job->sha256, job->policy);
    struct ahead *a = job->settings->aheads ? take_sealed(job->settings->aheads, key) : NULL;
    if (a)
        throw_away(a);
}

bool ahead_take(const struct stage_job *job, struct stage_result *result)
{
    char key[PATHS_FILE_MAX];
    int64_t size = 0;
    paths_image(key, job->sha256, job->policy);
    struct ahead *a = job->settings->aheads ? take_sealed(job->settings->aheads, key) : NULL;
    if (!a)
        return false;
    enum format format = paths_find_blob(job->paths, job->sha256, &size);
    bool waited = format != FORMAT_UNKNOWN && wait_for(a, job, size);
    if (!waited)
        raise_event(a->cancel);
    join(a);
    a->result.format = format;
    a->result.size = size;
    if (!waited || a->status < 0 || !is_there(a) || !put_in_place(a, job) ||
        info_write(a->part, &a->result, NULL) < 0) {
        discard(a);
        return false;
    }
    *result = a->result;
    free_ahead(a);
    return true;
}
