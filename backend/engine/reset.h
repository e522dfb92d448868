/* reset: a writable layer is taken away, and a fresh one put in its place. The engine's thread. */
#ifndef ENGINE_RESET_H
#define ENGINE_RESET_H

#include "engine/engine.h"
#include "engine/snaps.h"

/* BACKEND_RESET. */
void reset_command(struct engine *e, struct request *request);

/* The job has ended, and is taken over. */
void reset_image_finished(struct engine *e, struct image *image, struct job *job);
/* Likewise, but the job stays the caller's. */
void reset_snap_finished(struct engine *e, struct snap *snap, struct job *job);

#endif
