/* signals: what a process that only waits for another does with its own. One thread. */
#ifndef CLIENT_SIGNALS_H
#define CLIENT_SIGNALS_H

#include <signal.h>
#include <sys/types.h>

struct signals {
    sigset_t mask;
    struct sigaction child; /* SIGCHLD's */
};

/* From now on signals wait until signals_wait looks at them. What is ignored (nohup(1)'s SIGHUP,
 * say) stays so, but for SIGCHLD: else no child's end would be told. Notes how they were. */
void signals_hold(struct signals *before);

/* As they were: for what is executed. */
void signals_put_back(const struct signals *before);

/* Returns once that child has ended: its exit code as a shell has it. Reaps all others meanwhile,
 * and hands on what is sent to this process alone; the keys of a terminal the child gets itself.
 * One of a group of its own that stops itself goes on at once. */
int signals_wait(pid_t child);

#endif
