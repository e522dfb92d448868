/* point: named places where a test can hold the program still (builds with -Dtest_points=true).
 *
 * A place is held while the file $IMGSTORE_HOLD/<name> exists. Any thread. */
#ifndef BASE_POINT_H
#define BASE_POINT_H

#include <stdatomic.h>
#include <stdbool.h>

#ifdef IMGSTORE_TEST_POINTS
bool point_held(const char *name);
/* Returns once it is not held, or no longer wanted. */
void point_wait(const char *name, atomic_bool *cancelled);
#else
static inline bool point_held(const char *name)
{
    (void)name;
    return false;
}
static inline void point_wait(const char *name, atomic_bool *cancelled)
{
    (void)name;
    (void)cancelled;
}
#endif

#endif
