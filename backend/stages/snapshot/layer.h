/* layer: overlays/<name>/{upper,work}, what one name or snapshot writes over its image. */
#ifndef STAGES_SNAPSHOT_LAYER_H
#define STAGES_SNAPSHOT_LAYER_H

#include "base/err.h"
#include "store/paths.h"

#include <stdbool.h>

struct layer {
    int dir, upper, work; /* descriptors; -1 where there is none */
};

#define LAYER_NONE    ((struct layer){.dir = -1, .upper = -1, .work = -1})
#define CLEANUP_LAYER __attribute__((cleanup(layer_close)))
void layer_close(struct layer *l);

/* Makes what is missing of overlays/<name> and opens it. `root` is the image's root directory,
 * whose mode, owner, times and extended attributes a new upper takes on: they are what the
 * overlay's root shows. */
int layer_make(const struct paths *paths, const char *name, int root, struct layer *l,
               struct err *err);

/* Does any mount, of whichever mount namespace, write to it? -EBUSY if so, 0 if not, also of a
 * layer that is not there; another -errno if it cannot be told. Leaves nothing behind. One thread a
 * name at a time. */
int layer_in_use(const struct paths *paths, const char *name);

#endif
