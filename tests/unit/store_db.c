#include "store/db.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "store/migrate.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>

#define VERSION 4 /* the newest there is */

static char tmp[] = "/tmp/imgstore-db-XXXXXX";
static char path[64];
static struct db *db;
static struct err err;

static void set_up(void)
{
    cr_assert(mkdtemp(tmp));
    snprintf(path, sizeof path, "%s/store.db", tmp);
}

static void tear_down(void)
{
    db_close(db);
    io_remove_tree(AT_FDCWD, tmp);
}

TestSuite(db, .init = set_up, .fini = tear_down);

static void open_db(void)
{
    cr_assert_eq(db_open(&db, path, true, &err), 0, "%s", err.text);
}

static void close_db(void)
{
    db_close(steal_ptr(db));
}

/* Runs sql on the file as another program would. */
static void tamper(const char *sql)
{
    sqlite3 *other;
    char *why = NULL;
    cr_assert_eq(sqlite3_open(path, &other), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(other, sql, NULL, NULL, &why), SQLITE_OK, "%s", why);
    sqlite3_close(other);
}

static char *ask(const char *query)
{
    static char answer[256];
    sqlite3 *other;
    sqlite3_stmt *s;
    answer[0] = '\0';
    cr_assert_eq(sqlite3_open_v2(path, &other, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    cr_assert_eq(sqlite3_prepare_v2(other, query, -1, &s, NULL), SQLITE_OK, "%s",
                 sqlite3_errmsg(other));
    if (sqlite3_step(s) == SQLITE_ROW)
        snprintf(answer, sizeof answer, "%s", (const char *)sqlite3_column_text(s, 0));
    sqlite3_finalize(s);
    sqlite3_close(other);
    return answer;
}

static size_t read_file(char *out, size_t size)
{
    int fd CLEANUP_CLOSE = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = io_read(fd, out, size);
    cr_assert_geq(n, 0);
    return (size_t)n;
}

/* Refused, and not a byte of the file is another one. */
static void refused(const char *reason)
{
    static char before[256 * 1024], after[sizeof before];
    size_t n = read_file(before, sizeof before);
    cr_assert_lt(db_open(&db, path, true, &err), 0);
    cr_assert_null(db);
    cr_assert(strstr(err.text, path), "%s", err.text);
    cr_assert(strstr(err.text, reason), "%s", err.text);
    cr_assert_eq(read_file(after, sizeof after), n);
    cr_assert_eq(memcmp(before, after, n), 0, "the file was changed");
}

Test(db, a_fresh_one_is_private_whatever_the_umask)
{
    struct stat st;
    umask(0);
    open_db();
    cr_assert_eq(stat(path, &st), 0);
    cr_assert_eq(st.st_mode, S_IFREG | 0600);
}

Test(db, a_fresh_one_is_of_the_newest_version)
{
    char want[16];
    open_db();
    close_db();
    snprintf(want, sizeof want, "%d", VERSION);
    cr_assert_str_eq(ask("PRAGMA user_version"), want);
    snprintf(want, sizeof want, "%d", MIGRATE_APPLICATION_ID);
    cr_assert_str_eq(ask("PRAGMA application_id"), want);
    cr_assert_str_eq(ask("PRAGMA journal_mode"), "wal");
    cr_assert_str_eq(ask("SELECT group_concat(name, ' ') FROM sqlite_schema WHERE type = 'table'"
                         " AND name NOT LIKE 'sqlite_%'"),
                     "images history store snapshots removals");
}

Test(db, opening_again_changes_nothing)
{
    open_db();
    close_db();
    tamper("INSERT INTO history VALUES (1, 2, 3, 'n', 'a', 'b', '', '')");
    open_db();
    close_db();
    cr_assert_str_eq(ask("SELECT count(*) FROM history"), "1");
}

Test(db, a_newer_one_is_refused)
{
    open_db();
    close_db();
    tamper("PRAGMA user_version = 5");
    refused("has version 5, this program knows 4 at most");
    cr_assert_eq(err.num, EINVAL);
}

Test(db, one_of_another_program_is_refused_untouched)
{
    tamper("CREATE TABLE bookmarks (url TEXT); INSERT INTO bookmarks VALUES ('x')");
    refused("is a database of another program");
    cr_assert_str_eq(ask("PRAGMA journal_mode"), "delete");
}

Test(db, one_of_another_program_with_a_mark_is_refused)
{
    tamper("PRAGMA application_id = 1234; PRAGMA user_version = 1; CREATE TABLE images (x)");
    refused("is a database of another program");
}

Test(db, a_version_below_zero_is_refused)
{
    open_db();
    close_db();
    tamper("PRAGMA user_version = -1");
    refused("-1");
}

Test(db, what_is_no_database_is_refused)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    for (int i = 0; i < 4096; i++)
        cr_assert_eq(io_write(fd, "not a database\n", 15), 0);
    close(fd);
    refused("not a database");
}

Test(db, a_damaged_one_is_refused)
{
    char junk[512];
    open_db();
    close_db();
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    memset(junk, 0x5a, sizeof junk);
    cr_assert_eq(pwrite(fd, junk, sizeof junk, 100), (ssize_t)sizeof junk);
    close(fd);
    refused("malformed");
}

Test(db, one_that_lost_its_tables_is_refused)
{
    open_db();
    close_db();
    tamper("DROP TABLE history");
    cr_assert_lt(db_open(&db, path, true, &err), 0);
    cr_assert(strstr(err.text, "history"), "%s", err.text);
    cr_assert_null(db);
}

Test(db, a_missing_one_is_made_only_if_that_is_asked_for)
{
    cr_assert_eq(db_open(&db, path, false, &err), -ENOENT);
    cr_assert(strstr(err.text, "missing"), "%s", err.text);
    cr_assert_eq(access(path, F_OK), -1, "it was made");
    open_db();
}

Test(db, an_empty_one_is_left_as_it_is_with_its_log)
{
    char wal[80];
    snprintf(wal, sizeof wal, "%s-wal", path);
    close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    close(open(wal, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    cr_assert_eq(db_open(&db, path, false, &err), -EIO);
    cr_assert(strstr(err.text, "empty"), "%s", err.text);
    cr_assert_eq(access(wal, F_OK), 0, "SQLite took the log away");
}

static void commit(int expected)
{
    struct err why = {0};
    cr_assert_eq(db_in_place(db, &why), expected);
    cr_assert_eq(db_begin(db, &why), expected, "%s", why.text);
    if (expected == 0)
        cr_assert_eq(db_commit(db, &why), 0, "%s", why.text);
    else
        cr_assert(strstr(why.text, "put the database back"), "%s", why.text);
}

/* Each of the files that a commit ends up in. */
static void moved_away(const char *suffix)
{
    char from[80], to[80];
    open_db();
    tamper("CREATE TABLE t (x)");
    commit(0);
    snprintf(from, sizeof from, "%s%s", path, suffix);
    snprintf(to, sizeof to, "%s.away", path);
    cr_assert_eq(rename(from, to), 0);
    commit(-EIO);
    close(open(from, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    commit(-EIO);
    cr_assert_eq(rename(to, from), 0);
    commit(0);
}

Test(db, nothing_is_written_to_one_that_was_taken_away)
{
    moved_away("");
}

Test(db, nothing_is_written_to_a_log_that_was_taken_away)
{
    moved_away("-wal");
}

Test(db, that_disappears_within_a_transaction_takes_no_commit)
{
    open_db();
    cr_assert_eq(db_begin(db, &err), 0);
    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(db_commit(db, &err), -EIO);
    cr_assert(strstr(err.text, "deleted"), "%s", err.text);
}

Test(db, what_is_not_there_is_said)
{
    snprintf(path, sizeof path, "%s/no/store.db", tmp);
    cr_assert_eq(db_open(&db, path, true, &err), -ENOENT);
    cr_assert(strstr(err.text, path), "%s", err.text);
}

/* --- the version is written inside the migration's transaction */

static int crash_at_commit(void *ctx)
{
    return 1; /* the commit becomes a rollback */
}

Test(db, a_migration_that_is_not_committed_leaves_neither_tables_nor_version)
{
    sqlite3 *sql;
    cr_assert_eq(sqlite3_open(path, &sql), SQLITE_OK);
    sqlite3_commit_hook(sql, crash_at_commit, NULL);
    cr_assert_lt(migrate_run(sql, path, &err), 0);
    sqlite3_close(sql);
    cr_assert_str_eq(ask("PRAGMA user_version"), "0");
    cr_assert_str_eq(ask("PRAGMA application_id"), "0");
    cr_assert_str_eq(ask("SELECT count(*) FROM sqlite_schema"), "0");
    open_db();
}

struct seen {
    int version_in_transaction, version_outside;
};

/* Every statement as it begins: when the version is set, a transaction must be open. */
static int watch(unsigned mask, void *ctx, void *stmt, void *text)
{
    struct seen *seen = ctx;
    sqlite3 *sql = sqlite3_db_handle(stmt);
    if (strstr(text, "user_version ="))
        *(sqlite3_get_autocommit(sql) ? &seen->version_outside : &seen->version_in_transaction) +=
            1;
    return 0;
}

Test(db, the_version_is_set_within_a_transaction_each)
{
    sqlite3 *sql;
    struct seen seen = {0};
    cr_assert_eq(sqlite3_open(path, &sql), SQLITE_OK);
    sqlite3_trace_v2(sql, SQLITE_TRACE_STMT, watch, &seen);
    cr_assert_eq(migrate_run(sql, path, &err), 0, "%s", err.text);
    cr_assert(sqlite3_get_autocommit(sql));
    sqlite3_close(sql);
    cr_assert_eq(seen.version_in_transaction, VERSION);
    cr_assert_eq(seen.version_outside, 0);
}

/* --- transactions */

static int add_history(void)
{
    struct sqlite3_stmt *s = db_query(db, QUERY_HISTORY_ADD);
    for (int i = 1; i <= 2; i++)
        sqlite3_bind_int64(s, i, i);
    for (int i = 3; i <= 7; i++)
        sqlite3_bind_text(s, i, "x", -1, SQLITE_STATIC);
    return db_run(db, s, &err);
}

Test(db, committed_is_seen_by_others_and_rolled_back_is_not)
{
    open_db();
    cr_assert_eq(db_begin(db, &err), 0);
    cr_assert_eq(add_history(), 0);
    cr_assert_str_eq(ask("SELECT count(*) FROM history"), "0");
    cr_assert_eq(db_commit(db, &err), 0);
    cr_assert_str_eq(ask("SELECT count(*) FROM history"), "1");
    cr_assert_eq(db_begin(db, &err), 0);
    cr_assert_eq(add_history(), 0);
    db_rollback(db);
    cr_assert_str_eq(ask("SELECT count(*) FROM history"), "1");
    db_rollback(db); /* nothing is open: nothing happens */
}

Test(db, one_transaction_at_a_time)
{
    open_db();
    cr_assert_eq(db_begin(db, &err), 0);
    cr_assert_lt(db_begin(db, &err), 0);
    cr_assert_eq(err.code, ERR_IO);
    db_rollback(db);
    cr_assert_eq(db_begin(db, &err), 0);
}

Test(db, a_refused_row_is_an_error_and_the_next_one_is_none)
{
    open_db();
    cr_assert_eq(db_begin(db, &err), 0);
    cr_assert_lt(db_run(db, db_query(db, QUERY_HISTORY_ADD), &err), 0, "NULLs are refused");
    cr_assert(strstr(err.text, "NOT NULL"), "%s", err.text);
    cr_assert_eq(add_history(), 0);
    cr_assert_eq(db_commit(db, &err), 0);
    cr_assert_str_eq(ask("SELECT count(*) FROM history"), "1");
}

Test(db, every_commit_is_synced)
{
    open_db();
    sqlite3 *sql = sqlite3_db_handle(db_query(db, QUERY_BEGIN));
    sqlite3_stmt *s;
    cr_assert_eq(sqlite3_prepare_v2(sql, "PRAGMA synchronous", -1, &s, NULL), SQLITE_OK);
    cr_assert_eq(sqlite3_step(s), SQLITE_ROW);
    cr_assert_eq(sqlite3_column_int(s, 0), 2 /* FULL */);
    sqlite3_finalize(s);
}
