/* engine: one thread that decides, and the workers that do.
 *
 * Every mutation passes through this thread: commands from users, outcomes from workers, timers.
 * It commits to the database, then changes the registry, then tells the observer, so there is one
 * order of events and no lock around any of it. Shared by the engine's own files; backend.c is the
 * only one outside that includes it. */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "base/lock.h"
#include "engine/import.h"
#include "engine/metrics.h"
#include "engine/queue.h"
#include "engine/registry.h"
#include "engine/retry.h"
#include "engine/snaps.h"

#include <pthread.h>

#define ENGINE_WORKERS_MAX 64    /* of one pool */
#define ENGINE_MOUNTERS    8     /* workers that mount: they wait for the kernel most of the time */
#define ENGINE_POSTPONE_MS 1000  /* between attempts at what could not be done or committed */
#define CHORES_SAMPLE_MS   10000 /* between two looks at how the store is */

/* What a file shows. */
struct engine_text {
    struct text text;
    int64_t changed; /* ms since 1970 */
};

/* A line of images, first come first served. */
struct ready {
    struct image *first, *last;
    struct image *passed; /* up to this one all wait for a server that has enough connections */
    atomic_llong length;  /* any thread may look */
};

/* A command on its way: copied in, answered once. */
struct request {
    struct backend_command command;
    backend_done *done;
    void *ctx;
    size_t refused; /* the line that was */
    struct request *next;
};

/* Written down, and not yet told. */
struct news {
    struct backend_event *list; /* with strings of its own */
    size_t count, capacity;
};

struct engine {
    /* Read-only once started. */
    const struct backend_config *config;
    struct paths paths;
    struct stage_settings settings;
    struct retry_policy retry;
    struct registry *registry;
    struct snaps *snaps;
    struct queue *queue;
    struct exports *exports;
    struct imports *imports;
    backend_observer *observer;
    void *observer_ctx;
    backend_reporter *reporter;
    void *reporter_ctx;
    int store_hold, database_hold;
    pthread_t thread;
    bool started, joined;

    /* The engine's thread only (before it starts: the opener's). */
    struct db *db;
    struct ready ready[QUEUE_POOLS];                      /* images that wait to be claimed */
    struct job *leaders[QUEUE_POOLS][ENGINE_WORKERS_MAX]; /* what the pool's workers are at */
    int64_t busy[QUEUE_POOLS];                            /* how many of those */
    int64_t limit[QUEUE_POOLS];
    struct ready remounts;     /* ACTIVATING since the start or an unmount: mounted again while no
                                  one waits who has asked for it */
    int64_t next_due;          /* monotonic ms of the earliest retry; INT64_MAX: none */
    int64_t next_chores;       /* of the next health sample */
    int64_t next_room;         /* of the next look at free space */
    bool lacks_room;           /* there was less than min_free then */
    bool held;                 /* a test holds something: look again soon */
    int64_t next_cleanup;      /* of the next automatic cleanup for age */
    size_t cleanings;          /* cleanups under way */
    uint64_t discarded;        /* what cleanups have taken away since the start */
    struct cleanup *cleanups;  /* of these, those that have something to go through */
    struct cleanup *sweep_for; /* and those that the next sweep is for */
    bool sweeping, sweep_due;
    int64_t owed; /* the sweep's: bytes unused on the disk once all that it removed is given back */
    _Atomic int64_t owed_until; /* monotonic ms, when that is no longer waited for */
    uint64_t next_snap;         /* the next snapshot's number */
    uint64_t first_snap;        /* the first one that the database had not given out at the start */
    bool snaps_stuck;           /* there is a layer that no number may go past */
    int64_t remounting;         /* snapshots that are being mounted again */
    bool measuring;             /* a walk through their layers is under way */
    int64_t next_measure;       /* when the next one may begin */
    bool layers_synced;         /* overlays/ was, since a layer was last discarded */
    struct err trouble;         /* the database's last failure; num 0: it works */
    struct job *postponed;      /* outcomes that could not be committed yet */
    int64_t next_postponed;     /* when to try them again */
    uint32_t random;
    struct news news;
    int64_t history_trimmed; /* the history has nothing from before this number */
    int64_t next_trim;
    bool history_opened;

    _Atomic int64_t history_kept; /* nor is it to have anything from before this one */

    /* Guarded by inbox_lock. */
    struct lock inbox_lock;
    pthread_cond_t wake;
    struct request *requests, **last_request;
    struct job *finished, **last_finished;
    bool stopping;

