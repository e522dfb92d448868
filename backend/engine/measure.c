#include "engine/measure.h"

#include "base/cleanup.h"
#include "engine/snaps.h"
#include "store/space.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define PAUSE_MS     10000 /* between two walks */
#define PAUSE_FACTOR 20    /* or so many times what the last one took, if that is longer */

struct measured {
    uint64_t number;
    int64_t bytes;
};

struct measure {
    size_t count;
    int64_t took; /* ms */
    struct measured list[];
};

static int64_t taken(const struct stat *st)
{
    int64_t bytes = space_taken(st);
    return S_ISDIR(st->st_mode) || st->st_nlink < 2 ? bytes : bytes / (int64_t)st->st_nlink;
}

static int64_t walk(int at, const char *name, int depth, const atomic_bool *cancelled);

static int64_t add_entry(int dir, const char *name, int depth, const atomic_bool *cancelled)
{
    struct stat st;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
        fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    int64_t below = S_ISDIR(st.st_mode) && depth > 0 ? walk(dir, name, depth - 1, cancelled) : 0;
    return taken(&st) + (below > 0 ? below : 0);
}

/* What lies below at/name; -1: it cannot be read. As deep as descriptors last, one a level. */
static int64_t walk(int at, const char *name, int depth, const atomic_bool *cancelled)
{
    int fd CLEANUP_CLOSE = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir CLEANUP_CLOSEDIR = fd < 0 ? NULL : fdopendir(fd);
    if (!dir)
        return -1;
    fd = -1; /* the stream's */
    int64_t bytes = 0;
    for (struct dirent *d; !atomic_load(cancelled) && (d = readdir(dir));)
        bytes += add_entry(dirfd(dir), d->d_name, depth, cancelled);
    return bytes;
}

int64_t measure_tree(int dirfd, const char *name, const atomic_bool *cancelled)
{
    return walk(dirfd, name, MEASURE_DEPTH, cancelled);
}

static int run(struct job *job, struct err *err)
{
    struct measure *m = job->stage.ctx;
    int64_t begun = text_monotonic_ms();
    for (size_t i = 0; i < m->count && !atomic_load(&job->cancelled); i++) {
        char upper[PATHS_PLACE_MAX + 8], place[PATHS_PLACE_MAX];
        paths_snapshot(place, m->list[i].number);
        snprintf(upper, sizeof upper, "%s/upper", place);
        m->list[i].bytes = measure_tree(job->stage.paths->overlays, upper, &job->cancelled);
    }
    m->took = text_monotonic_ms() - begun;
    return 0;
}

bool measure_is(const struct job *job)
{
    return job->run == run;
}

void measure_drop(struct job *job)
{
    free(steal_ptr(job->stage.ctx));
}

static struct measure *list_all(struct engine *e, size_t count)
{
    struct measure *m = malloc(sizeof *m + count * sizeof m->list[0]);
    if (!m)
        return NULL;
    m->count = 0;
    for (struct snap *s = snaps_next(e->snaps, NULL); s && m->count < count;
         s = snaps_next(e->snaps, s))
        m->list[m->count++] = (struct measured){.number = s->number, .bytes = -1};
    return m;
}

void measure_due(struct engine *e, int64_t now)
{
    if (e->measuring || now < e->next_measure)
        return;
    size_t count = snaps_count_all(e->snaps);
    struct measure *m = count ? list_all(e, count) : NULL;
    struct job *job = m ? job_new(e, NULL, QUEUE_CHORE, run) : NULL;
    if (!job) {
        free(m);
        return; /* there is nothing to look at, or no memory: the next turn asks again */
    }
    job->stage.ctx = m;
    e->measuring = true;
    queue_push(e->queue, job);
}

void measure_finished(struct engine *e, struct job *job)
{
    const struct measure *m = job->stage.ctx;
    for (size_t i = 0; i < m->count; i++)
        if (m->list[i].bytes >= 0)
            snaps_set_bytes(e->snaps, m->list[i].number, m->list[i].bytes);
    int64_t pause = m->took * PAUSE_FACTOR;
    e->next_measure = text_monotonic_ms() + (pause > PAUSE_MS ? pause : PAUSE_MS);
    e->measuring = false;
    measure_drop(job);
}
