/* identity: this database and this store belong together.
 *
 * A database that knows nothing of a store would take all that lies there for leftovers. Both hold
 * the same random id, made when they meet for the first time. */
#ifndef STORE_IDENTITY_H
#define STORE_IDENTITY_H

#include "store/db.h"
#include "store/paths.h"

/* Opens the store's database. A store without an id is new: the database, made if there is none,
 * becomes its own. One with an id takes no other database, and no new one: err says why, and what
 * to do. *db is set as soon as it is open, also where it is refused. */
int identity_open(struct db **db, const char *database, const struct paths *paths, struct err *err);

#endif
