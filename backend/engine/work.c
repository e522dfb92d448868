#include "engine/engine.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "engine/snap.h"

#include <string.h>

void work_notify(struct engine *e, unsigned changes, uint64_t id, const char *name)
{
    if (e->observer && changes)
        e->observer(e->observer_ctx, changes, id, name);
}

/* --- on its way */

bool work_is_claimable(const struct image *image)
{
    return fsm_next(image->state, FSM_EV_CLAIM) && !image->removing &&
           !(image->state == FSM_STORED && image->want_stored);
}

bool work_takes_turns(const struct image *image)
{
    return work_is_claimable(image) || image->state == FSM_DOWNLOADING;
}

static enum fsm_stage claimed_stage(const struct image *image)
{
    const struct fsm_row *row = fsm_next(image->state, FSM_EV_CLAIM);
    return row ? row->stage : fsm_stage_in(image->state);
}

static void line_up(struct ready *r, struct image *image)
{
    if (image->ready_in)
        return;
    image->ready_in = r;
    image->looked_at = false;
    image->ready_before = r->last;
    image->ready_after = NULL;
    *(r->last ? &r->last->ready_after : &r->first) = image;
    r->last = image;
    r->length++;
}

void work_unready(struct image *image)
{
    struct ready *r = image->ready_in;
    if (!r)
        return;
    *(image->ready_before ? &image->ready_before->ready_after : &r->first) = image->ready_after;
    *(image->ready_after ? &image->ready_after->ready_before : &r->last) = image->ready_before;
    if (r->passed == image)
        r->passed = image->ready_before;
    r->length--;
    image->ready_in = NULL;
}

int work_transact(struct engine *e, bool durable,
                  int (*write)(struct engine *e, void *ctx, struct err *err), void *ctx,
                  struct err *err)
{
    struct err trouble = {0};
    int r = db_set_durable(e->db, durable, &trouble);
    if (r == 0)
        r = db_begin(e->db, &trouble);
    if (r == 0)
        r = write(e, ctx, &trouble);
    if (r == 0)
        r = news_trim(e, &trouble);
    if (r == 0)
        r = db_commit(e->db, &trouble);
    if (r < 0) {
        db_rollback(e->db);
        news_drop(e);
        space_explain(&trouble, NULL, db_path(e->db));
        e->next_postponed = text_monotonic_ms() + ENGINE_POSTPONE_MS;
        *err = trouble;
        if (!e->trouble.num)
            log_write(LOG_LEVEL_ERROR, NULL, trouble.code, "%s", trouble.text);
    }
    e->trouble = trouble;
    return r;
}

void work_unmounted(struct engine *e, struct image *image)
{
    struct transition t;
    struct err err = {0};
    log_warn(image->name, "was unmounted by someone else");
    if (transition_prepare(e, image, FSM_EV_UNMOUNTED, &t) && transition_commit(e, &t, &err) == 0)
        work_resume(e, image);
}

void work_resume(struct engine *e, struct image *image)
{
    enum fsm_stage stage = fsm_stage_in(image->state);
    if (image->job || image->removing)
        return;
    if (work_takes_turns(image))
        line_up(&e->ready[job_pool(claimed_stage(image))], image);
    else if (stage == FSM_RUN_MOUNT)
        line_up(&e->remounts, image);
    else if (stage != FSM_RUN_NOTHING)
        job_start(e, image, stage);
}

void work_return(struct engine *e, struct image *image)
{
    struct ready *r = &e->ready[job_pool(claimed_stage(image))];
    image->ready_in = r;
    image->ready_before = NULL;
    image->ready_after = r->first;
    *(r->first ? &r->first->ready_before : &r->last) = image;
    r->first = image;
    r->length++;
}

void work_hasten(struct engine *e, struct image *image)
{
    if (image->ready_in != &e->remounts)
        return;
    work_unready(image);
    job_start(e, image, FSM_RUN_MOUNT);
}

/* --- outcomes */

