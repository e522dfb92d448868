/* metrics: what is counted and measured, as numbers one after the other: metrics.def says which.
 *
 * A metric has as many of them, its series, as its labels have values. Pure. */
#ifndef BACKEND_METRICS_H
#define BACKEND_METRICS_H

#include "base/err.h"

#include <stdint.h>

enum {
#define BOUND(us, text) METRICS_BOUND_##us,
#include "backend/metrics.def"
#undef BOUND
    METRICS_BOUNDS
};

enum {
#define REFUSAL(errno_) METRICS_REFUSAL_##errno_,
#include "backend/metrics.def"
#undef REFUSAL
    METRICS_REFUSAL_OTHER,
    METRICS_REFUSALS
};

#define METRICS_STATES 9 /* in the contract's order */

/* How a fetch ends; FAILED is followed by one for each code but ERR_NONE, in their order. */
enum { METRICS_ACTIVE, METRICS_STORED, METRICS_REMOVED, METRICS_FAILED };

enum { METRICS_CACHE_BLOB, METRICS_CACHE_IMAGE };

/* Of each pool, in this order: how many wait, how many run. */
enum { METRICS_POOL_DOWNLOAD, METRICS_POOL_UNPACK, METRICS_POOL_MOUNT, METRICS_POOLS };

enum {
    METRICS_PER_NOTHING = 1,
    METRICS_PER_VERSION = 1,
    METRICS_PER_STATE = METRICS_STATES,
    METRICS_PER_JOB = 2 * METRICS_POOLS,
    METRICS_PER_OUTCOME = METRICS_FAILED + ERR_CODES - 1,
    METRICS_PER_CACHE = 2,
    METRICS_PER_REFUSAL = METRICS_REFUSALS,
    METRICS_PER_BUCKET = METRICS_BOUNDS + 2, /* one for what is over them all; the sum */
};

/* The first series of each metric. */
enum {
#define METRIC(id, type, unit, labels, name, help)                                                 \
    METRICS_##id, METRICS_LAST_OF_##id = METRICS_##id + METRICS_PER_##labels - 1,
#include "backend/metrics.def"
#undef METRIC
    METRICS_SERIES
};

struct metrics_values {
    int64_t of[METRICS_SERIES]; /* in the unit of the metric; -1: not known. A histogram's buckets
                                   each count their own */
};

#endif
