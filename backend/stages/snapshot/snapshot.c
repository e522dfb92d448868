#include "stages/snapshot/snapshot.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "stages/snapshot/mountinfo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* In order of preference. */
static const struct snapshot_backend *const backends[] = {
    &snapshot_overlay,
    &snapshot_fuse_overlayfs,
};

const char *snapshot_called(const char *name)
{
    return paths_snapshot_number(name) ? "the snapshot" : name;
}

void snapshot_point(char out[static PATH_MAX], const struct paths *p, const char *name)
{
    snprintf(out, PATH_MAX, "%.*s/active/%s", PATHS_DIR_MAX, p->dir, name);
}

int snapshot_fail_held(const char *name, const char *who, struct err *err)
{
    return err_set(err, ERR_MOUNT_FAILED, EBUSY,
                   "%s is in use: another mount of its writable layer is still there, in a "
                   "container or another mount namespace%s%s%s",
                   snapshot_called(name), who ? " (" : "", who ? who : "", who ? ")" : "");
}

const struct snapshot_backend *snapshot_choose(struct paths *paths, struct err *err)
{
    struct err all = {0};
    for (size_t i = 0; i < ARRAY_SIZE(backends); i++) {
        struct err one = {0};
        if (backends[i]->without_root && geteuid() == 0)
            continue;
        if (backends[i]->probe(paths, &one) == 0) {
            if (*all.text)
                log_info(NULL, "writable layers: %s, because %s", backends[i]->name, all.text);
            return backends[i];
        }
        size_t len = strlen(all.text);
        snprintf(all.text + len, sizeof all.text - len, "%s%s: %s", len ? "; " : "",
                 backends[i]->name, one.text);
        all.num = one.num;
    }
    err_set(err, ERR_MOUNT_FAILED, all.num, "no writable layers here: %s", all.text);
    return NULL;
}

int snapshot_discard(const struct paths *paths, const char *name, struct err *err)
{
    int num = unlinkat(paths->active, name, AT_REMOVEDIR) < 0 ? errno : ENOENT;
    if (num == EBUSY)
        return err_sys(err, num, "active/%s is mounted", name);
    /* Whatever becomes of the mount point: the next image of that name must not find the layer. */
    int r = paths_discard(paths->overlays, name, err);
    if (r < 0)
        return r;
    if (num != ENOENT) {
        /* Somebody may have put files there while it was not mounted. */
        if (num != ENOTEMPTY)
            return err_sys(err, num, "cannot remove active/%s", name);
        return paths_discard(paths->active, name, err);
    }
    return 0;
}

int snapshot_each_mount(const struct paths *paths, void (*each)(void *ctx, const char *name),
                        void *ctx, struct err *err)
{
    char dir[PATH_MAX];
    struct text names CLEANUP_TEXT = {0};
    snprintf(dir, sizeof dir, "%.*s/active", PATHS_DIR_MAX, paths->dir);
    int r = mountinfo_list_below(dir, &names);
    if (r < 0)
        return err_sys(err, -r, "cannot list the mounts below %s", dir);
    for (size_t at = 0; at < names.len; at += strlen(names.data + at) + 1)
        if (!strchr(names.data + at, '/') || paths_snapshot_number(names.data + at))
            each(ctx, names.data + at);
    return 0;
}
