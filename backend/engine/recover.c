#include "engine/engine.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "base/log.h"
#include "stages/snapshot/snapshot.h"

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
    registry_add(e->registry, image);
    return 0;
}

/* --- mounts */

static void see_mount(void *ctx, const char *name)
{
    struct engine *e = ctx;
    struct image *image = registry_named(e->registry, name);
    if (image)
        image->mounted = true;
}

int recover_see_mounts(struct engine *e, struct err *err)
{
    for (struct image *i = registry_next(e->registry, NULL); i; i = registry_next(e->registry, i))
        i->mounted = false;
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
        log_warn(image->name, "%s", err.text);
    else
        image->mounted = false;
}

/* --- states */

/* One that is not as long as it was has lost something with the power: the digest says no more than
 * that, and takes longer. */
static bool have_blob(struct engine *e, const struct image *image)
{
    int64_t size;
    char name[PATHS_FILE_MAX];
    enum format format = paths_find_blob(&e->paths, image->sha256, &size);
    if (format == FORMAT_UNKNOWN)
        return errno != ENOENT;
    if (image->size < 0 || size == image->size)
        return true;
    log_warn(image->name, "the download has %lld bytes, not %lld: it is fetched anew",
             (long long)size, (long long)image->size);
    paths_blob(name, image->sha256, format);
    return paths_discard(e->paths.blobs, name, NULL) < 0;
}

/* What cannot be told is taken to be there: whoever needs it finds out. */
static bool is_there(struct engine *e, const struct image *image)
{
    bool unpacked = paths_have_image(&e->paths, image->sha256, image->policy) || errno != ENOENT;
    switch (image->state) {
    case FSM_DOWNLOADED:
    case FSM_UNPACKING:
        return unpacked || have_blob(e, image);
    case FSM_UNPACKED: /* what was not published may have lost its contents with the power */
    case FSM_STORED:
    case FSM_ACTIVATING:
        return unpacked;
    case FSM_ACTIVE:
        return unpacked || image->mounted;
    case FSM_NEW:
    case FSM_DOWNLOADING:
    case FSM_FAILED:
    case FSM_STATES:
        return true;
    }
    return true;
}

struct correction {
    struct image *image;
    struct image next;
};

struct corrections {
    struct correction *list;
    size_t count;
};

static void note(struct engine *e, struct corrections *c, struct image *image, enum fsm_event event)
{
    struct correction *one = &c->list[c->count];
    const struct fsm_row *row = work_prepare(e, image, event, &one->next);
    if (!row)
        return;
    log_info(image->name, "found %s while %s", fsm_event_word(event), fsm_state_word(image->state));
    if (row->to == FSM_NEW)
        one->next.attempts = 0;
    one->image = image;
    c->count++;
}

static int write_corrections(struct engine *e, const void *ctx, struct err *err)
{
    const struct corrections *c = ctx;
    int r = 0;
    for (size_t i = 0; r == 0 && i < c->count; i++)
        r = work_write(e, &c->list[i].next, c->list[i].image->state, err);
    return r;
}

/* One transaction: after a reboot every active image is among them. */
static int correct(struct engine *e, struct corrections *c, struct err *err)
{
    int r = c->count ? work_transact(e, write_corrections, c, err) : 0;
    for (size_t i = 0; r == 0 && i < c->count; i++)
        work_apply(e, c->list[i].image, &c->list[i].next, FSM_RUN_NOTHING);
    return r;
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

static void look_at(struct engine *e, struct image *image, struct corrections *c)
{
    if (image->mounted && image->state != FSM_ACTIVE && image->state != FSM_ACTIVATING)
        take_down(e, image);
    if (image->state == FSM_ACTIVE && image->mounted)
        log_info(image->name, "adopted");
    if (!is_there(e, image))
        note(e, c, image, FSM_EV_MISSING);
    else if (image->state == FSM_ACTIVE && !image->mounted)
        note(e, c, image, FSM_EV_UNMOUNTED);
}

static void go_on(struct engine *e, struct image *image)
{
    if (image->state == FSM_DOWNLOADING && image->next_retry)
        wait_for_retry(e, image);
    else
        work_resume(e, image);
}

static int reconcile(struct engine *e, struct err *err)
{
    size_t count;
    int64_t changed;
    registry_count(e->registry, &count, &changed);
    struct correction *list CLEANUP_FREE = calloc(count + 1, sizeof *list);
    struct corrections c = {.list = list};
    if (!list)
        return err_sys(err, ENOMEM, "cannot look at what there is");
    for (struct image *i = registry_next(e->registry, NULL); i; i = registry_next(e->registry, i))
        look_at(e, i, &c);
    int r = correct(e, &c, err);
    for (struct image *i = registry_next(e->registry, NULL); r == 0 && i;
         i = registry_next(e->registry, i))
        go_on(e, i);
    return r;
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
    int r = images_removed_at(e->db, name, &removed, err);
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

/* A layer that someone still writes to is never taken away, whatever the database knows. */
static void take_orphan_layer(struct engine *e, const char *name)
{
    struct err err = {0};
    if (registry_named(e->registry, name))
        return;
    if (e->settings.snapshot->unmount(&e->paths, name, "", POLICY_STRICT, &err) < 0 ||
        recover_layer(e, name, &err) < 0)
        log_warn(name, "the layer of an image that is not known stays: %s", err.text);
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
            log_warn(NULL, "%s", err.text);
    }
}

/* Mount points of what is not mounted any more: a directory that is in use or mounted stays. */
static void remove_mount_points(struct engine *e)
{
    DIR *dir CLEANUP_CLOSEDIR = io_list(e->paths.active);
    for (struct dirent *d; dir && (d = readdir(dir));)
        if (d->d_name[0] != '.')
            unlinkat(e->paths.active, d->d_name, AT_REMOVEDIR);
}

int recover_run(struct engine *e, struct err *err)
{
    int r = images_each(e->db, load, e, err);
    if (r == -EINVAL)
        return err_set(err, ERR_IO, EINVAL, "%s holds an image that makes no sense",
                       e->config->database);
    if (r == 0)
        r = recover_see_mounts(e, err);
    if (r < 0)
        return r; /* whoever does not know all images takes no leftovers away */
    remove_mount_points(e);
    discard_orphans(e, e->paths.images, is_orphan_image);
    if ((r = reconcile(e, err)) < 0)
        return r;
    discard_orphans(e, e->paths.blobs, is_orphan_blob);
    take_orphan_layers(e);
    chores_sweep(e, NULL);
    return 0;
}
