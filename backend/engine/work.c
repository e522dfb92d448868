#include "engine/engine.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/point.h"

#include <string.h>

void work_notify(struct engine *e, enum backend_change change, const struct image *image)
{
    if (e->observer)
        e->observer(e->observer_ctx, change, image->id, image->name);
}

/* --- transitions */

const struct fsm_row *work_prepare(const struct engine *e, const struct image *image,
                                   enum fsm_event event, struct image *next)
{
    const struct fsm_row *row = fsm_next(image->state, event);
    if (!row)
        return NULL;
    registry_copy(e->registry, image, next);
    next->state = row->to;
    next->updated = text_now_ms();
    next->next_retry = 0;
    if (row->to != FSM_FAILED && event != FSM_EV_AGAIN) {
        next->code = ERR_NONE;
        next->error = (char *)"";
    }
    return row;
}

int work_write(struct engine *e, const struct image *next, enum fsm_state from, struct err *err)
{
    struct images_row row;
    registry_row(next, &row);
    int r = images_update(e->db, &row, err);
    return r < 0 ? r
                 : images_history(e->db, &row, fsm_state_word(from), fsm_state_word(next->state),
                                  next->updated, err);
}

/* A new phase, or a new attempt at it, counts from nothing. */
static void reset_progress(struct image *image, const struct image *next)
{
    if (next->state == FSM_FAILED)
        return;
    image->percent = 0;
    image->done = 0;
    image->total = next->size;
}

static void publish(struct engine *e, struct image *image, const struct image *next)
{
    /* What cannot be copied is left as it was: the database has it all the same. */
    char *error = next->error == image->error ? NULL : strdup(next->error);
    registry_edit(e->registry);
    if (next->url != image->url)
        (void)registry_set_url(image, next->url);
    if (error) {
        free(image->error);
        image->error = error;
    }
    image->state = next->state;
    image->want_stored = next->want_stored;
    image->code = next->code;
    image->format = next->format;
    image->size = next->size;
    image->entries = next->entries;
    image->bytes = next->bytes;
    image->skipped = next->skipped;
    image->attempts = next->attempts;
    image->next_retry = next->next_retry;
    image->updated = next->updated;
    image->hides_rootfs = false;
    image->wrong_digest = next->wrong_digest;
    image->due = next->next_retry ? next->due : 0;
    reset_progress(image, next);
    registry_publish(e->registry);
}

static bool is_claimable(const struct image *image)
{
    return fsm_next(image->state, FSM_EV_CLAIM) && !image->removing &&
           !(image->state == FSM_STORED && image->want_stored);
}

static enum fsm_stage claimed_stage(const struct image *image)
{
    return fsm_next(image->state, FSM_EV_CLAIM)->stage;
}

static void make_ready(struct engine *e, struct image *image)
{
    if (image->ready_in)
        return;
    struct ready *r = &e->ready[job_pool(claimed_stage(image))];
    image->ready_in = r;
    image->looked_at = false;
    image->ready_before = r->last;
    image->ready_after = NULL;
    *(r->last ? &r->last->ready_after : &r->first) = image;
    r->last = image;
}

void work_unready(struct image *image)
{
    struct ready *r = image->ready_in;
    if (!r)
        return;
    *(image->ready_before ? &image->ready_before->ready_after : &r->first) = image->ready_after;
    *(image->ready_after ? &image->ready_after->ready_before : &r->last) = image->ready_before;
    image->ready_in = NULL;
}

void work_apply(struct engine *e, struct image *image, const struct image *next,
                enum fsm_stage stage)
{
    work_unready(image);
    publish(e, image, next);
    work_notify(e, BACKEND_CHANGED, image);
    if (stage != FSM_RUN_NOTHING)
        job_start(e, image, stage);
    else if (is_claimable(image))
        make_ready(e, image);
}

