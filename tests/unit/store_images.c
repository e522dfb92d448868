#include "store/images.h"

#include "base/cleanup.h"
#include "base/io.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <string.h>

static char tmp[] = "/tmp/imgstore-images-XXXXXX";
static char path[64];
static struct db *db;
static struct err err;

static void open_db(void)
{
    cr_assert_eq(db_open(&db, path, true, &err), 0, "%s", err.text);
}

static void set_up(void)
{
    cr_assert(mkdtemp(tmp));
    snprintf(path, sizeof path, "%s/store.db", tmp);
    open_db();
}

static void tear_down(void)
{
    db_close(db);
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

/* --- history */

static char *history(void)
{
    static char out[1024];
    sqlite3 *sql;
    sqlite3_stmt *s;
    out[0] = '\0';
    cr_assert_eq(sqlite3_open_v2(path, &sql, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    cr_assert_eq(sqlite3_prepare_v2(sql,
                                    "SELECT group_concat(time || ' ' || image || ' ' || name || ' '"
                                    " || from_state || '>' || to_state || ' ' || code || ': ' ||"
                                    " message, '|') FROM (SELECT * FROM history ORDER BY seq)",
                                    -1, &s, NULL),
                 SQLITE_OK);
    if (sqlite3_step(s) == SQLITE_ROW && sqlite3_column_text(s, 0))
        snprintf(out, sizeof out, "%s", (const char *)sqlite3_column_text(s, 0));
    sqlite3_finalize(s);
    sqlite3_close(sql);
    return out;
}

Test(images, history_is_kept_in_its_order_and_outlives_the_image)
{
    struct images_row row = web;
    row.id = insert(&web);
    cr_assert_eq(images_history(db, &row, "", "NEW", 30, &err), 0);
    cr_assert_eq(images_history(db, &row, "NEW", "DOWNLOADING", 20, &err), 0);
    row.code = "http-status";
    row.error = "404";
    cr_assert_eq(images_history(db, &row, "DOWNLOADING", "FAILED", 10, &err), 0);
    cr_assert_eq(images_delete(db, row.id, &err), 0);
    cr_assert_str_eq(history(), "30 1 web >NEW : |20 1 web NEW>DOWNLOADING : |"
                                "10 1 web DOWNLOADING>FAILED http-status: 404");
}

Test(images, a_row_and_its_history_are_one_transaction)
{
    struct images_row row = web;
    cr_assert_eq(db_begin(db, &err), 0);
    row.id = images_insert(db, &row, &err);
    cr_assert_eq(images_history(db, &row, "", "NEW", 1, &err), 0);
    db_rollback(db);
    cr_assert_str_eq(history(), "");
}
