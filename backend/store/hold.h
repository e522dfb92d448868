/* hold: one process, one store, one database.
 *
 * A POSIX record lock on a small file beside what is held: it ends with the process, however that
 * ends, and the kernel can name its holder. Taken after the last fork. */
#ifndef STORE_HOLD_H
#define STORE_HOLD_H

#include "base/err.h"

/* Returns a descriptor to keep open; -EBUSY with the holder's process id in err. `what` is named
 * in the message. Nothing else in the process may open `path`: a close would drop the lock. */
int hold_take(const char *path, const char *what, struct err *err);

#endif
