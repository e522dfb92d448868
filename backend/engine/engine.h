/* engine: one thread that decides, and the workers that do.
 *
 * Every mutation passes through this thread: commands from users, outcomes from workers, timers.
 * It commits to the database, then changes the registry, then tells the observer, so there is one
 * order of events and no lock around any of it. Shared by the engine's own files; backend.c is the
 * only one outside that includes it. */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "base/lock.h"
#include "engine/queue.h"
#include "engine/registry.h"
#include "engine/retry.h"

#include <pthread.h>

#define ENGINE_WORKERS_MAX 64   /* of one pool */
#define ENGINE_POSTPONE_MS 1000 /* between attempts at what could not be done or committed */

/* What a file shows. */
struct engine_text {
    struct text text;
    int64_t changed; /* ms since 1970 */
};

/* A line of images, first come first served. */
struct ready {
    struct image *first, *last;
};

/* A command on its way: copied in, answered once. */
struct request {
    struct backend_command command;
    backend_done *done;
    void *ctx;
    size_t refused; /* the line that was */
    struct request *next;
};

struct engine {
    /* Read-only once started. */
    const struct backend_config *config;
    struct paths paths;
    struct stage_settings settings;
    struct retry_policy retry;
    struct registry *registry;
    struct queue *queue;
    backend_observer *observer;
    void *observer_ctx;
    int store_hold, database_hold;
    pthread_t thread;
    bool started, joined;

    /* The engine's thread only (before it starts: the opener's). */
    struct db *db;
    struct ready ready[QUEUE_POOLS];                      /* images that wait to be claimed */
    struct job *leaders[QUEUE_POOLS][ENGINE_WORKERS_MAX]; /* what the pool's workers are at */
    int64_t busy[QUEUE_POOLS];                            /* how many of those */
    int64_t limit[QUEUE_POOLS];
    int64_t next_due;       /* monotonic ms of the earliest retry; INT64_MAX: none */
    int64_t next_chores;    /* of the next health sample and automatic cleanup */
    bool held;              /* a test holds something: look again soon */
    int64_t next_cleanup;   /* of the next automatic cleanup */
    bool cleaning;          /* one is under way, or asked for */
    bool layers_synced;     /* overlays/ was, since a layer was last discarded */
    struct err trouble;     /* the database's last failure; num 0: it works */
    struct job *postponed;  /* outcomes that could not be committed yet */
    int64_t next_postponed; /* when to try them again */
    uint32_t random;

    /* Guarded by inbox_lock. */
    struct lock inbox_lock;
    pthread_cond_t wake;
    struct request *requests, **last_request;
    struct job *finished, **last_finished;
    bool stopping;

    /* Guarded by health_lock. */
    struct lock health_lock;
    struct engine_text health, cleanup;
};

int engine_open(struct engine *e, const struct backend_config *config, struct err *err);
int engine_start(struct engine *e, struct err *err);
void engine_stop(struct engine *e);
void engine_close(struct engine *e, bool keep_mounts);
void engine_submit(struct engine *e, const struct backend_command *command, backend_done *done,
                   void *ctx);

/* Takes the text over, if it says anything new. */
void engine_set_text(struct engine *e, struct engine_text *shown, struct text *text);

/* --- request.c: commands on their way */

struct request *request_new(const struct backend_command *command, backend_done *done, void *ctx);
/* Answers and frees; err NULL is success. */
void request_reply(struct request *request, const struct err *err);

/* --- job.c: what the workers are given */

/* For image, or for the store (NULL). NULL: out of memory. */
struct job *job_new(struct engine *e, const struct image *image, enum queue_pool pool,
                    int (*run)(struct job *job, struct err *err));
void job_free(struct job *job);
/* Sets a worker, or the worker that is at it already, to the stage of the image's state. */
void job_start(struct engine *e, struct image *image, enum fsm_stage stage);
/* Takes its job away. True: it has none any more. False: its end is to be waited for. */
bool job_halt(struct engine *e, struct image *image);
/* It no longer counts as what a worker is at. */
void job_ended(struct engine *e, const struct job *job);
/* Does a job under way do what this image needs? Then it may follow without taking a worker. */
bool job_has_leader(const struct engine *e, const struct image *image, enum queue_pool pool);
enum queue_pool job_pool(enum fsm_stage stage);

/* --- work.c: images through the state machine */

/* The image as it would be after `event`: a copy to change further. NULL row: does not fit. */
const struct fsm_row *work_prepare(const struct engine *e, const struct image *image,
                                   enum fsm_event event, struct image *next);
/* One transaction: all of what write does, or nothing. A failure shows in health until the next one
 * succeeds. */
int work_transact(struct engine *e,
                  int (*write)(struct engine *e, const void *ctx, struct err *err), const void *ctx,
                  struct err *err);
/* Within one: writes the row and its history. */
int work_write(struct engine *e, const struct image *next, enum fsm_state from, struct err *err);
/* After the commit: publishes, tells the observer, sets the image on its way. */
void work_apply(struct engine *e, struct image *image, const struct image *next,
                enum fsm_stage stage);
/* Both, in a transaction of its own. */
int work_commit(struct engine *e, struct image *image, const struct image *next,
                enum fsm_stage stage, struct err *err);
/* Its mount is gone, and not by us: it is made again if it is wanted. */
void work_unmounted(struct engine *e, struct image *image);
/* Puts an image without a job (back) on its way, as its state asks. */
void work_resume(struct engine *e, struct image *image);
/* A worker is done. */
void work_finished(struct engine *e, struct job *job);
/* Retries that are due. */
void work_due(struct engine *e, int64_t now);
/* Does it wait for a worker? */
bool work_is_claimable(const struct image *image);
/* Takes the image out of the line it waits in. */
void work_unready(struct image *image);
void work_notify(struct engine *e, enum backend_change change, const struct image *image);

/* --- claim.c: who goes to a worker next */

/* Claims what can be claimed: while a worker is free, the first in its line; and with each, in one
 * transaction, all that need the very same done and so take no worker. */
void claim_dispatch(struct engine *e);

/* --- command.c: what users ask for */

void command_run(struct engine *e, struct request *request);
/* An image's job has ended, and a command was waiting for that. */
void command_continue(struct engine *e, struct image *image, struct job *job);

/* --- chores.c: what nobody asked for */

int chores_unmount(struct job *job, struct err *err);
/* Removes trash, in the background. */
void chores_sweep(struct engine *e, struct request *then);
/* Health, automatic cleanup. */
void chores_run(struct engine *e, int64_t now);
void chores_finished(struct engine *e, struct job *job);
/* Frees what a chore carries; the request that waited for it, or NULL. */
struct request *chores_drop(struct job *job);
/* ctl/cleanup. */
void chores_cleanup(struct engine *e, struct request *request);
/* No name refers to the digest any more: from now on its files count as unused. */
void chores_unreferenced(struct engine *e, const char *sha256);

/* --- recover.c */

/* Reads the database and reconciles it with what is on disk and mounted. Before start. */
int recover_run(struct engine *e, struct err *err);
/* Takes the layer overlays/<name> of no image out of the way: the one of a removed image is
 * discarded, one that the database does not know of is kept aside. It is not in use. */
int recover_layer(struct engine *e, const char *name, struct err *err);
/* Sets `mounted` of every image as it is now. */
int recover_see_mounts(struct engine *e, struct err *err);

#endif
