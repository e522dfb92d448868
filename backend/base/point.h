/* point: named places where a test can hold the program still (builds with -Dtest_points=true).
 *
 * A place is held while the file $IMGSTORE_HOLD/<name> exists. Any thread. */
#ifndef BASE_POINT_H
#define BASE_POINT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef IMGSTORE_TEST_POINTS
bool point_held(const char *name);
/* What the clock is wrong by, ms: $IMGSTORE_HOLD/clock says it; 0 without one. The machine's own
 * clock is everyone's. */
int64_t point_clock(void);
/* Returns once it is not held, or no longer wanted. */
void point_wait(const char *name, atomic_bool *cancelled);
#else
static inline bool point_held(const char *name)
{
    (void)name;
    return false;
}
static inline int64_t point_clock(void)
{
    return 0;
}
static inline void point_wait(const char *name, atomic_bool *cancelled)
{
    (void)name;
    (void)cancelled;
}
#endif

#endif
