/* signals: what a process that only waits for another does with its own. One thread. */
#ifndef CLIENT_SIGNALS_H
#define CLIENT_SIGNALS_H

#include <sys/types.h>

/* From now on signals wait until signals_wait looks at them. */
void signals_hold(void);

/* As they were before, and none ignored: for what is executed. */
void signals_as_they_were(void);

/* Returns once that child has ended: its exit code as a shell has it. Reaps all others meanwhile,
 * and hands on what is sent to this process alone; the keys of a terminal the child gets itself.
 */
int signals_wait(pid_t child);

#endif