int work_transact(struct engine *e,
                  int (*write)(struct engine *e, const void *ctx, struct err *err), const void *ctx,
                  struct err *err)
{
    struct err trouble = {0};
    int r = db_begin(e->db, &trouble);
    if (r == 0)
        r = write(e, ctx, &trouble);
    if (r == 0)
        r = db_commit(e->db, &trouble);
    if (r < 0) {
        db_rollback(e->db);
        e->next_postponed = text_monotonic_ms() + ENGINE_POSTPONE_MS;
        *err = trouble;
        if (!e->trouble.num)
            log_error(NULL, "%s", trouble.text);
    }
    e->trouble = trouble;
    return r;
}

struct change {
    const struct image *next;
    enum fsm_state from;
};

static int write_change(struct engine *e, const void *ctx, struct err *err)
{
    const struct change *change = ctx;
    return work_write(e, change->next, change->from, err);
}

int work_commit(struct engine *e, struct image *image, const struct image *next,
                enum fsm_stage stage, struct err *err)
{
    int r = work_transact(e, write_change, &(struct change){next, image->state}, err);
    if (r < 0)
        return r;
    log_debug(image->name, "%s -> %s", fsm_state_word(image->state), fsm_state_word(next->state));
    work_apply(e, image, next, stage);
    return 0;
}

void work_unmounted(struct engine *e, struct image *image)
{
    struct image next;
    struct err err = {0};
    const struct fsm_row *row = work_prepare(e, image, FSM_EV_UNMOUNTED, &next);
    log_warn(image->name, "was unmounted by someone else");
    if (row)
        (void)work_commit(e, image, &next, row->stage, &err);
}

void work_resume(struct engine *e, struct image *image)
{
    enum fsm_stage stage = fsm_stage_in(image->state);
    if (image->job || image->removing)
        return;
    if (is_claimable(image))
        make_ready(e, image);
    else if (stage != FSM_RUN_NOTHING)
        job_start(e, image, stage);
}

/* --- claims */

static int claim(struct engine *e, struct image *image)
{
    struct image next;
    struct err err = {0};
    const struct fsm_row *row = work_prepare(e, image, FSM_EV_CLAIM, &next);
    if (row->to == FSM_DOWNLOADING)
        next.attempts++;
    return work_commit(e, image, &next, row->stage, &err);
}

static bool can_claim(struct engine *e, const struct image *image)
{
    if (image->job || image->waits || !is_claimable(image))
        return false;
    if (point_held(fsm_state_word(image->state))) {
        e->held = true;
        return false;
    }
    return true;
}

static struct image *first_claimable(struct engine *e, enum queue_pool pool)
{
    struct image *i = e->ready[pool].first;
    while (i && !can_claim(e, i))
        i = i->ready_after;
    return i;
}

/* Those that have come since the last look stand at the end: may one of them follow a job under
 * way? Later on it is asked only when a leader begins. */
static int claim_newcomers(struct engine *e, enum queue_pool pool)
{
    int r = 0;
    for (struct image *i = e->ready[pool].last, *before; r == 0 && i && !i->looked_at; i = before) {
        before = i->ready_before;
        i->looked_at = !point_held(fsm_state_word(i->state));
        if (can_claim(e, i) && job_has_leader(e, i, pool))
            r = claim(e, i);
    }
    return r;
}

static int claim_followers(struct engine *e, const struct image *leader, enum queue_pool pool)
{
    int r = 0;
    for (struct image *i = registry_next_of_digest(e->registry, leader->sha256, NULL); r == 0 && i;
         i = registry_next_of_digest(e->registry, leader->sha256, i))
        if (i->ready_in == &e->ready[pool] && can_claim(e, i) && job_has_leader(e, i, pool))
            r = claim(e, i);
    return r;
}

static int claim_all(struct engine *e, enum queue_pool pool)
{
    int r = claim_newcomers(e, pool);
    for (struct image *i;
         r == 0 && e->busy[pool] < e->limit[pool] && (i = first_claimable(e, pool));) {
        r = claim(e, i);
        if (r == 0)
            r = claim_followers(e, i, pool);
    }
    return r;
}

