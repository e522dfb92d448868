/* exports: live trees that are read as archives, and what may be done to them meanwhile.
 *
 * An export runs from its first read until all is made, on threads of its own. What it reads cannot
 * be unmounted then; but only as long as someone takes what it makes: nobody's reader can hold up
 * an image. Any thread. */
#ifndef ENGINE_EXPORTS_H
#define ENGINE_EXPORTS_H

#include "base/flow.h"
#include "engine/registry.h"
#include "engine/snaps.h"

#define EXPORTS_MAX 64 /* that were begun and are open: each has a buffer of FLOW_SIZE */
#define EXPORTS_IDLE_MS                                                                            \
    10000 /* without a reader that takes something: then it may be broken off                      \
           */

struct exports;
struct backend_export;

/* All are borrowed. NULL: no memory, or no thread. */
struct exports *exports_new(const struct paths *paths, struct registry *registry,
                            struct snaps *snaps);
/* Breaks off all that run, whose readers get EIO, and waits for their ends; none begins after it.
 */
void exports_stop(struct exports *exports);
/* Stops them; frees them all, also those that were not closed. NULL is allowed. */
void exports_free(struct exports *exports);

/* -EBUSY if an export of that image's own tree, or of that snapshot of it (0: none), runs and has a
 * reader who takes something; else those that run are broken off, and when it returns they no
 * longer use the mount. To keep new ones from beginning is the caller's: none does while there is
 * no rootfs to be seen. */
int exports_let_go(struct exports *exports, uint64_t image, uint64_t snapshot, struct err *err);

/* As in backend.h. */
int exports_open(struct exports *exports, uint64_t image, uint64_t snapshot,
                 struct backend_export **out, struct err *err);
void exports_read(struct backend_export *x, struct flow_read *r);
bool exports_cancel(struct backend_export *x, struct flow_read *r);
void exports_rest(struct backend_export *x);
void exports_close(struct backend_export *x);

#endif
