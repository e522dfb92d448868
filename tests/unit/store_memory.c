/* What the database holds is read as it is, or not at all, whichever allocation of SQLite's fails.
 */
#include "base/cleanup.h"
#include "base/io.h"
#include "store/history.h"
#include "store/images.h"
#include "store/removals.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <string.h>

static sqlite3_mem_methods real;
static long left = -1; /* allocations until one fails; none, where negative */

static bool is_due(void)
{
    return left >= 0 && left-- == 0;
}

static void *get(int n)
{
    return is_due() ? NULL : real.xMalloc(n);
}

static void *get_more(void *p, int n)
{
    return is_due() ? NULL : real.xRealloc(p, n);
}

static char tmp[] = "/tmp/imgstore-memory-XXXXXX";
static char path[64];
static struct paths paths;
static struct db *db;
static struct err err;

/* Each text that is read is converted, which takes memory; in UTF-8 that is up to SQLite. */
static void make_utf16(void)
{
    sqlite3 *sql;
    cr_assert_eq(sqlite3_open(path, &sql), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(sql, "PRAGMA encoding = 'UTF-16'; CREATE TABLE t (a); DROP TABLE t",
                              NULL, NULL, NULL),
                 SQLITE_OK);
    sqlite3_close(sql);
}

static void open_db(void)
{
    cr_assert_eq(db_open(&db, path, true, &err), 0, "%s", err.text);
    cr_assert_eq(images_open(db, &paths, &err), 0, "%s", err.text);
}

/* Statements keep their memory. */
static void open_again(void)
{
    db_close(db);
    open_db();
}

/* Before SQLite is first used; without lookaside, which answers for malloc. */
static void set_up(void)
{
    cr_assert(mkdtemp(tmp));
    sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real);
    sqlite3_mem_methods ours = real;
    ours.xMalloc = get;
    ours.xRealloc = get_more;
    cr_assert_eq(sqlite3_config(SQLITE_CONFIG_MALLOC, &ours), SQLITE_OK);
    cr_assert_eq(sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0), SQLITE_OK);
    snprintf(path, sizeof path, "%s/store.db", tmp);
    make_utf16();
    paths = (struct paths){.root = open(tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    open_db();
}

static void tear_down(void)
{
    db_close(db);
    paths_close(&paths);
    io_remove_tree(AT_FDCWD, tmp);
}

TestSuite(memory, .init = set_up, .fini = tear_down);

static const struct images_row web = {.name = "web",
                                      .url = "http://h/web.tar",
                                      .sha256 = "0123",
                                      .policy = "strict",
                                      .state = "ACTIVE",
                                      .want = "active",
                                      .code = "",
                                      .error = "",
                                      .format = "tar"};

static int is_web(void *ctx, const struct images_row *row)
{
    const char *got[] = {row->name, row->url, row->sha256, row->policy, row->state, row->want};
    const char *want[] = {web.name, web.url, web.sha256, web.policy, web.state, web.want};
    for (size_t i = 0; i < ARRAY_SIZE(got); i++)
        cr_assert_str_eq(got[i], want[i], "allocation %ld", *(long *)ctx);
    return 0;
}

static void put_web(void)
{
    cr_assert_eq(db_begin(db, &err), 0, "%s", err.text);
    struct images_row row = web;
    row.id = images_insert(db, &row, &err);
    cr_assert_gt(row.id, 0, "%s", err.text);
    cr_assert_gt(history_add(db, &row, "ACTIVATING", "ACTIVE", 1, &err), 0, "%s", err.text);
    cr_assert_eq(db_commit(db, &err), 0, "%s", err.text);
}

Test(memory, rows)
{
    put_web();
    for (long n = 0, hit = 1; hit; n++) {
        left = n;
        int r = images_each(db, is_web, &n, &err);
        hit = left < 0;
        left = -1;
        cr_assert(hit ? r <= 0 : r == 0, "%s", err.text);
        open_again();
    }
    cr_assert_eq(images_each(db, is_web, &(long){-1}, &err), 0, "%s", err.text);
}

static void is_whole(void *ctx, const struct history_row *row)
{
    cr_assert_str_eq(row->name, "web");
    cr_assert_str_eq(row->from, "ACTIVATING");
    cr_assert_str_eq(row->to, "ACTIVE");
    ++*(int *)ctx;
}

Test(memory, history)
{
    put_web();
    for (long n = 0, hit = 1; hit; n++) {
        int rows = 0;
        left = n;
        int r = history_newest(db, 10, is_whole, &rows, &err);
        hit = left < 0;
        left = -1;
        cr_assert(r < 0 || rows == 1, "allocation %ld", n);
        cr_assert(hit || r == 0, "%s", err.text);
        open_again();
    }
}

/* An image that is there must not pass for one that was removed, whose layer may go. */
Test(memory, removals)
{
    long failures = 0;
    put_web();
    for (long n = 0, hit = 1; hit; n++) {
        int64_t when = 0;
        left = n;
        int r = removals_at(db, "web", &when, &err);
        hit = left < 0;
        left = -1;
        failures += r < 0;
        cr_assert(r < 0 || when == 0, "allocation %ld", n);
        cr_assert(hit || r == 0, "%s", err.text);
        open_again();
    }
    cr_assert_gt(failures, 0);
}
