#include "base/point.h"

#ifdef IMGSTORE_TEST_POINTS
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

bool point_held(const char *name)
{
    const char *dir = getenv("IMGSTORE_HOLD");
    char path[PATH_MAX];
    if (!dir)
        return false;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return access(path, F_OK) == 0;
}

void point_wait(const char *name, atomic_bool *cancelled)
{
    while (point_held(name) && !atomic_load(cancelled))
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
}
#endif