    /* Any thread. */
    struct metrics metrics;
    struct queue_load load[QUEUE_POOLS];

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

/* What was counted, and how it stands. Memory only; any thread. */
void engine_metrics(struct engine *e, struct metrics_values *out);

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
/* Do both need the very same done? */
bool job_is_shared(const struct image *a, const struct image *b, enum queue_pool pool);
enum queue_pool job_pool(enum fsm_stage stage);

/* --- transition.c: a change of an image's state: prepared, written, applied */

struct transition {
    struct image *image;
    struct image next; /* as it will be; its strings are borrowed until it is written */
    enum fsm_stage stage;
    bool owned; /* those strings of next that are not the image's are ours */
};

struct transitions {
    struct transition *list;
    size_t count, capacity;
};

/* next as it is after `event`, to be changed further. False: it does not fit. */
bool transition_prepare(const struct engine *e, struct image *image, enum fsm_event event,
                        struct transition *t);
/* One more, the last of list, to be prepared; NULL: no memory. */
struct transition *transition_room(struct transitions *all);
/* -EINVAL: it does not fit, -ENOMEM. */
int transition_add(struct engine *e, struct transitions *all, struct image *image,
                   enum fsm_event event);
/* In one transaction, then applied; or none of them. */
int transition_commit_all(struct engine *e, struct transitions *all, struct err *err);
/* The same for what no command asked for. A power cut may forget the states on the way, which the
 * start finds again from what is on disk; never an end: ACTIVE, FAILED, STORED where that is
 * wanted. */
int transition_pass_all(struct engine *e, struct transitions *all, struct err *err);
int transition_commit(struct engine *e, struct transition *t, struct err *err);
void transition_free_all(struct transitions *all);
#define CLEANUP_TRANSITIONS __attribute__((cleanup(transition_free_all)))

/* The steps of a commit, for what has more to write. Within work_transact(): the row and its
 * history. After it: publishes, tells the observer, sets the image on its way. Instead of that. */
int transition_write(struct engine *e, struct transition *t, struct err *err);
void transition_apply(struct engine *e, struct transition *t);
void transition_drop(struct transition *t);

/* --- work.c: images through the state machine */

/* One transaction: all of what write does, or nothing; on disk when it returns, if it is to be
 * durable. A failure shows in health until the next one succeeds. */
int work_transact(struct engine *e, bool durable,
                  int (*write)(struct engine *e, void *ctx, struct err *err), void *ctx,
                  struct err *err);
/* Its mount is gone, and not by us: it is made again if it is wanted. */
void work_unmounted(struct engine *e, struct image *image);
/* Puts an image without a job (back) on its way, as its state asks. */
void work_resume(struct engine *e, struct image *image);
/* Back to the head of the line that it waited in. */
void work_return(struct engine *e, struct image *image);
/* If it waits among the remounts, it does no longer. */
void work_hasten(struct engine *e, struct image *image);
/* Workers are done with these, linked. Their outcomes are written in one transaction. */
void work_finished(struct engine *e, struct job *jobs);
/* Retries that are due. */
void work_due(struct engine *e, int64_t now);
/* Does it wait for a worker? */
bool work_is_claimable(const struct image *image);
/* Or will it, as a download does that is taken up again? It takes its turn like a new one. */
bool work_takes_turns(const struct image *image);
/* Takes the image out of the line it waits in. */
void work_unready(struct image *image);
void work_notify(struct engine *e, unsigned changes, uint64_t id, const char *name);

/* --- news.c: the history, told and trimmed */

/* Within work_transact(): writes the transition down, to be told once it is committed. */
int news_add(struct engine *e, const struct images_row *row, enum fsm_state from, enum fsm_state to,
             int64_t time, struct err *err);
/* What was committed is told, after it can be seen and before who asked for it is answered. */
void news_tell(struct engine *e);
void news_drop(struct engine *e);
/* Within any transaction: a piece of what is not kept any more goes. */
int news_trim(struct engine *e, struct err *err);
/* And without one to come, once it is due; when that is next (INT64_MAX: there is nothing to go).
 */
void news_trim_due(struct engine *e, int64_t now);
int64_t news_next_trim(const struct engine *e);
/* See backend_history(). */
int news_of_old(struct engine *e, int64_t most, backend_reporter *reporter, void *ctx,
                struct err *err);

/* --- claim.c: who goes to a worker next */

/* Claims what can be claimed, in one transaction for each pool: while a worker is free, the first
 * in its line whose server has a connection to spare; and with each all that need the very same
 * done and so take no worker. (One that goes on with its own URL, as that of the one it
 * followed was of no use, does not ask again.) Then, while a worker is still free, remounts. */
void claim_dispatch(struct engine *e);

/* --- command.c: what users ask for */

void command_run(struct engine *e, struct request *request);
/* Has the name a layer? Where that cannot be told there may be one: whoever takes it away finds
 * out. */
bool command_may_have_layer(const struct engine *e, const char *name);
/* -EAGAIN if the queue has no room for so many more. */
int command_check_room(struct engine *e, int64_t more, struct err *err);
/* That error. */
int command_queue_full(const struct engine *e, struct err *err);

/* command_fetch.c: ctl/fetch. */
void command_fetch(struct engine *e, struct request *request);

/* NULL: there is none of that name. */
struct image *command_find(struct engine *e, const char *name, struct err *err);
/* -EBUSY if a command is at it. */
int command_refuse_busy(const struct image *image, struct err *err);
/* What the kernel said of a mount is no errno that the contract has for a command. */
void command_explain(struct err *err);
/* The command that waits is over, with the image where it was: mounted again if it is ACTIVE. */
void command_give_up(struct engine *e, struct image *image, const struct err *err);
/* An image's job has ended, and a command was waiting for that. */
void command_continue(struct engine *e, struct image *image, struct job *job);

/* --- cleanup.c: what no name refers to goes */

/* One cleanup, from when it is asked for until its room is back. A line of them is given by its
 * first, NULL if there is none. */
struct cleanup;

/* ctl/cleanup: answered once the room is back. */
void cleanup_asked(struct engine *e, struct request *request);
/* What was last used before keep_unused goes, and what it takes to have `wanted` bytes more; unless
 * a cleanup is under way. */
void cleanup_due(struct engine *e, int64_t wanted);
/* A job failed for want of room, which what is unused may give: the job is taken over, to be done
 * again, or finished as it is. False: it is not for that, or there is no more to try. */
bool cleanup_starved(struct engine *e, struct image *image, struct job *job);
/* A chore has listed what there is; the job stays the caller's. */
void cleanup_scanned(struct engine *e, struct job *job);
/* A piece of what has been listed: some renames at most. */
void cleanup_go_on(struct engine *e);
/* The line with one more at its end. */
struct cleanup *cleanup_chain(struct cleanup *line, struct cleanup *last);
/* How many free bytes are enough for the jobs that wait for their room; 0: none does. Any thread.
 */
int64_t cleanup_enough(const struct cleanup *line);
/* The sweep behind those in line has ended: they are answered, and freed. */
void cleanup_ended(struct engine *e, struct cleanup *line, const struct err *err);
/* They are given up: answered, and freed. */
void cleanup_refuse(struct cleanup *line, const struct err *err);

/* --- health.c */

#define HEALTH_OK "ok\n" /* what it reads if nothing is wrong */
void health_sample(struct engine *e);

/* --- chores.c: what nobody asked for */

int chores_unmount(struct job *job, struct err *err);
/* Removes trash, in the background; with that `then` (NULL: none) has ended. */
void chores_sweep(struct engine *e, struct cleanup *then);
/* Health, automatic cleanup. */
void chores_run(struct engine *e, int64_t now);
void chores_finished(struct engine *e, struct job *job);
/* An image of that digest was cancelled or removed: if no other one is on its way, what was
 * unpacked ahead for it is given up, which is for the next sweep to take away. True if so. */
bool chores_unwanted(struct engine *e, const char *sha256, enum policy policy);
/* No name refers to the digest any more: from now on its files count as unused. */
void chores_unreferenced(struct engine *e, const char *sha256);

/* --- recover.c */

/* Reads the database and reconciles it with what is on disk and mounted. Before start. */
int recover_run(struct engine *e, struct err *err);
/* Takes the layer overlays/<name> of no image out of the way: the one of a removed image is
 * discarded, one that the database does not know of is kept aside. It is not in use. */
int recover_layer(struct engine *e, const char *name, struct err *err);
/* Removals of which nothing is left are not to be known of any more. */
void recover_forget_removals(struct engine *e);
/* Sets `mounted` of every image as it is now. */
int recover_see_mounts(struct engine *e, struct err *err);

#endif
