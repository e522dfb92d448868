/* log_to: where the daemon's log goes, and how its lines read there.
 *
 * To the standard error in the foreground; in the background, and where the standard error is the
 * journal's, to the journal with its own fields; else to syslog(3). */
#ifndef FS_LOG_TO_H
#define FS_LOG_TO_H

#include "base/err.h"

#include <stdbool.h>

/* FORMAT: "auto"; "text", `TIME LEVEL [image=NAME ][code=WORD ]message`; "json", an object a line
 * with the keys time, level, image, code and message, the middle two null where there is none;
 * "journal", systemd's own protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL) with the fields
 * IMGSTORE_IMAGE and IMGSTORE_CODE beside the usual. auto is the journal in those two places if it
 * is there, else text.
 *
 * A journal that hangs is waited for 200 ms, once; what it did not take is counted and told.
 * Before threads start. 0, or a negative errno: "journal" is asked for, and is not there. */
int log_to(const char *format, bool background, struct err *err);

#endif
