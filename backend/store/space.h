/* space: is there room, and how much of it is free where there was not enough? Any thread. */
#ifndef STORE_SPACE_H
#define STORE_SPACE_H

#include "base/err.h"
#include "base/limits.h"

#include <stdint.h>

/* 0: not known. */
struct space_need {
    int64_t bytes, inodes;
};

/* -ENOSPC (no-space) if fd's file system has not so much free; `what` is what does not fit. What
 * it does not tell is left to the writes. */
int space_check(int fd, const char *what, const struct space_need *need, struct err *err);

/* How many bytes are missing at `path` until so much is free, and `more` beside it; 0: it is, or
 * that cannot be told. */
int64_t space_missing(const char *path, const struct amount *least, int64_t more);

struct stat;
/* How many bytes a file takes up. Pure. */
int64_t space_taken(const struct stat *st);

struct statvfs;
/* The same, and how many bytes are free to us, of a disk that was looked at. Pure. */
int64_t space_missing_of(const struct statvfs *fs, const struct amount *least, int64_t more);
int64_t space_free(const struct statvfs *fs);
/* Free to anyone, the superuser's reserve included. */
int64_t space_unused(const struct statvfs *fs);

/* An error that is no-space says behind its text what was needed, as far as known, and what is free
 * at `path`; any other one stays as it is. */
void space_explain(struct err *err, const struct space_need *need, const char *path);

#endif
