/* worker: becomes the daemon. */
#ifndef CLIENT_WORKER_H
#define CLIENT_WORKER_H

#include "base/err.h"

/* Executes `imgstorefs -f MOUNTPOINT`: the one beside this program, else the one in PATH. `mount`
 * may be NULL: then $IMGSTORE_MOUNT, else /run/imgstore (root) or $XDG_RUNTIME_DIR/imgstore, made
 * if it is missing. Returns only if that fails: -ENOTCONN, or what was wrong with the place. */
int worker_exec(const char *mount, struct err *err);

#endif
