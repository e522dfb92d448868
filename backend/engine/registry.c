#include "engine/registry.h"

#include "base/cleanup.h"
#include "base/lock.h"
#include "engine/changes.h"
#include "engine/metrics.h"
#include "stages/fetch/fetch.h"

#include <string.h>

struct registry {
    struct lock lock; /* guards all below, and the images' published half */
    struct registry_link **buckets[REGISTRY_INDEXES];
    size_t size; /* buckets of each index, a power of two */
    size_t count, underway;
    int64_t states[FSM_STATES]; /* images in each: their sum is count */
    int64_t changed;            /* ms: the last one that came or went */
};

#define FIRST_SIZE 256

static uint64_t hash_bytes(const char *s)
{
    uint64_t h = TEXT_HASH_INIT;
    for (; *s; s++)
        h = text_hash_byte(h, (unsigned char)*s);
    return h ^ h >> 32;
}

static uint64_t hash_id(uint64_t id)
{
    return id * 0x9e3779b97f4a7c15 >> 20;
}

int registry_open(struct registry **out)
{
    struct registry *r = calloc(1, sizeof *r);
    if (!r)
        return -ENOMEM;
    lock_init(&r->lock, LOCK_REGISTRY, "registry");
    r->size = FIRST_SIZE;
    for (size_t i = 0; i < REGISTRY_INDEXES; i++)
        if (!(r->buckets[i] = calloc(r->size, sizeof **r->buckets))) {
            registry_close(r);
            return -ENOMEM;
        }
    r->changed = text_now_ms();
    *out = r;
    return 0;
}

void registry_close(struct registry *r)
{
    if (!r)
        return;
    for (struct image *i = r->buckets[0] ? registry_next(r, NULL) : NULL, *next; i; i = next) {
        next = registry_next(r, i);
        registry_free_image(i);
    }
    for (size_t i = 0; i < REGISTRY_INDEXES; i++)
        free(r->buckets[i]);
    lock_destroy(&r->lock);
    free(r);
}

/* --- indexes */

static void insert(struct registry *r, enum registry_index index, struct registry_link *link)
{
    struct registry_link **bucket = &r->buckets[index][link->hash & (r->size - 1)];
    link->next = *bucket;
    *bucket = link;
}

static void extract(struct registry *r, enum registry_index index, struct registry_link *link)
{
    struct registry_link **p = &r->buckets[index][link->hash & (r->size - 1)];
    while (*p != link)
        p = &(*p)->next;
    *p = link->next;
}

static void grow(struct registry *r)
{
    size_t size = r->size * 2, old_size = r->size;
    struct registry_link **grown[REGISTRY_INDEXES] = {0};
    for (size_t i = 0; i < REGISTRY_INDEXES; i++)
        if (!(grown[i] = calloc(size, sizeof **grown))) {
            while (i-- > 0)
                free(grown[i]);
            return; /* longer chains will do */
        }
    r->size = size;
    for (size_t i = 0; i < REGISTRY_INDEXES; i++) {
        struct registry_link **old = r->buckets[i];
        r->buckets[i] = grown[i];
        for (size_t b = 0; b < old_size; b++)
            for (struct registry_link *l = old[b], *next; l; l = next) {
                next = l->next;
                insert(r, (enum registry_index)i, l);
            }
        free(old);
    }
}

static struct registry_link *bucket_of(struct registry *r, enum registry_index index, uint64_t hash)
{
    return r->buckets[index][hash & (r->size - 1)];
}

struct image *registry_get(struct registry *r, uint64_t id)
{
    for (struct registry_link *l = bucket_of(r, REGISTRY_BY_ID, hash_id(id)); l; l = l->next)
        if (l->image->id == id)
            return l->image;
    return NULL;
}

struct image *registry_named(struct registry *r, const char *name)
{
    for (struct registry_link *l = bucket_of(r, REGISTRY_BY_NAME, hash_bytes(name)); l; l = l->next)
        if (strcmp(l->image->name, name) == 0)
            return l->image;
    return NULL;
}

