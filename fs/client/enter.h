/* enter: a command in a root file system, in a mount and a process namespace of its own.
 *
 * Nothing of it can be seen outside, and when the command has ended all that it started has, too,
 * and every mount has gone: the root file system can be unmounted at once. It is no sandbox. One
 * thread. */
#ifndef CLIENT_ENTER_H
#define CLIENT_ENTER_H

#include "base/err.h"

/* Runs argv, or (empty) the shell of the root file system's root. `name` is how messages call it.
 * Returns the exit code as a shell has it; or -errno: it could not be begun. Where the caller may
 * not mount, a user namespace in which he is root is tried. */
int enter_run(const char *rootfs, const char *name, char **argv, struct err *err);

#endif
