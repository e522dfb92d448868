/* mount_help: what an ordinary user's mount can fail of, and what helps. */
#ifndef FS_MOUNT_HELP_H
#define FS_MOUNT_HELP_H

#include "base/err.h"

#include <stdbool.h>

/* What may be wrong where a mount at `point` has failed, as ": clause"; "" if nothing is seen, and
 * libfuse has said what it knows. `others`: allow_other was asked for. */
const char *mount_help(const char *point, bool others);

/* Does that text, /etc/fuse.conf's, let users mount with allow_other? */
bool mount_help_allows_others(const char *conf);

/* Takes the mount at `point` away, in use or not: with privileges, or by fusermount3. */
int mount_help_detach(const char *point, struct err *err);

#endif
