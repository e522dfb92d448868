#include "engine/engine.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/point.h"
#include "engine/exports.h"
#include "engine/measure.h"
#include "engine/snap.h"
#include "engine/unused.h"
#include "stages/snapshot/lower.h"
#include "stages/snapshot/snapshot.h"
#include "stages/unpack/ahead.h"
#include "stages/unpack/sink.h"
#include "store/space.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>

#define ROOM_MS    1000   /* between two looks at free space, where there are images */
#define CLEANUP_MS 600000 /* the longest between two looks through the store */
#define OWED_MS    2000   /* that are waited until what was removed is free */
#define LOOK_MS    5      /* between two looks for that */

int chores_unmount(struct job *job, struct err *err)
{
    const struct stage_job *s = &job->stage;
    struct engine *e = job->owner;
    char key[PATHS_FILE_MAX];
    paths_image(key, s->sha256, s->policy);
    int r = exports_let_go(e->exports, job->image, job->snapshot, err);
    if (r == 0)
        r = s->settings->snapshot->busy(s->paths, s->name, err);
    if (r < 0)
        return r;
    if (job->snapshot)
        snaps_hide_rootfs(e->snaps, job->snapshot, true);
    else
        work_notify(e, registry_hide_rootfs(e->registry, job->image, true), job->image, s->name);
    r = exports_let_go(e->exports, job->image, job->snapshot, err); /* that began before that */
    if (r < 0)
        return r;
    return s->settings->snapshot->unmount(s->paths, s->name, key, s->policy, err);
}

/* --- trash */

struct sweep {
    struct job *job;
    int64_t bytes; /* of images in files, whole or not, that it removes */
};

static int64_t bytes_of(int images, const char *trash)
{
    int64_t image = unused_file_bytes(images, trash, SINK_IMAGE);
    int64_t data = unused_file_bytes(images, trash, SINK_DATA);
    return (image > 0 ? image : 0) + (data > 0 ? data : 0);
}

/* An image goes with its mount on it: to take that away, with all that the kernel remembers of its
 * files, may last longer than to remove it. */
static int let_go(void *ctx, const char *trash)
{
    struct sweep *s = ctx;
    const struct paths *p = s->job->stage.paths;
    if (atomic_load(&s->job->cancelled))
        return -ECANCELED;
    int64_t bytes = bytes_of(p->images, trash);
    int r = lower_unmount(p, trash);
    s->bytes += r == 0 ? bytes : 0;
    return r;
}

/* A file takes up its room for as long as anyone uses what is mounted from it: a reader, or for
 * some milliseconds whoever started with a copy of all mounts, as unpacking helpers and containers
 * do. */
static int empty_images(struct job *job)
{
    struct engine *e = job->owner;
    struct sweep s = {.job = job};
    struct statvfs fs;
    int64_t before = statvfs(e->paths.dir, &fs) < 0 ? 0 : space_unused(&fs);
    int r = paths_empty_trash(e->paths.images, let_go, &s);
    int64_t now = text_monotonic_ms();
    if (s.bytes > 0) {
        int64_t still = now < atomic_load(&e->owed_until) ? e->owed - before : 0;
        e->owed = before + s.bytes + (still > 0 ? still : 0);
        atomic_store(&e->owed_until, now + OWED_MS);
    }
    return r;
}

static void await_room(struct job *job, int64_t enough)
{
    struct engine *e = job->owner;
    struct statvfs fs;
    while (!atomic_load(&job->cancelled) && text_monotonic_ms() < atomic_load(&e->owed_until) &&
           statvfs(e->paths.dir, &fs) == 0 && space_unused(&fs) < e->owed &&
           space_free(&fs) < enough)
        nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 1000000L}, NULL);
}

static int sweep(struct job *job, struct err *err)
{
    const struct paths *p = job->stage.paths;
    const int dirs[] = {p->blobs,  p->images,      p->overlays,
                        p->active, p->snap_layers, p->snap_mounts};
    int r = 0;
    point_wait("sweep", &job->cancelled);
    aheads_reap(job->stage.settings->aheads);
    for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
        int failed =
            dirs[i] == p->images ? empty_images(job) : paths_empty_trash(dirs[i], NULL, NULL);
        r = r ? r : failed;
    }
    await_room(job, cleanup_enough(job->stage.ctx));
    return r < 0 ? err_sys(err, -r, "cannot remove what was discarded") : 0;
}

