#include "base/lock.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* The locks this thread holds, as a bit a rank. */
static _Thread_local unsigned held;

static void check(const struct lock *l)
{
    if (held >> l->rank) {
        fprintf(stderr, "lock order: %s taken while holding 0x%x\n", l->name, held);
        abort();
    }
}

void lock_init(struct lock *l, enum lock_rank rank, const char *name)
{
    pthread_mutex_init(&l->mutex, NULL);
    l->rank = rank;
    l->name = name;
}

void lock_destroy(struct lock *l)
{
    pthread_mutex_destroy(&l->mutex);
}

void lock_take(struct lock *l)
{
    check(l);
    pthread_mutex_lock(&l->mutex);
    held |= 1U << l->rank;
}

void lock_release(struct lock *l)
{
    held &= ~(1U << l->rank);
    pthread_mutex_unlock(&l->mutex);
}

void lock_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
}

void lock_wait(struct lock *l, pthread_cond_t *cond)
{
    pthread_cond_wait(cond, &l->mutex);
}

void lock_wait_until(struct lock *l, pthread_cond_t *cond, int64_t deadline_ms)
{
    struct timespec ts = {.tv_sec = deadline_ms / 1000, .tv_nsec = deadline_ms % 1000 * 1000000};
    pthread_cond_timedwait(cond, &l->mutex, &ts);
}
