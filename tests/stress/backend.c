/* Many threads ask one backend for everything at once, of the same few names, while others read.
 *
 * No command may be lost, every refusal must be one of the contract's, what readers see must make
 * sense at any moment; and once nobody asks any more, every image comes to rest, can be removed,
 * and leaves a clean store. STRESS_SECONDS says how long (6), STRESS_SEED repeats a run's choices.
 */
#include "world.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define WRITERS 16
#define READERS 3
#define NAMES   8

static struct world w;
static atomic_bool over;
static atomic_ullong answered[BACKEND_CLEANUP + 1], refused, looks, actives;
static unsigned seed;

__attribute__((format(printf, 1, 2), noreturn)) static void fail(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fprintf(stderr, "FAIL: ");
    vfprintf(stderr, fmt, ap);
    fprintf(stderr, "\n");
    abort();
}

/* --- writers */

static const char *const modes[] = {"ok",  "ok",    "ok",       "range", "slow",
                                    "404", "500x1", "truncate", "hang"};

static void name_of(char name[static 16], unsigned i)
{
    snprintf(name, 16, "image-%u", i % NAMES);
}

/* A name keeps its digest, most of the time; two names share one. */
static unsigned archive_of(unsigned name, unsigned *random)
{
    return (rand_r(random) % 20 == 0 ? (unsigned)rand_r(random) : name) % WORLD_ARCHIVES;
}

static void ask_fetch(unsigned *random, struct err *err)
{
    struct backend_fetch lines[3] = {0};
    char names[3][16];
    size_t n = 1 + rand_r(random) % 3, at = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned name = (unsigned)rand_r(random) % NAMES;
        unsigned archive = archive_of(name, random);
        name_of(names[i], name);
        lines[i].name = names[i];
        lines[i].url = world_archive(&w, modes[rand_r(random) % ARRAY_SIZE(modes)], (int)archive);
        strcpy(lines[i].sha256, w.sha256[archive]);
    }
    struct backend_command c = {.kind = BACKEND_FETCH, .lines = lines, .count = n};
    if (world_submit(&w, &c, err, &at) && at >= n)
        fail("line %zu of %zu was refused", at, n);
}

static void ask(unsigned *random)
{
    /* Fetching is most of it, or there would be little to disturb. */
    static const enum backend_command_kind kinds[] = {
        BACKEND_FETCH,  BACKEND_FETCH,    BACKEND_FETCH,      BACKEND_RETRY,  BACKEND_RETRY,
        BACKEND_REMOVE, BACKEND_ACTIVATE, BACKEND_DEACTIVATE, BACKEND_CANCEL, BACKEND_CLEANUP};
    struct err err;
    char name[16];
    struct backend_command c = {.kind = kinds[rand_r(random) % ARRAY_SIZE(kinds)],
                                .dry_run = rand_r(random) % 2};
    name_of(name, (unsigned)rand_r(random));
    if (c.kind != BACKEND_CLEANUP)
        c.name = name;
    if (c.kind == BACKEND_FETCH)
        ask_fetch(random, &err);
    else
        world_submit(&w, &c, &err, NULL);
    answered[c.kind]++;
    refused += err.num != 0;
    if (err.num && err.num != ENOENT && err.num != EBUSY && err.num != EEXIST && err.num != EAGAIN)
        fail("command %d of %s: %s: %s", (int)c.kind, name, strerror(err.num), err.text);
    if (err.num && !err.text[0])
        fail("command %d of %s is refused without a reason", (int)c.kind, name);
}

static void *write_much(void *arg)
{
    unsigned random = seed + (unsigned)(uintptr_t)arg;
    while (!over) {
        ask(&random);
        usleep((unsigned)rand_r(&random) % 8000);
    }
    return NULL;
}

/* --- readers */

