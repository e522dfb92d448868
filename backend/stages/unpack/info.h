/* info: what is known of an unpacked image, in the file `info` beside its rootfs: "key value"
 * lines. It is written last, so a part directory that has none is not whole. One thread. */
#ifndef UNPACK_INFO_H
#define UNPACK_INFO_H

#include "stages/stage.h"

#define INFO_FILE "info"

/* Into dirfd, a part directory; with it the boot id: until the image is durable, it is whole only
 * as long as the system runs. */
int info_write(int dirfd, const struct stage_result *result, struct err *err);

/* From images/<name>/. Fills format, size, entries, bytes, skipped, -1 where unknown, and sink.
 * -ENOENT if there is no such file. *this_boot may be NULL. */
int info_read(int images, const char *name, struct stage_result *result, bool *this_boot);

#endif
