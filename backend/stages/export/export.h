/* export: a live overlay mount as one pax archive. */
#ifndef STAGES_EXPORT_H
#define STAGES_EXPORT_H

#include "base/err.h"
#include "base/flow.h"

/* Writes what is mounted at that absolute path, and nothing of what is mounted on it, and ends the
 * flow. Returns when all of it is made, which may last as long as a reader likes; no descriptor
 * leads to the mount any more then. -ECANCELED once the flow is broken off, -ENODEV if no overlay
 * is mounted there; else 0 or a negative errno: readers see it, too. */
int export_run(const char *mount, struct flow *flow, struct err *err);

#endif
