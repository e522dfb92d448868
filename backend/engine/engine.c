#include "engine/engine.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/crew.h"
#include "base/log.h"
#include "engine/exports.h"
#include "engine/measure.h"
#include "engine/snap.h"
#include "stages/snapshot/lower.h"
#include "stages/snapshot/snapshot.h"
#include "stages/unpack/ahead.h"
#include "stages/unpack/sink.h"
#include "store/history.h"
#include "store/hold.h"
#include "store/identity.h"

#include <errno.h>
#include <string.h>

#define LOOK_AGAIN_MS 20 /* while a test holds an image still */
#define JOBS_A_TURN   64 /* before users are looked after again: all are one commit */
#define CHORE_THREADS 3  /* who asks what would go waits neither for the trash nor for a walk */

/* --- open */

static int take_holds(struct engine *e, struct err *err)
{
    char path[PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/.lock", e->paths.dir);
    int r = e->store_hold = hold_take(path, e->paths.dir, err);
    if (r < 0)
        return r;
    snprintf(path, sizeof path, "%s.lock", e->config->database);
    r = e->database_hold = hold_take(path, e->config->database, err);
    return r < 0 ? r : 0;
}

static void set_up(struct engine *e, const struct backend_config *c)
{
    *e = (struct engine){.config = c, .store_hold = -1, .database_hold = -1, .next_due = INT64_MAX};
    e->last_request = &e->requests;
    e->last_finished = &e->finished;
    e->random = (uint32_t)text_now_ms();
    e->settings = (struct stage_settings){
        .limits = c->limits,
        .connect_timeout = c->connect_timeout,
        .stall_timeout = c->stall_timeout,
        .helper = c->helper,
    };
    e->retry = (struct retry_policy){
        .attempts = c->attempts, .delay = c->retry_delay, .most = c->retry_max};
    e->limit[QUEUE_DOWNLOAD] = c->downloads;
    e->limit[QUEUE_UNPACK] = c->unpacks;
    e->limit[QUEUE_MOUNT] = ENGINE_WORKERS_MAX; /* the line is the queue's */
    e->paths = PATHS_NONE;
    lock_init(&e->inbox_lock, LOCK_ENGINE_INBOX, "inbox");
    lock_init(&e->health_lock, LOCK_HEALTH, "health");
    metrics_init(&e->metrics);
    lock_cond_init(&e->wake);
    text_add(&e->health.text, HEALTH_OK);
    text_add(&e->cleanup.text, "-\n");
    e->health.changed = e->cleanup.changed = text_now_ms();
}

static void finished(void *ctx, struct job *job)
{
    struct engine *e = ctx;
    LOCK_SCOPE(&e->inbox_lock);
    job->next = NULL;
    *e->last_finished = job;
    e->last_finished = &job->next;
    pthread_cond_signal(&e->wake);
}

int engine_open(struct engine *e, const struct backend_config *config, struct err *err)
{
    const int64_t threads[QUEUE_POOLS] = {[QUEUE_DOWNLOAD] = config->downloads,
                                          [QUEUE_UNPACK] = config->unpacks,
                                          [QUEUE_MOUNT] = ENGINE_MOUNTERS,
                                          [QUEUE_CHORE] = CHORE_THREADS};
    set_up(e, config);
    int r = paths_open(&e->paths, config->store, err);
    if (r == 0)
        r = take_holds(e, err);
    if (r == 0)
        r = identity_open(&e->db, config->database, &e->paths, err);
    if (r == 0)
        r = images_open(e->db, &e->paths, err);
    if (r == 0)
        r = history_open(e->db, err);
    if (r < 0)
        return r;
    e->history_opened = true;
    if (!(e->settings.snapshot = snapshot_choose(&e->paths, err)))
        return -EOPNOTSUPP;
    if ((r = sink_choose(config->sink, &e->paths, &e->settings.sink, err)) < 0)
        return r;
    if (!(e->settings.aheads = aheads_new(config->unpacks)) || !(e->imports = imports_new(e)) ||
        registry_open(&e->registry) < 0 || snaps_open(&e->snaps) < 0 ||
        queue_open(&e->queue, threads, finished, e, e->load) < 0)
        return err_sys(err, ENOMEM, "cannot start");
    return recover_run(e, err);
}

void engine_set_text(struct engine *e, struct engine_text *shown, struct text *text)
{
    LOCK_SCOPE(&e->health_lock);
    if (!text->data || (shown->text.data && strcmp(text->data, shown->text.data) == 0)) {
        text_free(text);
        return;
    }
    text_free(&shown->text);
    shown->text = *text;
    shown->changed = text_now_ms();
}

static int64_t in_line(const struct ready *r)
{
    return atomic_load(&r->length);
}

static void add_jobs(struct engine *e, int64_t jobs[METRICS_PER_JOB])
{
    static const enum queue_pool pools[METRICS_POOLS] = {
        [METRICS_POOL_DOWNLOAD] = QUEUE_DOWNLOAD,
        [METRICS_POOL_UNPACK] = QUEUE_UNPACK,
        [METRICS_POOL_MOUNT] = QUEUE_MOUNT,
    };
    for (size_t i = 0; i < METRICS_POOLS; i++) {
        jobs[2 * i] = in_line(&e->ready[pools[i]]) + atomic_load(&e->load[pools[i]].waiting);
        jobs[2 * i + 1] = atomic_load(&e->load[pools[i]].running);
    }
    jobs[2 * METRICS_POOL_MOUNT] += in_line(&e->remounts);
}

void engine_metrics(struct engine *e, struct metrics_values *out)
{
    registry_metrics(e->registry, &e->metrics, out);
    add_jobs(e, &out->of[METRICS_JOBS]);
    out->of[METRICS_SNAPSHOTS] = (int64_t)snaps_count_all(e->snaps);
    LOCK_SCOPE(&e->health_lock);
    const char *health = e->health.text.data;
    out->of[METRICS_HEALTH] = health && strcmp(health, HEALTH_OK) == 0;
}

/* --- the thread */

static int64_t earliest(const struct engine *e)
{
    int64_t when = e->next_due < e->next_chores ? e->next_due : e->next_chores;
    if ((e->postponed || e->trouble.num) && e->next_postponed < when)
        when = e->next_postponed;
    if (e->next_room < when)
        when = e->next_room;
    int64_t trim = news_next_trim(e);
    if (trim < when)
        when = trim;
    if (e->cleanups && !e->held)
        return 0;
    int64_t soon = text_monotonic_ms() + LOOK_AGAIN_MS;
    return e->held && soon < when ? soon : when;
}

static struct job *take_finished(struct engine *e)
{
    struct job *first = e->finished, *last = first;
    for (int n = 1; last && last->next && n < JOBS_A_TURN; n++)
        last = last->next;
    e->finished = last ? last->next : NULL;
    if (!e->finished)
        e->last_finished = &e->finished;
    if (last)
        last->next = NULL;
    return first;
}

/* False: it is to end; what is there by then is engine_close's. */
static bool wait_for_work(struct engine *e, struct job **jobs, struct request **requests)
{
    int64_t deadline = earliest(e);
    LOCK_SCOPE(&e->inbox_lock);
    while (!e->stopping && !e->finished && !e->requests && text_monotonic_ms() < deadline)
        lock_wait_until(&e->inbox_lock, &e->wake, deadline);
    if (e->stopping)
        return false;
    *jobs = take_finished(e);
    *requests = steal_ptr(e->requests);
    e->last_request = &e->requests;
    return true;
}

static void *run(void *arg)
{
    struct engine *e = arg;
    struct job *jobs;
    struct request *requests;
    while (wait_for_work(e, &jobs, &requests)) {
        work_finished(e, jobs);
        for (struct request *next; requests; requests = next) {
            next = requests->next;
            command_run(e, requests);
        }
        int64_t now = text_monotonic_ms();
        work_due(e, now);
        chores_run(e, now);
        claim_dispatch(e);
        cleanup_go_on(e);
    }
    return NULL;
}

int engine_start(struct engine *e, struct err *err)
{
    int r = queue_start(e->queue);
    if (r == 0 && !(e->exports = exports_new(&e->paths, e->registry, e->snaps)))
        r = -EAGAIN;
    if (r == 0)
        r = -pthread_create(&e->thread, NULL, run, e);
    if (r < 0)
        return err_sys(err, -r, "cannot start threads");
    e->started = true;
    return 0;
}

void engine_submit(struct engine *e, const struct backend_command *command, backend_done *done,
                   void *ctx)
{
    struct request *request = request_new(command, done, ctx);
    if (!request) {
        done(ctx, &(struct err){.num = ENOMEM, .code = ERR_INTERNAL, .text = "out of memory"}, 0);
        return;
    }
    LOCK_SCOPE(&e->inbox_lock);
    *e->last_request = request;
    e->last_request = &request->next;
    pthread_cond_signal(&e->wake);
}

/* --- close */

static const struct err stopping = {
    .num = ECANCELED, .code = ERR_INTERRUPTED, .text = "the daemon is stopping"};

static void drop(struct job *job)
{
    if (measure_is(job))
        measure_drop(job);
    else if (job->pool == QUEUE_CHORE)
        cleanup_refuse(job->stage.ctx, &stopping);
    job_free(job);
}

static void drop_all(struct job *jobs)
{
    for (struct job *next; jobs; jobs = next) {
        next = jobs->next;
        drop(jobs);
    }
}

static void refuse_waiting(struct engine *e)
{
    for (struct request *r = steal_ptr(e->requests), *next; r; r = next) {
        next = r->next;
        request_reply(r, &stopping);
    }
    for (struct image *i = e->registry ? registry_next(e->registry, NULL) : NULL; i;
         i = registry_next(e->registry, i))
        request_reply(steal_ptr(i->waits), &stopping);
    snap_refuse_waiting(e, &stopping);
}

/* Whatever its state: a stop may have come between a mount and the word of it. */
static void unmount_one(void *ctx, const char *name)
{
    struct engine *e = ctx;
    const struct snap *s = snaps_get(e->snaps, paths_snapshot_number(name));
    const struct image *i =
        s ? registry_get(e->registry, s->image) : registry_named(e->registry, name);
    struct err err = {0};
    char key[PATHS_FILE_MAX] = "";
    if (i)
        paths_image(key, i->sha256, i->policy);
    if (e->settings.snapshot->unmount(&e->paths, name, key, i ? i->policy : POLICY_STRICT, &err) ==
        0)
        return;
    if (s)
        log_failure(s->image_name, &err, "snapshot %s is left mounted: %s", s->id, err.text);
    else
        log_failure(name, &err, "left mounted: %s", err.text);
}

struct unmounting {
    struct engine *engine;
    struct text names; /* each with its NUL */
    size_t *at;        /* where each begins */
    size_t count, capacity;
};

static void remember(void *ctx, const char *name)
{
    struct unmounting *u = ctx;
    size_t *at = array_more(u->at, u->count, &u->capacity, sizeof *at);
    if (!at)
        return;
    u->at = at;
    u->at[u->count] = u->names.len;
    text_addn(&u->names, name, strlen(name) + 1);
    u->count += !u->names.failed;
}

static void unmount(void *ctx, size_t i)
{
    const struct unmounting *u = ctx;
    unmount_one(u->engine, u->names.data + u->at[i]);
}

/* Many at once: each waits until what was written through it is on disk. */
static void unmount_all(struct engine *e)
{
    struct err err = {0};
    struct unmounting u = {.engine = e};
    if (snapshot_each_mount(&e->paths, remember, &u, &err) < 0)
        log_failure(NULL, &err, "%s", err.text);
    crew_run(u.count, unmount, &u);
    text_free(&u.names);
    free(u.at);
}

static void stop_threads(struct engine *e)
{
    lock_take(&e->inbox_lock);
    e->stopping = true;
    pthread_cond_signal(&e->wake);
    lock_release(&e->inbox_lock);
    pthread_join(e->thread, NULL);
    e->joined = true;
}

void engine_stop(struct engine *e)
{
    imports_halt(e->imports);
    if (e->started && !e->joined)
        stop_threads(e);
    exports_stop(e->exports);
    queue_close(steal_ptr(e->queue), drop);
    drop_all(steal_ptr(e->finished));
    drop_all(steal_ptr(e->postponed));
    cleanup_refuse(steal_ptr(e->cleanups), &stopping);
    cleanup_refuse(steal_ptr(e->sweep_for), &stopping);
    refuse_waiting(e);
    imports_join(e->imports);
}

/* Where that cannot be written the next boot's numbers begin further on, and no harm is done. */
static void close_database(struct engine *e)
{
    if (e->history_opened)
        (void)history_close(e->db, NULL);
    db_close(e->db);
}

void engine_close(struct engine *e, bool keep_mounts)
{
    engine_stop(e);
    exports_free(e->exports);
    if (e->started && !keep_mounts) {
        unmount_all(e);
        lower_unmount_all(&e->paths);
    }
    imports_free(e->imports);
    aheads_free(e->settings.aheads);
    snaps_close(e->snaps);
    registry_close(e->registry);
    close_database(e);
    paths_close(&e->paths);
    cleanup_close(&e->store_hold);
    cleanup_close(&e->database_hold);
    text_free(&e->health.text);
    text_free(&e->cleanup.text);
    lock_destroy(&e->inbox_lock);
    lock_destroy(&e->health_lock);
    metrics_destroy(&e->metrics);
    pthread_cond_destroy(&e->wake);
}
