/* registry: every image there is, in memory: what readers see, and what the engine works on.
 *
 * The engine's thread is the only one that adds, removes and changes images; it reads without the
 * lock, and changes what readers may see between registry_edit() and registry_publish(). Everyone
 * else sees copies. A reader never waits for more than such a change. */
#ifndef ENGINE_REGISTRY_H
#define ENGINE_REGISTRY_H

#include "backend/backend.h"
#include "engine/fsm.h"
#include "store/images.h"
#include "store/paths.h"

struct image;
struct metrics;
struct metrics_values;

struct registry_link {
    struct registry_link *next;
    struct image *image;
    uint64_t hash;
};

enum registry_index { REGISTRY_BY_ID, REGISTRY_BY_NAME, REGISTRY_BY_DIGEST, REGISTRY_INDEXES };

struct image {
    /* Never change. */
    uint64_t id;
    char name[PATHS_NAME_MAX + 1];
    char sha256[PATHS_DIGEST_LEN + 1];
    enum policy policy;
    int64_t created;

    /* Changed between registry_edit() and registry_publish(). */
    char *url;       /* with its credentials */
    char *shown_url; /* without */
    uint64_t server; /* fetch_server() of it */
    enum fsm_state state;
    bool want_stored;
    enum err_code code;
    char *error; /* "" or a line */
    enum format format;
    int64_t size, entries, bytes, skipped;
    const char *sink; /* of the unpacked image; NULL: not known */
    int64_t attempts, next_retry, updated;
    bool hides_rootfs; /* ACTIVE, but about to be unmounted */
    int64_t done, total, progressed;
    int percent;
    uint64_t state_changes, error_changes, progress_changes;

    /* The engine's thread only. */
    struct job *job;       /* waiting for a worker, or with one */
    struct request *waits; /* the command that waits for the job's end */
    bool removing;
    bool mounted;           /* when that was last looked at */
    bool seen, unpacked;    /* its unpacked image was looked for at the start; and was there */
    int room_tries;         /* that were made for want of room since it came into its state */
    bool wrong_digest;      /* one was seen since the last retry */
    int64_t due;            /* monotonic ms of the next attempt; 0: none */
    struct ready *ready_in; /* the line in which it waits to be claimed; NULL: in none */
    struct image *ready_before, *ready_after;
    bool looked_at;        /* in that line, for whom it might follow */
    int64_t fetched_since; /* metrics_clock(): the fetch that is to end; 0: none is */

    struct registry_link links[REGISTRY_INDEXES];
};

struct registry;

int registry_open(struct registry **registry);
void registry_close(struct registry *registry); /* frees every image; NULL is allowed */

/* --- the engine's thread */

/* Takes the image over. */
void registry_add(struct registry *registry, struct image *image);
/* Frees it. */
void registry_remove(struct registry *registry, struct image *image);

struct image *registry_get(struct registry *registry, uint64_t id);
struct image *registry_named(struct registry *registry, const char *name);

/* Walks: start with NULL, end with NULL. Not while images come or go. */
struct image *registry_next(struct registry *registry, struct image *after);
struct image *registry_next_of_digest(struct registry *registry, const char *sha256,
                                      struct image *after);

/* Does CANCEL fit it? */
bool registry_is_underway(const struct image *image);

/* Around a change of that image. */
void registry_edit(struct registry *registry, const struct image *image);
void registry_publish(struct registry *registry, const struct image *image);

/* Does it show the link? */
bool registry_shows_rootfs(const struct image *image);

/* The image as it stands; workers report their progress into it meanwhile. Strings are shared. */
void registry_copy(struct registry *registry, const struct image *image, struct image *copy);

/* The image as a row of the database; strings are borrowed from it. */
void registry_row(const struct image *image, struct images_row *row);
/* A new image from a row; NULL: out of memory, or the row is not sane. */
struct image *registry_image(const struct images_row *row);
/* Replaces the URL; -ENOMEM leaves it as it was. */
int registry_set_url(struct image *image, const char *url);
void registry_free_image(struct image *image);

/* --- any thread */

/* Bytes of the archive for every image of that digest that is in that state; moved is called for
 * each that shows others now, with the lock held. Returns how many names of that digest there are.
 */
size_t registry_progress(struct registry *registry, const char *sha256, enum fsm_state state,
                         int64_t done, int64_t total,
                         void (*moved)(void *ctx, const struct image *image), void *ctx);

/* The link goes before what it points to does; it is back with the next change of the image.
 * Returns which it did, of backend_change, or 0. */
unsigned registry_hide_rootfs(struct registry *registry, uint64_t id, bool hide);

/* How many images CANCEL fits: counted, not looked for. */
size_t registry_underway(struct registry *registry);

/* Does any name refer to that digest? *size is its archive's, -1 if that is not known. */
bool registry_is_named(struct registry *registry, const char *sha256, int64_t *size);
/* All that was counted, and how many images are in which state at that very moment. */
void registry_metrics(struct registry *registry, struct metrics *metrics,
                      struct metrics_values *out);
bool registry_view(struct registry *registry, uint64_t id, struct backend_view *view);
bool registry_find(struct registry *registry, const char *name, uint64_t *id);
bool registry_exists(struct registry *registry, uint64_t id, bool *rootfs);
int64_t registry_list(struct registry *registry, struct backend_name **names);
void registry_count(struct registry *registry, size_t *count, int64_t *changed);

#endif
