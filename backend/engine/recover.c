#include "engine/engine.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "stages/snapshot/snapshot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
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

static void meet_mount(void *ctx, const char *name)
{
    struct engine *e = ctx;
    struct image *image = registry_named(e->registry, name);
    struct err err = {0};
    if (image)
        image->mounted = true;
    else if (e->settings.snapshot->unmount(&e->paths, name, "", POLICY_STRICT, &err) < 0)
        log_warn(name, "an image that was removed is still mounted: %s", err.text);
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

static bool is_there(struct engine *e, const struct image *image)
{
    int64_t size;
    bool unpacked = paths_have_image(&e->paths, image->sha256, image->policy);
    switch (image->state) {
    case FSM_DOWNLOADED:
    case FSM_UNPACKING:
        return unpacked || paths_find_blob(&e->paths, image->sha256, &size) != FORMAT_UNKNOWN;
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

static int correct(struct engine *e, struct image *image, enum fsm_event event, struct err *err)
{
    struct image next;
    const struct fsm_row *row = work_prepare(e, image, event, &next);
    if (!row)
        return 0;
    log_info(image->name, "found %s while %s", fsm_event_word(event), fsm_state_word(image->state));
    next.attempts = row->to == FSM_NEW ? 0 : next.attempts;
    return work_commit(e, image, &next, row->stage, err);
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

static int reconcile(struct engine *e, struct image *image, struct err *err)
{
    int r = 0;
    if (image->mounted && image->state != FSM_ACTIVE && image->state != FSM_ACTIVATING)
        take_down(e, image);
    if (image->state == FSM_ACTIVE && image->mounted)
        log_info(image->name, "adopted");
    if (!is_there(e, image))
        r = correct(e, image, FSM_EV_MISSING, err);
    else if (image->state == FSM_ACTIVE && !image->mounted)
        r = correct(e, image, FSM_EV_UNMOUNTED, err);
    if (r == 0 && image->state == FSM_DOWNLOADING && image->next_retry)
        wait_for_retry(e, image);
    else if (r == 0)
        work_resume(e, image);
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

static bool is_orphan_overlay(struct engine *e, const char *name)
{
    return !registry_named(e->registry, name);
}

static void discard_orphans(struct engine *e, int dirfd,
                            bool (*is_orphan)(struct engine *e, const char *name))
{
    int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir CLEANUP_CLOSEDIR = fd < 0 ? NULL : fdopendir(fd);
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
    int fd = openat(e->paths.active, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir CLEANUP_CLOSEDIR = fd < 0 ? NULL : fdopendir(fd);
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
        r = snapshot_each_mount(&e->paths, meet_mount, e, err);
    remove_mount_points(e);
    discard_orphans(e, e->paths.images, is_orphan_image);
    for (struct image *i = registry_next(e->registry, NULL); r == 0 && i;
         i = registry_next(e->registry, i))
        r = reconcile(e, i, err);
    discard_orphans(e, e->paths.blobs, is_orphan_blob);
    discard_orphans(e, e->paths.overlays, is_orphan_overlay);
    chores_sweep(e, NULL);
    return r;
}
