/* metrics: what the engine has counted and measured since it started (backend/metrics.def), and
 * what becomes of fetches. Nothing of it is kept. Any thread, unless it says otherwise. */
#ifndef ENGINE_METRICS_H
#define ENGINE_METRICS_H

#include "backend/metrics.h"
#include "base/lock.h"
#include "engine/registry.h"
#include "engine/unused.h"

struct metrics {
    struct lock lock; /* guards all below */
    struct metrics_values values;
};

void metrics_init(struct metrics *m);
void metrics_destroy(struct metrics *m);

/* A series: that of a metric's label is METRICS_… of metrics.h behind its first. */
void metrics_add(struct metrics *m, size_t series, int64_t n);
/* The first of a histogram. */
void metrics_observe(struct metrics *m, size_t histogram, int64_t us);

/* Monotonic µs, never 0. */
int64_t metrics_clock(void);

/* The disk that the store lies on; NULL: it does not answer. */
struct statvfs;
void metrics_disk(struct metrics *m, const struct statvfs *fs);

/* What the store holds, by a look through it; and that so much of it has gone since. */
void metrics_count_store(struct metrics *m, struct unused_census census);
void metrics_uncount(struct metrics *m, struct unused_census gone);

void metrics_copy(struct metrics *m, struct metrics_values *out);

/* --- the engine's thread */

/* The image was asked for, or was found when the program started; before it is in the registry. */
void metrics_appears(struct image *image);
/* It is about to become as `next` is; between registry_edit() and registry_publish(). */
void metrics_changes(struct metrics *m, struct image *image, const struct image *next);
/* It is being removed. */
void metrics_vanishes(struct metrics *m, const struct image *image);

#endif
