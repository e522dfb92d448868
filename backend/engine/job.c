#include "engine/engine.h"

#include "base/cleanup.h"
#include "base/point.h"

#include <string.h>

/* A word of progress is for all names of the digest, and readers wait for as long as it takes: the
 * more names, the rarer. */
#define TELL_NAMES_A_MS 256

/* How each stage is run. */
static const struct {
    enum queue_pool pool;
    stage_fn *run;
    size_t time; /* the histogram of it; 0: none */
} stages[] = {
    [FSM_RUN_FETCH] = {QUEUE_DOWNLOAD, fetch_run, METRICS_DOWNLOAD_TIME},
    [FSM_RUN_UNPACK] = {QUEUE_UNPACK, unpack_run, METRICS_UNPACK_TIME},
    [FSM_RUN_PUBLISH] = {QUEUE_UNPACK, publish_run, 0},
    [FSM_RUN_MOUNT] = {QUEUE_MOUNT, activate_run, METRICS_ACTIVATION_TIME},
};

static void make_key(char key[static QUEUE_KEY_MAX], const struct image *image,
                     enum queue_pool pool)
{
    switch (pool) {
    case QUEUE_DOWNLOAD:
        snprintf(key, QUEUE_KEY_MAX, "%s", image->sha256);
        break;
    case QUEUE_UNPACK:
        snprintf(key, QUEUE_KEY_MAX, "%s.%s", image->sha256, policy_name(image->policy));
        break;
    case QUEUE_MOUNT:
        snprintf(key, QUEUE_KEY_MAX, "%s", image->name);
        break;
    case QUEUE_CHORE:
    case QUEUE_POOLS:
        key[0] = '\0';
        break;
    }
}

void job_free(struct job *job)
{
    free((char *)job->stage.name);
    free((char *)job->stage.url);
    free((char *)job->stage.sha256);
    free(job);
}

static int64_t known(int64_t value)
{
    return value > 0 ? value : 0;
}

static bool copy_image(struct job *job, const struct image *image)
{
    job->image = image->id;
    job->server = image->server;
    job->state = (int)image->state;
    job->stage.policy = image->policy;
    job->stage.size = known(image->size);
    job->stage.entries = known(image->entries);
    job->stage.bytes = known(image->bytes);
    job->stage.name = strdup(image->name);
    job->stage.url = strdup(image->url);
    job->stage.sha256 = strdup(image->sha256);
    return job->stage.name && job->stage.url && job->stage.sha256;
}

struct job *job_new(struct engine *e, const struct image *image, enum queue_pool pool,
                    int (*run)(struct job *job, struct err *err))
{
    struct job *job = calloc(1, sizeof *job);
    if (!job)
        return NULL;
    job->pool = pool;
    job->run = run;
    job->owner = e;
    job->stage.paths = &e->paths;
    job->stage.settings = &e->settings;
    job->stage.cancel_fd = -1;
    job->came = -1;
    job->result = (struct stage_result){.size = -1, .entries = -1, .bytes = -1, .skipped = -1};
    if (image) {
        make_key(job->key, image, pool);
        if (!copy_image(job, image)) {
            job_free(job);
            return NULL;
        }
    }
    return job;
}

static void lead(struct engine *e, struct job *job)
{
    if (e->busy[job->pool] < ENGINE_WORKERS_MAX)
        e->leaders[job->pool][e->busy[job->pool]++] = job;
}

/* One that followed it is what its worker does next. */
static void follow(struct engine *e, const struct job *ended)
{
    for (struct image *i = registry_next_of_digest(e->registry, ended->stage.sha256, NULL); i;
         i = registry_next_of_digest(e->registry, ended->stage.sha256, i))
        if (i->job && i->job != ended && !i->job->back && i->job->pool == ended->pool &&
            strcmp(i->job->key, ended->key) == 0) {
            lead(e, i->job);
            return;
        }
}

