/* jail: what the helper gives up before it reads a byte of the archive, for good: other
 * descriptors, privileges, files, processes, and all system calls but those that it works with.
 *
 * One thread, before and after. In builds with a sanitizer, its runtime keeps what it needs. */
#ifndef HELPER_JAIL_H
#define HELPER_JAIL_H

#include "base/err.h"

#include <stdint.h>

/* First thing: closes every descriptor but the three of base/wire.h. */
int jail_descriptors(struct err *err);

/* Last thing, once everything is loaded. data_max: bytes that the data file may come to, INT64_MAX
 * for no bound. On failure nothing may go on. */
int jail_enter(int64_t data_max, struct err *err);

#endif
