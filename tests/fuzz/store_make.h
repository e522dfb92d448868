/* store_make: a store and its database as an input describes them, a line a thing:
 *
 *   dir PATH           file PATH CONTENTS        link PATH TARGET        fifo PATH
 *   row KEY=VALUE|…    an image: the columns of the table, or what is usual
 *   id match|none|other|link                     STORE/.id against the database's
 *   patch OFFSET HEX   cut LENGTH                the database file's bytes
 *
 * In paths and values @A, @B and @C stand for digests. Nothing is made outside the store. */
#ifndef TESTS_FUZZ_STORE_MAKE_H
#define TESTS_FUZZ_STORE_MAKE_H

#include "base/err.h"

struct store_place {
    const char *store, *database; /* the store is made if it is missing, the database too */
};

/* `lines` is cut up. 0, or -errno where no store can be had there at all. */
int store_make(const struct store_place *place, char *lines, struct err *err);

#endif
