#include "engine/engine.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "base/log.h"
#include "stages/snapshot/snapshot.h"
#include "stages/unpack/info.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define SAMPLE_MS         10000  /* between two looks at free space and at what has been unused */
#define CLEANUP_MS        600000 /* the longest between two looks through the store */
#define FREE_INODES_LEAST 1000

int chores_unmount(struct job *job, struct err *err)
{
    const struct stage_job *s = &job->stage;
    char key[PATHS_FILE_MAX];
    paths_image(key, s->sha256, s->policy);
    int r = s->settings->snapshot->busy(s->paths, s->name, err);
    if (r < 0)
        return r;
    registry_hide_rootfs(((struct engine *)job->owner)->registry, job->image, true);
    return s->settings->snapshot->unmount(s->paths, s->name, key, s->policy, err);
}

/* --- what is unused */

enum item_kind { ITEM_BLOB, ITEM_PART, ITEM_IMAGE };

struct item {
    enum item_kind kind;
    char name[PATHS_FILE_MAX];
    char sha256[PATHS_DIGEST_LEN + 1];
    enum policy policy;
    int64_t bytes, used; /* ms since 1970 */
};

struct cleanup {
    struct request *request; /* NULL: nobody asked */
    bool dry_run;
    int64_t before;     /* only what was last used before that, ms */
    int64_t wanted;     /* and, whatever its age, until so many bytes are free again */
    struct item *items; /* oldest use first */
    size_t count, capacity;
};

static void free_cleanup(struct cleanup *c)
{
    free(c->items);
    free(c);
}

/* Whose digest is it, and of which policy? The names are paths.c's. */
static bool parse_item(struct item *item)
{
    const char *rest = item->name + PATHS_DIGEST_LEN;
    if (strspn(item->name, "0123456789abcdef") != PATHS_DIGEST_LEN)
        return false;
    memcpy(item->sha256, item->name, PATHS_DIGEST_LEN);
    if (item->kind == ITEM_IMAGE) {
        item->policy = strcmp(rest, ".faithful") == 0 ? POLICY_FAITHFUL : POLICY_STRICT;
        return rest[0] == '\0' || item->policy == POLICY_FAITHFUL;
    }
    item->kind = strcmp(rest, ".part") == 0 ? ITEM_PART : ITEM_BLOB;
    return rest[0] == '.';
}

/* What an unpacked image holds, as it was noted when it was unpacked. */
static int64_t image_bytes(int images, const char *name)
{
    struct stage_result result = {.bytes = -1};
    (void)info_read(images, name, &result, NULL);
    return result.bytes > 0 ? result.bytes : 0;
}

