/* pax: the headers of a pax interchange archive (POSIX.1-2017, pax utility), as GNU tar, libarchive
 * and Python read them.
 *
 * Owners are numbers, without names. What fits into the ustar header is there; what does not (a
 * long path, a large size or owner, a time's fraction) is a record before it, and no record is
 * there without need: the same entry has the same bytes. Pure. */
#ifndef EXPORT_PAX_H
#define EXPORT_PAX_H

#include "base/text.h"

#include <sys/stat.h>
#include <sys/types.h>

#define PAX_BLOCK ((size_t)512)
#define PAX_END   ((size_t)20 * PAX_BLOCK) /* an archive's length is a multiple of this */

enum pax_type {
    PAX_FILE = '0',
    PAX_HARDLINK = '1',
    PAX_SYMLINK = '2',
    PAX_CHARDEV = '3',
    PAX_BLOCKDEV = '4',
    PAX_DIR = '5',
    PAX_FIFO = '6',
};

/* Borrowed for the call. Names are bytes, of whatever character set. */
struct pax_entry {
    enum pax_type type;
    const char *path;   /* of a directory: with a slash at its end */
    const char *target; /* SYMLINK, HARDLINK */
    mode_t mode;        /* 07777 of it */
    uid_t uid;
    gid_t gid;
    struct timespec mtime;
    dev_t rdev;          /* CHARDEV, BLOCKDEV */
    int64_t size;        /* bytes that follow the headers, FILE only */
    int64_t sparse_size; /* FILE: 0, or how long it is, and a sparse map comes first among those */
    const char *records; /* more of them, made by pax_record */
    size_t records_len;
};

/* Adds the headers: a multiple of PAX_BLOCK. */
void pax_headers(struct text *out, const struct pax_entry *e);

/* Adds one record, `LENGTH PREFIXNAME=VALUE\n`. */
void pax_record(struct text *out, const char *prefix, const char *name, const void *value,
                size_t n);

/* An extended attribute's. */
void pax_xattr(struct text *out, const char *name, const void *value, size_t n);

/* "1700000000.5", "-1.5": what a time reads as. */
#define PAX_TIME_MAX 40
void pax_time(char out[static PAX_TIME_MAX], struct timespec t);

/* Bytes that lie between n bytes of contents and the next header. */
static inline size_t pax_padding(int64_t n)
{
    return (size_t)(-n & (int64_t)(PAX_BLOCK - 1));
}

#endif
