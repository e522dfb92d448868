/* policy: what an archive may do (the contract's section of that name). The gate that every record
 * passes before anything else of ours acts on it.
 *
 * Pure: no file, no clock, no allocation. It knows one record and running totals; what depends on
 * other members of the archive is for namespace to say. One thread a gate. */
#ifndef UNPACK_POLICY_H
#define UNPACK_POLICY_H

#include "base/err.h"
#include "base/limits.h"
#include "stages/unpack/entry.h"
#include "stages/unpack/wire_read.h"

struct policy_gate {
    enum policy policy;
    const struct limits *limits;
    int64_t entries; /* so far: members of the archive and implied directories */
    int64_t bytes;   /* so far: of all files, holes counted */
    char path[LIMIT_PATH_MAX + 1], target[LIMIT_PATH_MAX + 1];
    char xattrs[WIRE_RECORD_MAX];
};

void policy_init(struct policy_gate *g, enum policy policy, const struct limits *limits);

/* Checks an entry record, well formed as wire_read gives it, and rewrites it into *e, which points
 * into the gate. A negative errno refuses the archive; err says which rule and, of a limit, which
 * option raises it. */
int policy_check(struct policy_gate *g, const struct wire_item *item, struct entry *e,
                 struct err *err);

/* Counts directories that the last entry implies against max_files. */
int policy_count_implied(struct policy_gate *g, unsigned n, struct err *err);

/* A hard link to a symlink reads the same target from another place: is it still inside? `climb` is
 * that of the symlink. */
int policy_check_linked(const struct policy_gate *g, const struct entry *e, unsigned climb,
                        struct err *err);

#endif
