/* reader: the tar's entries and their contents, by libarchive with nothing but tar enabled.
 *
 * It bounds what libarchive may be made to read beside contents that the caller accepted: the
 * headers of one entry, headers and skipped bodies of all entries, what follows the archive's end.
 * Whatever libarchive does not take as sound, warnings included, is `corrupt-archive`, and so is
 * what `headers` finds. */
#ifndef HELPER_READER_H
#define HELPER_READER_H

#include "headers.h"
#include "inflate.h"

struct archive;
struct archive_entry;

/* Read-only for callers. */
struct reader {
    struct archive *archive;
    struct inflate *inflate; /* borrowed */
    struct err *err;         /* why the last read failed, for the time of one call */
    bool failed;             /* a read failed: err was set by it */
    bool starts_null;        /* with a block of zeros: an archive of nothing */
    bool ended;              /* with its end-of-archive blocks, not just where the bytes end */
    bool in_headers;
    struct headers raw;
    uint64_t raw_at;    /* where in the tar the entry's headers begin */
    uint64_t header_at; /* inflated bytes when the entry's headers began */
    uint64_t contents;  /* bytes handed out by reader_block */
    uint64_t headers;   /* entries seen, whatever their type */
};

/* Takes memory, reads nothing. */
int reader_open(struct reader *r, struct inflate *inflate, struct err *err);
void reader_close(struct reader *r);

/* Reads the first bytes (inflate_start); once, before reader_next. */
int reader_start(struct reader *r, struct err *err);

/* The next entry, valid until the next call: 1, 0 at the end of the archive, or -errno. What the
 * last entry still held is skipped. */
int reader_next(struct reader *r, struct archive_entry **entry, struct err *err);

/* The next piece of the entry's contents, valid until the next call of anything here, and where it
 * lies in the file (not checked): 1, 0 after the last, or -errno. */
int reader_block(struct reader *r, const void **data, size_t *n, int64_t *offset, struct err *err);

/* After reader_next returned 0: reads the rest, so that lengths and checksums are verified. */
int reader_drain(struct reader *r, struct err *err);

#endif
