/* measure: how many bytes the layers of snapshots hold, looked up in the background now and then.
 */
#ifndef ENGINE_MEASURE_H
#define ENGINE_MEASURE_H

#include "engine/engine.h"

/* The engine's thread: begins a walk if one is due; takes in what one has found. */
void measure_due(struct engine *e, int64_t now);
void measure_finished(struct engine *e, struct job *job);
/* Is the job a walk? */
bool measure_is(const struct job *job);
/* Frees what it has beside itself. */
void measure_drop(struct job *job);

/* Bytes that what lies in the folder dirfd/name takes up on disk; what has gone meanwhile, or lies
 * more than MEASURE_DEPTH folders deep, is passed over. Hard links count once if all lie within.
 * -1: it cannot be read. Any thread. */
#define MEASURE_DEPTH 64
int64_t measure_tree(int dirfd, const char *name, const atomic_bool *cancelled);

#endif
