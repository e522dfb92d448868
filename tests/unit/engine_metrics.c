#include "engine/metrics.h"

#include "engine/queue.h"
#include "world_suite.h"

#include <string.h>
#include <sys/statvfs.h>

/* --- alone */

static struct metrics m;

static void set_up_alone(void)
{
    metrics_init(&m);
}

static void tear_down_alone(void)
{
    metrics_destroy(&m);
}

TestSuite(metrics, .init = set_up_alone, .fini = tear_down_alone);

static int64_t counted(size_t series)
{
    struct metrics_values values;
    metrics_copy(&m, &values);
    return values.of[series];
}

Test(metrics, a_bucket_holds_its_bound)
{
    metrics_observe(&m, METRICS_UNPACK_TIME, 0);
    metrics_observe(&m, METRICS_UNPACK_TIME, 1000);
    metrics_observe(&m, METRICS_UNPACK_TIME, 1001);
    metrics_observe(&m, METRICS_UNPACK_TIME, 3600000000);
    metrics_observe(&m, METRICS_UNPACK_TIME, 3600000001);
    cr_expect_eq(counted(METRICS_UNPACK_TIME), 2);
    cr_expect_eq(counted(METRICS_UNPACK_TIME + 1), 1);
    cr_expect_eq(counted(METRICS_UNPACK_TIME + METRICS_BOUNDS - 1), 1);
    cr_expect_eq(counted(METRICS_UNPACK_TIME + METRICS_BOUNDS), 1);
    cr_expect_eq(counted(METRICS_UNPACK_TIME + METRICS_BOUNDS + 1), 7200002002);
    cr_expect_eq(counted(METRICS_UNPACK_TIME - 1), 0);
    cr_expect_eq(counted(METRICS_ACTIVATION_TIME), 0);
}

Test(metrics, what_was_not_looked_at_is_not_known)
{
    cr_expect(counted(METRICS_BLOBS) == -1 && counted(METRICS_FREE_BYTES) == -1);
    metrics_disk(&m, &(struct statvfs){.f_blocks = 100, .f_frsize = 4096, .f_favail = 7});
    cr_expect_eq(counted(METRICS_SIZE_BYTES), 409600);
    cr_expect_eq(counted(METRICS_FREE_INODES), 7);
    metrics_disk(&m, NULL);
    cr_expect_eq(counted(METRICS_FREE_INODES), -1);
    cr_expect_gt(counted(METRICS_START_TIME), INT64_C(1600000000000));
}

Test(metrics, what_goes_is_counted_down_to_nothing_at_most)
{
    metrics_count_store(&m, (struct unused_census){.blobs = 2, .blob_bytes = 10, .images = 1});
    metrics_uncount(&m, (struct unused_census){.blobs = 1, .blob_bytes = 4});
    cr_expect(counted(METRICS_BLOBS) == 1 && counted(METRICS_BLOB_BYTES) == 6);
    metrics_uncount(&m, (struct unused_census){.blobs = 2, .blob_bytes = 14, .images = 1});
    cr_expect(counted(METRICS_BLOBS) == 0 && counted(METRICS_BLOB_BYTES) == 0);
    cr_expect_eq(counted(METRICS_UNPACKED_IMAGES), 0);
}

/* --- with all that the engine does */

TestSuite(counted, .init = set_up, .fini = tear_down, .timeout = 100);

#define BECOMES(name, state)                                                                       \
    cr_assert(world_wait(&w, name, state), "%s is %s", name, world_state(&w, name))

static int64_t now(size_t series)
{
    struct metrics_values values;
    backend_metrics(w.backend, &values);
    return values.of[series];
}

static int64_t times(size_t histogram)
{
    int64_t n = 0;
    for (size_t i = 0; i <= METRICS_BOUNDS; i++)
        n += now(histogram + i);
    return n;
}

static size_t ended_with(enum err_code code)
{
    return METRICS_FETCHES + METRICS_FAILED + (size_t)code - 1;
}

/* As it has to be: all fetches that have ended. */
static void expect_ended(int64_t active, int64_t stored, int64_t removed, int64_t failed)
{
    int64_t codes = 0;
    for (enum err_code code = ERR_NONE + 1; code < ERR_CODES; code++)
        codes += now(ended_with(code));
    cr_expect_eq(now(METRICS_FETCHES + METRICS_ACTIVE), active);
    cr_expect_eq(now(METRICS_FETCHES + METRICS_STORED), stored);
    cr_expect_eq(now(METRICS_FETCHES + METRICS_REMOVED), removed);
    cr_expect_eq(codes, failed);
    cr_expect_eq(times(METRICS_FETCH_TIME), active);
}

