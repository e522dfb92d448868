/* elsewhere: copies of a mount at other places and in other mount namespaces, for who cannot mount
 * again what he has unmounted, and so has to know before. */
#ifndef STAGES_SNAPSHOT_ELSEWHERE_H
#define STAGES_SNAPSHOT_ELSEWHERE_H

#include "stages/snapshot/holder.h"

/* Would a mount namespace that can be seen keep the superblock that is mounted at `point` here,
 * after an unmount here? Then why says whose, as a clause. A copy at the same place in one that
 * follows ours (mount propagation), as most of a service manager's do, goes with it; an unpacking
 * helper is about to let go of its own. Any thread. */
bool elsewhere_kept(const char *point, char why[static HOLDER_TEXT_MAX]);

#endif
