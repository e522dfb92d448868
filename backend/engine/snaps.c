#include "engine/snaps.h"

#include "base/cleanup.h"
#include "base/lock.h"
#include "base/text.h"

#include <string.h>

#define BUCKETS 1024 /* of each index: more than thousands of mounts no kernel likes */

struct snaps {
    struct lock lock; /* guards all below but the line, and the snapshots' published half */
    struct snap *by_number[BUCKETS], *by_id[BUCKETS], *by_image[BUCKETS];
    int64_t changed[BUCKETS]; /* ms: when one of those images' last came, went or was renamed */
    size_t count;

    struct snap *line, **line_end; /* the engine's thread only */
};

static size_t bucket_of(uint64_t number)
{
    return number * 0x9e3779b97f4a7c15 >> 40 & (BUCKETS - 1);
}

static size_t bucket_of_id(uint64_t image, const char *id)
{
    uint64_t h = TEXT_HASH_INIT ^ image * 0x9e3779b97f4a7c15;
    for (; *id; id++)
        h = text_hash_byte(h, (unsigned char)*id);
    return (h ^ h >> 32) & (BUCKETS - 1);
}

int snaps_open(struct snaps **out)
{
    struct snaps *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    int64_t now = text_now_ms();
    lock_init(&s->lock, LOCK_SNAPS, "snapshots");
    s->line_end = &s->line;
    for (size_t b = 0; b < BUCKETS; b++)
        s->changed[b] = now;
    *out = s;
    return 0;
}

void snaps_close(struct snaps *s)
{
    if (!s)
        return;
    for (struct snap *snap = snaps_next(s, NULL), *next; snap; snap = next) {
        next = snaps_next(s, snap);
        free(snap);
    }
    lock_destroy(&s->lock);
    free(s);
}

/* --- indexes */

struct snap *snaps_get(struct snaps *s, uint64_t number)
{
    struct snap *snap = s->by_number[bucket_of(number)];
    while (snap && snap->number != number)
        snap = snap->next_of_number;
    return snap;
}

struct snap *snaps_named(struct snaps *s, uint64_t image, const char *id)
{
    struct snap *snap = s->by_id[bucket_of_id(image, id)];
    while (snap && !(snap->image == image && strcmp(snap->id, id) == 0))
        snap = snap->next_of_id;
    return snap;
}

struct snap *snaps_next(struct snaps *s, struct snap *after)
{
    if (after && after->next_of_number)
        return after->next_of_number;
    for (size_t b = after ? bucket_of(after->number) + 1 : 0; b < BUCKETS; b++)
        if (s->by_number[b])
            return s->by_number[b];
    return NULL;
}

struct snap *snaps_next_of_image(struct snaps *s, uint64_t image, struct snap *after)
{
    struct snap *snap = after ? after->next_of_image : s->by_image[bucket_of(image)];
    while (snap && snap->image != image)
        snap = snap->next_of_image;
    return snap;
}

static void insert_id(struct snaps *s, struct snap *snap)
{
    struct snap **bucket = &s->by_id[bucket_of_id(snap->image, snap->id)];
    snap->next_of_id = *bucket;
    *bucket = snap;
}

static void extract_id(struct snaps *s, struct snap *snap)
{
    struct snap **p = &s->by_id[bucket_of_id(snap->image, snap->id)];
    while (*p != snap)
        p = &(*p)->next_of_id;
    *p = snap->next_of_id;
}

static void touch(struct snaps *s, const struct snap *snap)
{
    s->changed[bucket_of(snap->image)] = text_now_ms();
}

struct snap *snaps_new(uint64_t number, uint64_t image, const char *image_name, const char *id,
                       int64_t created)
{
    struct snap *snap = calloc(1, sizeof *snap);
    if (!snap)
        return NULL;
    snap->number = number;
    snap->image = image;
    snprintf(snap->image_name, sizeof snap->image_name, "%s", image_name);
    snprintf(snap->id, sizeof snap->id, "%s", id);
    paths_snapshot(snap->place, number);
    snap->created = snap->updated = created;
    snap->upper_bytes = -1;
    return snap;
}

void snaps_add(struct snaps *s, struct snap *snap)
{
    struct snap **number = &s->by_number[bucket_of(snap->number)];
    struct snap **image = &s->by_image[bucket_of(snap->image)];
    LOCK_SCOPE(&s->lock);
    snap->next_of_number = *number;
    *number = snap;
    snap->next_of_image = *image;
    *image = snap;
    insert_id(s, snap);
    s->count++;
    touch(s, snap);
}

void snaps_remove(struct snaps *s, struct snap *snap)
{
    struct snap **number = &s->by_number[bucket_of(snap->number)];
    struct snap **image = &s->by_image[bucket_of(snap->image)];
    snaps_leave_line(s, snap);
    lock_take(&s->lock);
    while (*number != snap)
        number = &(*number)->next_of_number;
    *number = snap->next_of_number;
    while (*image != snap)
        image = &(*image)->next_of_image;
    *image = snap->next_of_image;
    extract_id(s, snap);
    s->count--;
    touch(s, snap);
    lock_release(&s->lock);
    free(snap);
}

