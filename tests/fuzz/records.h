/* records: a helper's stream, read as the parent reads it. */
#ifndef TESTS_FUZZ_RECORDS_H
#define TESTS_FUZZ_RECORDS_H

#include "stages/unpack/wire_read.h"

/* Reads records from fd until the stream ends in one way or another, and checks each reader's
 * promise. `each` gets every record; it stops with a non-zero return. The end: what `each` or
 * wire_read_next returned; 0 at the end of the file. */
int records_read(int fd, int (*each)(void *ctx, const struct wire_item *item), void *ctx);

#endif
