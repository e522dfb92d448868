#include "store/history.h"

#include "base/boot.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/text.h"
#include "store/removals.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <string.h>

static char tmp[] = "/tmp/imgstore-history-XXXXXX";
static char path[64];
static struct db *db;
static struct err err;
static const struct images_row web = {.id = 7, .name = "web", .code = "", .error = ""};

static void tamper(const char *sql)
{
    sqlite3 *s;
    cr_assert_eq(sqlite3_open_v2(path, &s, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL),
                 SQLITE_OK);
    cr_assert_eq(sqlite3_exec(s, sql, NULL, NULL, NULL), SQLITE_OK, "%s", sqlite3_errmsg(s));
    sqlite3_close(s);
}

static void open_db(void)
{
    cr_assert_eq(db_open(&db, path, true, &err), 0, "%s", err.text);
}

static void reopen(void)
{
    db_close(steal_ptr(db));
    open_db();
    cr_assert_eq(history_open(db, &err), 0, "%s", err.text);
}

static void set_up(void)
{
    cr_assert(mkdtemp(tmp));
    snprintf(path, sizeof path, "%s/store.db", tmp);
    open_db();
    tamper("INSERT INTO store (id) VALUES ('x')");
    cr_assert_eq(history_open(db, &err), 0, "%s", err.text);
}

static void tear_down(void)
{
    db_close(db);
    io_remove_tree(AT_FDCWD, tmp);
}

TestSuite(history, .init = set_up, .fini = tear_down);

static int64_t add(const char *from, const char *to, int64_t time)
{
    int64_t seq = history_add(db, &web, from, to, time, &err);
    cr_assert_gt(seq, 0, "%s", err.text);
    return seq;
}

static void write_one(void *ctx, const struct history_row *row)
{
    text_addf(ctx, "%lld: %lld %s %s>%s %s: %s|", (long long)row->seq, (long long)row->time,
              row->name, row->from, row->to, row->code, row->message);
}

static const char *newest(int64_t most)
{
    static char out[1024];
    struct text t CLEANUP_TEXT = {0};
    text_add(&t, "");
    cr_assert_eq(history_newest(db, most, write_one, &t, &err), 0, "%s", err.text);
    snprintf(out, sizeof out, "%s", t.data);
    return out;
}

/* --- rows */

Test(history, is_kept_in_its_order_and_outlives_the_image)
{
    struct images_row row = web;
    add("", "NEW", 30);
    add("NEW", "DOWNLOADING", 20);
    row.code = "http-status";
    row.error = "404";
    cr_assert_eq(history_add(db, &row, "DOWNLOADING", "FAILED", 10, &err), 3);
    cr_assert_str_eq(newest(10), "1: 30 web >NEW : |2: 20 web NEW>DOWNLOADING : |"
                                 "3: 10 web DOWNLOADING>FAILED http-status: 404|");
}

Test(history, is_one_transaction_with_what_it_tells)
{
    cr_assert_eq(db_begin(db, &err), 0);
    cr_assert_eq(add("", "NEW", 1), 1);
    db_rollback(db);
    cr_assert_str_eq(newest(10), "");
    cr_assert_eq(add("", "NEW", 1), 1, "what was never there has taken no number");
}

Test(history, the_newest_of_it)
{
    for (int64_t i = 1; i <= 5; i++)
        add("a", "b", i);
    cr_assert_str_eq(newest(2), "4: 4 web a>b : |5: 5 web a>b : |");
    cr_assert_str_eq(newest(5) + 3 * strlen("1: 1 web a>b : |"), newest(2));
    cr_assert_eq(strlen(newest(6)), strlen("1: 1 web a>b : |") * 5);
}

static int trim(int64_t seq, bool *more)
{
    cr_assert_eq(db_begin(db, &err), 0);
    cr_assert_eq(history_trim(db, seq, more, &err), 0, "%s", err.text);
    return db_commit(db, &err);
}

static int64_t count(void)
{
    struct text t CLEANUP_TEXT = {0};
    int64_t n = 0;
    text_add(&t, "");
    cr_assert_eq(history_newest(db, INT64_MAX, write_one, &t, &err), 0);
    for (const char *p = t.data; (p = strchr(p, '|')); p++)
        n++;
    return n;
}

/* However much there is, no transaction deletes much of it. */
Test(history, is_trimmed_bit_by_bit)
{
    bool more;
    cr_assert_eq(trim(1000, &more), 0);
    cr_assert_not(more, "there is nothing");
    cr_assert_eq(db_begin(db, &err), 0);
    for (int i = 0; i < 2 * HISTORY_TRIM_MAX + 10; i++)
        add("a", "b", 1);
    cr_assert_eq(db_commit(db, &err), 0);
    int64_t all = count(), last = all;
    cr_assert_eq(trim(last, &more), 0);
    cr_assert(more);
    cr_assert_eq(count(), all - HISTORY_TRIM_MAX);
    cr_assert_eq(trim(last, &more), 0);
    cr_assert(more);
    cr_assert_eq(trim(last, &more), 0);
    cr_assert_not(more);
    cr_assert_eq(count(), 1, "that one is kept");
    cr_assert_eq(trim(last, &more), 0);
    cr_assert_eq(count(), 1);
    cr_assert_eq(add("a", "b", 1), last + 1);
}

