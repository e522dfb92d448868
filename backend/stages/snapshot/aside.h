/* aside: a call made on a thread that has descriptors of its own.
 *
 * A descriptor that leads to a mount or its superblock keeps it in use. A process that is forked
 * elsewhere in the program just then has a copy of it, until it is another program: O_CLOEXEC does
 * not help before that. What is opened in here nobody copies.
 *
 * In a call, `/proc/self/fd` is not this thread's (`/proc/thread-self/fd` is), and a descriptor
 * that the program closes meanwhile stays open to the call's end. ThreadSanitizer knows one
 * descriptor table only: it takes equal numbers for one descriptor and reports a race. */
#ifndef STAGES_SNAPSHOT_ASIDE_H
#define STAGES_SNAPSHOT_ASIDE_H

/* Returns what fn returned, or a negative errno if there is no thread to be had. The descriptors
 * that were open before can be used in fn; those that it opens end with it. */
int aside_run(int (*fn)(void *ctx), void *ctx);

#endif