static int add_item(struct cleanup *c, enum item_kind kind, int dirfd, const char *name)
{
    struct item item = {.kind = kind};
    struct stat st;
    if (snprintf(item.name, sizeof item.name, "%s", name) >= (int)sizeof item.name ||
        !parse_item(&item) || fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    item.bytes = kind == ITEM_IMAGE ? -1 : st.st_size; /* an image's is asked for when it matters */
    item.used = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
    if (c->count == c->capacity) {
        size_t capacity = c->capacity ? 2 * c->capacity : 64;
        struct item *items = reallocarray(c->items, capacity, sizeof *items);
        if (!items)
            return -ENOMEM;
        c->items = items;
        c->capacity = capacity;
    }
    c->items[c->count++] = item;
    return 0;
}

static int scan_dir(struct cleanup *c, enum item_kind kind, int dirfd)
{
    DIR *dir CLEANUP_CLOSEDIR = io_list(dirfd);
    int r = dir ? 0 : -errno;
    for (struct dirent *d; r == 0 && (d = readdir(dir));)
        r = add_item(c, kind, dirfd, d->d_name);
    return r;
}

static int by_use(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    return (x->used > y->used) - (x->used < y->used);
}

static int scan(struct job *job, struct err *err)
{
    struct cleanup *c = job->stage.ctx;
    int r = scan_dir(c, ITEM_BLOB, job->stage.paths->blobs);
    if (r == 0)
        r = scan_dir(c, ITEM_IMAGE, job->stage.paths->images);
    if (r < 0)
        return err_sys(err, -r, "cannot look through the store");
    if (c->count)
        qsort(c->items, c->count, sizeof *c->items, by_use);
    return 0;
}

/* Asked on the engine's thread, at the moment of removal: no fetch can come in between. */
static bool is_referenced(struct engine *e, const struct item *item)
{
    for (struct image *i = registry_next_of_digest(e->registry, item->sha256, NULL); i;
         i = registry_next_of_digest(e->registry, item->sha256, i))
        if (item->kind != ITEM_IMAGE || i->policy == item->policy)
            return true;
    return false;
}

static const char *item_word(enum item_kind kind)
{
    static const char *const words[] = {
        [ITEM_BLOB] = "blob", [ITEM_PART] = "part", [ITEM_IMAGE] = "image"};
    return words[kind];
}

static bool discard_item(struct engine *e, const struct item *item)
{
    struct err err = {0};
    int dirfd = item->kind == ITEM_IMAGE ? e->paths.images : e->paths.blobs;
    if (paths_discard(dirfd, item->name, &err) == 0)
        return true;
    log_warn(NULL, "cleanup: %s", err.text);
    return false;
}

static bool wants_gone(const struct cleanup *c, const struct item *item, int64_t freed)
{
    return item->used < c->before || freed < c->wanted;
}

static size_t remove_unused(struct engine *e, struct cleanup *c, struct text *report)
{
    size_t n = 0;
    int64_t bytes = 0;
    for (size_t i = 0; i < c->count; i++) {
        struct item *item = &c->items[i];
        if (is_referenced(e, item) || !wants_gone(c, item, bytes))
            continue;
        if (item->bytes < 0)
            item->bytes = image_bytes(e->paths.images, item->name);
        if (!c->dry_run && !discard_item(e, item))
            continue;
        text_addf(report, "%s %s %s %lld\n", c->dry_run ? "would-remove" : "removed",
                  item_word(item->kind), item->name, (long long)item->bytes);
        bytes += item->bytes;
        n++;
    }
    text_addf(report, "total %zu %lld\n", n, (long long)bytes);
    if (n && !c->dry_run)
        log_info(NULL, "cleanup: removed %zu unused, %lld bytes", n, (long long)bytes);
    return c->dry_run ? 0 : n;
}

static void push_cleanup(struct engine *e, struct request *request, int64_t before, int64_t wanted)
{
    struct err err = {0};
    struct cleanup *c = calloc(1, sizeof *c);
    struct job *job = c ? job_new(e, NULL, QUEUE_CHORE, scan) : NULL;
    if (!job) {
        free(c);
        err_sys(&err, ENOMEM, "cannot clean up");
        request_reply(request, &err);
        return;
    }
    *c = (struct cleanup){.request = request,
                          .dry_run = request && request->command.dry_run,
                          .before = before,
                          .wanted = wanted};
    job->stage.ctx = c;
    e->cleaning = true;
    queue_push(e->queue, job);
}

void chores_cleanup(struct engine *e, struct request *request)
{
    push_cleanup(e, request, INT64_MAX, 0);
}

static void finish_idle(struct engine *e, struct request *request)
{
    e->cleaning = false;
    request_reply(request, NULL);
}

static void finish_scan(struct engine *e, struct job *job)
{
    struct cleanup *c = job->stage.ctx;
    struct text report = {0};
    if (job->status < 0) {
        e->cleaning = false;
        log_warn(NULL, "cleanup: %s", job->err.text);
        request_reply(c->request, &job->err);
        free_cleanup(c);
        return;
    }
    size_t removed = remove_unused(e, c, &report);
    if (c->request || removed) {
        engine_set_text(e, &e->cleanup, &report);
    } else {
        text_free(&report);
    }
    if (removed)
        chores_sweep(e, c->request); /* until then there is no more room than there was */
    else
        finish_idle(e, c->request);
    free_cleanup(c);
}

/* --- trash */

static int sweep(struct job *job, struct err *err)
{
    const struct paths *p = job->stage.paths;
    const int dirs[] = {p->blobs, p->images, p->overlays, p->active};
    int result = 0;
    for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
        int r = paths_empty_trash(dirs[i]);
        if (r < 0)
            result = err_sys(err, -r, "cannot remove what was discarded");
    }
    return result;
}

void chores_sweep(struct engine *e, struct request *then)
{
    struct job *job = job_new(e, NULL, QUEUE_CHORE, sweep);
    if (!job) {
        request_reply(then, NULL); /* the next sweep takes it along */
        return;
    }
    job->stage.ctx = then;
    queue_push(e->queue, job);
}

void chores_finished(struct engine *e, struct job *job)
{
    if (job->run == scan) {
        finish_scan(e, job);
    } else {
        e->cleaning = false;
        if (job->status < 0)
            log_warn(NULL, "%s", job->err.text);
        request_reply(job->stage.ctx, NULL);
    }
    job_free(job);
}