/* One at a time: whoever asks while one is under way is served by the next, together with all
 * others. */
static void push_sweep(struct engine *e)
{
    if (e->sweeping || !e->sweep_due)
        return;
    struct job *job = job_new(e, NULL, QUEUE_CHORE, sweep);
    if (!job) {
        e->next_room = text_monotonic_ms() + ENGINE_POSTPONE_MS; /* then again */
        return;
    }
    job->stage.ctx = steal_ptr(e->sweep_for);
    e->sweep_due = false;
    e->sweeping = true;
    queue_push(e->queue, job);
}

void chores_sweep(struct engine *e, struct cleanup *then)
{
    e->sweep_due = true;
    e->sweep_for = cleanup_chain(e->sweep_for, then);
    push_sweep(e);
}

static void finish_sweep(struct engine *e, struct job *job)
{
    e->sweeping = false;
    if (job->status < 0)
        log_failure(NULL, &job->err, "%s", job->err.text);
    cleanup_ended(e, job->stage.ctx, NULL);
    push_sweep(e);
}

void chores_finished(struct engine *e, struct job *job)
{
    if (job->run == sweep)
        finish_sweep(e, job);
    else if (measure_is(job))
        measure_finished(e, job);
    else
        cleanup_scanned(e, job);
    job_free(job);
}

bool chores_unwanted(struct engine *e, const char *sha256, enum policy policy)
{
    char key[PATHS_FILE_MAX];
    for (struct image *i = registry_next_of_digest(e->registry, sha256, NULL); i;
         i = registry_next_of_digest(e->registry, sha256, i))
        if (i->policy == policy && fsm_is_underway(i->state))
            return false;
    paths_image(key, sha256, policy);
    return aheads_drop(e->settings.aheads, key);
}

void chores_unreferenced(struct engine *e, const char *sha256)
{
    char name[PATHS_FILE_MAX];
    int64_t size;
    enum format format = paths_find_blob(&e->paths, sha256, &size);
    if (format != FORMAT_UNKNOWN) {
        paths_blob(name, sha256, format);
        utimensat(e->paths.blobs, name, NULL, AT_SYMLINK_NOFOLLOW);
    }
    for (enum policy p = POLICY_STRICT; p <= POLICY_FAITHFUL; p++) {
        paths_image(name, sha256, p);
        utimensat(e->paths.images, name, NULL, AT_SYMLINK_NOFOLLOW);
        paths_image_part(name, sha256, p);
        paths_discard(e->paths.images, name, NULL);
    }
    paths_part(name, sha256);
    paths_discard(e->paths.blobs, name, NULL);
}

/* Looking through a large store costs something: often enough for what is kept to go in time. */
static int64_t cleanup_interval(int64_t keep)
{
    int64_t interval = keep / 10;
    return interval < CHORES_SAMPLE_MS ? CHORES_SAMPLE_MS
           : interval > CLEANUP_MS     ? CLEANUP_MS
                                       : interval;
}

/* What someone else has unmounted is mounted again. */
static void check_mounts(struct engine *e)
{
    struct err err = {0};
    if (recover_see_mounts(e, &err) < 0)
        return;
    for (struct image *i = registry_next(e->registry, NULL); i; i = registry_next(e->registry, i))
        if (i->state == FSM_ACTIVE && !i->mounted && !i->waits)
            work_unmounted(e, i);
    snap_check_mounts(e);
}

static void look_at_room(struct engine *e, int64_t now)
{
    int64_t missing = space_missing(e->paths.dir, &e->config->min_free, 0);
    e->next_room = now + (registry_next(e->registry, NULL) ? ROOM_MS : CHORES_SAMPLE_MS);
    if ((missing > 0) != e->lacks_room)
        e->next_chores = now;
    e->lacks_room = missing > 0;
    if (missing > 0)
        cleanup_due(e, missing);
    push_sweep(e);
}

void chores_run(struct engine *e, int64_t now)
{
    if (now >= e->next_room)
        look_at_room(e, now);
    news_trim_due(e, now);
    measure_due(e, now);
    if (now < e->next_chores)
        return;
    e->next_chores = now + CHORES_SAMPLE_MS;
    health_sample(e);
    check_mounts(e);
    if (now >= e->next_cleanup) {
        e->next_cleanup = now + cleanup_interval(e->config->keep_unused);
        cleanup_due(e, 0);
        recover_forget_removals(e);
    }
}
