/* blob: is the download in the store still what its name says? One thread.
 *
 * What was verified when it came may have rotted or been cut short since. Then it is taken away,
 * and the result asks for RETRY_SCRATCH: the image is fetched anew. */
#ifndef UNPACK_BLOB_H
#define UNPACK_BLOB_H

#include "stages/stage.h"

/* A descriptor of it, at its begin, which is the caller's; sets the result's format and size. -EIO,
 * and err says why, if it is missing, not of the size that it had, or not what its name says: one
 * that was not known to be whole in this boot is hashed, as a power cut may have taken its data and
 * left its name, and what is left can pass for a smaller archive. */
int blob_open(const struct stage_job *job, struct stage_result *result, struct err *err);

/* Asked when the archive in there turns out to be damaged, whether that is its fault: err becomes
 * checksum-mismatch with both digests then; else it stays as it is. */
void blob_suspect(const struct stage_job *job, int fd, struct stage_result *result,
                  struct err *err);

#endif
