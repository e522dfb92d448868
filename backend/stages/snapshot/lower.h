/* lower: an unpacked image as a directory that overlays can lie on.
 *
 * Where the image is a file system in a file (images/<key>/image), that one is mounted at
 * images/<key>/rootfs when it is first needed, and stays, shared by all names, until it is taken
 * away or the daemon ends; else rootfs is the directory itself. Any thread. */
#ifndef STAGES_SNAPSHOT_LOWER_H
#define STAGES_SNAPSHOT_LOWER_H

#include "base/err.h"
#include "store/paths.h"

#include <stdbool.h>

/* A descriptor of the image's root. -ENOENT if it is not unpacked. */
int lower_open(const struct paths *paths, const char *key, struct err *err);

/* The name of the sink that made it; NULL if that cannot be told. *lost: it was a file system in a
 * file, which is gone: its rootfs is nothing. */
const char *lower_sink(const struct paths *paths, const char *key, bool *lost);
bool lower_is_lost(const struct paths *paths, const char *key);

/* Is the image of that digest unpacked, and not lost? If not, errno is ENOENT, or something else if
 * that cannot be told. */
bool lower_is_there(const struct paths *paths, const char *sha256, enum policy policy);

/* Takes its mount away, if it has one: before the image is removed. Overlays that are still in use
 * keep what they have. 0 or a negative errno. */
int lower_unmount(const struct paths *paths, const char *key);
/* That of every image. */
void lower_unmount_all(const struct paths *paths);

/* A detached, read-only mount of the erofs image in that file: of the file itself (Linux 6.12), or
 * over a loop device, which goes with the mount. */
int lower_mount_erofs(int image, enum image_mount how, struct err *err);

#endif
