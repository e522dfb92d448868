/* format: what an archive is, judged by its first bytes and never by its name. Pure. */
#ifndef BASE_FORMAT_H
#define BASE_FORMAT_H

#include <stddef.h>

enum format {
    FORMAT_UNKNOWN,
    FORMAT_TAR, /* plain: "ustar" at byte 257, or nothing that is known otherwise */
    FORMAT_GZIP,
    FORMAT_XZ,
    FORMAT_ZSTD,
    FORMAT_BZIP2,
    FORMATS
};

#define FORMAT_SNIFF_BYTES 512 /* how many first bytes format_sniff wants; fewer will do */

/* FORMAT_UNKNOWN only when n is 0: what has no magic is taken for a plain tar, and the tar reader
 * is the one to refuse it. */
enum format format_sniff(const void *bytes, size_t n);

/* "tar", "tar.gz" …; "-" for FORMAT_UNKNOWN. */
const char *format_name(enum format f);

/* The format of that name; FORMAT_UNKNOWN if there is none. */
enum format format_of(const char *name);

#endif
