#include "engine/engine.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/crew.h"
#include "base/io.h"
#include "base/log.h"
#include "engine/snap.h"
#include "stages/snapshot/lower.h"
#include "stages/snapshot/snapshot.h"
#include "store/removals.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The database is trusted for what is wanted, the file system for what is there. */

static int load(void *ctx, const struct images_row *row)
{
    struct engine *e = ctx;
    struct image *image = registry_image(row);
    if (!image)
        return -EINVAL;
    metrics_appears(image);
    registry_add(e->registry, image);
    return 0;
}

/* --- mounts */

static void see_mount(void *ctx, const char *name)
{
    struct engine *e = ctx;
    struct image *image = registry_named(e->registry, name);
    uint64_t number = paths_snapshot_number(name);
    struct snap *snap = snaps_get(e->snaps, number);
    const struct snapshot_backend *backend = e->settings.snapshot;
    if (number >= e->next_snap) /* one whose layer was kept aside while it was in use */
        e->next_snap = number + 1;
    if (backend->dead && backend->dead(&e->paths, name)) /* it is mounted anew */
        return;
    if (image)
        image->mounted = true;
    if (snap)
        snap->mounted = true;
}

int recover_see_mounts(struct engine *e, struct err *err)
{
    for (struct image *i = registry_next(e->registry, NULL); i; i = registry_next(e->registry, i))
        i->mounted = false;
    for (struct snap *s = snaps_next(e->snaps, NULL); s; s = snaps_next(e->snaps, s))
        s->mounted = false;
    return snapshot_each_mount(&e->paths, see_mount, e, err);
}

/* Mounted, although its state says that it is not: a crash came between. Only ACTIVE and what is
 * on its way there keep a mount. */
static void take_down(struct engine *e, struct image *image)
{
    struct err err = {0};
    char key[PATHS_FILE_MAX];
    paths_image(key, image->sha256, image->policy);
    if (e->settings.snapshot->unmount(&e->paths, image->name, key, image->policy, &err) < 0)
        log_failure(image->name, &err, "%s", err.text);
    else
        image->mounted = false;
}

/* --- unpacked images */

struct sight {
    struct image *image; /* one of those that share it */
    bool unpacked;
    const char *sink;
};

struct sights {
    const struct paths *paths;
    struct sight *list;
    size_t count, capacity;
};

static void look(void *ctx, size_t i)
{
    struct sights *s = ctx;
    struct sight *seen = &s->list[i];
    char key[PATHS_FILE_MAX];
    bool lost, there = paths_have_image(s->paths, seen->image->sha256, seen->image->policy);
    bool unknown = !there && errno != ENOENT;
    paths_image(key, seen->image->sha256, seen->image->policy);
    seen->sink = lower_sink(s->paths, key, &lost);
    seen->unpacked = unknown || (there && !lost);
}

/* Every name that shares the image, from first to last. */
static struct image *next_sharer(struct engine *e, const struct image *image, struct image *after)
{
    struct image *i = registry_next_of_digest(e->registry, image->sha256, after);
    while (i && i->policy != image->policy)
        i = registry_next_of_digest(e->registry, image->sha256, i);
    return i;
}

static int plan_look(struct engine *e, struct sights *s, struct image *image)
{
    struct sight *list = array_more(s->list, s->count, &s->capacity, sizeof *list);
    if (!list)
        return -ENOMEM;
    s->list = list;
    s->list[s->count++] = (struct sight){.image = image};
    for (struct image *i = next_sharer(e, image, NULL); i; i = next_sharer(e, image, i))
        i->seen = true;
    return 0;
}

static void take_sight(struct engine *e, const struct sight *s)
{
    for (struct image *i = next_sharer(e, s->image, NULL); i; i = next_sharer(e, s->image, i)) {
        i->unpacked = s->unpacked;
        i->sink = i->entries >= 0 ? s->sink : NULL;
    }
}

/* After a reboot each look is a wait for the disk: many at once, and one for all names that share
 * an image. Which sink made it is what the database does not know of it: it is the store's affair.
 */
static int see_images(struct engine *e)
{
    struct sights s = {.paths = &e->paths};
    int r = 0;
    for (struct image *i = registry_next(e->registry, NULL); r == 0 && i;
         i = registry_next(e->registry, i))
        if (!i->seen && (i->entries >= 0 || fsm_next(i->state, FSM_EV_MISSING)))
            r = plan_look(e, &s, i);
    if (r == 0)
        crew_run(s.count, look, &s);
    for (size_t n = 0; r == 0 && n < s.count; n++)
        take_sight(e, &s.list[n]);
    free(s.list);
    return r;
}

/* --- states */

