/* blob: is the download in the store still what its name says? One thread. */
#ifndef UNPACK_BLOB_H
#define UNPACK_BLOB_H

#include "stages/stage.h"

/* Asked when an archive turns out to be damaged: what was verified when it came may have rotted
 * since. Then it is taken away, err becomes checksum-mismatch with both digests, and true is
 * returned; else err stays as it is. */
bool blob_suspect(const struct stage_job *job, enum format format, struct err *err);

/* Before it is unpacked: one that was not known to be whole in this boot is hashed, as a power cut
 * may have taken its data and left its name; what is left can pass for a smaller archive. Not what
 * its name says: as above, and -EIO. */
int blob_check(const struct stage_job *job, enum format format, struct stage_result *result,
               struct err *err);

#endif