static bool becomes(size_t series, int64_t value)
{
    for (int i = 0; i < 10000 && now(series) != value; i++)
        usleep(1000);
    return now(series) == value;
}

Test(counted, a_fetch_and_what_it_took)
{
    start();
    FETCH("ok", 1, "web");
    BECOMES("web", "ACTIVE");
    struct backend_view v;
    cr_assert(world_look(&w, "web", &v));
    expect_ended(1, 0, 0, 0);
    cr_expect_eq(now(METRICS_DOWNLOADED), v.size);
    cr_expect_eq(now(METRICS_UNPACKED), v.bytes);
    cr_expect_eq(times(METRICS_DOWNLOAD_TIME), 1);
    cr_expect_eq(times(METRICS_UNPACK_TIME), 1);
    cr_expect_eq(times(METRICS_ACTIVATION_TIME), 1);
    cr_expect_eq(now(METRICS_CACHE_HITS) + now(METRICS_CACHE_HITS + 1), 0);
    cr_expect_eq(now(METRICS_RETRIES), 0);
    cr_expect(becomes(METRICS_HEALTH, 1) && becomes(METRICS_JOBS + 5, 0));
    cr_expect(now(METRICS_SIZE_BYTES) > 0 && now(METRICS_FREE_BYTES) > 0);

    /* Up and down is no fetch, nor is what changes nothing. */
    DO(DEACTIVATE, "web");
    DO(ACTIVATE, "web");
    BECOMES("web", "ACTIVE");
    FETCH("ok", 1, "web");
    expect_ended(1, 0, 0, 0);
    cr_expect_eq(times(METRICS_ACTIVATION_TIME), 2);
    DO(REMOVE, "web");
    expect_ended(1, 0, 0, 0);
}

Test(counted, what_is_there_is_not_downloaded)
{
    struct backend_view v;
    start();
    FETCH("ok", 1, "one");
    BECOMES("one", "ACTIVE");
    FETCH("404", 1, "two");
    BECOMES("two", "ACTIVE");
    cr_expect_eq(now(METRICS_CACHE_HITS + METRICS_CACHE_BLOB), 1);
    char path[256];
    snprintf(path, sizeof path, "%s/blobs/%s.tar.gz", w.store, w.sha256[1]);
    cr_assert_eq(unlink(path), 0);
    FETCH("404", 1, "three");
    BECOMES("three", "ACTIVE");
    cr_expect_eq(now(METRICS_CACHE_HITS + METRICS_CACHE_BLOB), 1);
    cr_expect_eq(now(METRICS_CACHE_HITS + METRICS_CACHE_IMAGE), 1);
    cr_assert(world_look(&w, "one", &v));
    cr_expect_eq(now(METRICS_DOWNLOADED), v.size);
    cr_expect_eq(now(METRICS_UNPACKED), v.bytes);
    cr_expect_eq(times(METRICS_DOWNLOAD_TIME), 1);
    cr_expect_eq(times(METRICS_UNPACK_TIME), 1);
    expect_ended(3, 0, 0, 0);
}

Test(counted, every_way_that_a_fetch_ends)
{
    start();
    FETCH("404", 0, "absent");
    FETCH("500", 1, "broken");
    FETCH("wrong", 2, "wrong");
    BECOMES("absent", "FAILED");
    BECOMES("broken", "FAILED");
    BECOMES("wrong", "FAILED");
    expect_ended(0, 0, 0, 3);
    cr_expect_eq(now(ended_with(ERR_HTTP_STATUS)), 2);
    cr_expect_eq(now(ended_with(ERR_CHECKSUM_MISMATCH)), 1);
    cr_expect_eq(now(METRICS_RETRIES), 2 + 1, "of broken two, of wrong one");
    cr_expect_eq(times(METRICS_DOWNLOAD_TIME), 0, "none of them brought anything");
    cr_expect_eq(now(METRICS_IMAGES + FSM_FAILED), 3);

    /* A retry is a fetch of its own; one that is asked for by ctl/fetch, too. */
    DO(RETRY, "absent");
    BECOMES("absent", "FAILED");
    cr_expect(becomes(ended_with(ERR_HTTP_STATUS), 3));
    FETCH("ok", 0, "absent");
    BECOMES("absent", "ACTIVE");
    expect_ended(1, 0, 0, 4);

    FETCH("hang", 3, "stopped");
    FETCH("hang", 3, "gone");
    BECOMES("stopped", "DOWNLOADING");
    BECOMES("gone", "DOWNLOADING");
    cr_expect_eq(now(METRICS_UNDERWAY), 2);
    DO(CANCEL, "stopped");
    DO(REMOVE, "gone");
    DO(REMOVE, "broken");
    expect_ended(1, 0, 1, 5);
    cr_expect_eq(now(ended_with(ERR_CANCELLED)), 1);
    cr_expect_eq(now(METRICS_UNDERWAY), 0);
}