void snaps_set_state(struct snaps *s, struct snap *snap, enum snap_state state)
{
    LOCK_SCOPE(&s->lock);
    snap->state = state;
    snap->hides_rootfs = false;
    snap->updated = text_now_ms();
}

void snaps_rename(struct snaps *s, struct snap *snap, const char *id)
{
    LOCK_SCOPE(&s->lock);
    extract_id(s, snap);
    snprintf(snap->id, sizeof snap->id, "%s", id);
    insert_id(s, snap);
    snap->updated = text_now_ms();
    touch(s, snap);
}

/* --- words and rows */

const char *snaps_title(const struct snap *snap, char out[static SNAP_TITLE_MAX])
{
    snprintf(out, SNAP_TITLE_MAX, "%s/%s", snap->image_name, snap->id);
    return out;
}

const char *snaps_state_word(enum snap_state state)
{
    static const char *const words[] = {
        [SNAP_ACTIVATING] = "ACTIVATING", [SNAP_ACTIVE] = "ACTIVE", [SNAP_FAILED] = "FAILED"};
    return words[state];
}

void snaps_row(const struct snap *snap, struct snapshots_row *row)
{
    *row = (struct snapshots_row){
        .number = (int64_t)snap->number,
        .image = (int64_t)snap->image,
        .id = snap->id,
        .state = snaps_state_word(snap->answered ? SNAP_ACTIVE : SNAP_ACTIVATING),
        .created = snap->created,
    };
}

/* --- the line */

void snaps_line_up(struct snaps *s, struct snap *snap)
{
    if (snap->in_line)
        return;
    snap->in_line = true;
    snap->line_next = NULL;
    *s->line_end = snap;
    s->line_end = &snap->line_next;
}

void snaps_leave_line(struct snaps *s, struct snap *snap)
{
    if (!snap->in_line)
        return;
    struct snap **p = &s->line;
    while (*p != snap)
        p = &(*p)->line_next;
    *p = snap->line_next;
    if (!*p)
        s->line_end = p;
    snap->in_line = false;
}

struct snap *snaps_first_in_line(struct snaps *s)
{
    struct snap *first = s->line;
    if (first)
        snaps_leave_line(s, first);
    return first;
}

/* --- any thread */

void snaps_hide_rootfs(struct snaps *s, uint64_t number, bool hide)
{
    LOCK_SCOPE(&s->lock);
    struct snap *snap = snaps_get(s, number);
    if (snap)
        snap->hides_rootfs = hide;
}

void snaps_set_bytes(struct snaps *s, uint64_t number, int64_t upper_bytes)
{
    LOCK_SCOPE(&s->lock);
    struct snap *snap = snaps_get(s, number);
    if (snap && snap->upper_bytes != upper_bytes) {
        snap->upper_bytes = upper_bytes;
        snap->measured = text_now_ms();
    }
}

bool snaps_view(struct snaps *s, uint64_t number, struct backend_snapshot *view)
{
    LOCK_SCOPE(&s->lock);
    const struct snap *snap = snaps_get(s, number);
    if (!snap)
        return false;
    view->number = number;
    view->image = snap->image;
    strcpy(view->image_name, snap->image_name);
    strcpy(view->id, snap->id);
    view->state = snaps_state_word(snap->state);
    view->created = snap->created;
    view->updated = snap->updated;
    view->measured = snap->measured > snap->updated ? snap->measured : snap->updated;
    view->upper_bytes = snap->upper_bytes;
    view->rootfs = snap->state == SNAP_ACTIVE && !snap->hides_rootfs;
    return true;
}

bool snaps_find(struct snaps *s, uint64_t image, const char *id, uint64_t *number)
{
    LOCK_SCOPE(&s->lock);
    const struct snap *snap = snaps_named(s, image, id);
    if (snap)
        *number = snap->number;
    return snap != NULL;
}

static size_t count_of(struct snaps *s, uint64_t image)
{
    size_t n = 0;
    for (struct snap *i = snaps_next_of_image(s, image, NULL); i;
         i = snaps_next_of_image(s, image, i))
        n++;
    return n;
}

size_t snaps_count_all(struct snaps *s)
{
    LOCK_SCOPE(&s->lock);
    return s->count;
}

void snaps_count(struct snaps *s, uint64_t image, size_t *count, int64_t *changed)
{
    LOCK_SCOPE(&s->lock);
    *count = count_of(s, image);
    *changed = s->changed[bucket_of(image)];
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct backend_name *)a)->name, ((const struct backend_name *)b)->name);
}

int64_t snaps_list(struct snaps *s, uint64_t image, struct backend_name **names)
{
    size_t n = 0;
    lock_take(&s->lock);
    struct backend_name *list = calloc(count_of(s, image) + 1, sizeof *list);
    for (struct snap *i = list ? snaps_next_of_image(s, image, NULL) : NULL; i;
         i = snaps_next_of_image(s, image, i)) {
        list[n].id = i->number;
        strcpy(list[n++].name, i->id);
    }
    lock_release(&s->lock);
    if (!list)
        return -ENOMEM;
    qsort(list, n, sizeof *list, by_name);
    *names = list;
    return (int64_t)n;
}
