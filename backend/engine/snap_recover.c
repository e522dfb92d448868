#include "engine/snap.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/log.h"
#include "stages/snapshot/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* What a failure has left of one that never was can outlast its image: it goes. */
static int load(void *ctx, const struct snapshots_row *row)
{
    struct engine *e = ctx;
    struct err err = {0};
    const struct image *image = registry_get(e->registry, (uint64_t)row->image);
    bool answered = strcmp(row->state, snaps_state_word(SNAP_ACTIVE)) == 0;
    if (row->number <= 0 || !paths_name_valid(row->id, strlen(row->id)) ||
        (!answered && strcmp(row->state, snaps_state_word(SNAP_ACTIVATING)) != 0))
        return -EINVAL;
    if (!image) {
        (void)snapshots_delete(e->db, (uint64_t)row->number, &err); /* else the next start does */
        return 0;
    }
    struct snap *s =
        snaps_new((uint64_t)row->number, image->id, image->name, row->id, row->created);
    if (!s)
        return -ENOMEM;
    s->answered = answered;
    snaps_add(e->snaps, s);
    return 0;
}

int snap_recover_load(struct engine *e, struct err *err)
{
    uint64_t last;
    int r = snapshots_last(e->db, &last, err);
    if (r == 0)
        r = snapshots_each(e->db, load, e, err);
    if (r == -EINVAL)
        return err_set(err, ERR_IO, EINVAL, "%s holds a snapshot that makes no sense",
                       e->config->database);
    if (r == -ENOMEM)
        return err_sys(err, ENOMEM, "cannot hold the snapshots");
    e->next_snap = e->first_snap = last + 1;
    return r;
}

/* --- what was under way */

/* Whoever asked for it has no answer, and will get none. If it is in use all the same, it is kept.
 */
static bool is_half_made(struct engine *e, struct snap *s)
{
    struct err err = {0};
    if (s->answered)
        return false;
    if (e->settings.snapshot->unmount(&e->paths, s->place, "", POLICY_STRICT, &err) == 0)
        return true;
    log_failure(s->image_name, &err, "snapshot %s, which was never finished, is kept: %s", s->id,
                err.text);
    return false;
}

struct halves {
    struct snap **list;
    size_t count, capacity;
};

static int write_halves(struct engine *e, void *ctx, struct err *err)
{
    const struct halves *h = ctx;
    int r = 0;
    for (struct snap *s = snaps_next(e->snaps, NULL); r == 0 && s; s = snaps_next(e->snaps, s))
        if (!s->answered)
            r = snapshots_set_state(e->db, s->number, snaps_state_word(SNAP_ACTIVE), err);
    for (size_t i = 0; r == 0 && i < h->count; i++)
        r = snapshots_delete(e->db, h->list[i]->number, err);
    return r;
}

static int find_halves(struct engine *e, struct halves *h, bool *kept)
{
    for (struct snap *s = snaps_next(e->snaps, NULL); s; s = snaps_next(e->snaps, s)) {
        if (!is_half_made(e, s)) {
            *kept = *kept || !s->answered;
            continue;
        }
        struct snap **more = array_more(h->list, h->count, &h->capacity, sizeof *more);
        if (!more)
            return -ENOMEM;
        h->list = more;
        h->list[h->count++] = s;
    }
    return 0;
}

/* Their layers are what snap_recover_orphans() finds. */
static int settle_halves(struct engine *e, struct err *err)
{
    struct halves h = {0};
    bool kept = false;
    int r = find_halves(e, &h, &kept);
    if (r < 0)
        err_sys(err, -r, "cannot look at what there is");
    if (r == 0 && (h.count || kept))
        r = work_transact(e, true, write_halves, &h, err);
    for (size_t i = 0; r == 0 && i < h.count; i++)
        snaps_remove(e->snaps, h.list[i]);
    free(h.list);
    return r;
}

int snap_recover_run(struct engine *e, struct err *err)
{
    int r = settle_halves(e, err);
    for (struct snap *s = snaps_next(e->snaps, NULL); r == 0 && s; s = snaps_next(e->snaps, s)) {
        s->answered = true;
        if (!s->mounted) {
            snaps_line_up(e->snaps, s);
            continue;
        }
        snaps_set_state(e->snaps, s, SNAP_ACTIVE);
        log_info(s->image_name, "snapshot %s adopted", s->id);
    }
    return r;
}

/* --- leftovers */

static bool is_empty(const struct paths *p, const char *name)
{
    char upper[PATHS_FILE_MAX + 8];
    snprintf(upper, sizeof upper, "%s/upper", name);
    int fd CLEANUP_CLOSE =
        openat(p->snap_layers, upper, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT;
    DIR *dir CLEANUP_CLOSEDIR = io_list(fd);
    if (!dir)
        return false;
    struct dirent *d;
    while (errno = 0, (d = readdir(dir)))
        if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
            return false;
    return errno == 0;
}

/* A number that the database has given out and has no row of is a snapshot's that was removed. Of
 * any other one it does not know: it was brought back from a backup, or has lost its last commits.
 * It is kept aside also while someone writes to it, who does not notice: the next start would take
 * it for a removed one's, as numbers have gone past it. Where that fails none are given out. */
static int keep_layer(struct engine *e, const char *name, struct err *err)
{
    char kept[PATHS_FILE_MAX];
    int r = paths_keep_aside(e->paths.snap_layers, name, kept, err);
    if (r == 0)
        log_warn(NULL,
                 "the database does not know of the snapshot whose layer this was: it is kept in "
                 "%s/overlays/" PATHS_SNAP "/%s; remove it, or take from it what you need",
                 e->paths.dir, kept);
    return r;
}

static void take_orphan(struct engine *e, const char *name)
{
    char place[PATHS_FILE_MAX + sizeof PATHS_SNAP];
    struct err err = {0};
    snprintf(place, sizeof place, PATHS_SNAP "/%s", name);
    uint64_t number = paths_snapshot_number(place);
    if (!number || snaps_get(e->snaps, number))
        return;
    if (number >= e->next_snap)
        e->next_snap = number + 1;
    int r = e->settings.snapshot->unmount(&e->paths, place, "", POLICY_STRICT, &err);
    if (number >= e->first_snap && (r < 0 || !is_empty(&e->paths, name))) {
        r = keep_layer(e, name, &err);
        e->snaps_stuck = e->snaps_stuck || r < 0;
    } else if (r == 0) {
        r = paths_discard(e->paths.snap_layers, name, &err);
    }
    if (r < 0)
        log_failure(NULL, &err, "the layer %s of a snapshot that is not known stays: %s", place,
                    err.text);
}

void snap_recover_orphans(struct engine *e)
{
    DIR *dir CLEANUP_CLOSEDIR = io_list(e->paths.snap_layers);
    for (struct dirent *d; dir && (d = readdir(dir));)
        if (d->d_name[0] != '.')
            take_orphan(e, d->d_name);
}
