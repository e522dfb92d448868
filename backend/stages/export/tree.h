/* tree: a directory tree as one pax archive, the mirror of what unpacking does.
 *
 * The same tree gives the same bytes: names in order, numbers for owners, no time but each entry's
 * own, holes by contents. Sockets, of which tar knows nothing, are left out. What changes while it
 * is read: a name that is gone is passed over; a file is as long as when it was begun, cut or
 * filled with zeros. */
#ifndef EXPORT_TREE_H
#define EXPORT_TREE_H

#include "base/err.h"
#include "base/flow.h"

/* Writes the tree below the directory `root`, with the two blocks and the padding that end an
 * archive, but without ending the flow. -ECANCELED once the flow is broken off; else 0 or a
 * negative errno. */
int tree_write(int root, struct flow *flow, struct err *err);

#endif
