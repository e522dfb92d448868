/* unused: what the store keeps by digest, and in which order it would go if nobody needed it.
 *
 * Who needs what is the engine's to know; here are sizes, times and the order. */
#ifndef ENGINE_UNUSED_H
#define ENGINE_UNUSED_H

#include "store/paths.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In the order in which those of one digest go: a blob is of less use than what was unpacked of
 * it. */
enum unused_kind { UNUSED_PART, UNUSED_BLOB, UNUSED_IMAGE };

struct unused_item {
    enum unused_kind kind;
    char name[PATHS_KEY_MAX + 16]; /* in blobs/ or images/ */
    char sha256[PATHS_DIGEST_LEN + 1];
    int64_t bytes; /* that it takes up on disk */
    int64_t size;  /* of a blob: that it holds */
    int64_t used;  /* ms since 1970: when the last name let go of the digest */
};

/* What the store holds, needed or not, but for what is not whole. */
struct unused_census {
    int64_t blobs, blob_bytes, images;
};

/* Zeroed: none. */
struct unused {
    struct unused_item *items;
    size_t count, capacity;
    struct unused_census census; /* of all that the scan saw */
};

/* Who is asked during a scan; any thread. */
struct unused_ask {
    /* Is the digest needed? Then *size is its blob's if that is known, else -1. */
    bool (*needed)(void *ctx, const char *sha256, int64_t *size);
    void *ctx;
    const atomic_bool *cancelled; /* the scan ends soon, with -ECANCELED */
};

void unused_free(struct unused *u);

const char *unused_word(enum unused_kind kind);

/* What kind a file of blobs/ (or of images/) is, by its name, and of which digest; false: none that
 * could go. Pure. */
bool unused_parse(struct unused_item *item, bool image, const char *name);

int unused_add(struct unused *u, const struct unused_item *item);

/* Oldest use first, a digest's own files together. What was last used of a digest counts for all of
 * it. Pure. */
void unused_sort(struct unused *u);

/* Whether that one goes: it was last used before `before`, or fewer than `wanted` bytes have gone
 * so far. Pure. */
bool unused_goes(const struct unused_item *item, int64_t before, int64_t wanted, int64_t gone);

/* What FILE of an entry of images/, whole or in the trash, takes up on disk; -1: it has none. */
int64_t unused_file_bytes(int images, const char *name, const char *file);

/* All that there is of digests that are not needed, sorted. Reads the disk, but nothing of what is
 * needed; any thread. 0 or a negative errno. */
int unused_scan(struct unused *u, const struct paths *paths, const struct unused_ask *ask);
/* What goes with the item. Pure. */
struct unused_census unused_census_of(const struct unused_item *item);

/* Out of the way, to be removed by the next sweep, together with its mount. Two renames may happen
 * at a time; -ENOENT: it has gone already. */
int unused_discard(const struct unused_item *item, const struct paths *paths, struct err *err);

#endif