static void take_result(struct image *next, const struct stage_result *result)
{
    if (result->format != FORMAT_UNKNOWN)
        next->format = result->format;
    if (result->size >= 0)
        next->size = result->size;
    if (result->entries >= 0)
        next->entries = result->entries;
    if (result->bytes >= 0)
        next->bytes = result->bytes;
    if (result->skipped >= 0)
        next->skipped = result->skipped;
    if (result->sink)
        next->sink = result->sink;
}

/* What UNPACKING rests on was damaged, and is gone: once, it is fetched anew. A second time the
 * disk is to blame. */
static bool starts_anew(const struct image *image, const struct job *job)
{
    return job->result.retry == RETRY_SCRATCH && !image->wrong_digest &&
           fsm_next(image->state, FSM_EV_MISSING);
}

static void prepare_anew(struct engine *e, struct image *image, struct job *job,
                         struct transition *t)
{
    log_failure(image->name, &job->err, "%s; it is fetched anew", job->err.text);
    transition_prepare(e, image, FSM_EV_MISSING, t);
    t->next.wrong_digest = true;
    t->next.attempts = 0;
}

static double jitter(struct engine *e)
{
    e->random = e->random * 1664525 + 1013904223; /* Numerical Recipes' generator: spread is all */
    return (double)(e->random >> 8) / (double)(1 << 24);
}

static int64_t delay_of(struct engine *e, const struct image *image, const struct job *job)
{
    if (image->state != FSM_DOWNLOADING)
        return -1;
    return retry_delay(&e->retry, image->attempts, image->wrong_digest, &job->result, jitter(e));
}

/* retry_max may be without limit. */
static int64_t later(int64_t now, int64_t delay)
{
    int64_t when;
    return __builtin_add_overflow(now, delay, &when) ? INT64_MAX : when;
}

static void prepare_failure(struct engine *e, struct image *image, struct job *job,
                            struct transition *t)
{
    struct image *next = &t->next;
    int64_t delay = delay_of(e, image, job);
    transition_prepare(e, image, delay < 0 ? FSM_EV_FAIL : FSM_EV_AGAIN, t);
    if (job->result.retry == RETRY_SCRATCH)
        next->wrong_digest = true;
    next->code = job->err.code ? job->err.code : ERR_INTERNAL;
    next->error = job->err.text;
    if (delay >= 0) {
        next->next_retry = later(next->updated, delay);
        next->due = later(text_monotonic_ms(), delay);
    }
}

static void prepare_outcome(struct engine *e, struct image *image, struct job *job,
                            struct transition *t)
{
    if (job->status == 0) {
        transition_prepare(e, image, FSM_EV_DONE, t);
        take_result(&t->next, &job->result);
        if (job->stage_run == unpack_run)
            t->next.wrong_digest = false;
    } else if (starts_anew(image, job)) {
        prepare_anew(e, image, job, t);
    } else {
        prepare_failure(e, image, job, t);
    }
}

/* What an unpack that failed has left is in the trash, where it takes up room; a download's may
 * have been unpacked ahead. */
static void sweep_after(struct engine *e, const struct job *job)
{
    if (job->stage_run && job->stage_run != activate_run && job->status < 0)
        chores_sweep(e, NULL);
}

/* It could not be written down: it is tried again later. */
static void postpone(struct engine *e, struct image *image, struct job *job)
{
    image->job = job;
    job->next = e->postponed;
    e->postponed = job;
    e->next_postponed = text_monotonic_ms() + ENGINE_POSTPONE_MS;
}

static void settled(struct engine *e, struct image *image, struct job *job)
{
    if (image->state == FSM_FAILED)
        log_write(LOG_LEVEL_WARN, image->name, image->code, "%s", image->error);
    else if (image->due)
        log_write(LOG_LEVEL_INFO, image->name, image->code, "attempt %lld: %s",
                  (long long)image->attempts, image->error);
    else if (image->state == FSM_ACTIVE)
        log_info(image->name, "active");
    if (image->due && image->due < e->next_due)
        e->next_due = image->due;
    sweep_after(e, job);
    job_free(job);
}

