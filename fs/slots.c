#include "fs/slots.h"

#include "fs/notify.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS      4096
#define FILE_CHANGES ((unsigned)(BACKEND_STATE | BACKEND_ERROR | BACKEND_PROGRESS))

struct slot {
    struct slot *next; /* of its bucket */
    struct slot *after[SLOT_LISTS];
    bool in[SLOT_LISTS];
    bool progress;   /* came while it rests */
    bool by_rmdir;   /* its folder has told of itself */
    unsigned rmdirs; /* under way */
    unsigned wake, tell;
    uint64_t id;
    int64_t due; /* monotonic ms when its rest ends */
    char name[];
};

bool slots_init(struct slots *s)
{
    *s = (struct slots){.buckets = calloc(BUCKETS, sizeof(struct slot *))};
    return s->buckets;
}

static struct slot **place_of(struct slots *s, uint64_t id)
{
    struct slot **p = &s->buckets[id % BUCKETS];
    while (*p && (*p)->id != id)
        p = &(*p)->next;
    return p;
}

static struct slot *get(struct slots *s, uint64_t id, const char *name)
{
    struct slot **p = place_of(s, id);
    if (*p)
        return *p;
    size_t len = strnlen(name, BACKEND_NAME_MAX);
    struct slot *slot = calloc(1, sizeof *slot + len + 1);
    if (!slot)
        return NULL;
    slot->id = id;
    memcpy(slot->name, name, len);
    s->count++;
    return *p = slot;
}

static void drop(struct slots *s, struct slot *slot)
{
    *place_of(s, slot->id) = slot->next;
    s->count--;
    free(slot);
}

static void drop_if_done(struct slots *s, struct slot *slot)
{
    bool listed = slot->in[SLOT_WAKING] || slot->in[SLOT_TELLING] || slot->in[SLOT_RESTING];
    if (!listed && !slot->wake && !slot->tell && !slot->rmdirs)
        drop(s, slot);
}

void slots_free(struct slots *s)
{
    for (size_t i = 0; s->buckets && i < BUCKETS; i++)
        while (s->buckets[i])
            drop(s, s->buckets[i]);
    free(s->buckets);
}

/* --- lists */

static void push(struct slots *s, int list, struct slot *slot)
{
    if (slot->in[list])
        return;
    s->fresh = s->fresh || list != SLOT_RESTING;
    slot->in[list] = true;
    slot->after[list] = NULL;
    if (s->lists[list].last)
        s->lists[list].last->after[list] = slot;
    else
        s->lists[list].first = slot;
    s->lists[list].last = slot;
}

static void pop(struct slots *s, int list)
{
    struct slot *slot = s->lists[list].first;
    slot->in[list] = false;
    s->lists[list].first = slot->after[list];
    if (!s->lists[list].first)
        s->lists[list].last = NULL;
}

/* An rmdir holds its folder's lock, and may be what ends it: until that is known it waits. */
static bool can_tell(const struct slot *slot)
{
    return slot->tell && !slot->rmdirs;
}

static void line_up(struct slots *s, struct slot *slot)
{
    if (slot->wake)
        push(s, SLOT_WAKING, slot);
    if (can_tell(slot))
        push(s, SLOT_TELLING, slot);
    drop_if_done(s, slot);
}

/* --- changes */

/* The link was there, went and came: both are told. It was not, came and went: neither. */
static void merge_rootfs(struct slot *slot, unsigned changes)
{
    if (changes & BACKEND_ROOTFS_COMES)
        slot->tell |= BACKEND_ROOTFS_COMES;
    if (changes & BACKEND_ROOTFS_GOES && slot->tell & BACKEND_ROOTFS_COMES)
        slot->tell &= ~(unsigned)BACKEND_ROOTFS_COMES;
    else if (changes & BACKEND_ROOTFS_GOES)
        slot->tell |= BACKEND_ROOTFS_GOES;
}

static void merge_end(struct slot *slot)
{
    slot->progress = false;
    slot->wake = FILE_CHANGES;
    slot->tell = slot->tell & BACKEND_APPEARED
                     ? 0
                     : (slot->tell & BACKEND_ROOTFS_GOES) | (unsigned)BACKEND_VANISHED;
}

