#include "world.h"

#include "base/io.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <semaphore.h>
#include <string.h>
#include <sys/stat.h>

#define ME   11
#define ELSE 12

static struct world w;
static char *archive; /* a1.tar.gz */
static size_t size;

static void read_archive(const char *file)
{
    char path[128];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", w.www, file);
    int fd CLEANUP_CLOSE = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert(fstat(fd, &st) == 0);
    size = (size_t)st.st_size;
    archive = malloc(size);
    cr_assert_eq(io_read(fd, archive, size), (ssize_t)size);
}

static void set_up(void)
{
    const char *why = world_up(&w);
    if (why)
        cr_skip_test("%s", why);
    read_archive("a1.tar.gz");
}

static void tear_down(void)
{
    free(archive);
    world_down(&w);
}

TestSuite(import, .init = set_up, .fini = tear_down, .timeout = 60);

static void start(void)
{
    cr_assert_eq(world_start(&w), 0, "%s", w.err.text);
}

/* --- calls that wait for their answer */

struct said {
    struct err err;
    sem_t there;
    int times;
};

static void hear(void *ctx, const struct err *err)
{
    struct said *s = ctx;
    s->err = *err;
    s->times++;
    sem_post(&s->there);
}

static struct said said;

static void listen(void)
{
    said = (struct said){0};
    sem_init(&said.there, 0, 0);
}

static int heard(void)
{
    while (sem_wait(&said.there) < 0)
        ;
    cr_assert_eq(said.times, 1);
    return said.err.num;
}

static struct backend_import *begin(const char *name)
{
    struct backend_import *import = NULL;
    cr_assert_eq(backend_import_begin(w.backend, name, ME, &import, &w.err), 0, "%s", w.err.text);
    return import;
}

static int refused(const char *name)
{
    struct backend_import *import = NULL;
    int r = backend_import_begin(w.backend, name, ME, &import, &w.err);
    cr_assert_null(import);
    return -r;
}

static int write_at(struct backend_import *import, const void *bytes, size_t n, size_t at)
{
    listen();
    backend_import_write(import, bytes, n, (int64_t)at, hear, &said);
    return heard();
}

static int write_piece(struct backend_import *import, size_t from, size_t to)
{
    return write_at(import, archive + from, to - from, from);
}

static int flush(struct backend_import *import, int64_t by)
{
    listen();
    backend_import_flush(import, by, hear, &said);
    return heard();
}

static int release(struct backend_import *import)
{
    listen();
    backend_import_release(import, hear, &said);
    return heard();
}

static int unlink_it(const char *name)
{
    return -backend_import_unlink(w.backend, name, &w.err);
}

static bool is_listed(const char *name)
{
    uint64_t id;
    return backend_import_find(w.backend, name, &id);
}

/* What imports have left in that folder of the store. */
static size_t left_in(const char *folder)
{
    char path[128];
    size_t n = 0;
    snprintf(path, sizeof path, "%s/%s", w.store, folder);
    int fd CLEANUP_CLOSE = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir CLEANUP_CLOSEDIR = io_list(fd);
    for (struct dirent *d; dir && (d = readdir(dir));)
        n += strstr(d->d_name, "import") != NULL;
    return n;
}

static void cr_nothing_left(void)
{
    int64_t end = text_monotonic_ms() + 5000;
    while (left_in("blobs") + left_in("images") > 0 && text_monotonic_ms() < end)
        usleep(1000);
    cr_assert_eq(left_in("blobs") + left_in("images"), 0);
}

/* --- to its end */

Test(import, becomes_an_image_at_the_flush_that_has_seen_all)
{
    struct backend_view view;
    start();
    struct backend_import *i = begin("web");
    cr_assert(is_listed("web"));
    cr_assert_eq(write_piece(i, 0, 1000), 0);
    cr_assert_eq(write_piece(i, 1000, size), 0);
    cr_assert_eq(flush(i, ME), 0, "%s", said.err.text);
    cr_assert(world_look(&w, "web", &view));
    cr_assert_str_eq(view.url, "import:");
    cr_assert_str_eq(view.sha256, w.sha256[1]);
    cr_assert_str_eq(view.format, "tar.gz");
    cr_assert_eq(view.size, (int64_t)size);
    cr_assert_not(is_listed("web"));
    cr_assert_eq(release(i), 0);
    cr_assert(world_wait(&w, "web", "ACTIVE"));
    cr_nothing_left();
}

