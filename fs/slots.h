/* slots: what watchers are still to be told of, an image a slot. No lock of its own.
 *
 * First come, first told; what changes again before it is told is told once. An image that came and
 * went in that time is not told of at all. */
#ifndef FS_SLOTS_H
#define FS_SLOTS_H

#include "fs/replay.h"

struct slot;

struct slot_list {
    struct slot *first, *last;
};

enum { SLOT_WAKING, SLOT_TELLING, SLOT_RESTING, SLOT_LISTS };

struct slots {
    struct slot **buckets;
    struct slot_list lists[SLOT_LISTS];
    size_t count;
    bool fresh; /* there is more to be taken than when this was last looked at, by its owner */
};

bool slots_init(struct slots *s); /* false: out of memory */
void slots_free(struct slots *s);

/* Changes of enum backend_change, at that monotonic ms. False: out of memory. */
bool slots_change(struct slots *s, unsigned changes, uint64_t id, const char *name, int64_t now);

/* Until the rmdir has ended, the image's end is not told of; then only that of its files if
 * `removed`. */
void slots_rmdir_begins(struct slots *s, uint64_t id, const char *name);
void slots_rmdir_ended(struct slots *s, uint64_t id, bool removed);

/* Progress that is due to be told by now. */
void slots_release_due(struct slots *s, int64_t now);
/* When there will be some; INT64_MAX: nothing is waited for. */
int64_t slots_next_due(const struct slots *s);

/* The next one whose pollers are to be woken, and for which files. False: none. */
bool slots_take_woken(struct slots *s, uint64_t *id, unsigned *files);
/* The next command. False: none. */
bool slots_take_command(struct slots *s, struct replay_command *c);
/* Nobody will be told. */
void slots_forget_commands(struct slots *s);

#endif
