#include "world.h"

#include "store/paths.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

static struct world w;
static uint64_t web;

static void start(void)
{
    cr_assert_eq(world_start(&w), 0, "%s", w.err.text);
    cr_assert(backend_find(w.backend, "web", &web));
}

static void set_up(void)
{
    const char *why = world_up(&w);
    if (why)
        cr_skip_test("%s", why);
    cr_assert_eq(world_start(&w), 0, "%s", w.err.text);
    cr_assert_eq(world_fetch(&w, world_archive(&w, "ok", 0), w.sha256[0], "web"), 0);
    cr_assert(world_wait(&w, "web", "ACTIVE"));
    cr_assert(backend_find(w.backend, "web", &web));
}

static void tear_down(void)
{
    world_down(&w);
}

TestSuite(snapshots, .init = set_up, .fini = tear_down, .timeout = 100);

static int ask(enum backend_command_kind kind, const char *id, const char *to)
{
    struct backend_command c = {
        .kind = kind, .name = "web", .image = web, .snapshot = id, .to = to};
    w.err = (struct err){0};
    return world_submit(&w, &c, &w.err, NULL);
}

#define DO(...)           cr_assert_eq(ask(__VA_ARGS__), 0, "%s", w.err.text)
#define REFUSED(num, ...) cr_assert_eq(ask(__VA_ARGS__), num, "%s", w.err.text)
#define MAKE(id)          DO(BACKEND_SNAPSHOT_MAKE, id, NULL)
#define REMOVE(id)        DO(BACKEND_SNAPSHOT_REMOVE, id, NULL)

static const char *state(const char *id)
{
    static struct backend_snapshot view;
    uint64_t number;
    return backend_snapshot_find(w.backend, web, id, &number) &&
                   backend_snapshot_view(w.backend, number, &view)
               ? view.state
               : "";
}

static bool becomes(const char *id, const char *want)
{
    for (int i = 0; i < 5000 && strcmp(state(id), want) != 0; i++)
        usleep(1000);
    return strcmp(state(id), want) == 0;
}

/* A shell command in the store. */
__attribute__((format(printf, 1, 2))) static bool shell(const char *fmt, ...)
{
    char cmd[1024];
    size_t n = (size_t)snprintf(cmd, sizeof cmd, "cd %s && ", w.store);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(cmd + n, sizeof cmd - n, fmt, ap);
    va_end(ap);
    return system(cmd) == 0;
}

static void sql(const char *statement)
{
    sqlite3 *db;
    cr_assert_eq(sqlite3_open(w.database, &db), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(db, statement, NULL, NULL, NULL), SQLITE_OK, "%s",
                 sqlite3_errmsg(db));
    sqlite3_close(db);
}

Test(snapshots, made_renamed_removed)
{
    MAKE("a");
    cr_assert_str_eq(state("a"), "ACTIVE");
    cr_assert(shell("test -f active/.snap/1/etc/number && echo x >active/.snap/1/mine"));
    cr_assert(shell("test ! -e active/web/mine"));
    MAKE("b");
    cr_assert(shell("test -d overlays/.snap/2/upper && test ! -e active/.snap/2/mine"));
    DO(BACKEND_SNAPSHOT_RENAME, "a", "c");
    cr_assert_str_eq(state("a"), "");
    cr_assert_str_eq(state("c"), "ACTIVE");
    DO(BACKEND_SNAPSHOT_RENAME, "c", "c");
    REMOVE("c");
    cr_assert_str_eq(state("c"), "");
    cr_assert(shell("test ! -e active/.snap/1 && test ! -e overlays/.snap/1"));
    MAKE("a");
    cr_assert(shell("test -d active/.snap/3/etc"), "a number is never used again");
}

