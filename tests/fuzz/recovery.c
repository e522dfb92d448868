/* A start over any store and database: store_make.h says how an input describes them.
 *
 * snapshot_overlay is a stand-in, which the linker takes instead of the one that mounts: nothing is
 * ever mounted, and whatever is called busy… is in use. So no root is needed. */
#include "fuzz.h"
#include "store_list.h"
#include "store_make.h"

#include "backend/backend.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/log.h"
#include "stages/snapshot/snapshot.h"
#include "store/paths.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* --- the stand-in */

static int probe(struct paths *paths, struct err *err)
{
    return 0;
}

static int mount_never(const struct paths *paths, const char *name, const char *key,
                       enum policy policy, struct err *err)
{
    fuzz_fail(__FILE__, __LINE__, "nothing is mounted before the threads run");
}

static int busy(const struct paths *paths, const char *name, struct err *err)
{
    return strncmp(name, "busy", 4) == 0 ? err_set(err, ERR_MOUNT_FAILED, EBUSY, "in use") : 0;
}

static int unmount(const struct paths *paths, const char *name, const char *key, enum policy policy,
                   struct err *err)
{
    return busy(paths, name, err);
}

static bool mounted(const struct paths *paths, const char *name)
{
    return false;
}

const struct snapshot_backend snapshot_overlay = {
    .name = "overlay",
    .probe = probe,
    .mount = mount_never,
    .busy = busy,
    .unmount = unmount,
    .mounted = mounted,
};

/* --- a place to work in */

struct place {
    char dir[PATH_MAX / 4], store[PATH_MAX / 4 + 16], database[PATH_MAX / 4 + 16];
    int tmp, fd; /* where it lies, and the place itself */
    const char *name;
};