Test(import, takes_no_more_once_it_is_an_image)
{
    start();
    struct backend_import *i = begin("web");
    cr_assert_eq(write_piece(i, 0, size), 0);
    cr_assert_eq(flush(i, ELSE), 0);
    cr_assert_eq(write_at(i, "x", 1, size), EINVAL);
    cr_assert(strstr(said.err.text, "has become an image"), "%s", said.err.text);
    cr_assert_eq(flush(i, ME), 0);
    cr_assert_eq(unlink_it("web"), ENOENT);
    cr_assert_eq(release(i), 0);
}

Test(import, goes_on_after_a_flush_that_has_not)
{
    start();
    struct backend_import *i = begin("web");
    cr_assert_eq(flush(i, ME), 0, "a shell flushes before the first byte");
    cr_assert_eq(write_piece(i, 0, size / 2), 0);
    cr_assert_eq(flush(i, ELSE), 0, "more may come");
    cr_assert_eq(flush(i, ME), EINVAL, "who has begun it has ended");
    cr_assert_eq(said.err.code, ERR_CORRUPT_ARCHIVE);
    cr_assert_eq(flush(i, ME), EINVAL, "as often as is asked");
    cr_assert(is_listed("web"));
    cr_assert_eq(write_piece(i, size / 2, size), 0);
    cr_assert_eq(flush(i, ELSE), 0);
    cr_assert(world_wait(&w, "web", "ACTIVE"));
    cr_assert_eq(release(i), 0);
}

Test(import, one_byte_less_is_not_all)
{
    start();
    struct backend_import *i = begin("web");
    cr_assert_eq(write_piece(i, 0, size - 1), 0);
    cr_assert_eq(flush(i, ELSE), 0);
    cr_assert_str_eq(world_state(&w, "web"), "");
    cr_assert_eq(write_piece(i, size - 1, size), 0);
    cr_assert_eq(flush(i, ELSE), 0);
    cr_assert_str_neq(world_state(&w, "web"), "");
    cr_assert_eq(release(i), 0);
}

Test(import, what_is_refused_is_all_there_is)
{
    w.config.limits.max_files = 3;
    start();
    struct backend_import *i = begin("web");
    cr_assert_eq(write_piece(i, 0, size), 0);
    cr_assert_eq(flush(i, ME), 0, "%s", said.err.text);
    cr_assert_eq(release(i), 0);
    cr_assert(world_wait(&w, "web", "FAILED"));
    cr_nothing_left();
}

/* --- broken off */

Test(import, closed_too_early_leaves_nothing)
{
    start();
    struct backend_import *i = begin("web");
    cr_assert_eq(write_piece(i, 0, 5000), 0);
    cr_assert_eq(flush(i, ELSE), 0);
    cr_assert_eq(release(i), EINVAL);
    cr_assert(strstr(said.err.text, "corrupt-archive: "), "%s", said.err.text);
    cr_assert(strstr(said.err.text, ", 5000 bytes"), "%s", said.err.text);
    i = begin("web");
    cr_assert_eq(release(i), EINVAL);
    cr_assert_str_eq(said.err.text, "nothing was written");
    cr_assert_str_eq(world_state(&w, "web"), "");
    cr_nothing_left();
}

Test(import, removed_it_is_broken_off)
{
    start();
    struct backend_import *i = begin("web");
    cr_assert_eq(write_piece(i, 0, size), 0);
    cr_assert_eq(unlink_it("web"), 0);
    cr_nothing_left();
    cr_assert_eq(unlink_it("web"), ENOENT);
    cr_assert_eq(write_at(i, "x", 1, size), ECANCELED);
    cr_assert_eq(flush(i, ME), ECANCELED);
    struct backend_import *next = begin("web");
    cr_assert_eq(release(i), 0);
    cr_assert(is_listed("web"));
    cr_assert_eq(release(next), EINVAL);
    cr_assert_str_eq(world_state(&w, "web"), "");
}

Test(import, a_stop_does_not_wait_for_a_writer)
{
    start();
    struct backend_import *hangs = begin("hangs"), *idle = begin("idle");
    cr_assert_eq(write_piece(hangs, 0, size / 2), 0);
    int64_t begun = text_monotonic_ms();
    backend_stop(w.backend);
    cr_assert_lt(text_monotonic_ms() - begun, 5000);
    cr_assert_eq(left_in("blobs") + left_in("images"), 0);
    cr_assert_eq(write_piece(hangs, size / 2, size), ECANCELED);
    cr_assert_eq(release(hangs), 0);
    cr_assert_eq(refused("more"), ECANCELED);
    (void)idle; /* never closed: it goes with the backend */
}

