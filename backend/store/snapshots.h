/* snapshots: the rows of images' snapshots. The engine's thread only. */
#ifndef STORE_SNAPSHOTS_H
#define STORE_SNAPSHOTS_H

#include "store/db.h"

/* One row, in the table's order. Strings are borrowed: the caller's on the way in, valid until the
 * callback returns on the way out. created in ms since 1970. */
struct snapshots_row {
    int64_t number, image; /* image: its id */
    const char *id, *state;
    int64_t created;
};

/* Rows by number; a callback that returns non-zero ends the walk with that value. */
int snapshots_each(struct db *db, int (*each)(void *ctx, const struct snapshots_row *row),
                   void *ctx, struct err *err);

/* The highest number that a row ever had; 0: there never was one. */
int snapshots_last(struct db *db, uint64_t *number, struct err *err);

/* Within a transaction. What is left of one of the same image and id gives way to an insert, and to
 * a rename. */
int snapshots_insert(struct db *db, const struct snapshots_row *row, struct err *err);
int snapshots_set_state(struct db *db, uint64_t number, const char *state, struct err *err);
int snapshots_rename(struct db *db, uint64_t number, const char *id, struct err *err);
int snapshots_delete(struct db *db, uint64_t number, struct err *err);
/* All of that image. */
int snapshots_delete_all(struct db *db, uint64_t image, struct err *err);

#endif
