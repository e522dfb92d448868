/* lock: mutexes that know their place.
 *
 * The order in which locks may be taken is this list, top first; a thread that takes one
 * out of order aborts with both names. Condition variables pair with one lock each. */
#ifndef BASE_LOCK_H
#define BASE_LOCK_H

#include <pthread.h>
#include <stdint.h>

enum lock_rank {
    LOCK_LOOP,         /* fs: the threads that take FUSE's requests */
    LOCK_HANDLE,       /* fs: one open file's buffer */
    LOCK_EVENTS,       /* fs: the lines of events, and who reads them */
    LOCK_IMPORTS,      /* import: those under way, and what was written to them */
    LOCK_ENGINE_INBOX, /* engine: requests waiting for the engine's thread */
    LOCK_EXPORTS,      /* exports: which there are */
    LOCK_FLOWS,        /* flow: all buffers between makers and readers */
    LOCK_QUEUE,        /* queue: jobs waiting for a worker */
    LOCK_AHEADS,       /* ahead: what is unpacked while it comes */
    LOCK_REGISTRY,     /* registry: what readers see */
    LOCK_SNAPS,        /* snaps: the same of snapshots */
    LOCK_METRICS,      /* metrics: what was counted */
    LOCK_NOTIFY,       /* fs: what watchers are to be told of */
    LOCK_HEALTH,       /* engine: the last sample of health, the last cleanup's report */
    LOCK_ERROR_LOG,    /* fs: refused writes */
    LOCK_POLL,         /* fs: who waits in poll(2) */
    LOCK_LOG,          /* log: one line at a time */
};

struct lock {
    pthread_mutex_t mutex;
    enum lock_rank rank;
    const char *name;
};

#define LOCK_INIT(rank_)                                                                           \
    {                                                                                              \
        .mutex = PTHREAD_MUTEX_INITIALIZER, .rank = (rank_), .name = #rank_                        \
    }

void lock_init(struct lock *l, enum lock_rank rank, const char *name);
void lock_destroy(struct lock *l);
void lock_take(struct lock *l);
void lock_release(struct lock *l);

/* Condition variables on the monotonic clock. */
void lock_cond_init(pthread_cond_t *cond);
void lock_wait(struct lock *l, pthread_cond_t *cond);
/* Returns at the latest at deadline_ms (text_monotonic_ms's clock). */
void lock_wait_until(struct lock *l, pthread_cond_t *cond, int64_t deadline_ms);

static inline void lock_release_scope(struct lock **l)
{
    lock_release(*l);
}
/* Holds l to the end of the scope. */
#define LOCK_SCOPE(l)                                                                              \
    __attribute__((cleanup(lock_release_scope), unused)) struct lock *scope_lock_ = (l);           \
    lock_take(scope_lock_)

#endif
