/* guard: sees to it that a signal ends a program that does not come to look at it, since it waits
 * for a daemon that does not answer. A thread of its own. */
#ifndef CLIENT_GUARD_H
#define CLIENT_GUARD_H

#include <pthread.h>
#include <stdbool.h>

#define GUARD_MS 1500 /* what waits for so long is looked at by nobody */

struct guard {
    pthread_t thread;
    bool runs;
    int signals, ended; /* a signalfd, not owned, and an eventfd */
    void (*last)(void *arg);
    void *arg;
};

/* From then on: what ends a program, and nobody takes from `signals` in time, ends it; `last` is
 * called before, on the thread. Without a thread there is none. */
void guard_begin(struct guard *guard, int signals, void (*last)(void *arg), void *arg);

/* One that is all zero may be ended, too. */
void guard_end(struct guard *guard);

#endif
