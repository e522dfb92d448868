/* loop: the threads that take FUSE's requests.
 *
 * libfuse's own loop ends for good when one more thread finds no memory for its buffer, and drops
 * what another has read by then; here it waits until there is some. */
#ifndef FS_LOOP_H
#define FS_LOOP_H

struct fuse_session;

/* Threads come as they are needed, and stay: those that come and go cost most of the throughput.
 * Returns 0 once the session is to exit (fuse_session_exit, and then a signal to this thread) or is
 * unmounted, when all threads have ended; else a negative errno. The signal, SIGCHLD, must have a
 * handler that does not restart system calls. */
int loop_run(struct fuse_session *session);

#endif
