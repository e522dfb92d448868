/* snapshot: `imgstore snapshot` and `reset`, and a snapshot as its files tell it. One thread. */
#ifndef CLIENT_SNAPSHOT_H
#define CLIENT_SNAPSHOT_H

#include "fs/client/target.h"

#include <jansson.h>

struct snapshot {
    struct text info, rootfs; /* rootfs: where the link points; no data while there is none */
    const char *image, *id, *state, *created,
        *upper_bytes; /* into info; "-" for what is not there */
};

/* Fills a zeroed snapshot; -ENOENT: no such snapshot. */
int snapshot_read(const struct tree *tree, const struct target *target, struct snapshot *snapshot,
                  struct err *err);
void snapshot_free(struct snapshot *snapshot);
#define CLEANUP_SNAPSHOT __attribute__((cleanup(snapshot_free)))

/* A new reference; NULL without memory. */
json_t *snapshot_json(const struct snapshot *snapshot);

/* The names of the image's snapshots; free with tree_free_names, also after a failure. A tree of
 * a daemon that has none: none. */
int snapshot_list(const struct tree *tree, const char *image, struct tree_names *ids,
                  struct err *err);

enum outcome snapshot_run(const struct request *request);
enum outcome reset_run(const struct request *request);

#endif
