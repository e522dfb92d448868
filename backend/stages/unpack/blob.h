/* blob: is the download in the store still what its name says? One thread. */
#ifndef UNPACK_BLOB_H
#define UNPACK_BLOB_H

#include "stages/stage.h"

/* Asked when an archive turns out to be damaged: what was verified when it came may have rotted
 * since. Then it is taken away, so that a retry fetches it anew, and err becomes checksum-mismatch
 * with both digests; else err stays as it is. */
void blob_suspect(const struct stage_job *job, enum format format, struct err *err);

#endif