Test(import, a_start_takes_leftovers_away)
{
    char path[128];
    start();
    world_close(&w, false);
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/blobs/.import-%d", w.store, i);
        int fd CLEANUP_CLOSE = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        cr_assert_geq(fd, 0);
    }
    char blob[192], other[192];
    snprintf(blob, sizeof blob, "%s/blobs/%s.tar.gz", w.store, w.sha256[1]);
    snprintf(other, sizeof other, "%s/blobs/%s.tar", w.store, w.sha256[0]);
    cr_assert_eq(link(path, blob), 0, "named, and then there was a crash");
    close(open(other, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    start();
    cr_assert_eq(left_in("blobs"), 0);
    cr_assert_neq(access(blob, F_OK), 0);
    cr_assert_eq(access(other, F_OK), 0);
}

/* --- what is not taken */

Test(import, bytes_follow_one_another)
{
    start();
    struct backend_import *i = begin("web");
    cr_assert_eq(write_piece(i, 1, 2), EINVAL);
    cr_assert_eq(write_piece(i, 0, 100), 0);
    cr_assert_eq(write_piece(i, 0, 100), EINVAL);
    cr_assert_eq(write_piece(i, 101, 200), EINVAL);
    cr_assert(strstr(said.err.text, "101") && strstr(said.err.text, "100 bytes"));
    cr_assert_eq(write_piece(i, 100, size), 0);
    cr_assert_eq(flush(i, ME), 0, "%s", said.err.text);
    cr_assert_eq(release(i), 0);
}

Test(import, no_more_than_may_be_downloaded)
{
    w.config.limits.max_download_size = (int64_t)size - 1;
    start();
    struct backend_import *i = begin("web");
    cr_assert_eq(write_piece(i, 0, size - 1), 0);
    cr_assert_eq(write_piece(i, size - 1, size), EFBIG);
    cr_assert_eq(said.err.code, ERR_TOO_LARGE_DOWNLOAD);
    cr_assert(strstr(said.err.text, "max_download_size"));
    cr_nothing_left();
    cr_assert_eq(flush(i, ME), EFBIG);
    cr_assert_eq(release(i), 0, "it was said already");
    w.config.limits.max_download_size = INT64_MAX;
}

Test(import, names_that_are_none_or_taken)
{
    start();
    static const char *const bad[] = {"", ".", "..", "a/b", ".a", "a b", "\n"};
    for (size_t n = 0; n < ARRAY_SIZE(bad); n++)
        cr_expect_eq(refused(bad[n]), EINVAL, "%s", bad[n]);
    struct backend_import *i = begin("web");
    cr_assert_eq(refused("web"), EEXIST);
    cr_assert_eq(world_fetch(&w, world_archive(&w, "ok", 0), w.sha256[0], "other"), 0);
    cr_assert_eq(refused("other"), EEXIST);
    cr_assert_eq(world_fetch(&w, world_archive(&w, "ok", 0), w.sha256[0], "web"), 0);
    cr_assert_eq(write_piece(i, 0, size), 0);
    cr_assert_eq(flush(i, ME), EEXIST, "it was fetched meanwhile");
    cr_assert_eq(release(i), 0);
    cr_nothing_left();
    char blob[192];
    snprintf(blob, sizeof blob, "%s/blobs/%s.tar.gz", w.store, w.sha256[1]);
    cr_assert_neq(access(blob, F_OK), 0, "its blob is nobody's");
}

/* The blob was there before anyone imported it. */
Test(import, a_refused_one_leaves_what_was_cached)
{
    char blob[192];
    start();
    snprintf(blob, sizeof blob, "%s/blobs/%s.tar.gz", w.store, w.sha256[1]);
    int fd CLEANUP_CLOSE = open(blob, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    cr_assert_eq(io_write(fd, archive, size), 0);
    struct backend_import *i = begin("web");
    cr_assert_eq(write_piece(i, 0, size), 0);
    cr_assert_eq(world_fetch(&w, world_archive(&w, "ok", 0), w.sha256[0], "web"), 0);
    cr_assert_eq(flush(i, ME), EEXIST);
    cr_assert_eq(release(i), 0);
    cr_nothing_left();
    cr_assert_eq(access(blob, F_OK), 0);
}

Test(import, without_its_blob_there_is_no_image)
{
    struct backend_fetch line = {.url = "import:", .name = "web", .imported = true, .size = 1};
    start();
    strcpy(line.sha256, w.sha256[1]);
    struct backend_command c = {.kind = BACKEND_FETCH, .lines = &line, .count = 1};
    cr_assert_eq(world_submit(&w, &c, &w.err, NULL), EIO);
    cr_assert_str_eq(world_state(&w, "web"), "");
}

/* Whatever the stop comes upon: an image that is whole, or nothing. */
Test(import, a_stop_at_the_end_leaves_nothing_or_all)
{
    char blob[192];
    snprintf(blob, sizeof blob, "%s/blobs/%s.tar.gz", w.store, w.sha256[1]);
    for (useconds_t us = 0; us < 20000; us += 500) {
        start();
        struct backend_import *i = begin("web");
        cr_assert_eq(write_piece(i, 0, size), 0);
        listen();
        backend_import_flush(i, ME, hear, &said);
        usleep(us);
        backend_stop(w.backend);
        int r = heard();
        world_close(&w, false);
        start();
        bool there = *world_state(&w, "web");
        cr_assert(there || r != 0);
        cr_assert(there || access(blob, F_OK) < 0, "after %u us", us);
        if (there)
            cr_assert_eq(world_do(&w, BACKEND_REMOVE, "web"), 0, "%s", w.err.text);
        world_close(&w, false);
        (void)unlink(blob);
    }
}

Test(import, so_many_at_a_time)
{
    struct backend_import *all[16];
    char name[16];
    w.config.queue = 17;
    start();
    for (int n = 0; n < 16; n++) {
        snprintf(name, sizeof name, "n%d", n);
        all[n] = begin(name);
    }
    cr_assert_eq(refused("more"), EAGAIN);
    cr_assert(strstr(w.err.text, "16 imports"), "%s", w.err.text);
    cr_assert_eq(world_fetch(&w, world_archive(&w, "slow", 0), w.sha256[0], "slow"), 0);
    cr_assert_eq(world_fetch(&w, world_archive(&w, "slow", 2), w.sha256[2], "slow2"), EAGAIN,
                 "each has its place in the queue");
    for (int n = 0; n < 16; n++)
        cr_assert_eq(release(all[n]), EINVAL);
    all[0] = begin("again");
    cr_assert_eq(release(all[0]), EINVAL);
}

Test(import, what_comes_is_shown)
{
    struct backend_import_view view;
    struct backend_name *names CLEANUP_FREE = NULL;
    int64_t changed;
    start();
    struct backend_import *i = begin("web"), *other = begin("other");
    uint64_t id = backend_import_id(i);
    cr_assert_eq(backend_import_list(w.backend, &names, &changed), 2);
    cr_assert_eq(write_piece(i, 0, 4321), 0);
    cr_assert(backend_import_view(w.backend, id, &view));
    cr_assert_str_eq(view.name, "web");
    cr_assert_eq(view.size, 4321);
    cr_assert_eq(release(i), EINVAL);
    int64_t end = text_monotonic_ms() + 5000;
    while (backend_import_view(w.backend, id, &view) && text_monotonic_ms() < end)
        usleep(1000);
    cr_assert_not(backend_import_view(w.backend, id, &view));
    cr_assert_not(is_listed("web"));
    cr_assert(is_listed("other"));
    cr_assert_eq(release(other), EINVAL);
}

/* --- and later */

Test(import, what_is_gone_cannot_be_fetched)
{
    char cmd[256];
    start();
    struct backend_import *i = begin("web");
    cr_assert_eq(write_piece(i, 0, size), 0);
    cr_assert_eq(flush(i, ME), 0);
    cr_assert_eq(release(i), 0);
    cr_assert(world_wait(&w, "web", "ACTIVE"));
    world_close(&w, false);
    snprintf(cmd, sizeof cmd,
             "umount -l %s/images/*/rootfs 2>/dev/null; rm -rf %s/images/* %s/blobs/*", w.store,
             w.store, w.store);
    cr_assert_eq(system(cmd), 0);
    start();
    cr_assert(world_wait(&w, "web", "FAILED"));
    struct backend_view view;
    cr_assert(world_look(&w, "web", &view));
    cr_assert_eq(view.code, ERR_UNREACHABLE, "%s", view.error);
    cr_assert_eq(view.attempts, 1);
    cr_assert_eq(world_fetch(&w, world_archive(&w, "ok", 1), w.sha256[1], "web"), 0);
    cr_assert(world_wait(&w, "web", "ACTIVE"));
}
