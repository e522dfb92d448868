/* removals: names that were removed, and when, for as long as something of them may lie in the
 * store. The engine's thread only; all but the questions within a transaction. */
#ifndef STORE_REMOVALS_H
#define STORE_REMOVALS_H

#include "store/db.h"

int removals_add(struct db *db, const char *name, int64_t time, struct err *err);
int removals_drop(struct db *db, const char *name, struct err *err);

/* When that name was last removed, ms since 1970; 0: nothing is known of it. */
int removals_at(struct db *db, const char *name, int64_t *when, struct err *err);

/* A callback that returns non-zero ends the walk with that value. */
int removals_each(struct db *db, int (*each)(void *ctx, const char *name), void *ctx,
                  struct err *err);

#endif
