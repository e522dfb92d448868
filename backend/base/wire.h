/* wire: how the helper's entry records lie in the pipe.
 *
 * The helper writes, the parent reads and believes nothing. Both run on one machine from one
 * build: integers are native, the header carries a version to catch a mixed installation. A record
 * is a struct wire_record, then its strings, in the order of the length fields, no NUL, no padding
 * between; total length ≤ WIRE_RECORD_MAX. The stream is any number of WIRE_ENTRY records (and
 * WIRE_PROGRESS between them), then exactly one WIRE_END or WIRE_ERROR; end of file without one
 * means that the helper died.
 *
 * Whoever reads an entry's record finds its contents in the data file, and the whole range within
 * the file's length: what is a hole at the end is there, too. Entries before a WIRE_ERROR are the
 * archive's up to the fault. */
#ifndef BASE_WIRE_H
#define BASE_WIRE_H

#include <stdint.h>

#define WIRE_MAGIC      0x696d6701u /* "img", version 1 */
#define WIRE_BLOCK      4096        /* contents begin at multiples of this in the data file */
#define WIRE_RECORD_MAX (32 * 1024) /* bytes of one record with its strings */

/* The helper's descriptors. */
#define WIRE_ARCHIVE_FD 0 /* the archive, to read */
#define WIRE_DATA_FD    1 /* the data file, to write; its first block is left free */
#define WIRE_RECORDS_FD 3 /* the pipe, to write */

/* What a helper is called from when it begins to shut itself in (/proc/PID/comm). */
#define WIRE_HELPER_NAME "imgstore-unpack"

enum wire_kind { WIRE_ENTRY = 1, WIRE_PROGRESS, WIRE_END, WIRE_ERROR };

enum wire_type {
    WIRE_FILE = 1,
    WIRE_DIR,
    WIRE_SYMLINK,
    WIRE_HARDLINK,
    WIRE_CHARDEV,
    WIRE_BLOCKDEV,
    WIRE_FIFO,
    WIRE_SOCKET
};

struct wire_record {
    uint32_t magic;  /* WIRE_MAGIC */
    uint32_t length; /* of the record, this struct and its strings included */
    uint16_t kind;   /* enum wire_kind */
    uint16_t type;   /* ENTRY: enum wire_type */
    uint32_t mode;   /* ENTRY: permission bits, 07777.  ERROR: enum err_code.  END: 1 if the
                        archive has its end-of-archive blocks, 0 if its bytes just end there */
    uint32_t uid, gid;
    uint32_t rdev_major, rdev_minor;
    int64_t mtime;       /* ENTRY: seconds since 1970 */
    uint32_t mtime_nsec; /* < 1e9 */
    uint32_t path_len;   /* ENTRY: as archived.  ERROR: the message */
    uint32_t target_len; /* SYMLINK, HARDLINK: as archived */
    uint32_t xattrs_len; /* ENTRY: u16 name length, u16 value length, name, value; repeated */
    uint64_t offset;     /* FILE: where its contents lie in the data file, a multiple of
                            WIRE_BLOCK; 0 if it has none */
    uint64_t size;       /* FILE: logical bytes; holes are holes in the data file too.
                            PROGRESS: bytes of the tar so far */
    uint64_t consumed;   /* every kind: bytes of the archive read so far */
    uint32_t error_num;  /* ERROR: errno */
    uint32_t reserved;   /* 0 */
};

/* What the parent hands over on the helper's command line, decimal, in this order:
 * max_files max_file_size max_total_size. */

#endif
