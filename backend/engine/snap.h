/* snap: what is done with snapshots: made, removed, renamed, mounted again. The engine's thread. */
#ifndef ENGINE_SNAP_H
#define ENGINE_SNAP_H

#include "engine/engine.h"
#include "engine/snaps.h"

/* BACKEND_SNAPSHOT_MAKE, _REMOVE, _RENAME; RESET, of images too. */
void snap_command(struct engine *e, struct request *request);
/* A snapshot's job has ended. */
void snap_finished(struct engine *e, struct job *job);
/* Mounts again those in line, while that leaves a worker to users. */
void snap_dispatch(struct engine *e);
/* The image has come into another state: snapshots that wait for that are lined up. */
void snap_image_changed(struct engine *e, const struct image *image);
/* What someone else has unmounted is mounted again; after recover_see_mounts(). */
void snap_check_mounts(struct engine *e);
/* All that wait for an answer are given this one. */
void snap_refuse_waiting(struct engine *e, const struct err *err);

/* -EBUSY if there are any of the image, which then must not go. */
int snap_refuse_any(struct engine *e, const struct image *image, struct err *err);

/* For reset.c. */

/* Is the image there, to be mounted on? */
bool snap_is_mountable(const struct image *image);

/* -EBUSY if a command is at it. */
int snap_refuse_busy(const struct snap *snap, struct err *err);
/* A job on it; it has none. False: no memory. */
bool snap_start(struct engine *e, struct snap *snap, int (*run)(struct job *job, struct err *err));
/* Its command has failed: it is mounted as before, and that is answered. */
void snap_give_up(struct engine *e, struct snap *snap, struct err *err);

/* --- snap_recover.c: at the start */

/* The rows, once images are there. */
int snap_recover_load(struct engine *e, struct err *err);
/* Reconciles them with what is mounted. */
int snap_recover_run(struct engine *e, struct err *err);
/* Layers that are no snapshot's go: that of a removed one is discarded, one that the database does
 * not know of is kept aside, unless nothing was ever written to it. */
void snap_recover_orphans(struct engine *e);

#endif
