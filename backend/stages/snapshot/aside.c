#include "stages/snapshot/aside.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <unistd.h>

struct call {
    int (*fn)(void *ctx);
    void *ctx;
    int result;
};

static void *run(void *arg)
{
    struct call *c = arg;
    if (unshare(CLONE_FILES) < 0) {
        c->result = -errno;
        return NULL;
    }
    c->result = c->fn(c->ctx);
    /* Joining does not wait for the kernel to do this: copies of the program's other descriptors
     * must not outlast the call. */
    close_range(0, UINT_MAX, 0);
    return NULL;
}

int aside_run(int (*fn)(void *ctx), void *ctx)
{
    struct call c = {.fn = fn, .ctx = ctx};
    pthread_t thread;
    int r = pthread_create(&thread, NULL, run, &c);
    if (r != 0)
        return -r;
    pthread_join(thread, NULL);
    return c.result;
}