static void check_view(const struct backend_view *v)
{
    bool active = strcmp(v->state, "ACTIVE") == 0, failed = strcmp(v->state, "FAILED") == 0;
    actives += active && v->rootfs;
    if (v->rootfs && !active)
        fail("%s shows rootfs while %s", v->name, v->state);
    if (v->percent < 0 || v->percent > 100 || v->done < 0 || (active && v->percent != 100))
        fail("%s, %s: %d percent", v->name, v->state, v->percent);
    if (failed != (v->code != ERR_NONE) && strcmp(v->state, "DOWNLOADING") != 0)
        fail("%s is %s with the error '%s'", v->name, v->state, v->error);
    if (strlen(v->sha256) != 64 || strncmp(v->url, "http://", 7) != 0)
        fail("%s: sha256 %s, url %s", v->name, v->sha256, v->url);
    if ((active || strcmp(v->state, "STORED") == 0) && (v->entries <= 0 || v->size <= 0))
        fail("%s is %s with %lld entries", v->name, v->state, (long long)v->entries);
}

static void look_at_all(void)
{
    struct backend_name *names CLEANUP_FREE = NULL;
    struct backend_view view;
    bool rootfs;
    int64_t n = backend_list(w.backend, &names);
    for (int64_t i = 0; i < n; i++) {
        if (i > 0 && strcmp(names[i - 1].name, names[i].name) >= 0)
            fail("%s is listed after %s", names[i].name, names[i - 1].name);
        if (backend_view(w.backend, names[i].id, &view)) {
            if (strcmp(view.name, names[i].name) != 0)
                fail("%s became %s", names[i].name, view.name);
            check_view(&view);
        }
        backend_exists(w.backend, names[i].id, &rootfs);
    }
}

/* What is counted only rises, and how it stands is never out of bounds. */
static void check_metrics(struct metrics_values *before)
{
    struct metrics_values values;
    int64_t images = 0;
    backend_metrics(w.backend, &values);
    for (size_t i = 0; i < METRICS_STATES; i++) {
        images += values.of[METRICS_IMAGES + i];
        if (values.of[METRICS_IMAGES + i] < 0)
            fail("%lld images are %s", (long long)values.of[METRICS_IMAGES + i],
                 backend_state_word(i));
    }
    if (images > NAMES || values.of[METRICS_UNDERWAY] > images)
        fail("%lld of %lld images are under way", (long long)values.of[METRICS_UNDERWAY],
             (long long)images);
    for (size_t i = METRICS_JOBS; i <= METRICS_LAST_OF_JOBS; i++)
        if (values.of[i] < 0)
            fail("jobs: %lld", (long long)values.of[i]);
    for (size_t i = METRICS_FETCHES; i <= METRICS_LAST_OF_FETCH_TIME; i++)
        if (values.of[i] < before->of[i])
            fail("series %zu falls to %lld", i, (long long)values.of[i]);
    *before = values;
}

static void *read_much(void *arg)
{
    struct metrics_values before = {0};
    while (!over) {
        struct text text CLEANUP_TEXT = {0};
        size_t count;
        int64_t changed;
        char name[16];
        uint64_t id;
        look_at_all();
        name_of(name, (unsigned)looks);
        backend_find(w.backend, name, &id);
        backend_count(w.backend, &count, &changed);
        backend_health(w.backend, &text);
        backend_cleanup(w.backend, &text);
        check_metrics(&before);
        if (count > NAMES || !text.len)
            fail("%zu images; health and cleanup: '%s'", count, text.len ? text.data : "");
        looks++;
        usleep(200);
    }
    return NULL;
}

/* --- news: what came goes once, and nothing is said of what is not there */

static struct {
    pthread_mutex_t lock;
    bool there[100000]; /* by id */
    unsigned long long told;
} news = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void observe(void *ctx, unsigned changes, uint64_t id, const char *name)
{
    pthread_mutex_lock(&news.lock);
    bool *there = &news.there[id % ARRAY_SIZE(news.there)];
    if (*there != !(changes & BACKEND_APPEARED))
        fail("news %u of %s, which is%s there", changes, name, *there ? "" : " not");
    *there = !(changes & BACKEND_VANISHED);
    news.told++;
    pthread_mutex_unlock(&news.lock);
}

/* --- the end */

