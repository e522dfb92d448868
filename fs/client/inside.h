/* inside: the root file system as its processes see it. For the first process of new mount and
 * process namespaces. The image is not trusted: no link in it leads out of it. One thread. */
#ifndef CLIENT_INSIDE_H
#define CLIENT_INSIDE_H

#include "base/err.h"

#include <stdbool.h>

/* Makes it the root, with what inside_furnish mounts, and lets go of all that was mounted before.
 */
int inside_enter(const char *rootfs, const char *name, bool mapped, struct err *err);

/* Mounts /proc, /sys, /dev, /run, /tmp and the host's resolv.conf below `root`, which is mounted,
 * and says on standard error what could not be. `mapped`: in a user namespace, where less can. */
void inside_furnish(int root, const char *name, bool mapped);

/* Overwrites the caller's environment but for what inside_exec keeps of it: until this process
 * ends, all in there may read it, in /proc/1/environ. */
void inside_forget(void);

/* Executes argv, or (empty) the shell of /etc/passwd's root, in an environment of its own. */
_Noreturn void inside_exec(const char *name, char **argv);

#endif
