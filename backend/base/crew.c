#include "base/crew.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

struct crew {
    void (*fn)(void *ctx, size_t i);
    void *ctx;
    size_t count;
    atomic_size_t next;
};

static void *work(void *arg)
{
    struct crew *c = arg;
    for (size_t i; (i = atomic_fetch_add(&c->next, 1)) < c->count;)
        c->fn(c->ctx, i);
    return NULL;
}

void crew_run(size_t count, void (*fn)(void *ctx, size_t i), void *ctx)
{
    struct crew c = {.fn = fn, .ctx = ctx, .count = count};
    pthread_t threads[CREW_MAX - 1];
    size_t n = 0;
    while (n < CREW_MAX - 1 && (n + 2) * CREW_EACH <= count &&
           pthread_create(&threads[n], NULL, work, &c) == 0)
        n++;
    work(&c);
    while (n > 0)
        pthread_join(threads[--n], NULL);
}

int crew_detach(void *(*fn)(void *arg), void *arg)
{
    pthread_attr_t detached;
    pthread_t thread;
    if (pthread_attr_init(&detached) != 0)
        return -ENOMEM;
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    int r = pthread_create(&thread, &detached, fn, arg);
    pthread_attr_destroy(&detached);
    return -r;
}
