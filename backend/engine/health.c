#include "engine/engine.h"

#include "base/cleanup.h"
#include "base/io.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define FREE_INODES_LEAST 1000

static void add_room(struct text *health, const char *where, const struct statvfs *fs,
                     const struct amount *least)
{
    int64_t missing = space_missing_of(fs, least, 0), free_bytes = space_free(fs);
    if (missing <= 0)
        return;
    text_addf(health, "free space: %lld bytes in %s, less than min_free=", (long long)free_bytes,
              where);
    if (least->percent > 0)
        text_addf(health, "%d%%, %lld bytes\n", least->percent, (long long)(free_bytes + missing));
    else
        text_addf(health, "%lld\n", (long long)least->bytes);
}

/* shown: by metrics, which is of the store; or NULL. */
static void sample_room(const char *where, const struct amount *least, struct text *health,
                        struct metrics *shown)
{
    struct statvfs fs;
    int r = statvfs(where, &fs);
    if (shown)
        metrics_disk(shown, r < 0 ? NULL : &fs);
    if (r < 0) {
        text_addf(health, "free space: %s: %s\n", where, strerror(errno));
        return;
    }
    if (fs.f_flag & ST_RDONLY)
        text_addf(health, "read-only: %s\n", where);
    add_room(health, where, &fs, least);
    if (fs.f_files && fs.f_favail < FREE_INODES_LEAST)
        text_addf(health, "free inodes: %llu in %s\n", (unsigned long long)fs.f_favail, where);
}

static bool share_a_disk(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) < 0 || stat(b, &y) < 0 || x.st_dev == y.st_dev;
}

static int try_write(struct engine *e, void *ctx, struct err *err)
{
    return db_try_write(e->db, err);
}

static void sample_database(struct engine *e, struct text *health)
{
    struct err err = {0};
    if (e->trouble.num) /* that may be over, with nothing since to write down */
        (void)work_transact(e, true, try_write, NULL, &err);
    else
        (void)db_in_place(e->db, &err);
    if (err.num)
        text_addf(health, "%s\n", err.text);
}

/* So it is after a backup was put back, and after the database's log was damaged, of which SQLite
 * drops the last commits without a word. */
static void sample_kept(struct engine *e, int layers, const char *of, const char *folder,
                        struct text *health)
{
    size_t n = 0;
    DIR *dir CLEANUP_CLOSEDIR = io_list(layers);
    for (struct dirent *d; dir && (d = readdir(dir));)
        n += paths_is_kept(d->d_name);
    if (n)
        text_addf(health,
                  "kept layers: %zu of %s that the database does not know of, in "
                  "%s/%s/.kept-*: take from them what you need, and remove them\n",
                  n, of, e->paths.dir, folder);
}

void health_sample(struct engine *e)
{
    struct err err = {0};
    struct text health = {0};
    sample_database(e, &health);
    if (paths_in_place(&e->paths, &err) < 0)
        text_addf(&health, "%s\n", err.text);
    sample_kept(e, e->paths.overlays, "images", "overlays", &health);
    sample_kept(e, e->paths.snap_layers, "snapshots", "overlays/" PATHS_SNAP, &health);
    sample_room(e->paths.dir, &e->config->min_free, &health, &e->metrics);
    if (!share_a_disk(e->paths.dir, db_path(e->db)))
        sample_room(db_path(e->db), &(struct amount){0}, &health, NULL);
    if (!health.len)
        text_add(&health, HEALTH_OK);
    engine_set_text(e, &e->health, &health);
}
