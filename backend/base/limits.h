/* limits: what an archive may be, and under which policy (the contract's "What an archive may
 * do"). Shared by the parent and the unpacking helper, which both enforce it. */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

#include <stdint.h>

enum policy { POLICY_STRICT, POLICY_FAITHFUL };

/* Each holds INT64_MAX for "max". */
struct limits {
    int64_t max_files;         /* entries, implied parent directories counted */
    int64_t max_file_size;     /* bytes of one file, holes counted */
    int64_t max_total_size;    /* bytes of all files together, holes counted */
    int64_t max_download_size; /* bytes of the archive */
};

/* Part of a disk. */
struct amount {
    int64_t bytes; /* INT64_MAX for "max" */
    int percent;   /* above 0: of what the disk holds, whatever the bytes */
};

/* Not settable: Linux's own bounds, and what every sink can hold. */
#define LIMIT_NAME_MAX   255  /* bytes of one component (NAME_MAX) */
#define LIMIT_PATH_MAX   4095 /* bytes of a path or link target (PATH_MAX less the NUL) */
#define LIMIT_XATTRS_MAX 3072 /* bytes of one entry's xattr names and values together */

/* Processor seconds that a helper may take to unpack, INT64_MAX for no bound: ten minutes, and a
 * second for each 4 MiB of max_total_size: several times what the slowest decoder takes. */
static inline int64_t limits_cpu_seconds(const struct limits *limits)
{
    if (limits->max_total_size == INT64_MAX)
        return INT64_MAX;
    return 600 + limits->max_total_size / (4 << 20);
}

static inline const char *policy_name(enum policy p)
{
    return p == POLICY_FAITHFUL ? "faithful" : "strict";
}

#endif
