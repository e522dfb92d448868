/* snaps: every snapshot of every image, in memory: the registry's counterpart.
 *
 * The engine's thread is the only one that adds, removes and changes them; it reads without the
 * lock. Everyone else sees copies, and never waits for more than such a change. */
#ifndef ENGINE_SNAPS_H
#define ENGINE_SNAPS_H

#include "backend/backend.h"
#include "store/paths.h"
#include "store/snapshots.h"

enum snap_state {
    SNAP_ACTIVATING, /* being made, or to be mounted again */
    SNAP_ACTIVE,
    SNAP_FAILED, /* could not be mounted again; the layer is kept */
};

/* "NAME/ID" with the NUL. */
#define SNAP_TITLE_MAX (2 * PATHS_NAME_MAX + 2)

struct snap {
    /* Never change. */
    uint64_t number, image;
    char image_name[PATHS_NAME_MAX + 1];
    char place[PATHS_PLACE_MAX]; /* where its layer and its mount are: paths_snapshot() */
    int64_t created;

    /* Changed by snaps_…() alone. */
    char id[PATHS_NAME_MAX + 1];
    enum snap_state state;
    bool hides_rootfs;   /* ACTIVE, but about to be unmounted */
    int64_t upper_bytes; /* -1: not known yet */
    int64_t updated, measured;

    /* The engine's thread only. */
    bool answered; /* whoever asked for it knows of it: its row says so */
    struct job *job;
    struct request *waits; /* the command that it is at */
    bool mounted;          /* when that was last looked at */
    bool in_line;          /* to be mounted again, when there is a worker for it */
    struct snap *line_next;

    /* The indexes'. */
    struct snap *next_of_number, *next_of_id, *next_of_image;
};

struct snaps;

int snaps_open(struct snaps **snaps);
void snaps_close(struct snaps *snaps); /* frees every snapshot; NULL is allowed */

/* --- the engine's thread */

/* A new one of that image, ACTIVATING. NULL: no memory. Free it with free(), or add it. */
struct snap *snaps_new(uint64_t number, uint64_t image, const char *image_name, const char *id,
                       int64_t created);
void snaps_add(struct snaps *snaps, struct snap *snap);    /* takes it over */
void snaps_remove(struct snaps *snaps, struct snap *snap); /* frees it */

void snaps_set_state(struct snaps *snaps, struct snap *snap, enum snap_state state);
void snaps_rename(struct snaps *snaps, struct snap *snap, const char *id);

struct snap *snaps_get(struct snaps *snaps, uint64_t number);
struct snap *snaps_named(struct snaps *snaps, uint64_t image, const char *id);
/* Walks: start with NULL, end with NULL. Not while snapshots come or go. */
struct snap *snaps_next(struct snaps *snaps, struct snap *after);
struct snap *snaps_next_of_image(struct snaps *snaps, uint64_t image, struct snap *after);

const char *snaps_title(const struct snap *snap, char out[static SNAP_TITLE_MAX]);
const char *snaps_state_word(enum snap_state state);
void snaps_row(const struct snap *snap, struct snapshots_row *row);

/* Those that wait to be mounted again, first come first served. */
void snaps_line_up(struct snaps *snaps, struct snap *snap);
struct snap *snaps_first_in_line(struct snaps *snaps); /* and out of it; NULL: none */
void snaps_leave_line(struct snaps *snaps, struct snap *snap);

/* --- any thread */

/* The link goes before what it points to does; it is back with the next state. */
void snaps_hide_rootfs(struct snaps *snaps, uint64_t number, bool hide);
void snaps_set_bytes(struct snaps *snaps, uint64_t number, int64_t upper_bytes);

/* As in backend.h. */
bool snaps_view(struct snaps *snaps, uint64_t number, struct backend_snapshot *view);
bool snaps_find(struct snaps *snaps, uint64_t image, const char *id, uint64_t *number);
int64_t snaps_list(struct snaps *snaps, uint64_t image, struct backend_name **names);
size_t snaps_count_all(struct snaps *snaps);
void snaps_count(struct snaps *snaps, uint64_t image, size_t *count, int64_t *changed);

#endif
