/* daemon: to the background, and signals. */
#ifndef FS_DAEMON_H
#define FS_DAEMON_H

#include "base/err.h"

#include <stdbool.h>

/* Forks; before any lock, thread or database. The parent stays until the child says how it went,
 * and exits accordingly; only the child returns, with a descriptor for daemon_ready(). -errno if
 * it cannot. */
int daemon_fork(void);

/* The child is up: the parent goes, standard input, output and error become /dev/null. */
void daemon_ready(int fd);

/* From now on SIGTERM, SIGINT, SIGHUP and SIGUSR2 are taken by a thread of their own, which calls
 * stop(ctx) until daemon_signals_end(). Before any other thread starts: they inherit the mask. */
int daemon_signals_begin(void (*stop)(void *ctx), void *ctx, struct err *err);
/* Joins the thread. Returns whether it was SIGUSR2 that came: leave active mounts alone. */
bool daemon_signals_end(void);

#endif