static void make_outside(int dir)
{
    FUZZ_MUST(mkdirat(dir, "outside", 0755) == 0 && mkdirat(dir, "outside/dir", 0755) == 0);
    int fd CLEANUP_CLOSE = openat(dir, "outside/file", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    FUZZ_MUST(fd >= 0 && io_write(fd, "canary\n", 7) == 0);
}

/* In memory where that can be: it is made and removed thousands of times. */
static void place_open(struct place *p)
{
    const char *tmp = getenv("TMPDIR");
    if (!tmp || !*tmp)
        tmp = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(p->dir, sizeof p->dir, "%.900s/imgstore-fuzz-XXXXXX", tmp);
    FUZZ_MUST(mkdtemp(p->dir));
    p->name = strrchr(p->dir, '/') + 1;
    p->tmp = open(tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    p->fd = open(p->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    FUZZ_MUST(p->tmp >= 0 && p->fd >= 0);
    snprintf(p->store, sizeof p->store, "%s/store", p->dir);
    snprintf(p->database, sizeof p->database, "%s/store.db", p->dir);
    make_outside(p->fd);
}

static void place_close(struct place *p)
{
    close(p->fd);
    FUZZ_MUST(io_remove_tree(p->tmp, p->name) == 0);
    close(p->tmp);
}

/* --- a start */

struct start {
    struct err err;
    struct text images;                                       /* as users see them */
    struct text outside, blobs, images_dir, overlays, active; /* as they lie there */
    struct backend_name *names;
    int64_t count;
};

static void start_free(struct start *s)
{
    struct text *all[] = {&s->images,     &s->outside,  &s->blobs,
                          &s->images_dir, &s->overlays, &s->active};
    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        text_free(all[i]);
    free(s->names);
}
#define CLEANUP_START __attribute__((cleanup(start_free)))

static void look(struct start *s, const struct place *p)
{
    store_list(&s->outside, p->fd, "outside");
    store_list(&s->blobs, p->fd, "store/blobs");
    store_list(&s->images_dir, p->fd, "store/images");
    store_list(&s->overlays, p->fd, "store/overlays");
    store_list(&s->active, p->fd, "store/active");
}

static void check_view(const struct place *p, const struct backend_view *v)
{
    char rootfs[PATH_MAX];
    FUZZ_MUST(backend_name_valid(v->name, strlen(v->name)) && strlen(v->sha256) == 64);
    FUZZ_MUST(strcmp(v->state, "ACTIVE") != 0); /* what is not mounted is not active */
    snprintf(rootfs, sizeof rootfs, "store/images/%s%s/rootfs", v->sha256,
             strcmp(v->policy, "faithful") == 0 ? ".faithful" : "");
    if (strcmp(v->state, "STORED") == 0 || strcmp(v->state, "ACTIVATING") == 0)
        FUZZ_MUST(faccessat(p->fd, rootfs, F_OK, AT_SYMLINK_NOFOLLOW) == 0);
}

static void see_images(struct start *s, const struct place *p, struct backend *b)
{
    struct backend_view v;
    s->count = backend_list(b, &s->names);
    FUZZ_MUST(s->count >= 0);
    for (int64_t i = 0; i < s->count; i++) {
        FUZZ_MUST(backend_view(b, s->names[i].id, &v));
        check_view(p, &v);
        text_addf(&s->images, "%llu %s %s %s %s %s %lld %s %lld\n", (unsigned long long)v.id,
                  v.name, v.state, v.want, v.policy, v.sha256, (long long)v.attempts, v.error,
                  (long long)v.next_retry);
    }
}

static void start(struct start *s, const struct place *p)
{
    const struct backend_config config = {
        .store = p->store,
        .database = p->database,
        .helper = "/nonexistent",
        .sink = "dir",
        .limits = {INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX},
        .downloads = 1,
        .host_downloads = 1,
        .unpacks = 1,
        .queue = 100,
        .attempts = 3,
        .retry_delay = 1000,
        .retry_max = 10000,
        .keep_unused = TEXT_UNLIMITED,
    };
    struct backend *b = NULL;
    int r = backend_open(&b, &config, &s->err);
    if (r < 0)
        FUZZ_MUST(s->err.num > 0 && *s->err.text);
    else
        see_images(s, p, b);
    if (r == 0)
        backend_close(b, true);
    look(s, p);
}

/* --- what must hold */

static bool same(const struct text *a, const struct text *b)
{
    return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

/* Is every line of `before` that `cares` about in `after`, too? */
static void check_kept(const struct text *before, const struct text *after,
                       bool (*cares)(const char *line, const char *word), const char *word)
{
    for (const char *line = before->len ? before->data : "", *end; *line; line = end + 1) {
        end = strchr(line, '\n');
        if (!cares(line, word))
            continue;
        char *whole CLEANUP_FREE = strndup(line, (size_t)(end - line + 1));
        FUZZ_MUST(whole && after->len && strstr(after->data, whole));
    }
}

/* It is that path, or lies below it. */
static bool is_in(const char *line, const char *path)
{
    size_t n = strlen(path);
    return strncmp(line, path, n) == 0 && (line[n] == '/' || line[n] == ' ');
}

/* It lies in that folder of the store, and not in something that was under way. */
static bool is_whole(const char *line, const char *folder)
{
    size_t n = strlen(folder);
    const char *name = line + n + 1, *end = name + strcspn(name, "/ ");
    return strncmp(line, folder, n) == 0 && line[n] == '/' &&
           !(end - name >= 5 && memcmp(end - 5, ".part", 5) == 0);
}

static void check_layers(const struct start *before, const struct start *after)
{
    for (int64_t i = 0; i < after->count; i++) {
        char path[BACKEND_NAME_MAX + 32];
        snprintf(path, sizeof path, "store/overlays/%s", after->names[i].name);
        check_kept(&before->overlays, &after->overlays, is_in, path);
    }
    check_kept(&before->overlays, &after->overlays, is_in, "store/overlays/busy");
    check_kept(&before->blobs, &after->blobs, is_whole, "store/blobs");
    check_kept(&before->images_dir, &after->images_dir, is_whole, "store/images");
}

static void check_start(const struct start *before, const struct start *after)
{
    FUZZ_MUST(same(&before->outside, &after->outside));
    if (after->err.num)
        FUZZ_MUST(same(&before->overlays, &after->overlays) &&
                  same(&before->blobs, &after->blobs) &&
                  same(&before->images_dir, &after->images_dir));
    else
        check_layers(before, after);
}

/* A second start finds nothing left to do. */
static void check_again(const struct start *once, const struct start *twice)
{
    FUZZ_MUST(once->err.num == twice->err.num);
    FUZZ_MUST(same(&once->images, &twice->images));
    FUZZ_MUST(same(&once->outside, &twice->outside) && same(&once->blobs, &twice->blobs));
    FUZZ_MUST(same(&once->images_dir, &twice->images_dir));
    FUZZ_MUST(same(&once->overlays, &twice->overlays) && same(&once->active, &twice->active));
}

static void check_both(const struct place *p)
{
    struct start before CLEANUP_START = {0};
    struct start once CLEANUP_START = {0};
    struct start twice CLEANUP_START = {0};
    look(&before, p);
    start(&once, p);
    check_start(&before, &once);
    start(&twice, p);
    check_again(&once, &twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct place p;
    struct err err = {0};
    char *lines CLEANUP_FREE = fuzz_string(data, size);
    log_set_level(LOG_LEVEL_ERROR);
    place_open(&p);
    int r = store_make(&(struct store_place){p.store, p.database}, lines, &err);
    if (r == 0)
        check_both(&p);
    place_close(&p);
    if (r < 0) {
        fprintf(stderr, "no store can be made in $TMPDIR: %s\n", err.text);
        exit(77);
    }
    return 0;
}
