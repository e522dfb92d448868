/* unpack: an archive made an image. The stage itself is unpack_run of stage.h. */
#ifndef UNPACK_UNPACK_H
#define UNPACK_UNPACK_H

#include "stages/stage.h"

/* How long a helper may go without an entry, a byte more of the archive read, or one of the tar
 * made: it says how far it is several times a second while it works. Only a stopped one, a disk
 * that is stuck, or one that lies, is idle for so long. */
#define UNPACK_STALL_MS 120000

/* In all it may take this many times the processor time that it has (limits_cpu_seconds): one that
 * tells of a byte more every two minutes ends, too. */
#define UNPACK_PATIENCE 4

/* How long a helper may take from its last record to its end. */
#define UNPACK_GRACE_MS 10000

/* The two first bounds, as the settings have them. */
int64_t unpack_stall_ms(const struct stage_settings *settings);
int64_t unpack_total_ms(const struct stage_settings *settings);

/* Unpacks what can be read from `archive` into a new images/<part>, whole but for its info. The
 * result's size is that of the archive, -1 if it is not known. 0 or a negative errno; *folder is
 * the part then or -1, the caller's to close. */
int unpack_image(const struct stage_job *job, int archive, const char *part, int *folder,
                 struct stage_result *result, struct err *err);

#endif
