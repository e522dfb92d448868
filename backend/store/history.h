/* history: the transitions, a row each, as far back as they are kept. The engine's thread only. */
#ifndef STORE_HISTORY_H
#define STORE_HISTORY_H

#include "store/images.h"

#define HISTORY_JUMP     1000000 /* in the numbers, where some may have been forgotten */
#define HISTORY_TRIM_MAX 256     /* rows that a transaction deletes at most */

struct history_row {
    int64_t seq, time; /* ms since 1970 */
    const char *name, *from, *to, *code, *message;
};

/* Notes that the database is in use, on disk, so that no number is given twice: a power cut may
 * forget rows, with their numbers, that someone has seen. If it was not closed, and the machine has
 * been booted since, the next number is a jump away. */
int history_open(struct db *db, struct err *err);
/* All that was written is on disk. */
int history_close(struct db *db, struct err *err);

/* One transition, within a transaction; from is "" for a new image, to is "" for a removed one.
 * Returns its number, higher than any before. */
int64_t history_add(struct db *db, const struct images_row *row, const char *from, const char *to,
                    int64_t time, struct err *err);

/* The newest rows, `most` at most, oldest first; strings are valid until the callback returns. */
int history_newest(struct db *db, int64_t most,
                   void (*each)(void *ctx, const struct history_row *row), void *ctx,
                   struct err *err);

/* Within a transaction: deletes some of the rows from before seq. *more: there are more of them. */
int history_trim(struct db *db, int64_t seq, bool *more, struct err *err);

#endif