Test(snapshots, what_is_refused)
{
    MAKE("a");
    MAKE("b");
    REFUSED(EINVAL, BACKEND_SNAPSHOT_MAKE, ".a", NULL);
    REFUSED(EEXIST, BACKEND_SNAPSHOT_MAKE, "a", NULL);
    REFUSED(ENOENT, BACKEND_SNAPSHOT_REMOVE, "x", NULL);
    REFUSED(ENOENT, BACKEND_SNAPSHOT_RENAME, "x", "y");
    REFUSED(EINVAL, BACKEND_SNAPSHOT_RENAME, "a", "-");
    REFUSED(EEXIST, BACKEND_SNAPSHOT_RENAME, "a", "b");
    REFUSED(ENOENT, BACKEND_RESET, "x", NULL);
    cr_assert_eq(world_do(&w, BACKEND_REMOVE, "web"), EBUSY);
    cr_assert(strstr(w.err.text, "snapshots (2)"), "%s", w.err.text);
    cr_assert_str_eq(world_state(&w, "web"), "ACTIVE");
    struct backend_command other = {
        .kind = BACKEND_SNAPSHOT_MAKE, .image = web + 1, .snapshot = "a"};
    cr_assert_eq(world_submit(&w, &other, &w.err, NULL), ENOENT);
    cr_assert_eq(world_fetch(&w, world_archive(&w, "404", 1), w.sha256[1], "bad"), 0);
    cr_assert(world_wait(&w, "bad", "FAILED"));
    cr_assert(backend_find(w.backend, "bad", &other.image));
    cr_assert_eq(world_submit(&w, &other, &w.err, NULL), EBUSY);
    cr_assert(strstr(w.err.text, "ctl/retry"), "%s", w.err.text);
    REMOVE("a");
    REMOVE("b");
    cr_assert_eq(world_do(&w, BACKEND_REMOVE, "web"), 0, "%s", w.err.text);
}

Test(snapshots, reset_is_the_pristine_image)
{
    MAKE("a");
    cr_assert(shell("for r in active/web active/.snap/1; do echo x >$r/mine; rm $r/etc/seq; done"));
    DO(BACKEND_RESET, "a", NULL);
    cr_assert(shell("test ! -e active/.snap/1/mine && test -e active/.snap/1/etc/seq"));
    cr_assert(shell("test -e active/web/mine"));
    DO(BACKEND_RESET, NULL, NULL);
    cr_assert(shell("test ! -e active/web/mine && test -e active/web/etc/seq"));
    cr_assert_str_eq(world_state(&w, "web"), "ACTIVE");
    cr_assert(shell("echo x >active/web/mine"));
    cr_assert_eq(world_do(&w, BACKEND_DEACTIVATE, "web"), 0);
    DO(BACKEND_RESET, NULL, NULL);
    cr_assert(shell("test ! -e overlays/web"));
    cr_assert_str_eq(world_state(&w, "web"), "STORED");
}

/* What the kernel says of a mount is not for who asked. */
Test(snapshots, a_reset_that_cannot_mount)
{
    cr_assert(shell("umount -l images/*/rootfs 2>/dev/null; rm -rf images/*"));
    REFUSED(EIO, BACKEND_RESET, NULL, NULL);
}

static void count_answer(void *ctx, const struct err *err, size_t line)
{
    atomic_fetch_add((atomic_int *)ctx, err->num == 0 ? 1 : 1000);
}

/* One command at a time is at a snapshot; of two of one name one is told so. */
Test(snapshots, commands_at_once)
{
    char id[16];
    atomic_int done = 0;
    for (int i = 0; i < 40; i++) {
        snprintf(id, sizeof id, "s%d", i % 20);
        struct backend_command c = {.kind = BACKEND_SNAPSHOT_MAKE, .image = web, .snapshot = id};
        backend_submit(w.backend, &c, count_answer, &done);
    }
    for (int i = 0; i < 5000 && done != 20 + 20000; i++)
        usleep(1000);
    cr_assert_eq(done, 20 + 20000, "%d", done);
    done = 0;
    for (int i = 0; i < 20; i++) {
        snprintf(id, sizeof id, "s%d", i);
        struct backend_command c = {.kind = BACKEND_SNAPSHOT_REMOVE, .image = web, .snapshot = id};
        struct backend_command reset = {.kind = BACKEND_RESET, .name = "web", .snapshot = id};
        backend_submit(w.backend, &c, count_answer, &done);
        backend_submit(w.backend, &reset, count_answer, &done);
    }
    for (int i = 0; i < 5000 && done != 20 + 20000; i++)
        usleep(1000);
    cr_assert_eq(done, 20 + 20000, "%d", done);
    size_t count;
    int64_t changed;
    backend_snapshot_count(w.backend, web, &count, &changed);
    cr_assert_eq(count, 0);
}