struct image *registry_next_of_digest(struct registry *r, const char *sha256, struct image *after)
{
    struct registry_link *l = after ? after->links[REGISTRY_BY_DIGEST].next
                                    : bucket_of(r, REGISTRY_BY_DIGEST, hash_bytes(sha256));
    for (; l; l = l->next)
        if (strcmp(l->image->sha256, sha256) == 0)
            return l->image;
    return NULL;
}

struct image *registry_next(struct registry *r, struct image *after)
{
    size_t b = 0;
    if (after) {
        const struct registry_link *l = &after->links[REGISTRY_BY_ID];
        if (l->next)
            return l->next->image;
        b = (l->hash & (r->size - 1)) + 1;
    }
    for (; b < r->size; b++)
        if (r->buckets[REGISTRY_BY_ID][b])
            return r->buckets[REGISTRY_BY_ID][b]->image;
    return NULL;
}

bool registry_is_underway(const struct image *i)
{
    return fsm_is_underway(i->state) && !(i->state == FSM_STORED && i->want_stored);
}

static void tally(struct registry *r, const struct image *i, int n)
{
    r->states[i->state] += n;
    if (registry_is_underway(i))
        r->underway += (size_t)n;
}

void registry_add(struct registry *r, struct image *image)
{
    const uint64_t hashes[REGISTRY_INDEXES] = {
        [REGISTRY_BY_ID] = hash_id(image->id),
        [REGISTRY_BY_NAME] = hash_bytes(image->name),
        [REGISTRY_BY_DIGEST] = hash_bytes(image->sha256),
    };
    LOCK_SCOPE(&r->lock);
    for (size_t i = 0; i < REGISTRY_INDEXES; i++) {
        image->links[i] = (struct registry_link){.image = image, .hash = hashes[i]};
        insert(r, (enum registry_index)i, &image->links[i]);
    }
    tally(r, image, 1);
    r->changed = text_now_ms();
    if (++r->count > r->size)
        grow(r);
}

void registry_remove(struct registry *r, struct image *image)
{
    lock_take(&r->lock);
    for (size_t i = 0; i < REGISTRY_INDEXES; i++)
        extract(r, (enum registry_index)i, &image->links[i]);
    r->count--;
    tally(r, image, -1);
    r->changed = text_now_ms();
    lock_release(&r->lock);
    registry_free_image(image);
}

size_t registry_underway(struct registry *r)
{
    LOCK_SCOPE(&r->lock);
    return r->underway;
}

void registry_edit(struct registry *r, const struct image *image)
{
    lock_take(&r->lock);
    tally(r, image, -1);
}

void registry_publish(struct registry *r, const struct image *image)
{
    tally(r, image, 1);
    lock_release(&r->lock);
}

bool registry_shows_rootfs(const struct image *i)
{
    return i->state == FSM_ACTIVE && !i->hides_rootfs;
}

void registry_copy(struct registry *r, const struct image *image, struct image *copy)
{
    LOCK_SCOPE(&r->lock);
    *copy = *image;
}

/* --- rows */

static const char *want_word(const struct image *image)
{
    return image->want_stored ? "stored" : "active";
}

void registry_row(const struct image *image, struct images_row *row)
{
    *row = (struct images_row){
        .id = (int64_t)image->id,
        .name = image->name,
        .url = image->url,
        .sha256 = image->sha256,
        .policy = policy_name(image->policy),
        .state = fsm_state_word(image->state),
        .want = want_word(image),
        .code = err_word(image->code),
        .error = image->error,
        .format = format_name(image->format),
        .size = image->size,
        .entries = image->entries,
        .bytes = image->bytes,
        .skipped = image->skipped,
        .attempts = image->attempts,
        .next_retry = image->next_retry,
        .created = image->created,
        .updated = image->updated,
    };
}