static bool at_rest(const struct backend_view *v)
{
    return strcmp(v->state, "ACTIVE") == 0 || strcmp(v->state, "FAILED") == 0 ||
           (strcmp(v->state, "STORED") == 0 && strcmp(v->want, "stored") == 0);
}

/* What hangs at the server never ends by itself. */
static void come_to_rest(const char *name)
{
    struct backend_view view;
    for (int i = 0; world_look(&w, name, &view) && !at_rest(&view); i++) {
        if (strstr(view.url, "/hang/"))
            world_do(&w, BACKEND_CANCEL, name);
        else if (i > 30000)
            fail("%s is still %s", name, view.state);
        usleep(1000);
    }
}

static bool is_empty(const char *folder)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", w.store, folder);
    DIR *dir CLEANUP_CLOSEDIR = opendir(path);
    for (struct dirent *d; dir && (d = readdir(dir));)
        if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0 &&
            strcmp(d->d_name, ".snap") != 0) {
            fprintf(stderr, "left: %s/%s\n", path, d->d_name);
            return false;
        }
    return dir != NULL;
}

/* Until nothing is left that a job under way might still bring. */
static void clean_up(void)
{
    static const char *const folders[] = {"blobs", "images", "overlays", "active"};
    for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
        for (int tries = 0; !is_empty(folders[i]); tries++) {
            if (tries > 50)
                fail("%s is not empty", folders[i]);
            usleep(100000);
            world_do(&w, BACKEND_CLEANUP, NULL);
        }
}

static void end(void)
{
    char name[16];
    for (unsigned i = 0; i < NAMES; i++) {
        name_of(name, i);
        come_to_rest(name);
    }
    for (unsigned i = 0; i < NAMES; i++) {
        name_of(name, i);
        int r = world_do(&w, BACKEND_REMOVE, name);
        if (r && r != ENOENT)
            fail("%s cannot be removed: %s", name, w.err.text);
    }
    size_t count;
    int64_t changed;
    backend_count(w.backend, &count, &changed);
    if (count)
        fail("%zu images are left", count);
    if (w.asked != w.answered)
        fail("%llu commands, %llu answers", w.asked, w.answered);
    if (actives == 0)
        fail("nothing was ever ACTIVE");
    world_do(&w, BACKEND_CLEANUP, NULL);
    clean_up();
    for (size_t i = 0; i < ARRAY_SIZE(news.there); i++)
        if (news.there[i])
            fail("nobody was told that image %zu is gone", i);
}

static void start_threads(pthread_t *threads, size_t n, void *(*run)(void *))
{
    for (size_t i = 0; i < n; i++)
        if (pthread_create(&threads[i], NULL, run, (void *)(uintptr_t)i))
            fail("no thread");
}

static unsigned setting(const char *name, unsigned otherwise)
{
    const char *value = getenv(name);
    return value ? (unsigned)strtoul(value, NULL, 10) : otherwise;
}

int main(void)
{
    pthread_t threads[WRITERS + READERS];
    unsigned seconds = setting("STRESS_SECONDS", 6);
    seed = setting("STRESS_SEED", (unsigned)getpid());
    const char *why = world_up(&w);
    if (why) {
        printf("SKIP: %s\n", why);
        world_down(&w);
        return 77;
    }
    printf("seed %u, %u s\n", seed, seconds);
    w.config.queue = NAMES - 2;
    if (world_open(&w) < 0)
        fail("%s", w.err.text);
    backend_set_observer(w.backend, observe, NULL);
    if (world_start(&w) < 0)
        fail("%s", w.err.text);
    start_threads(threads, WRITERS, write_much);
    start_threads(threads + WRITERS, READERS, read_much);
    sleep(seconds);
    over = true;
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        pthread_join(threads[i], NULL);
    end();
    printf("%llu fetches, %llu removals, %llu cleanups, %llu refused; %llu looks, %llu at what is "
           "ACTIVE; %llu news\n",
           answered[BACKEND_FETCH], answered[BACKEND_REMOVE], answered[BACKEND_CLEANUP], refused,
           looks, actives, news.told);
    world_down(&w);
    return 0;
}
