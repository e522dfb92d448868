/* queue: jobs, and the worker threads that do them.
 *
 * Each pool has its own threads and its own line, first come first served. Two jobs of one key
 * never run at the same time: the later one waits, and finds the earlier one's work done. That is
 * how names share a download or an unpacked image, and it is all there is to it. */
#ifndef ENGINE_QUEUE_H
#define ENGINE_QUEUE_H

#include "stages/stage.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum queue_pool { QUEUE_DOWNLOAD, QUEUE_UNPACK, QUEUE_MOUNT, QUEUE_CHORE, QUEUE_POOLS };

#define QUEUE_KEY_MAX 192

struct job {
    /* Set by the maker. */
    enum queue_pool pool;
    char key[QUEUE_KEY_MAX];                      /* "": shares with nobody, waits for nobody */
    int (*run)(struct job *job, struct err *err); /* on a worker's thread */
    void *owner;                                  /* not looked at here */
    uint64_t image, server;                       /* likewise */
    uint64_t snapshot;                            /* likewise: of the image; 0: its own layer */
    struct stage_job stage;                       /* likewise, but for cancel_fd: the queue's,
                                                     open while it runs */
    stage_fn *stage_run;
    size_t time; /* likewise */
    int state;
    int64_t told_until; /* likewise */
    int64_t came;       /* likewise */
    bool back;          /* likewise: it ran, and is the owner's again */

    /* Set by the run. */
    struct stage_result result;
    struct err err;
    int status; /* what run returned */

    /* The queue's. */
    atomic_bool cancelled;
    bool running;
    struct job *next;
};

/* How many jobs of a pool wait, or run; any thread may look. */
struct queue_load {
    atomic_llong waiting, running;
};

struct queue;

/* done gets every job that ran, on its worker's thread, and owns it from then on. load is the
 * caller's, zeroed, and kept up to date. */
int queue_open(struct queue **queue, const int64_t threads[QUEUE_POOLS],
               void (*done)(void *ctx, struct job *job), void *ctx,
               struct queue_load load[QUEUE_POOLS]);
int queue_start(struct queue *queue);

/* Joins the threads once their jobs have ended (cancel them first); frees what never ran with
 * `drop`. NULL is allowed. */
void queue_close(struct queue *queue, void (*drop)(struct job *job));

void queue_push(struct queue *queue, struct job *job);

/* The job is no longer wanted. True: it never began, is out of the queue, and is the caller's
 * again. False: it has begun, its cancel_fd now reads, and done will get it. */
bool queue_cancel(struct queue *queue, struct job *job);

/* Cancels whatever runs, and lets nothing else begin. */
void queue_stop(struct queue *queue);

#endif
