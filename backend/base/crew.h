/* crew: the same call for many things, on several threads at once: for what waits for the disk or
 * the kernel most of the time. */
#ifndef BASE_CREW_H
#define BASE_CREW_H

#include <stddef.h>

#define CREW_MAX  16 /* threads, the caller's counted */
#define CREW_EACH 4  /* calls at least, or one more is not worth it */

/* Calls fn once with each of 0 … count-1, from up to CREW_MAX threads, and returns when all calls
 * have. Where threads can't be had, fewer do it, or the caller's own. */
void crew_run(size_t count, void (*fn)(void *ctx, size_t i), void *ctx);

/* One thread that nobody joins: who has to know its end counts. 0 or a negative errno. */
int crew_detach(void *(*fn)(void *arg), void *arg);

#endif
