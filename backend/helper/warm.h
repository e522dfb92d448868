/* warm: everything that the C library and libarchive load on first use (character set tables, at
 * the first pax header), loaded while files can still be opened. */
#ifndef HELPER_WARM_H
#define HELPER_WARM_H

#include "base/err.h"

/* Parses a pax archive made in memory, no byte of it from outside. */
int warm_up(struct err *err);

#endif