static void note_answer(void *ctx, const struct err *err, size_t line)
{
    atomic_store((atomic_int *)ctx, 1 + err->num);
}

/* The reset is under way when the retry comes: which is refused then, and else goes its way. */
Test(snapshots, a_reset_and_a_retry_at_once)
{
    cr_assert_eq(world_fetch(&w, world_archive(&w, "404", 1), w.sha256[1], "bad"), 0);
    cr_assert(world_wait(&w, "bad", "FAILED"));
    for (int i = 0; i < 20; i++) {
        atomic_int done = 0;
        struct backend_command c = {.kind = BACKEND_RESET, .name = "bad"};
        backend_submit(w.backend, &c, note_answer, &done);
        int r = world_fetch(&w, world_archive(&w, "404", 1), w.sha256[1], "bad");
        cr_assert(r == 0 || r == EBUSY, "%s", w.err.text);
        while (!done)
            usleep(1000);
        cr_assert_eq(done, 1);
        cr_assert(world_wait(&w, "bad", "FAILED"), "%s", world_state(&w, "bad"));
    }
}

/* --- starts */

Test(snapshots, are_adopted_or_mounted_again)
{
    MAKE("a");
    MAKE("b");
    cr_assert(shell("echo x >active/.snap/1/mine"));
    world_close(&w, true);
    start();
    cr_assert_str_eq(state("a"), "ACTIVE");
    world_close(&w, false);
    cr_assert(shell("! mountpoint -q active/.snap/1"));
    start();
    cr_assert(becomes("a", "ACTIVE") && becomes("b", "ACTIVE"));
    cr_assert(shell("test -e active/.snap/1/mine"));
    MAKE("c");
    cr_assert(shell("test -d active/.snap/3/etc"));
}

Test(snapshots, what_was_never_answered_is_gone)
{
    MAKE("a");
    MAKE("b");
    world_close(&w, true);
    sql("UPDATE snapshots SET state = 'ACTIVATING' WHERE id = 'b'");
    start();
    cr_assert_str_eq(state("a"), "ACTIVE");
    cr_assert_str_eq(state("b"), "");
    cr_assert(shell("test ! -e overlays/.snap/2 && ! mountpoint -q active/.snap/2"));
    MAKE("b");
}

/* The database was brought back from a backup: what it does not know of is nobody's to delete. */
Test(snapshots, layers_that_the_database_does_not_know_of)
{
    MAKE("a");
    MAKE("b");
    MAKE("empty");
    cr_assert(shell("echo x >active/.snap/1/mine; echo x >active/.snap/2/mine"));
    world_close(&w, false);
    sql("DELETE FROM snapshots; UPDATE sqlite_sequence SET seq = 1 WHERE name = 'snapshots'");
    start();
    cr_assert_str_eq(state("a"), "");
    cr_assert(shell("test ! -e overlays/.snap/1"), "a removed one's goes");
    cr_assert(shell("test ! -e overlays/.snap/2 && test -e overlays/.snap/.kept-2-1/upper/mine"));
    cr_assert(shell("test ! -e overlays/.snap/3 && test ! -e overlays/.snap/.kept-3-1"));
    cr_assert(world_wait(&w, "web", "ACTIVE"));
    MAKE("a");
    cr_assert(shell("test -d overlays/.snap/4/upper"), "no number is used again");
    struct text health CLEANUP_TEXT = {0};
    for (int i = 0; i < 1000 && !(health.data && strstr(health.data, "kept layers")); i++) {
        text_free(&health);
        usleep(10000);
        backend_health(w.backend, &health);
    }
    cr_assert(strstr(health.data, "overlays/.snap/.kept-"), "%s", health.data);
}