Test(history, is_trimmed_over_a_gap_in_its_numbers)
{
    bool more = true;
    add("a", "b", 1);
    tamper("UPDATE sqlite_sequence SET seq = 900000000 WHERE name = 'history'");
    int64_t last = add("a", "b", 1);
    cr_assert_eq(trim(last, &more), 0);
    cr_assert_not(more);
    cr_assert_eq(count(), 1);
}

/* --- numbers */

static void another_boot(void)
{
    tamper("UPDATE store SET boot = 'another' WHERE boot <> ''");
}

Test(history, numbers_go_on_after_a_crash_and_after_a_close)
{
    cr_assert_eq(add("a", "b", 1), 1);
    reopen();
    cr_assert_eq(add("a", "b", 1), 2);
    cr_assert_eq(history_close(db, &err), 0);
    another_boot();
    reopen();
    cr_assert_eq(add("a", "b", 1), 3, "all was on disk");
}

Test(history, numbers_jump_where_a_power_cut_may_have_forgotten_some)
{
    add("a", "b", 1);
    another_boot();
    reopen();
    cr_assert_eq(add("a", "b", 1), HISTORY_JUMP + 2);
    reopen();
    cr_assert_eq(add("a", "b", 1), HISTORY_JUMP + 3, "once a boot");
}

Test(history, numbers_jump_though_no_row_has_outlived_it)
{
    another_boot();
    reopen();
    cr_assert_eq(add("a", "b", 1), HISTORY_JUMP + 1);
}

/* --- removals */

static int64_t removed_at(const char *name)
{
    int64_t when = -1;
    cr_assert_eq(removals_at(db, name, &when, &err), 0, "%s", err.text);
    return when;
}

/* What a crash has left of a removed image may go; what nobody has seen go may not. */
Test(history, when_a_name_was_removed)
{
    cr_assert_eq(removed_at("web"), 0, "nobody knows it");
    cr_assert_eq(removals_add(db, "web", 2, &err), 0);
    cr_assert_eq(removed_at("web"), 2);
    cr_assert_eq(removed_at("we"), 0);
    cr_assert_eq(removals_add(db, "web", 1, &err), 0, "the clock was set back");
    cr_assert_eq(removed_at("web"), 1);
    cr_assert_eq(removals_drop(db, "web", &err), 0);
    cr_assert_eq(removed_at("web"), 0, "made anew");
}

static int drop_some(void *ctx, const char *name)
{
    ++*(int *)ctx;
    return strcmp(name, "keep") == 0 ? 0 : removals_drop(db, name, &err);
}

Test(history, removals_can_be_forgotten_as_they_are_walked)
{
    int seen = 0;
    const char *const names[] = {"a", "keep", "z"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        removals_add(db, names[i], 5, &err);
    cr_assert_eq(removals_each(db, drop_some, &seen, &err), 0, "%s", err.text);
    cr_assert_eq(seen, 3);
    cr_assert_eq(removed_at("a") + removed_at("z"), 0);
    cr_assert_eq(removed_at("keep"), 5);
}

extern const char migration_001[], migration_002[];

/* Version 2 asked the history's last row of each name. */
Test(history, removals_are_taken_over_from_the_history)
{
    struct text sql CLEANUP_TEXT = {0};
    db_close(steal_ptr(db));
    unlink(path);
    text_addf(&sql, "%s%s PRAGMA application_id = 0x696d6773; PRAGMA user_version = 2;",
              migration_001, migration_002);
    text_add(&sql, "INSERT INTO store (id) VALUES ('x');"
                   "INSERT INTO history (time, image, name, from_state, to_state, code, message)"
                   " VALUES (1, 1, 'gone', '', 'NEW', '', ''), (2, 1, 'gone', 'NEW', '', '', ''),"
                   " (3, 2, 'again', '', 'NEW', '', ''), (5, 2, 'again', 'NEW', '', '', ''),"
                   " (4, 3, 'again', '', 'NEW', '', ''), (6, 4, 'there', '', 'NEW', '', '');");
    tamper(sql.data);
    open_db();
    cr_assert_eq(removed_at("gone"), 2);
    cr_assert_eq(removed_at("again"), 0);
    cr_assert_eq(removed_at("there"), 0);
    cr_assert_eq(history_open(db, &err), 0);
    cr_assert_eq(add("a", "b", 1), 7, "the first of this kind jumps nowhere");
}
