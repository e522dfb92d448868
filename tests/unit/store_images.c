#include "store/images.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "base/text.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>

static char tmp[] = "/tmp/imgstore-images-XXXXXX";
static char path[64];
static struct paths paths; /* the folder is the store, too: the key is all that is asked for */
static struct db *db;
static struct err err;

static void open_db(void)
{
    cr_assert_eq(db_open(&db, path, true, &err), 0, "%s", err.text);
    cr_assert_eq(images_open(db, &paths, &err), 0, "%s", err.text);
}

static void set_up(void)
{
    cr_assert(mkdtemp(tmp));
    snprintf(path, sizeof path, "%s/store.db", tmp);
    paths = (struct paths){.root = open(tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    cr_assert_geq(paths.root, 0);
    open_db();
}

static void tear_down(void)
{
    db_close(db);
    paths_close(&paths);
    io_remove_tree(AT_FDCWD, tmp);
}

TestSuite(images, .init = set_up, .fini = tear_down);

static const struct images_row web = {
    .name = "web",
    .url = "http://u:p@h/web.tar.gz",
    .sha256 = "0123",
    .policy = "strict",
    .state = "NEW",
    .want = "active",
    .code = "",
    .error = "",
    .format = "",
    .size = -1,
    .entries = -1,
    .bytes = -1,
    .skipped = -1,
    .created = 1700000000123,
    .updated = 1700000000124,
};

static int64_t insert(const struct images_row *row)
{
    cr_assert_eq(db_begin(db, &err), 0, "%s", err.text);
    int64_t id = images_insert(db, row, &err);
    cr_assert_eq(db_commit(db, &err), 0, "%s", err.text);
    return id;
}

static int64_t insert_named(const char *name)
{
    struct images_row row = web;
    row.name = name;
    return insert(&row);
}

static void same(const struct images_row *a, const struct images_row *b)
{
    const char *const x[] = {a->name, a->url,  a->sha256, a->policy, a->state,
                             a->want, a->code, a->error,  a->format};
    const char *const y[] = {b->name, b->url,  b->sha256, b->policy, b->state,
                             b->want, b->code, b->error,  b->format};
    for (size_t i = 0; i < ARRAY_SIZE(x); i++)
        cr_expect_str_eq(x[i], y[i], "string %zu", i);
    cr_expect_eq(memcmp(&a->size, &b->size, sizeof *a - offsetof(struct images_row, size)), 0);
    cr_expect_eq(a->id, b->id);
}

/* Checks each row against the next of ctx. */
struct expected {
    const struct images_row *rows;
    int n, end_at, end_with;
};

static int check(void *ctx, const struct images_row *row)
{
    struct expected *e = ctx;
    same(row, &e->rows[e->n++]);
    return e->n == e->end_at ? e->end_with : 0;
}

static int seen(const struct images_row *rows)
{
    struct expected e = {.rows = rows};
    cr_assert_eq(images_each(db, check, &e, &err), 0, "%s", err.text);
    return e.n;
}

Test(images, an_empty_table)
{
    cr_assert_eq(seen(NULL), 0);
}

Test(images, a_row_comes_back_as_it_went_also_after_a_restart)
{
    struct images_row row = web;
    row.id = insert(&row);
    cr_assert_gt(row.id, 0);
    cr_assert_eq(seen(&row), 1);
    db_close(db);
    open_db();
    cr_assert_eq(seen(&row), 1);
}

Test(images, every_column_is_updated)
{
    struct images_row row = web;
    int64_t other = insert_named("other");
    row.id = insert(&web);
    row = (struct images_row){row.id,   "web2",     "http://i/x",
                              "4567",   "faithful", "FAILED",
                              "stored", "io",       "a 'quoted' reason; -- \xc3\xa9",
                              "tar.xz", 1,          2,
                              3,        4,          5,
                              6,        7,          INT64_MAX};
    cr_assert_eq(images_update(db, &row, &err), 0, "%s", err.text);
    struct images_row rows[2] = {web, row};
    rows[0].id = other;
    rows[0].name = "other";
    cr_assert_eq(seen(rows), 2);
}

Test(images, rows_come_by_id)
{
    struct images_row rows[3] = {web, web, web};
    static const char *const names[] = {"c", "a", "b"};
    for (int i = 0; i < 3; i++) {
        rows[i].name = names[i];
        rows[i].id = insert(&rows[i]);
    }
    cr_assert(rows[0].id < rows[1].id && rows[1].id < rows[2].id);
    cr_assert_eq(seen(rows), 3);
}

Test(images, a_callback_ends_the_walk)
{
    struct images_row rows[2] = {web, web};
    rows[0].id = insert(&web);
    rows[1].id = insert_named("two");
    rows[1].name = "two";
    struct expected e = {.rows = rows, .end_at = 1, .end_with = -EINVAL};
    cr_assert_eq(images_each(db, check, &e, &err), -EINVAL);
    cr_assert_eq(e.n, 1);
    cr_assert_eq(seen(rows), 2, "the next walk begins anew");
    insert_named("three"); /* the walk that was ended holds nothing up */
}

Test(images, an_id_is_never_used_again)
{
    int64_t one = insert(&web);
    cr_assert_eq(images_delete(db, one, &err), 0);
    db_close(db);
    open_db();
    cr_assert_gt(insert(&web), one);
}

Test(images, a_name_is_one_row)
{
    insert(&web);
    cr_assert_eq(db_begin(db, &err), 0);
    cr_assert_lt(images_insert(db, &web, &err), 0);
    cr_assert(strstr(err.text, "UNIQUE"), "%s", err.text);
    db_rollback(db);
}

Test(images, only_the_row_that_was_named_is_deleted)
{
    struct images_row rest = web;
    int64_t one = insert_named("one");
    rest.id = insert(&web);
    cr_assert_eq(images_delete(db, one, &err), 0);
    cr_assert_eq(images_delete(db, 4711, &err), 0, "one that is not there is no error");
    cr_assert_eq(seen(&rest), 1);
}

Test(images, what_is_rolled_back_was_never_there)
{
    cr_assert_eq(db_begin(db, &err), 0);
    cr_assert_gt(images_insert(db, &web, &err), 0);
    db_rollback(db);
    cr_assert_eq(seen(NULL), 0);
}

/* --- credentials */

/* What the database has in a column of the row with that id. */
static const char *column_of(int64_t id, const char *column)
{
    static char out[512];
    sqlite3 *sql;
    sqlite3_stmt *s;
    snprintf(out, sizeof out, "SELECT %s FROM images WHERE id = %lld", column, (long long)id);
    cr_assert_eq(sqlite3_open_v2(path, &sql, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    cr_assert_eq(sqlite3_prepare_v2(sql, out, -1, &s, NULL), SQLITE_OK, "%s", sqlite3_errmsg(sql));
    cr_assert_eq(sqlite3_step(s), SQLITE_ROW);
    snprintf(out, sizeof out, "%s", (const char *)sqlite3_column_text(s, 0));
    sqlite3_finalize(s);
    sqlite3_close(sql);
    return out;
}

static void tamper(const char *what)
{
    sqlite3 *sql;
    cr_assert_eq(sqlite3_open(path, &sql), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(sql, what, NULL, NULL, NULL), SQLITE_OK, "%s", sqlite3_errmsg(sql));
    sqlite3_close(sql);
}

static void reopen(void)
{
    db_close(steal_ptr(db));
    open_db();
}

/* The whole database, its log included, as bytes: is there `what` in it? */
static bool database_holds(const char *what)
{
    static const char *const files[] = {"", "-wal", "-shm"};
    bool found = false;
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        char name[80], *bytes CLEANUP_FREE = malloc(4 << 20);
        snprintf(name, sizeof name, "%s%s", path, files[i]);
        int fd CLEANUP_CLOSE = open(name, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? 0 : io_read(fd, bytes, 4 << 20);
        cr_assert_geq(n, 0);
        found |= memmem(bytes, (size_t)n, what, strlen(what)) != NULL;
    }
    return found;
}

static int64_t insert_url(const char *name, const char *url)
{
    struct images_row row = web;
    row.name = name;
    row.url = url;
    return insert(&row);
}

static int copy_url(void *ctx, const struct images_row *row)
{
    snprintf(ctx, 512, "%s", row->url);
    return 0;
}

static const char *last_url(void)
{
    static char url[512];
    cr_assert_eq(images_each(db, copy_url, url, &err), 0, "%s", err.text);
    return url;
}

Test(images, credentials_are_not_in_the_database)
{
    int64_t id = insert_url("web", "https://CanaryU:CanaryP@h/x?y=z");
    cr_assert_str_eq(column_of(id, "url"), "https://user:***@h/x?y=z");
    cr_assert_str_eq(column_of(id, "length(secret)"), "44"); /* 15 and what sealing adds */
    cr_assert_str_eq(column_of(insert_url("token", "https://CanaryT@h/x"), "url"),
                     "https://user:***@h/x");
    cr_assert_str_eq(column_of(insert_url("none", "https://h/x@y"), "url || length(secret)"),
                     "https://h/x@y0");
    cr_assert_not(database_holds("Canary"));
    reopen();
    cr_assert_str_eq(last_url(), "https://h/x@y");
    cr_assert_eq(images_delete(db, id + 2, &err), 0);
    cr_assert_str_eq(last_url(), "https://CanaryT@h/x");
    cr_assert_eq(images_delete(db, id + 1, &err), 0);
    cr_assert_str_eq(last_url(), "https://CanaryU:CanaryP@h/x?y=z");
}

Test(images, each_writing_seals_anew)
{
    struct images_row row = web;
    char before[512];
    row.id = insert(&web);
    snprintf(before, sizeof before, "%s", column_of(row.id, "hex(secret)"));
    cr_assert_eq(images_update(db, &row, &err), 0, "%s", err.text);
    cr_assert_str_neq(column_of(row.id, "hex(secret)"), before);
    row.url = "http://h/without";
    cr_assert_eq(images_update(db, &row, &err), 0, "%s", err.text);
    cr_assert_str_eq(column_of(row.id, "hex(secret)"), "");
}

Test(images, a_sealed_value_opens_in_its_own_row_only)
{
    static const char *const moves[] = {
        "UPDATE images SET url = 'http://user:***@evil/web.tar.gz'",
        "UPDATE images SET name = 'other'",
        "UPDATE images SET sha256 = '4567'",
        "UPDATE images SET secret = substr(secret, 1, length(secret) - 1)",
        "UPDATE images SET secret = CAST(secret || x'00' AS BLOB)",
        "UPDATE images SET secret = CAST(x'02' || substr(secret, 2) AS BLOB)",
        "UPDATE images SET secret = x'01'",
    };
    insert(&web);
    cr_assert_str_eq(last_url(), web.url);
    for (size_t i = 0; i < ARRAY_SIZE(moves); i++) {
        struct images_row row = web;
        tamper(moves[i]);
        cr_expect(strstr(last_url(), "://user:***@"), "%s: %s", moves[i], last_url());
        tamper("DELETE FROM images");
        insert(&row);
    }
}

static void key_is(const char *file, mode_t mode)
{
    struct stat st;
    cr_assert_eq(fstatat(paths.root, file, &st, 0), 0);
    cr_assert_eq(st.st_mode, S_IFREG | mode);
    cr_assert_eq(st.st_size, 32);
}

Test(images, another_key_opens_nothing_and_the_old_one_all_again)
{
    struct images_row row = web;
    key_is(".key", 0600);
    row.id = insert(&web);
    cr_assert_eq(renameat(paths.root, ".key", paths.root, "aside"), 0);
    reopen();
    cr_assert_str_eq(last_url(), "http://user:***@h/web.tar.gz");
    row.url = last_url();
    row.state = "FAILED";
    cr_assert_eq(images_update(db, &row, &err), 0, "its state changes all the same");
    insert_url("new", "http://a:b@h/new");
    reopen();
    cr_assert_str_eq(last_url(), "http://a:b@h/new", "the new key is kept");
    cr_assert_eq(renameat(paths.root, "aside", paths.root, ".key"), 0);
    tamper("DELETE FROM images WHERE name = 'new'");
    reopen();
    cr_assert_str_eq(last_url(), web.url);
}

Test(images, a_damaged_key_is_kept_aside)
{
    insert(&web);
    cr_assert_eq(unlinkat(paths.root, ".key", 0), 0);
    int fd = openat(paths.root, ".key", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    cr_assert_eq(write(fd, "half", 4), 4);
    close(fd);
    reopen();
    cr_assert_eq(faccessat(paths.root, ".key.damaged", F_OK, 0), 0);
    key_is(".key", 0600);
    cr_assert_eq(fchmodat(paths.root, ".key", 0644, 0), 0);
    reopen();
    key_is(".key", 0600);
    cr_assert_str_eq(last_url(), "http://user:***@h/web.tar.gz");
}

extern const char migration_001[];

/* As version 1 had it: rows that are there, one that was changed, many that were removed. */
static void make_version_1(void)
{
    struct text sql CLEANUP_TEXT = {0};
    db_close(steal_ptr(db));
    unlink(path);
    unlinkat(paths.root, ".key", 0);
    text_addf(&sql, "PRAGMA journal_mode = WAL; %s", migration_001);
    text_addf(&sql, "PRAGMA application_id = 0x696d6773; PRAGMA user_version = 1;");
    text_add(&sql, "INSERT INTO store VALUES ('0123456789abcdef0123456789abcdef');"
                   "INSERT INTO history VALUES (1, 2, 3, 'n', 'a', 'b', '', '');");
    for (int i = 0; i < 300; i++)
        text_addf(&sql,
                  "INSERT INTO images VALUES (%d, 'n%d', 'http://CanaryU:CanaryP%d@h/%0*d', '01',"
                  " 'strict', 'NEW', 'active', '', '', '', -1, -1, -1, -1, 0, 0, 1, 1);",
                  i + 1, i, i, i == 200 ? 3000 : 1, 0);
    text_add(&sql, "UPDATE images SET url = 'http://h/x' WHERE id = 20;"
                   "DELETE FROM images WHERE id > 20;");
    tamper(sql.data);
    cr_assert(database_holds("CanaryP"), "the test could not fail");
}

Test(images, what_version_1_kept_in_plain_is_sealed_and_nothing_of_it_stays)
{
    make_version_1();
    open_db();
    cr_assert_not(database_holds("Canary"));
    cr_assert_str_eq(last_url(), "http://h/x");
    tamper("DELETE FROM images WHERE id = 20");
    cr_assert_str_eq(last_url(), "http://CanaryU:CanaryP18@h/0");
    reopen();
    cr_assert_str_eq(last_url(), "http://CanaryU:CanaryP18@h/0");
    cr_assert_not(database_holds("Canary"));
}

Test(images, a_database_that_a_crash_left_half_converted)
{
    make_version_1();
    cr_assert_eq(db_open(&db, path, true, &err), 0, "%s", err.text); /* migrated, and no further */
    cr_assert(database_holds("CanaryP"));
    reopen();
    cr_assert_not(database_holds("Canary"));
    cr_assert_str_eq(last_url(), "http://h/x");
}
