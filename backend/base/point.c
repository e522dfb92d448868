#include "base/point.h"

#ifdef IMGSTORE_TEST_POINTS
#include "base/cleanup.h"

#include <fcntl.h>
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

int64_t point_clock(void)
{
    const char *dir = getenv("IMGSTORE_HOLD");
    char path[PATH_MAX], text[32];
    if (!dir)
        return 0;
    snprintf(path, sizeof path, "%s/clock", dir);
    int fd CLEANUP_CLOSE = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    text[n > 0 ? n : 0] = '\0';
    return strtoll(text, NULL, 10);
}

void point_wait(const char *name, atomic_bool *cancelled)
{
    while (point_held(name) && !atomic_load(cancelled))
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
}
#endif
