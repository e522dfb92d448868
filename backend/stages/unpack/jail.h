/* jail: starts the unpacking helper with three descriptors and nothing else, and ends it.
 *
 * The helper takes its own privileges away; this side gives it none of ours: descriptors 0, 1 and 3
 * of wire.h and no others, an empty environment, no signal blocked or ignored, a session of its
 * own (an interrupt from the terminal is ours to judge), and death with the thread that started it:
 * that thread must outlive it. SIGCHLD must not be ignored, and nobody else may wait for any
 * child. */
#ifndef UNPACK_JAIL_H
#define UNPACK_JAIL_H

#include "base/err.h"
#include "base/limits.h"

#include <stdint.h>

struct jail {
    int pidfd;   /* -1: not started, or reaped */
    int records; /* the pipe's end for reading; -1: none */
};

#define JAIL_INIT                                                                                  \
    {                                                                                              \
        .pidfd = -1, .records = -1                                                                 \
    }

/* Starts it. The descriptors stay the caller's; the archive and the data file should be open files
 * of the helper's own, as it shares their positions. */
int jail_spawn(struct jail *j, const char *helper, const struct limits *limits, int archive,
               int data, struct err *err);

/* Waits until it has ended by itself, at most grace_ms, kills it after that, reaps it. 0 if it
 * ended well; else a negative errno, and err says how it ended. */
int jail_end(struct jail *j, int grace_ms, struct err *err);

/* Kills it, reaps it, closes the pipe; also one that was never started, or has ended. */
void jail_kill(struct jail *j);

#endif