static bool have_blob(struct engine *e, const struct image *image)
{
    int64_t size;
    return paths_find_blob(&e->paths, image->sha256, &size) != FORMAT_UNKNOWN || errno != ENOENT;
}

/* What cannot be told is taken to be there: whoever needs it finds out. */
static bool is_there(struct engine *e, const struct image *image)
{
    switch (image->state) {
    case FSM_DOWNLOADED:
    case FSM_UNPACKING:
        return image->unpacked || have_blob(e, image);
    case FSM_UNPACKED: /* what was not published may have lost its contents with the power */
    case FSM_STORED:
    case FSM_ACTIVATING:
        return image->unpacked;
    case FSM_ACTIVE:
        return image->unpacked || image->mounted;
    case FSM_NEW:
    case FSM_DOWNLOADING:
    case FSM_FAILED:
    case FSM_STATES:
        return true;
    }
    return true;
}

static int correct(struct engine *e, struct transitions *corrections, struct image *image,
                   enum fsm_event event)
{
    int r = transition_add(e, corrections, image, event);
    if (r < 0)
        return r == -EINVAL ? 0 : r;
    struct image *next = &corrections->list[corrections->count - 1].next;
    log_info(image->name, "found %s while %s", fsm_event_word(event), fsm_state_word(image->state));
    if (next->state == FSM_NEW)
        next->attempts = 0;
    return 0;
}

static void wait_for_retry(struct engine *e, struct image *image)
{
    int64_t left = image->next_retry - text_now_ms();
    if (left > e->retry.most) /* the clock was set */
        left = e->retry.most;
    image->due = text_monotonic_ms() + (left > 0 ? left : 0);
    if (image->due < e->next_due)
        e->next_due = image->due;
}

static int look_at(struct engine *e, struct image *image, struct transitions *corrections)
{
    if (image->mounted && image->state != FSM_ACTIVE && image->state != FSM_ACTIVATING)
        take_down(e, image);
    if (image->state == FSM_ACTIVE && image->mounted)
        log_info(image->name, "adopted");
    if (!is_there(e, image))
        return correct(e, corrections, image, FSM_EV_MISSING);
    if (image->state == FSM_ACTIVE && !image->mounted)
        return correct(e, corrections, image, FSM_EV_UNMOUNTED);
    return 0;
}

static void go_on(struct engine *e, struct image *image)
{
    if (image->state == FSM_DOWNLOADING && image->next_retry)
        wait_for_retry(e, image);
    else
        work_resume(e, image);
}

static int by_id(const void *a, const void *b)
{
    const struct image *x = *(struct image *const *)a, *y = *(struct image *const *)b;
    return (x->id > y->id) - (x->id < y->id);
}

/* In the order in which they were asked for. */
static int all_go_on(struct engine *e, struct err *err)
{
    struct image **all CLEANUP_FREE = NULL;
    size_t n = 0, capacity = 0;
    for (struct image *i = registry_next(e->registry, NULL); i; i = registry_next(e->registry, i)) {
        struct image **more = array_more(all, n, &capacity, sizeof *all);
        if (!more)
            return err_sys(err, ENOMEM, "cannot look at what there is");
        all = more;
        all[n++] = i;
    }
    if (n)
        qsort(all, n, sizeof *all, by_id);
    for (size_t i = 0; i < n; i++)
        go_on(e, all[i]);
    return 0;
}

/* One transaction: after a reboot every active image is among the corrections. */
static int reconcile(struct engine *e, struct err *err)
{
    struct transitions corrections CLEANUP_TRANSITIONS = {0};
    int r = see_images(e);
    for (struct image *i = registry_next(e->registry, NULL); r == 0 && i;
         i = registry_next(e->registry, i))
        r = look_at(e, i, &corrections);
    if (r < 0)
        return err_sys(err, -r, "cannot look at what there is");
    r = transition_commit_all(e, &corrections, err);
    return r < 0 ? r : all_go_on(e, err);
}

/* --- leftovers */

static bool is_orphan_blob(struct engine *e, const char *name)
{
    char sha256[PATHS_DIGEST_LEN + 1];
    const char *suffix = strchr(name, '.');
    if (!suffix || suffix - name != PATHS_DIGEST_LEN || strcmp(suffix, ".part") != 0)
        return false;
    memcpy(sha256, name, PATHS_DIGEST_LEN);
    sha256[PATHS_DIGEST_LEN] = '\0';
    return !registry_next_of_digest(e->registry, sha256, NULL);
}

static bool is_orphan_image(struct engine *e, const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && strcmp(dot, ".part") == 0;
}

