/* seal: what the database must keep and nobody may read there: the credentials in a URL.
 *
 * AES-256-GCM under a key of the store's own, STORE/.key, which only the owner can read: whoever
 * has the database, a dump or a backup of it, but not that file, learns nothing but a length. A
 * sealed value is bound to the row that it was made for: moved to another one, it does not open.
 * The engine's thread only. */
#ifndef STORE_SEAL_H
#define STORE_SEAL_H

#include "base/text.h"
#include "store/paths.h"

struct seal;

/* Reads the store's key; makes one, on disk before it returns, where there is none. One that is
 * damaged is kept as STORE/.key.damaged, and a new one takes its place. */
int seal_open(struct seal **seal, const struct paths *paths, struct err *err);
void seal_close(struct seal *seal); /* NULL is allowed */

/* Adds n bytes sealed for the row that `bound` tells from all others. -EIO or -ENOMEM. */
int seal_lock(const struct seal *seal, const struct text *bound, const char *bytes, size_t n,
              struct text *sealed);
/* The reverse. -EBADMSG: of another key, or another row, or damaged; nothing is added then. */
int seal_unlock(const struct seal *seal, const struct text *bound, const void *sealed, size_t n,
                struct text *bytes);

#endif
