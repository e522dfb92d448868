/* run: another program, from its start to its end, or until it has gone to the background. */
#ifndef BASE_RUN_H
#define BASE_RUN_H

#include <stddef.h>

#define RUN_SAID_MAX 512
#define RUN_KEPT_FD  3 /* the number under which it has the descriptor that it is given */

/* Found in PATH; no shell. It has our environment, /dev/null, a session of its own, no signal of
 * ours, and of our descriptors `keep` alone (-1: none). 0 if it ended with 0; its exit status (128
 * and more: a signal) if not, and `said` is what it wrote to its standard error, in one line of
 * printable ASCII; -errno if it could not be started (-ENOENT: it is not in PATH), or did not end
 * in time (-ETIMEDOUT), when it is killed. Any thread. */
int run_program(char *const argv[], int keep, int timeout_ms, char said[static RUN_SAID_MAX]);

#endif
