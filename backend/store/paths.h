/* paths: the store's folders and the names in them (the contract's "The store").
 *
 * Everything is reached from these descriptors with the `*at` calls. Read-only after the start; any
 * thread. */
#ifndef STORE_PATHS_H
#define STORE_PATHS_H

#include "base/err.h"
#include "base/format.h"
#include "base/limits.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* How an image that is one file is mounted there; ANY: as it works, the first first. */
enum image_mount { IMAGE_MOUNT_ANY, IMAGE_MOUNT_FILE, IMAGE_MOUNT_LOOP };

struct paths {
    int root, blobs, images, overlays, active; /* O_PATH-free directory descriptors */
    int snap_layers, snap_mounts;              /* overlays/.snap, active/.snap */
    char dir[PATH_MAX];                        /* the store's absolute, resolved path */
    enum image_mount image_mount;              /* the erofs sink's probe finds it out */
};

#define PATHS_NONE                                                                                 \
    ((struct paths){.root = -1,                                                                    \
                    .blobs = -1,                                                                   \
                    .images = -1,                                                                  \
                    .overlays = -1,                                                                \
                    .active = -1,                                                                  \
                    .snap_layers = -1,                                                             \
                    .snap_mounts = -1})

#define PATHS_DIGEST_LEN 64                      /* hex digits of a SHA-256 */
#define PATHS_KEY_MAX    (PATHS_DIGEST_LEN + 16) /* "<sha256>.faithful" with the NUL */
#define PATHS_NAME_MAX   128                     /* bytes of an image's name, without the NUL */
#define PATHS_FILE_MAX   256                     /* any one file name made here, with the NUL */
#define PATHS_DIR_MAX    (PATH_MAX - 512)        /* the store's path, with the NUL */

/* Makes what is missing, all of it 0700, and opens it. Refuses one of another user's, and a store
 * that cannot hold overlays, or whose path the overlay's options cannot spell (`,` `:` `\` or a
 * control character) or is over PATHS_DIR_MAX. */
int paths_open(struct paths *p, const char *dir, struct err *err);
/* -ESTALE, and err names it, if a folder is not any more where it was opened: what is done through
 * its descriptor is lost then. */
int paths_in_place(const struct paths *p, struct err *err);
/* Also of a zeroed or half-opened one: descriptors are -1 or 0. */
void paths_close(struct paths *p);

/* The few small files that the store has at its root, 0600. Written, they are whole and on disk, or
 * as they were. A read gives the bytes that there are, `size` at most, or -errno. */
int paths_write_file(const struct paths *p, const char *file, const void *bytes, size_t n,
                     struct err *err);
ssize_t paths_read_file(const struct paths *p, const char *file, void *bytes, size_t size);

/* May an image have that name (the contract's rule)? Such a name is a safe file name. */
bool paths_name_valid(const char *name, size_t len);

/* blobs/<sha256>.<format> */
void paths_blob(char out[static PATHS_FILE_MAX], const char *sha256, enum format format);
/* blobs/<sha256>.part */
void paths_part(char out[static PATHS_FILE_MAX], const char *sha256);
/* blobs/.import-<n>: what is being written here, whose digest is not known; and is it one? */
void paths_import(char out[static PATHS_FILE_MAX], uint64_t n);
bool paths_is_import(const char *name);
/* images/<sha256> or images/<sha256>.faithful: the policy is part of the identity */
void paths_image(char out[static PATHS_FILE_MAX], const char *sha256, enum policy policy);
/* images/<key>.part: while it is being unpacked */
void paths_image_part(char out[static PATHS_FILE_MAX], const char *sha256, enum policy policy);

/* The format of the blob of that digest; FORMAT_UNKNOWN if there is none, then errno is ENOENT, or
 * if it cannot be told, then it is something else. *size in bytes. */
enum format paths_find_blob(const struct paths *p, const char *sha256, int64_t *size);
/* Likewise with errno: what cannot be told must not be taken for missing. */
bool paths_have_image(const struct paths *p, const char *sha256, enum policy policy);

/* What stands for NAME below overlays/ and active/ where the layer is snapshot `number`'s:
 * ".snap/<number>", which no image can be called. */
#define PATHS_SNAP      ".snap"
#define PATHS_PLACE_MAX 32
void paths_snapshot(char out[static PATHS_PLACE_MAX], uint64_t number);
/* The number in such a place; 0: it is none. */
uint64_t paths_snapshot_number(const char *place);
/* The folder that holds the layer of that name or place: a change there is on disk once it is
 * synced. */
int paths_layers(const struct paths *p, const char *name);

/* Renames dirfd/name out of the way, in the folder that it is in, under a name that
 * paths_is_trash() knows and that no image, blob or overlay can have; a missing one is success. The
 * removal follows at leisure, after a crash too. */
int paths_discard(int dirfd, const char *name, struct err *err);
bool paths_is_trash(const char *name);
/* Renames dirfd/name to `kept`, a name that no image, blob or overlay can have, and which is
 * nobody's to remove but the user's. */
int paths_keep_aside(int dirfd, const char *name, char kept[static PATHS_FILE_MAX],
                     struct err *err);
bool paths_is_kept(const char *name);
/* Removes all trash below dirfd, each once `ready` (NULL: at once) has returned 0 for its name. */
int paths_empty_trash(int dirfd, int (*ready)(void *ctx, const char *name), void *ctx);

/* Has something tried in an empty folder, dirfd/.probe, of which nothing is left, neither of this
 * time nor of one that a crash cut short. `dir` is what people call dirfd. Returns what try did. */
#define PATHS_PROBE ".probe" /* no image, blob or overlay can have that name */
int paths_probe(int dirfd, const char *dir, int (*try)(void *ctx, int folder, struct err *err),
                void *ctx, struct err *err);

#endif
