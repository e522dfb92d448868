/* reason: why the daemon refused something, from ctl/error_log. One thread. */
#ifndef CLIENT_REASON_H
#define CLIENT_REASON_H

#include "fs/client/tree.h"

/* Puts "WORD: REASON" into err if the log has a reason for the refusal of `file` with num: `file`
 * is a control file's name, or a path below the root. `line` is what was written, "" for what is no
 * write: the reason must be of its last word. Else err stays as it is. */
void reason_add(const struct tree *tree, const char *file, const char *line, int num,
                struct err *err);

#endif
