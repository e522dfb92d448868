#include "engine/snaps.h"

#include "base/cleanup.h"
#include "engine/measure.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static struct snaps *snaps;

static void set_up(void)
{
    cr_assert_eq(snaps_open(&snaps), 0);
}

static void tear_down(void)
{
    snaps_close(snaps);
}

TestSuite(snaps, .init = set_up, .fini = tear_down);

static struct snap *add(uint64_t number, uint64_t image, const char *id)
{
    struct snap *s = snaps_new(number, image, "web", id, 1000);
    cr_assert(s);
    snaps_add(snaps, s);
    return s;
}

static const char *list(uint64_t image)
{
    static char out[256];
    struct backend_name *names CLEANUP_FREE = NULL;
    int64_t n = snaps_list(snaps, image, &names);
    size_t len = 0;
    out[0] = '\0';
    for (int64_t i = 0; i < n; i++)
        len += (size_t)snprintf(out + len, sizeof out - len, "%s=%d ", names[i].name,
                                (int)names[i].id);
    return out;
}

Test(snaps, are_found_by_number_by_name_and_by_image)
{
    struct snap *a = add(1, 7, "b"), *b = add(2, 7, "a"), *c = add(3, 8, "a");
    uint64_t number = 0;
    cr_assert(snaps_get(snaps, 1) == a && snaps_get(snaps, 2) == b && !snaps_get(snaps, 4));
    cr_assert(snaps_named(snaps, 8, "a") == c && !snaps_named(snaps, 8, "b"));
    cr_assert(snaps_find(snaps, 7, "a", &number) && number == 2);
    cr_assert_not(snaps_find(snaps, 9, "a", &number));
    cr_assert_str_eq(list(7), "a=2 b=1 ");
    cr_assert_str_eq(list(8), "a=3 ");
    cr_assert_str_eq(list(9), "");
    snaps_rename(snaps, a, "z");
    cr_assert(snaps_named(snaps, 7, "z") == a && !snaps_named(snaps, 7, "b"));
    cr_assert_str_eq(list(7), "a=2 z=1 ");
    snaps_remove(snaps, b);
    cr_assert_str_eq(list(7), "z=1 ");
    cr_assert(!snaps_get(snaps, 2) && !snaps_named(snaps, 7, "a") && snaps_named(snaps, 8, "a"));
}

/* More than there are buckets. */
Test(snaps, thousands)
{
    char id[16];
    size_t count = 0, seen = 0;
    int64_t changed;
    for (uint64_t i = 1; i <= 5000; i++) {
        snprintf(id, sizeof id, "s%d", (int)i);
        add(i, i % 2 + 1, id);
    }
    for (struct snap *s = snaps_next(snaps, NULL); s; s = snaps_next(snaps, s))
        seen++;
    cr_assert_eq(seen, 5000);
    snaps_count(snaps, 1, &count, &changed);
    cr_assert_eq(count, 2500);
    cr_assert_eq(snaps_count_all(snaps), 5000);
    for (uint64_t i = 1; i <= 5000; i += 2)
        snaps_remove(snaps, snaps_get(snaps, i));
    snaps_count(snaps, 2, &count, &changed);
    cr_assert_eq(count, 0);
    cr_assert(snaps_named(snaps, 1, "s4000"));
}

Test(snaps, what_is_seen_of_one)
{
    struct backend_snapshot v;
    struct snapshots_row row;
    char title[SNAP_TITLE_MAX];
    struct snap *s = add(12, 7, "build");
    cr_assert(snaps_view(snaps, 12, &v) && !snaps_view(snaps, 13, &v));
    cr_assert(v.number == 12 && v.image == 7 && v.created == 1000 && v.upper_bytes == -1);
    cr_assert_str_eq(v.image_name, "web");
    cr_assert_str_eq(v.id, "build");
    cr_assert_str_eq(v.state, "ACTIVATING");
    cr_assert_not(v.rootfs);
    cr_assert_str_eq(s->place, ".snap/12");
    cr_assert_str_eq(snaps_title(s, title), "web/build");
    snaps_row(s, &row);
    cr_assert_str_eq(row.state, "ACTIVATING");
    s->answered = true;
    snaps_row(s, &row);
    cr_assert_str_eq(row.state, "ACTIVE");

    snaps_set_state(snaps, s, SNAP_ACTIVE);
    cr_assert(snaps_view(snaps, 12, &v) && v.rootfs);
    snaps_hide_rootfs(snaps, 12, true);
    cr_assert(snaps_view(snaps, 12, &v) && !v.rootfs);
    snaps_set_state(snaps, s, SNAP_ACTIVE);
    cr_assert(snaps_view(snaps, 12, &v) && v.rootfs);
    snaps_set_bytes(snaps, 12, 4096);
    snaps_set_bytes(snaps, 13, 4096);
    cr_assert(snaps_view(snaps, 12, &v) && v.upper_bytes == 4096 && v.measured >= v.updated);
}

Test(snaps, the_line_is_first_come_first_served)
{
    struct snap *s[5];
    char id[] = "a";
    for (size_t i = 0; i < 5; i++, id[0]++)
        snaps_line_up(snaps, s[i] = add(i + 1, 7, id));
    snaps_line_up(snaps, s[0]);
    snaps_leave_line(snaps, s[2]);
    snaps_leave_line(snaps, s[4]);
    snaps_leave_line(snaps, s[4]);
    snaps_line_up(snaps, s[2]);
    snaps_remove(snaps, s[1]);
    cr_assert_eq(snaps_first_in_line(snaps), s[0]);
    cr_assert_eq(snaps_first_in_line(snaps), s[3]);
    cr_assert_eq(snaps_first_in_line(snaps), s[2]);
    cr_assert_null(snaps_first_in_line(snaps));
    snaps_line_up(snaps, s[4]);
    cr_assert_eq(snaps_first_in_line(snaps), s[4]);
}

/* --- what their layers hold */

Test(snaps, the_bytes_of_a_tree)
{
    char tmp[] = "/tmp/imgstore-measure-XXXXXX", cmd[512];
    atomic_bool cancelled = false;
    cr_assert(mkdtemp(tmp));
    cr_assert_eq(measure_tree(AT_FDCWD, "/nonexistent", &cancelled), -1);
    cr_assert_eq(measure_tree(AT_FDCWD, tmp, &cancelled), 0);
    snprintf(cmd, sizeof cmd,
             "cd %s && mkdir -p a/b/c && head -c 50000 /dev/zero | tee a/b/big >a/x && "
             "ln a/b/big twin && ln -s /etc link && truncate -s 1G hole && "
             "d=. && for i in $(seq 100); do d=$d/d; done && mkdir -p $d",
             tmp);
    cr_assert_eq(system(cmd), 0);
    int64_t bytes = measure_tree(AT_FDCWD, tmp, &cancelled);
    cr_expect(bytes >= 2 * 50000 && bytes < 1000000, "%lld", (long long)bytes);
    cancelled = true;
    cr_expect_lt(measure_tree(AT_FDCWD, tmp, &cancelled), bytes);
    snprintf(cmd, sizeof cmd, "rm -rf %s", tmp);
    cr_assert_eq(system(cmd), 0);
}