/* Nor while someone has a file of it open: later starts must not take it for a removed one's. */
Test(snapshots, a_layer_not_known_of_that_is_in_use)
{
    char path[128];
    MAKE("a");
    snprintf(path, sizeof path, "%s/active/.snap/1/mine", w.store);
    int fd CLEANUP_CLOSE = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    cr_assert_geq(fd, 0);
    world_close(&w, true);
    sql("DELETE FROM snapshots; UPDATE sqlite_sequence SET seq = 0 WHERE name = 'snapshots'");
    start();
    cr_assert(shell("test -e overlays/.snap/.kept-1-1/upper/mine"));
    world_close(&w, true);
    start();
    MAKE("b");
    cr_assert(shell("test -e active/.snap/1/mine && test -d overlays/.snap/2/upper"));
    close(steal_fd(fd));
    world_close(&w, false);
    start();
    cr_assert(shell("test -e overlays/.snap/.kept-1-1/upper/mine"));
}

Test(snapshots, rows_that_make_no_sense_are_refused)
{
    world_close(&w, false);
    sql("INSERT INTO snapshots VALUES (1, 99, 'a', 'GONE', 0)");
    cr_assert_lt(world_open(&w), 0);
    cr_assert(strstr(w.err.text, "a snapshot that makes no sense"), "%s", w.err.text);
    sql("DELETE FROM snapshots");
}

Test(snapshots, rows_of_an_image_that_was_removed_go)
{
    world_close(&w, false);
    sql("INSERT INTO snapshots VALUES (1, 99, 'a', 'ACTIVATING', 0), (2, 99, 'b', 'ACTIVE', 0)");
    start();
    world_close(&w, false);
    sql("CREATE TEMP TABLE none (n CHECK (n = 0)); INSERT INTO none SELECT count(*) FROM "
        "snapshots");
}

/* The image is fetched anew, and its snapshots are mounted once it is there. */
Test(snapshots, of_an_image_that_was_lost)
{
    MAKE("a");
    cr_assert(shell("echo x >active/.snap/1/mine"));
    world_close(&w, false);
    cr_assert(shell("rm -rf images/*"));
    start();
    cr_assert(becomes("a", "ACTIVE"), "%s", state("a"));
    cr_assert(shell("test -e active/.snap/1/mine && test -e active/.snap/1/etc/number"));
}

/* One that is in line to be mounted again, and cannot be yet, can be removed. */
Test(snapshots, one_that_waits_for_its_image_can_be_removed)
{
    MAKE("a");
    world_close(&w, false);
    cr_assert(shell("rm -rf images/* blobs/*"));
    sql("UPDATE images SET url = 'http://127.0.0.1:9/x'");
    start();
    cr_assert_str_eq(state("a"), "ACTIVATING");
    REFUSED(EBUSY, BACKEND_RESET, "a", NULL);
    REFUSED(EBUSY, BACKEND_SNAPSHOT_MAKE, "b", NULL);
    DO(BACKEND_SNAPSHOT_RENAME, "a", "b");
    REMOVE("b");
    cr_assert(shell("test ! -e overlays/.snap/1"));
}

Test(snapshots, that_cannot_be_mounted_are_FAILED_and_come_back)
{
    MAKE("a");
    world_close(&w, false);
    cr_assert(shell("mv overlays/.snap/1/upper overlays/.snap/1/aside && "
                    "touch overlays/.snap/1/upper"));
    start();
    cr_assert(becomes("a", "FAILED"), "%s", state("a"));
    cr_assert(
        shell("rm overlays/.snap/1/upper && mv overlays/.snap/1/aside overlays/.snap/1/upper"));
    cr_assert(world_wait(&w, "web", "ACTIVE"));
    cr_assert_eq(world_do(&w, BACKEND_DEACTIVATE, "web"), 0);
    cr_assert(becomes("a", "ACTIVE"), "%s", state("a"));
    cr_assert_eq(world_do(&w, BACKEND_ACTIVATE, "web"), 0);
    world_close(&w, false);
    cr_assert(shell("rm -rf overlays/.snap/1/work && touch overlays/.snap/1/work"));
    start();
    cr_assert(becomes("a", "FAILED"), "%s", state("a"));
    cr_assert(world_wait(&w, "web", "ACTIVE"));
    cr_assert_str_eq(state("a"), "FAILED");
    DO(BACKEND_RESET, "a", NULL);
    cr_assert_str_eq(state("a"), "ACTIVE");
}
