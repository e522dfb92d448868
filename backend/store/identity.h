/* identity: this database and this store belong together.
 *
 * A database that knows nothing of a store would take all that lies there for leftovers. Both hold
 * the same random id, made when they meet for the first time. */
#ifndef STORE_IDENTITY_H
#define STORE_IDENTITY_H

#include "store/db.h"
#include "store/paths.h"

/* -EINVAL, and err says what to do, if they do not. A store without an id is new, and becomes the
 * database's. */
int identity_check(struct db *db, const struct paths *paths, struct err *err);

#endif
