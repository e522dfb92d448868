/* tar_parent: the parent's view of what the helper wrote; apart from tar.c, as both sides have an
 * entry.h of their own. */
#ifndef TESTS_FUZZ_TAR_PARENT_H
#define TESTS_FUZZ_TAR_PARENT_H

#include "base/limits.h"

#include <stdbool.h>
#include <stdint.h>

/* The records, from their beginning: well formed, one last record that fits how the helper ended,
 * every file's range within the data file. */
void tar_parent_check(int records, const struct limits *limits, enum policy policy,
                      uint64_t data_size, bool failed);

#endif