static bool made_before(int dirfd, const char *name, int64_t ms)
{
    struct statx stx;
    return statx(dirfd, name, AT_SYMLINK_NOFOLLOW, STATX_BTIME, &stx) == 0 &&
           (stx.stx_mask & STATX_BTIME) &&
           stx.stx_btime.tv_sec * 1000 + stx.stx_btime.tv_nsec / 1000000 <= ms;
}

/* A database that was brought back from a backup, or has lost its last commits, does not know of
 * images that have come since: what was written to them is not ours to delete. */
int recover_layer(struct engine *e, const char *name, struct err *err)
{
    char kept[PATHS_FILE_MAX];
    int64_t removed;
    int r = removals_at(e->db, name, &removed, err);
    if (r < 0)
        return r;
    if (removed && made_before(e->paths.overlays, name, removed))
        return snapshot_discard(&e->paths, name, err);
    if ((r = paths_keep_aside(e->paths.overlays, name, kept, err)) < 0)
        return r;
    log_warn(name,
             "the database does not know of the image whose layer this was: it is kept in "
             "%s/overlays/%s; remove it, or take from it what you need",
             e->paths.dir, kept);
    return 0;
}

struct forgetting {
    struct engine *engine;
    struct err *err;
    bool any;
};

static int forget_removal(void *ctx, const char *name)
{
    struct forgetting *f = ctx;
    if (faccessat(f->engine->paths.overlays, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ||
        errno != ENOENT)
        return 0;
    f->any = true;
    return removals_drop(f->engine->db, name, f->err);
}

/* A layer that a power cut brings back is still known to be a removed image's. */
static int forget_removals(struct engine *e, void *ctx, struct err *err)
{
    struct forgetting f = {.engine = e, .err = err};
    int r = removals_each(e->db, forget_removal, &f, err);
    return r == 0 && f.any && fsync(e->paths.overlays) < 0
               ? err_sys(err, errno, "cannot sync overlays/")
               : r;
}

void recover_forget_removals(struct engine *e)
{
    struct err err = {0};
    if (!e->trouble.num)
        (void)work_transact(e, false, forget_removals, NULL, &err);
}

/* A layer that someone still writes to is never taken away, whatever the database knows. */
static void take_orphan_layer(struct engine *e, const char *name)
{
    struct err err = {0};
    if (registry_named(e->registry, name))
        return;
    if (e->settings.snapshot->unmount(&e->paths, name, "", POLICY_STRICT, &err) < 0 ||
        recover_layer(e, name, &err) < 0)
        log_failure(name, &err, "the layer of an image that is not known stays: %s", err.text);
}

static void take_orphan_layers(struct engine *e)
{
    DIR *dir CLEANUP_CLOSEDIR = io_list(e->paths.overlays);
    for (struct dirent *d; dir && (d = readdir(dir));)
        if (d->d_name[0] != '.')
            take_orphan_layer(e, d->d_name);
}

static void discard_orphans(struct engine *e, int dirfd,
                            bool (*is_orphan)(struct engine *e, const char *name))
{
    DIR *dir CLEANUP_CLOSEDIR = io_list(dirfd);
    for (struct dirent *d; dir && (d = readdir(dir));) {
        struct err err = {0};
        if (d->d_name[0] != '.' && is_orphan(e, d->d_name) &&
            paths_discard(dirfd, d->d_name, &err) < 0)
            log_failure(NULL, &err, "%s", err.text);
    }
}

/* Mount points of what is not mounted any more: a directory that is in use or mounted stays. */
static void remove_mount_points(int active)
{
    DIR *dir CLEANUP_CLOSEDIR = io_list(active);
    for (struct dirent *d; dir && (d = readdir(dir));)
        if (d->d_name[0] != '.')
            unlinkat(active, d->d_name, AT_REMOVEDIR);
}

int recover_run(struct engine *e, struct err *err)
{
    int r = images_each(e->db, load, e, err);
    if (r == -EINVAL)
        return err_set(err, ERR_IO, EINVAL, "%s holds an image that makes no sense",
                       e->config->database);
    if (r == 0)
        r = snap_recover_load(e, err);
    if (r == 0)
        r = recover_see_mounts(e, err);
    if (r < 0)
        return r; /* whoever does not know all images takes no leftovers away */
    remove_mount_points(e->paths.active);
    remove_mount_points(e->paths.snap_mounts);
    discard_orphans(e, e->paths.images, is_orphan_image);
    if ((r = snap_recover_run(e, err)) < 0 || (r = reconcile(e, err)) < 0)
        return r;
    discard_orphans(e, e->paths.blobs, is_orphan_blob);
    import_clear(e);
    take_orphan_layers(e);
    snap_recover_orphans(e);
    chores_sweep(e, NULL);
    return 0;
}
