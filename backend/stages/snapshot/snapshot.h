/* snapshot: a writable layer over an unpacked image, mounted at active/<name>.
 *
 * <name> is an image's, or what paths_snapshot() makes of the number of an image's snapshot. One
 * file a backend; snapshot.c holds the array of them. Any thread, but only one at a time for one
 * name. Errors: `mount-failed` with the errno in err->num (EBUSY: in use), `no-space` and `io` for
 * what the store's own file system refuses. */
#ifndef STAGES_SNAPSHOT_H
#define STAGES_SNAPSHOT_H

#include "base/err.h"
#include "base/limits.h"
#include "store/paths.h"

#include <limits.h>
#include <stdbool.h>

struct snapshot_backend {
    const char *name;
    bool without_root; /* made for ordinary users: root is not offered it */
    /* 0 if this backend can serve from that store; else a negative errno, and err says why not and
     * what would help. Really tries; leaves nothing behind. Called once, at start. */
    int (*probe)(struct paths *paths, struct err *err);
    /* Makes the layer if it is missing, completes one that is half made, and mounts it at
     * active/<name>, in one step for who looks. What is mounted there already stays. -EBUSY while
     * another mount namespace holds the layer; -ENOENT if the image is not unpacked. */
    int (*mount)(const struct paths *paths, const char *name, const char *image_key,
                 enum policy policy, struct err *err);
    /* -EBUSY, and err names who, if something in this mount namespace is in there; 0 otherwise,
     * also of what is not mounted. Cheap, and changes nothing that anyone sees. */
    int (*busy)(const struct paths *paths, const char *name, struct err *err);
    /* Unmounts; what is not mounted is success. -EBUSY while anything uses it, in whichever mount
     * namespace: then it is mounted as before, and err says by whom, as far as that can be seen.
     * Also the question to ask before a layer is removed or reset, mounted or not. */
    int (*unmount)(const struct paths *paths, const char *name, const char *image_key,
                   enum policy policy, struct err *err);
    /* Is active/<name> this store's live mount? Cheap: two system calls. */
    bool (*mounted)(const struct paths *paths, const char *name);
    /* Is something mounted there that nobody serves any more? NULL where that cannot be. Cheap. */
    bool (*dead)(const struct paths *paths, const char *name);
};

extern const struct snapshot_backend snapshot_overlay, snapshot_fuse_overlayfs;

/* --- for the backends */

/* What people call it: whoever knows the image's snapshot says which one. */
const char *snapshot_called(const char *name);
/* The path of active/<name>. */
void snapshot_point(char out[static PATH_MAX], const struct paths *paths, const char *name);
/* That its layer is held elsewhere, who: by whom, or NULL. -EBUSY. */
int snapshot_fail_held(const char *name, const char *who, struct err *err);

/* --- for everyone */

/* The first backend that can serve here; NULL, and err says why none can. */
const struct snapshot_backend *snapshot_choose(struct paths *paths, struct err *err);

/* Takes active/<name> and overlays/<name> of an unmounted snapshot away (-EBUSY if it is mounted):
 * they become trash (paths_discard), to be removed later; paths_empty_trash both `overlays` and
 * `active`, and for snapshots `snap_layers` and `snap_mounts`. */
int snapshot_discard(const struct paths *paths, const char *name, struct err *err);

/* Calls each with every name that has a mount right below active/, or active/.snap/, whatever
 * mounted it; each may unmount it. */
int snapshot_each_mount(const struct paths *paths, void (*each)(void *ctx, const char *name),
                        void *ctx, struct err *err);

#endif
