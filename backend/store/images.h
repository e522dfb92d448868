/* images: the rows of images. The engine's thread only. */
#ifndef STORE_IMAGES_H
#define STORE_IMAGES_H

#include "store/db.h"
#include "store/paths.h"

/* Opens the store's key, without which no URL with credentials is written. What a program before
 * this one kept in plain is sealed, and nothing of it is left in the file. After the identity. */
int images_open(struct db *db, const struct paths *paths, struct err *err);

/* One row, in the table's order; the URL is whole: that the table has its credentials apart,
 * sealed, is known here only. One whose seal does not open comes masked, and written back so keeps
 * it. Strings are borrowed: the caller's on the way in, valid until the callback returns on the way
 * out. */
struct images_row {
    int64_t id; /* 0 in an insert: the database chooses */
    const char *name, *url, *sha256, *policy, *state, *want, *code, *error, *format;
    int64_t size, entries, bytes, skipped, attempts, next_retry, created, updated;
};

/* Rows by id; a callback that returns non-zero ends the walk with that value. */
int images_each(struct db *db, int (*each)(void *ctx, const struct images_row *row), void *ctx,
                struct err *err);

/* Within a transaction. insert returns the new id. */
int64_t images_insert(struct db *db, const struct images_row *row, struct err *err);
int images_update(struct db *db, const struct images_row *row, struct err *err);
int images_delete(struct db *db, int64_t id, struct err *err);

#endif