static void release_progress(struct slots *s, struct slot *slot, int64_t now)
{
    slot->progress = false;
    slot->wake |= BACKEND_PROGRESS;
    slot->tell |= BACKEND_PROGRESS;
    slot->due = now + NOTIFY_PROGRESS_MS;
    push(s, SLOT_RESTING, slot);
}

bool slots_change(struct slots *s, unsigned changes, uint64_t id, const char *name, int64_t now)
{
    struct slot *slot = get(s, id, name);
    if (!slot)
        return false;
    slot->tell |= changes & (BACKEND_APPEARED | BACKEND_STATE | BACKEND_ERROR);
    slot->wake |= changes & (BACKEND_STATE | BACKEND_ERROR);
    merge_rootfs(slot, changes);
    if (changes & BACKEND_PROGRESS && slot->in[SLOT_RESTING])
        slot->progress = true;
    else if (changes & BACKEND_PROGRESS)
        release_progress(s, slot, now);
    if (changes & BACKEND_VANISHED)
        merge_end(slot);
    line_up(s, slot);
    return true;
}

void slots_rmdir_begins(struct slots *s, uint64_t id, const char *name)
{
    struct slot *slot = get(s, id, name);
    if (slot)
        slot->rmdirs++;
}

void slots_rmdir_ended(struct slots *s, uint64_t id, bool removed)
{
    struct slot *slot = *place_of(s, id);
    if (!slot || !slot->rmdirs)
        return;
    slot->rmdirs--;
    slot->by_rmdir = slot->by_rmdir || removed;
    line_up(s, slot);
}

/* --- progress */

void slots_release_due(struct slots *s, int64_t now)
{
    struct slot *slot;
    while ((slot = s->lists[SLOT_RESTING].first) && slot->due <= now) {
        pop(s, SLOT_RESTING);
        if (slot->progress)
            release_progress(s, slot, now);
        line_up(s, slot);
    }
}

int64_t slots_next_due(const struct slots *s)
{
    return s->lists[SLOT_RESTING].first ? s->lists[SLOT_RESTING].first->due : INT64_MAX;
}

/* --- telling */

bool slots_take_woken(struct slots *s, uint64_t *id, unsigned *files)
{
    struct slot *slot = s->lists[SLOT_WAKING].first;
    if (!slot)
        return false;
    pop(s, SLOT_WAKING);
    *id = slot->id;
    *files = slot->wake;
    slot->wake = 0;
    drop_if_done(s, slot);
    return true;
}

/* The next step of it, and what that leaves. The link first: a watcher who reads that the state is
 * ACTIVE has seen it come. */
static unsigned step(const struct slot *slot, struct replay_command *c)
{
    if (slot->tell & BACKEND_APPEARED) {
        c->kind = REPLAY_APPEAR;
        return slot->tell & ~(unsigned)BACKEND_APPEARED;
    }
    if (slot->tell & BACKEND_VANISHED) {
        c->kind = slot->by_rmdir ? REPLAY_GONE : REPLAY_VANISH;
        c->rootfs = c->kind == REPLAY_VANISH && slot->tell & BACKEND_ROOTFS_GOES;
        return 0;
    }
    if (slot->tell & BACKEND_ROOTFS_GOES) {
        c->kind = REPLAY_UNLINK;
        return slot->tell & ~(unsigned)BACKEND_ROOTFS_GOES;
    }
    if (slot->tell & BACKEND_ROOTFS_COMES) {
        c->kind = REPLAY_LINK;
        return slot->tell & ~(unsigned)BACKEND_ROOTFS_COMES;
    }
    c->kind = REPLAY_MODIFY;
    c->files = slot->tell;
    return 0;
}

bool slots_take_command(struct slots *s, struct replay_command *c)
{
    struct slot *slot;
    while ((slot = s->lists[SLOT_TELLING].first)) {
        bool tells = can_tell(slot);
        if (tells) {
            *c = (struct replay_command){.id = slot->id};
            strcpy(c->name, slot->name);
            slot->tell = step(slot, c);
        }
        if (!can_tell(slot)) {
            pop(s, SLOT_TELLING);
            drop_if_done(s, slot);
        }
        if (tells)
            return true;
    }
    return false;
}

void slots_forget_commands(struct slots *s)
{
    struct replay_command c;
    while (slots_take_command(s, &c))
        ;
}