/* They wait for workers that are held up by a server. */
Test(counted, who_waits_and_who_runs)
{
    w.config.downloads = 2;
    start();
    FETCH("hang", 0, "a");
    FETCH("hang", 1, "b");
    FETCH("hang", 2, "c");
    FETCH("hang", 3, "d");
    cr_expect(becomes(METRICS_JOBS + 2 * METRICS_POOL_DOWNLOAD + 1, 2));
    cr_expect(becomes(METRICS_JOBS + 2 * METRICS_POOL_DOWNLOAD, 2));
    cr_expect_eq(now(METRICS_IMAGES + FSM_NEW), 2);
    cr_expect_eq(now(METRICS_IMAGES + FSM_DOWNLOADING), 2);
    DO(REMOVE, "a");
    DO(REMOVE, "d");
    cr_expect(becomes(METRICS_JOBS + 2 * METRICS_POOL_DOWNLOAD, 0));
    cr_expect(becomes(METRICS_JOBS + 2 * METRICS_POOL_DOWNLOAD + 1, 2));
    backend_stop(w.backend);
    cr_expect_eq(now(METRICS_JOBS + 2 * METRICS_POOL_DOWNLOAD + 1), 0, "readers are still served");
}

/* What the start finds is counted when it ends, and its time is from the start on. */
Test(counted, what_goes_on_after_a_restart)
{
    start();
    FETCH("ok", 1, "up");
    BECOMES("up", "ACTIVE");
    FETCH("slow", 0, "web");
    BECOMES("web", "DOWNLOADING");
    FETCH("404", 2, "absent");
    BECOMES("absent", "FAILED");
    world_close(&w, false);
    int64_t before = metrics_clock();
    start();
    BECOMES("web", "ACTIVE");
    BECOMES("up", "ACTIVE");
    expect_ended(1, 0, 0, 0);
    cr_expect_leq(now(METRICS_FETCH_TIME + METRICS_BOUNDS + 1), metrics_clock() - before);
    cr_expect_eq(times(METRICS_ACTIVATION_TIME), 2, "up was mounted again");
    cr_expect_eq(now(METRICS_IMAGES + FSM_FAILED), 1);
}

/* The size of a blob that has a name is not looked up, but known. */
Test(counted, what_the_store_holds)
{
    struct backend_view web, db;
    struct backend_command dry = {.kind = BACKEND_CLEANUP, .dry_run = true};
    start();
    FETCH("ok", 0, "web");
    FETCH("ok", 1, "db");
    BECOMES("web", "ACTIVE");
    BECOMES("db", "ACTIVE");
    cr_assert(world_look(&w, "web", &web) && world_look(&w, "db", &db));
    cr_assert_eq(world_submit(&w, &dry, &w.err, NULL), 0);
    cr_expect_eq(now(METRICS_BLOBS), 2);
    cr_expect_eq(now(METRICS_BLOB_BYTES), web.size + db.size);
    cr_expect_eq(now(METRICS_UNPACKED_IMAGES), 2);
    DO(REMOVE, "web");
    cr_assert_eq(world_submit(&w, &dry, &w.err, NULL), 0);
    cr_expect_eq(now(METRICS_BLOBS), 2);
    cr_expect_eq(now(METRICS_BLOB_BYTES), web.size + db.size);
    cr_assert_eq(world_do(&w, BACKEND_CLEANUP, NULL), 0, "%s", w.err.text);
    cr_expect_eq(now(METRICS_BLOBS), 1);
    cr_expect_eq(now(METRICS_BLOB_BYTES), db.size);
    cr_expect_eq(now(METRICS_UNPACKED_IMAGES), 1);
}
