#include "engine/metrics.h"

#include "base/cleanup.h"
#include "store/space.h"

#include <sys/statvfs.h>
#include <time.h>

static const int64_t bounds[METRICS_BOUNDS] = {
#define BOUND(us, text) us,
#include "backend/metrics.def"
#undef BOUND
};

void metrics_init(struct metrics *m)
{
    *m = (struct metrics){0};
    lock_init(&m->lock, LOCK_METRICS, "metrics");
    m->values.of[METRICS_START_TIME] = text_now_ms();
    metrics_disk(m, NULL);
    metrics_count_store(m, (struct unused_census){-1, -1, -1});
}

void metrics_destroy(struct metrics *m)
{
    lock_destroy(&m->lock);
}

void metrics_add(struct metrics *m, size_t series, int64_t n)
{
    LOCK_SCOPE(&m->lock);
    m->values.of[series] += n;
}

void metrics_observe(struct metrics *m, size_t histogram, int64_t us)
{
    size_t bucket = 0;
    while (bucket < METRICS_BOUNDS && us > bounds[bucket])
        bucket++;
    LOCK_SCOPE(&m->lock);
    m->values.of[histogram + bucket]++;
    m->values.of[histogram + METRICS_BOUNDS + 1] += us;
}

int64_t metrics_clock(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000 + 1;
}

void metrics_disk(struct metrics *m, const struct statvfs *fs)
{
    LOCK_SCOPE(&m->lock);
    int64_t *of = m->values.of;
    of[METRICS_SIZE_BYTES] = fs ? (int64_t)(fs->f_blocks * fs->f_frsize) : -1;
    of[METRICS_FREE_BYTES] = fs ? space_free(fs) : -1;
    of[METRICS_INODES] = fs ? (int64_t)fs->f_files : -1;
    of[METRICS_FREE_INODES] = fs ? (int64_t)fs->f_favail : -1;
}

void metrics_count_store(struct metrics *m, struct unused_census census)
{
    LOCK_SCOPE(&m->lock);
    m->values.of[METRICS_BLOBS] = census.blobs;
    m->values.of[METRICS_BLOB_BYTES] = census.blob_bytes;
    m->values.of[METRICS_UNPACKED_IMAGES] = census.images;
}

/* Another look may have missed it already. */
static void take(int64_t *value, int64_t n)
{
    *value = *value > n ? *value - n : 0;
}

void metrics_uncount(struct metrics *m, struct unused_census gone)
{
    LOCK_SCOPE(&m->lock);
    take(&m->values.of[METRICS_BLOBS], gone.blobs);
    take(&m->values.of[METRICS_BLOB_BYTES], gone.blob_bytes);
    take(&m->values.of[METRICS_UNPACKED_IMAGES], gone.images);
}

void metrics_copy(struct metrics *m, struct metrics_values *out)
{
    LOCK_SCOPE(&m->lock);
    *out = m->values;
}

/* --- fetches */

void metrics_appears(struct image *image)
{
    image->fetched_since = registry_is_underway(image) ? metrics_clock() : 0;
}

static size_t outcome_of(const struct image *next)
{
    switch (next->state) {
    case FSM_ACTIVE:
        return METRICS_ACTIVE;
    case FSM_STORED:
        return METRICS_STORED;
    case FSM_NEW:
    case FSM_DOWNLOADING:
    case FSM_DOWNLOADED:
    case FSM_UNPACKING:
    case FSM_UNPACKED:
    case FSM_ACTIVATING:
    case FSM_FAILED:
    case FSM_STATES:
        break;
    }
    return METRICS_FAILED + (next->code == ERR_NONE ? ERR_INTERNAL : next->code) - 1;
}

void metrics_changes(struct metrics *m, struct image *image, const struct image *next)
{
    if (image->state == FSM_FAILED)
        image->fetched_since = metrics_clock();
    if (!image->fetched_since || registry_is_underway(next))
        return;
    metrics_add(m, METRICS_FETCHES + outcome_of(next), 1);
    if (next->state == FSM_ACTIVE)
        metrics_observe(m, METRICS_FETCH_TIME, metrics_clock() - image->fetched_since);
    image->fetched_since = 0;
}

void metrics_vanishes(struct metrics *m, const struct image *image)
{
    if (image->fetched_since)
        metrics_add(m, METRICS_FETCHES + METRICS_REMOVED, 1);
}
