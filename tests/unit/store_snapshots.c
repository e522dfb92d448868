#include "store/snapshots.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "base/text.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>

static char tmp[] = "/tmp/imgstore-snapshots-XXXXXX";
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

TestSuite(snapshots, .init = set_up, .fini = tear_down);

static int add(void *ctx, const struct snapshots_row *row)
{
    text_addf(ctx, "%lld %lld %s %s %lld\n", (long long)row->number, (long long)row->image, row->id,
              row->state, (long long)row->created);
    return 0;
}

static void rows_are(const char *want)
{
    struct text rows CLEANUP_TEXT = {0};
    text_add(&rows, "");
    cr_assert_eq(snapshots_each(db, add, &rows, &err), 0, "%s", err.text);
    cr_assert_str_eq(rows.data, want);
}

static void last_is(uint64_t want)
{
    uint64_t last = 99;
    cr_assert_eq(snapshots_last(db, &last, &err), 0);
    cr_assert_eq(last, want);
}

static void insert(int64_t number, int64_t image, const char *id)
{
    struct snapshots_row row = {.number = number,
                                .image = image,
                                .id = id,
                                .state = "ACTIVATING",
                                .created = 1000 + number};
    cr_assert_eq(snapshots_insert(db, &row, &err), 0, "%s", err.text);
}

Test(snapshots, rows_come_back_as_they_went)
{
    rows_are("");
    last_is(0);
    insert(1, 7, "b");
    insert(2, 7, "a");
    insert(5, 8, "a");
    rows_are("1 7 b ACTIVATING 1001\n2 7 a ACTIVATING 1002\n5 8 a ACTIVATING 1005\n");
    last_is(5);
    cr_assert_eq(snapshots_set_state(db, 2, "ACTIVE", &err), 0);
    cr_assert_eq(snapshots_rename(db, 1, "c", &err), 0);
    cr_assert_eq(snapshots_delete(db, 5, &err), 0);
    rows_are("1 7 c ACTIVATING 1001\n2 7 a ACTIVE 1002\n");
    last_is(5);
    db_close(db);
    open_db();
    rows_are("1 7 c ACTIVATING 1001\n2 7 a ACTIVE 1002\n");
    last_is(5);
}

/* What a failed attempt could not take back is not in the way of the next one. */
Test(snapshots, a_left_over_row_gives_way)
{
    insert(1, 7, "a");
    insert(2, 7, "a");
    rows_are("2 7 a ACTIVATING 1002\n");
}

Test(snapshots, nor_of_a_rename)
{
    insert(1, 7, "a");
    insert(2, 7, "b");
    insert(3, 8, "a");
    cr_assert_eq(snapshots_rename(db, 2, "a", &err), 0, "%s", err.text);
    rows_are("2 7 a ACTIVATING 1002\n3 8 a ACTIVATING 1003\n");
}

Test(snapshots, all_of_an_image_go)
{
    insert(1, 7, "a");
    insert(2, 8, "a");
    insert(3, 7, "b");
    cr_assert_eq(snapshots_delete_all(db, 7, &err), 0, "%s", err.text);
    rows_are("2 8 a ACTIVATING 1002\n");
}

static int stop_at_two(void *ctx, const struct snapshots_row *row)
{
    return ++*(int *)ctx == 2 ? -EINVAL : 0;
}

Test(snapshots, a_walk_ends_where_it_is_told_to)
{
    int seen = 0;
    for (int i = 1; i <= 4; i++)
        insert(i, i, "a");
    cr_assert_eq(snapshots_each(db, stop_at_two, &seen, &err), -EINVAL);
    cr_assert_eq(seen, 2);
}