void job_ended(struct engine *e, const struct job *job)
{
    struct job **leaders = e->leaders[job->pool];
    for (int64_t i = 0; i < e->busy[job->pool]; i++)
        if (leaders[i] == job) {
            leaders[i] = leaders[--e->busy[job->pool]];
            e->ready[job->pool].passed = NULL; /* its server has a connection to spare */
            follow(e, job);
            return;
        }
}

/* The first word of a request comes before its first byte. */
static void count_bytes(struct engine *e, struct job *job, int64_t done)
{
    if (job->came >= 0 && done > job->came)
        metrics_add(&e->metrics, METRICS_DOWNLOADED, done - job->came);
    job->came = done;
}

static void tell_progress(void *ctx, const struct image *image)
{
    work_notify(ctx, BACKEND_PROGRESS, image->id, image->name);
}

static void report_progress(void *ctx, int64_t done, int64_t total)
{
    struct job *job = ctx;
    struct engine *e = job->owner;
    int64_t now = text_monotonic_ms();
    if (job->stage_run == fetch_run)
        count_bytes(e, job, done);
    if (now < job->told_until && done != total)
        return;
    size_t names = registry_progress(e->registry, job->stage.sha256, (enum fsm_state)job->state,
                                     done, total, tell_progress, e);
    job->told_until = now + (int64_t)(names / TELL_NAMES_A_MS);
}

static void count_success(struct engine *e, const struct job *job, int64_t us)
{
    if (job->result.found == STAGE_FOUND_NOTHING) {
        if (job->time)
            metrics_observe(&e->metrics, job->time, us);
        if (job->stage_run == unpack_run)
            metrics_add(&e->metrics, METRICS_UNPACKED, job->result.bytes);
    } else if (job->stage_run == fetch_run) {
        bool blob = job->result.found == STAGE_FOUND_BLOB;
        metrics_add(&e->metrics,
                    METRICS_CACHE_HITS + (blob ? METRICS_CACHE_BLOB : METRICS_CACHE_IMAGE), 1);
    }
}

static int run_stage(struct job *job, struct err *err)
{
    point_wait(fsm_state_word((enum fsm_state)job->state), &job->cancelled);
    if (atomic_load(&job->cancelled))
        return -ECANCELED;
    int64_t begun = metrics_clock();
    int r = job->stage_run(&job->stage, &job->result, err);
    if (r < 0)
        space_explain(err, &job->result.need, job->stage.paths->dir);
    else
        count_success(job->owner, job, metrics_clock() - begun);
    return r;
}

/* Does a job under way do what this image needs? Then it may follow without taking a worker. */
bool job_has_leader(const struct engine *e, const struct image *image, enum queue_pool pool)
{
    char key[QUEUE_KEY_MAX];
    make_key(key, image, pool);
    for (int64_t i = 0; i < e->busy[pool]; i++)
        if (strcmp(e->leaders[pool][i]->key, key) == 0)
            return true;
    return false;
}

bool job_is_shared(const struct image *a, const struct image *b, enum queue_pool pool)
{
    char key_a[QUEUE_KEY_MAX], key_b[QUEUE_KEY_MAX];
    make_key(key_a, a, pool);
    make_key(key_b, b, pool);
    return strcmp(key_a, key_b) == 0;
}

void job_start(struct engine *e, struct image *image, enum fsm_stage stage)
{
    struct job *job = job_new(e, image, stages[stage].pool, run_stage);
    if (!job) {
        image->due = text_monotonic_ms() + ENGINE_POSTPONE_MS;
        e->next_due = image->due < e->next_due ? image->due : e->next_due;
        return;
    }
    job->stage_run = stages[stage].run;
    job->time = stages[stage].time;
    job->stage.progress = report_progress;
    job->stage.ctx = job;
    if (!job_has_leader(e, image, job->pool))
        lead(e, job);
    image->job = job;
    queue_push(e->queue, job);
}

bool job_halt(struct engine *e, struct image *image)
{
    struct job *job = image->job;
    if (!job)
        return true;
    if (!queue_cancel(e->queue, job))
        return false;
    job_ended(e, job);
    image->job = NULL;
    job_free(job);
    return true;
}

enum queue_pool job_pool(enum fsm_stage stage)
{
    return stages[stage].pool;
}