void work_dispatch(struct engine *e)
{
    e->held = false;
    if (e->trouble.num && text_monotonic_ms() < e->next_postponed)
        return;
    for (size_t pool = 0; pool < QUEUE_POOLS; pool++)
        if (claim_all(e, (enum queue_pool)pool) < 0)
            return;
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

/* What has rotted in the store, or lost its data with the power, is fetched anew, once: NULL if it
 * was, or if that would not help. */
static const struct fsm_row *prepare_anew(struct engine *e, struct image *image, struct job *job,
                                          struct image *next)
{
    if (!job->result.lost || image->wrong_digest)
        return NULL;
    const struct fsm_row *row = work_prepare(e, image, FSM_EV_MISSING, next);
    if (row) {
        log_warn(image->name, "%s: it is fetched anew", job->err.text);
        next->attempts = 0;
        next->wrong_digest = true;
    }
    return row;
}

static const struct fsm_row *prepare_failure(struct engine *e, struct image *image, struct job *job,
                                             struct image *next)
{
    int64_t delay = delay_of(e, image, job);
    const struct fsm_row *row =
        work_prepare(e, image, delay < 0 ? FSM_EV_FAIL : FSM_EV_AGAIN, next);
    if (job->result.retry == RETRY_SCRATCH)
        next->wrong_digest = true;
    next->code = job->err.code ? job->err.code : ERR_INTERNAL;
    next->error = job->err.text;
    if (delay >= 0) {
        next->next_retry = later(next->updated, delay);
        next->due = later(text_monotonic_ms(), delay);
    }
    return row;
}

/* What an unpack that failed has left is in the trash, where it takes up room. */
static void sweep_after(struct engine *e, const struct job *job)
{
    if (job->stage_run == unpack_run && job->status < 0)
        chores_sweep(e, NULL);
}

static void settle(struct engine *e, struct image *image, struct job *job)
{
    struct image next;
    struct err err = {0};
    const struct fsm_row *row;
    if (job->status == 0) {
        row = work_prepare(e, image, FSM_EV_DONE, &next);
        take_result(&next, &job->result);
    } else if (!(row = prepare_anew(e, image, job, &next))) {
        row = prepare_failure(e, image, job, &next);
    }
    if (work_commit(e, image, &next, row->stage, &err) < 0) {
        image->job = job;
        job->next = e->postponed;
        e->postponed = job;
        return;
    }
    if (image->state == FSM_FAILED)
        log_warn(image->name, "%s: %s", err_word(image->code), image->error);
    else if (image->due)
        log_info(image->name, "attempt %lld: %s: %s", (long long)image->attempts,
                 err_word(image->code), image->error);
    else if (image->state == FSM_ACTIVE)
        log_info(image->name, "active");
    if (image->due && image->due < e->next_due)
        e->next_due = image->due;
    sweep_after(e, job);
    job_free(job);
}

/* Cancelled in the last moment, or the state has moved on: what was mounted comes down again, all
 * else stays as a cache. */
static void abandon(struct engine *e, struct image *image, struct job *job)
{
    bool undo = job->stage_run == activate_run && job->status == 0;
    if (job->run == chores_unmount && job->status < 0)
        log_warn(image->name, "stays mounted: %s", job->err.text);
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

void work_finished(struct engine *e, struct job *job)
{
    job_ended(e, job);
    if (job->pool == QUEUE_CHORE) {
        chores_finished(e, job);
        return;
    }
    struct image *image = registry_get(e->registry, job->image);
    if (!image || image->job != job) {
        bury(e, job);
        return;
    }
    image->job = NULL;
    if (image->waits)
        command_continue(e, image, job);
    else if (atomic_load(&job->cancelled) || !job->stage_run || job->state != (int)image->state)
        abandon(e, image, job);
    else
        settle(e, image, job);
}

/* Counted in memory; whatever comes of the attempt writes it down. */
static void begin_attempt(struct engine *e, struct image *image)
{
    image->due = 0;
    if (image->state == FSM_DOWNLOADING) {
        registry_edit(e->registry);
        image->attempts++;
        image->next_retry = 0;
        registry_publish(e->registry);
    }
    work_resume(e, image);
}

void work_due(struct engine *e, int64_t now)
{
    if (e->postponed && now >= e->next_postponed) {
        struct job *job = steal_ptr(e->postponed);
        for (struct job *next; job; job = next) {
            next = job->next;
            work_finished(e, job);
        }
    }
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