/* In one transaction: a commit costs as much as all the rest. */
static void settle_all(struct engine *e, struct job *jobs)
{
    struct transitions all CLEANUP_TRANSITIONS = {0};
    struct err err = {0};
    struct job *next;
    int r = 0;
    for (struct job *j = jobs; r == 0 && j; j = j->next) {
        struct transition *t = transition_room(&all);
        r = t ? 0 : -ENOMEM;
        if (t)
            prepare_outcome(e, registry_get(e->registry, j->image), j, t);
    }
    if (r == 0)
        r = transition_pass_all(e, &all, &err);
    for (struct job *j = jobs; j; j = next) {
        next = j->next;
        if (r < 0)
            postpone(e, registry_get(e->registry, j->image), j);
        else
            settled(e, registry_get(e->registry, j->image), j);
    }
}

/* Cancelled in the last moment, or the state has moved on: what was mounted comes down again, all
 * else stays as a cache. */
static void abandon(struct engine *e, struct image *image, struct job *job)
{
    bool undo = job->stage_run == activate_run && job->status == 0;
    if (job->run == chores_unmount && job->status < 0)
        log_failure(image->name, &job->err, "stays mounted: %s", job->err.text);
    sweep_after(e, job);
    job_free(job);
    struct job *unmount = undo ? job_new(e, image, QUEUE_MOUNT, chores_unmount) : NULL;
    if (unmount) {
        image->job = unmount;
        queue_push(e->queue, unmount);
    } else {
        work_resume(e, image);
    }
}

/* Its image was removed, or goes on without it: what it left is looked after, and no more. */
static void bury(struct engine *e, struct job *job)
{
    if (!registry_next_of_digest(e->registry, job->stage.sha256, NULL))
        chores_unreferenced(e, job->stage.sha256);
    chores_sweep(e, NULL);
    job_free(job);
}

/* True: what came of it is to be settled. */
static bool take_back(struct engine *e, struct job *job)
{
    job->back = true;
    job_ended(e, job);
    if (job->pool == QUEUE_CHORE) {
        chores_finished(e, job);
        return false;
    }
    if (job->snapshot) {
        snap_finished(e, job);
        return false;
    }
    struct image *image = registry_get(e->registry, job->image);
    if (!image || image->job != job) {
        bury(e, job);
        return false;
    }
    image->job = NULL;
    if (image->waits)
        command_continue(e, image, job);
    else if (atomic_load(&job->cancelled) || !job->stage_run || job->state != (int)image->state)
        abandon(e, image, job);
    else
        return !cleanup_starved(e, image, job);
    return false;
}

void work_finished(struct engine *e, struct job *jobs)
{
    struct job *outcomes = NULL, **last = &outcomes;
    for (struct job *next; jobs; jobs = next) {
        next = jobs->next;
        if (take_back(e, jobs)) {
            *last = jobs;
            last = &jobs->next;
        }
    }
    *last = NULL;
    settle_all(e, outcomes);
}

/* Counted in memory; whatever comes of the attempt writes it down. */
static void begin_attempt(struct engine *e, struct image *image)
{
    image->due = 0;
    if (image->state == FSM_DOWNLOADING) {
        registry_edit(e->registry, image);
        image->attempts++;
        image->next_retry = 0;
        metrics_add(&e->metrics, METRICS_RETRIES, 1);
        registry_publish(e->registry, image);
    }
    work_resume(e, image);
}

void work_due(struct engine *e, int64_t now)
{
    if (e->postponed && now >= e->next_postponed)
        work_finished(e, steal_ptr(e->postponed));
    if (now < e->next_due)
        return;
    e->next_due = INT64_MAX;
    for (struct image *i = registry_next(e->registry, NULL); i; i = registry_next(e->registry, i)) {
        if (i->due && i->due <= now) {
            begin_attempt(e, i);
        } else if (i->due && i->due < e->next_due) {
            e->next_due = i->due;
        }
    }
}
