/* contents: the data file. Each file's contents begin at the next multiple of WIRE_BLOCK, the first
 * block is left free, holes stay holes.
 *
 * Small pieces are gathered and written together: what contents_end said is in the data file only
 * after contents_flush. One thread; no call but pwrite and ftruncate. */
#ifndef HELPER_CONTENTS_H
#define HELPER_CONTENTS_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct contents {
    int fd; /* borrowed */
    uint8_t *gathered;
    size_t len;       /* bytes gathered */
    uint64_t at;      /* where in the data file they go */
    uint64_t written; /* length of the data file so far */
    uint64_t ended;   /* end of the last whole file, on a block */
    uint64_t start;   /* of the file under way */
    uint64_t size;
    uint64_t pos; /* in it: what comes next lies here or behind */
};

int contents_init(struct contents *c, int fd, struct err *err);
void contents_free(struct contents *c);

/* A file of `size` logical bytes begins, its contents at *offset of the data file (0 if it has
 * none). */
int contents_begin(struct contents *c, uint64_t size, uint64_t *offset, struct err *err);

/* n bytes at `offset` of the file under way. Offsets never go back, nothing lies beyond the size:
 * else the archive is corrupt. */
int contents_write(struct contents *c, int64_t offset, const void *data, size_t n, struct err *err);

/* The file under way is whole; what was not written is a hole. */
void contents_end(struct contents *c);

/* All whole files lie in the data file now, within its length. */
int contents_flush(struct contents *c, struct err *err);

#endif