struct request *chores_drop(struct job *job)
{
    if (job->run == sweep)
        return job->stage.ctx;
    if (job->run != scan)
        return NULL;
    struct cleanup *c = job->stage.ctx;
    struct request *request = c->request;
    free_cleanup(c);
    return request;
}

void chores_unreferenced(struct engine *e, const char *sha256)
{
    char name[PATHS_FILE_MAX];
    int64_t size;
    enum format format = paths_find_blob(&e->paths, sha256, &size);
    if (format != FORMAT_UNKNOWN) {
        paths_blob(name, sha256, format);
        utimensat(e->paths.blobs, name, NULL, AT_SYMLINK_NOFOLLOW);
    }
    for (enum policy p = POLICY_STRICT; p <= POLICY_FAITHFUL; p++) {
        paths_image(name, sha256, p);
        utimensat(e->paths.images, name, NULL, AT_SYMLINK_NOFOLLOW);
        paths_image_part(name, sha256, p);
        paths_discard(e->paths.images, name, NULL);
    }
    paths_part(name, sha256);
    paths_discard(e->paths.blobs, name, NULL);
}

/* --- health */

static void sample_room(const char *where, int64_t min_free, struct text *health, int64_t *missing)
{
    struct statvfs fs;
    if (statvfs(where, &fs) < 0) {
        text_addf(health, "free space: %s: %s\n", where, strerror(errno));
        return;
    }
    int64_t free_bytes = (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
    if (fs.f_flag & ST_RDONLY)
        text_addf(health, "read-only: %s\n", where);
    if (free_bytes < min_free) {
        *missing = min_free - free_bytes;
        text_addf(health, "free space: %lld bytes in %s, less than min_free=%lld\n",
                  (long long)free_bytes, where, (long long)min_free);
    }
    if (fs.f_files && fs.f_favail < FREE_INODES_LEAST)
        text_addf(health, "free inodes: %llu in %s\n", (unsigned long long)fs.f_favail, where);
}

static bool share_a_disk(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) < 0 || stat(b, &y) < 0 || x.st_dev == y.st_dev;
}

static int try_write(struct engine *e, const void *ctx, struct err *err)
{
    return db_try_write(e->db, err);
}

static void sample_database(struct engine *e, struct text *health)
{
    struct err err = {0};
    if (e->trouble.num) /* that may be over, with nothing since to write down */
        (void)work_transact(e, try_write, NULL, &err);
    else
        (void)db_in_place(e->db, &err);
    if (err.num)
        text_addf(health, "%s\n", err.text);
}

static void sample(struct engine *e, struct text *health, int64_t *missing)
{
    struct err err = {0};
    int64_t ignored = 0;
    sample_database(e, health);
    if (paths_in_place(&e->paths, &err) < 0)
        text_addf(health, "%s\n", err.text);
    sample_room(e->paths.dir, e->config->min_free, health, missing);
    if (!share_a_disk(e->paths.dir, db_path(e->db)))
        sample_room(db_path(e->db), 0, health, &ignored);
}

/* Looking through a large store costs something: often enough for what is kept to go in time. */
static int64_t cleanup_interval(int64_t keep)
{
    int64_t interval = keep / 10;
    return interval < SAMPLE_MS ? SAMPLE_MS : interval > CLEANUP_MS ? CLEANUP_MS : interval;
}

/* What someone else has unmounted is mounted again. */
static void check_mounts(struct engine *e)
{
    struct err err = {0};
    if (recover_see_mounts(e, &err) < 0)
        return;
    for (struct image *i = registry_next(e->registry, NULL); i; i = registry_next(e->registry, i))
        if (i->state == FSM_ACTIVE && !i->mounted && !i->waits)
            work_unmounted(e, i);
}

void chores_run(struct engine *e, int64_t now)
{
    if (now < e->next_chores)
        return;
    e->next_chores = now + SAMPLE_MS;
    struct text health = {0};
    int64_t missing = 0, keep = e->config->keep_unused;
    sample(e, &health, &missing);
    check_mounts(e);
    if (!health.len)
        text_add(&health, "ok\n");
    engine_set_text(e, &e->health, &health);
    if (!e->cleaning && (missing > 0 || now >= e->next_cleanup)) {
        e->next_cleanup = now + cleanup_interval(keep);
        push_cleanup(e, NULL, keep == TEXT_UNLIMITED ? 0 : text_now_ms() - keep, missing);
    }
}
