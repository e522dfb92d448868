/* space: is there room, and how much of it is free where there was not enough? Any thread. */
#ifndef STORE_SPACE_H
#define STORE_SPACE_H

#include "base/err.h"

#include <stdint.h>

/* 0: not known. */
struct space_need {
    int64_t bytes, inodes;
};

/* -ENOSPC (no-space) if fd's file system has not so much free; `what` is what does not fit. What
 * it does not tell is left to the writes. */
int space_check(int fd, const char *what, const struct space_need *need, struct err *err);

/* An error that is no-space says behind its text what was needed, as far as known, and what is free
 * at `path`; any other one stays as it is. */
void space_explain(struct err *err, const struct space_need *need, const char *path);

#endif