struct image *registry_image(const struct images_row *row)
{
    struct image *i = calloc(1, sizeof *i);
    if (!i)
        return NULL;
    i->id = (uint64_t)row->id;
    i->policy =
        strcmp(row->policy, policy_name(POLICY_FAITHFUL)) == 0 ? POLICY_FAITHFUL : POLICY_STRICT;
    i->created = row->created;
    i->want_stored = strcmp(row->want, "stored") == 0;
    i->code = err_code_of(row->code);
    i->error = strdup(row->error);
    i->format = format_of(row->format);
    i->size = row->size;
    i->entries = row->entries;
    i->bytes = row->bytes;
    i->skipped = row->skipped;
    i->attempts = row->attempts;
    i->next_retry = row->next_retry;
    i->updated = row->updated;
    i->total = row->size;
    bool sane = paths_name_valid(row->name, strlen(row->name)) &&
                strlen(row->sha256) == PATHS_DIGEST_LEN &&
                strspn(row->sha256, "0123456789abcdef") == PATHS_DIGEST_LEN &&
                fsm_parse_state(row->state, &i->state);
    if (!sane || !i->error || registry_set_url(i, row->url) < 0) {
        registry_free_image(i);
        return NULL;
    }
    strcpy(i->name, row->name);
    strcpy(i->sha256, row->sha256);
    return i;
}

int registry_set_url(struct image *image, const char *url)
{
    struct text shown CLEANUP_TEXT = {0};
    text_add_masked_url(&shown, url, strlen(url));
    char *copy = strdup(url);
    if (!copy || shown.failed) {
        free(copy);
        return -ENOMEM;
    }
    free(image->url);
    free(image->shown_url);
    image->url = copy;
    image->shown_url = steal_ptr(shown.data);
    image->server = fetch_server(url);
    return 0;
}

void registry_free_image(struct image *image)
{
    if (!image)
        return;
    free(image->url);
    free(image->shown_url);
    free(image->error);
    free(image);
}

/* --- readers */

static const char *phase_of(enum fsm_state state)
{
    static const char *const phases[FSM_STATES] = {
        [FSM_NEW] = "queued",          [FSM_DOWNLOADING] = "download", [FSM_DOWNLOADED] = "unpack",
        [FSM_UNPACKING] = "unpack",    [FSM_UNPACKED] = "unpack",      [FSM_STORED] = "stored",
        [FSM_ACTIVATING] = "activate", [FSM_ACTIVE] = "active",        [FSM_FAILED] = "failed",
    };
    return phases[state];
}

/* What a phase that is over, or that has no bytes, shows. */
static void settle_progress(struct backend_view *v, enum fsm_state state)
{
    bool whole = state == FSM_UNPACKED || state == FSM_STORED || state == FSM_ACTIVE;
    if (whole)
        v->percent = 100;
    if ((whole || state == FSM_ACTIVATING) && v->size >= 0)
        v->done = v->total = v->size;
}

static void fill_view(const struct image *i, struct backend_view *v)
{
    v->id = i->id;
    strcpy(v->name, i->name);
    strcpy(v->sha256, i->sha256);
    snprintf(v->url, sizeof v->url, "%s", i->shown_url);
    v->state = fsm_state_word(i->state);
    v->want = want_word(i);
    v->policy = policy_name(i->policy);
    v->sink = i->sink ? i->sink : "-";
    v->format = format_name(i->format);
    v->phase = phase_of(i->state);
    v->percent = i->percent;
    v->done = i->done;
    v->total = i->total;
    v->code = i->code;
    snprintf(v->error, sizeof v->error, "%s", i->error);
    v->size = i->size;
    v->entries = i->entries;
    v->bytes = i->bytes;
    v->skipped = i->skipped;
    v->attempts = i->attempts;
    v->next_retry = i->next_retry;
    v->created = i->created;
    v->updated = i->updated;
    v->progressed = i->progressed > i->updated ? i->progressed : i->updated;
    v->rootfs = registry_shows_rootfs(i);
    v->state_changes = i->state_changes;
    v->error_changes = i->error_changes;
    v->progress_changes = i->progress_changes;
    settle_progress(v, i->state);
}

