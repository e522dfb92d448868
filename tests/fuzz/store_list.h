/* store_list: all that lies below a folder, as text, to be compared. */
#ifndef TESTS_FUZZ_STORE_LIST_H
#define TESTS_FUZZ_STORE_LIST_H

#include "base/text.h"

/* Adds a line for dirfd/name and one for each thing below it: path, kind, mode, and what it holds.
 * Follows no symlink. A missing name adds nothing. */
void store_list(struct text *t, int dirfd, const char *name);

#endif