bool registry_view(struct registry *r, uint64_t id, struct backend_view *view)
{
    LOCK_SCOPE(&r->lock);
    const struct image *i = registry_get(r, id);
    if (i)
        fill_view(i, view);
    return i != NULL;
}

bool registry_find(struct registry *r, const char *name, uint64_t *id)
{
    LOCK_SCOPE(&r->lock);
    const struct image *i = registry_named(r, name);
    if (i)
        *id = i->id;
    return i != NULL;
}

bool registry_exists(struct registry *r, uint64_t id, bool *rootfs)
{
    LOCK_SCOPE(&r->lock);
    const struct image *i = registry_get(r, id);
    *rootfs = i && registry_shows_rootfs(i);
    return i != NULL;
}

void registry_count(struct registry *r, size_t *count, int64_t *changed)
{
    LOCK_SCOPE(&r->lock);
    *count = r->count;
    *changed = r->changed;
}

/* False: it shows what it did. */
static bool set_progress(struct image *i, int64_t done, int64_t total)
{
    int percent = total > 0 && done <= total ? (int)((double)done * 100 / (double)total) : 0;
    if (i->done == done && i->total == total && percent <= i->percent)
        return false;
    i->done = done;
    i->total = total;
    i->progressed = text_now_ms();
    i->progress_changes++;
    if (percent > i->percent)
        i->percent = percent;
    return true;
}

size_t registry_progress(struct registry *r, const char *sha256, enum fsm_state state, int64_t done,
                         int64_t total, void (*moved)(void *ctx, const struct image *image),
                         void *ctx)
{
    size_t names = 0;
    LOCK_SCOPE(&r->lock);
    for (struct image *i = registry_next_of_digest(r, sha256, NULL); i;
         i = registry_next_of_digest(r, sha256, i)) {
        names++;
        if (i->state == state && set_progress(i, done, total))
            moved(ctx, i);
    }
    return names;
}

bool registry_is_named(struct registry *r, const char *sha256, int64_t *size)
{
    LOCK_SCOPE(&r->lock);
    struct image *i = registry_next_of_digest(r, sha256, NULL);
    bool named = i;
    for (*size = -1; i && *size < 0; i = registry_next_of_digest(r, sha256, i))
        *size = i->size;
    return named;
}

void registry_metrics(struct registry *r, struct metrics *metrics, struct metrics_values *out)
{
    _Static_assert(METRICS_STATES == FSM_STATES, "metrics.h and fsm.def differ");
    LOCK_SCOPE(&r->lock);
    metrics_copy(metrics, out);
    memcpy(&out->of[METRICS_IMAGES], r->states, sizeof r->states);
    out->of[METRICS_UNDERWAY] = (int64_t)r->underway;
}

unsigned registry_hide_rootfs(struct registry *r, uint64_t id, bool hide)
{
    LOCK_SCOPE(&r->lock);
    struct image *i = registry_get(r, id);
    if (!i)
        return 0;
    bool before = registry_shows_rootfs(i);
    i->hides_rootfs = hide;
    return changes_of_rootfs(before, registry_shows_rootfs(i));
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct backend_name *)a)->name, ((const struct backend_name *)b)->name);
}

int64_t registry_list(struct registry *r, struct backend_name **names)
{
    size_t n = 0;
    lock_take(&r->lock);
    struct backend_name *list = calloc(r->count + 1, sizeof *list);
    for (struct image *i = list ? registry_next(r, NULL) : NULL; i; i = registry_next(r, i)) {
        list[n].id = i->id;
        strcpy(list[n++].name, i->name);
    }
    lock_release(&r->lock);
    if (!list)
        return -ENOMEM;
    qsort(list, n, sizeof *list, by_name);
    *names = list;
    return (int64_t)n;
}
