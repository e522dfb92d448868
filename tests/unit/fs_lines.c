#include "fs/lines.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct lines l;

static void tear_down(void)
{
    lines_free(&l);
}

TestSuite(lines, .fini = tear_down);

static void init(int64_t keep)
{
    cr_assert_eq(lines_init(&l, keep), 0);
}

static bool add(const char *line)
{
    return lines_add(&l, line, strlen(line));
}

/* Lines of 10 bytes, the number in front. */
static void fill(int from, int to)
{
    char line[16];
    for (int i = from; i < to; i++) {
        snprintf(line, sizeof line, "%-9d\n", i);
        add(line);
    }
}

static const char *take(struct lines_reader *r, size_t size)
{
    static char buf[65536];
    cr_assert_lt(size, sizeof buf);
    size_t n = lines_read(&l, r, buf, size);
    cr_assert_leq(n, size);
    buf[n] = '\0';
    return buf;
}

static struct lines_reader at(int64_t position)
{
    struct lines_reader r;
    lines_seek(&l, &r, position);
    return r;
}

Test(lines, what_was_added_is_read_in_whole_lines)
{
    init(4096);
    struct lines_reader r = at(0);
    cr_assert_str_eq(take(&r, 100), "");
    add("one\n");
    add("two\n");
    add("three\n");
    cr_assert_eq(lines_ready(&l, &r), 14);
    cr_assert_str_eq(take(&r, 10), "one\ntwo\n");
    cr_assert_str_eq(take(&r, 10), "three\n");
    cr_assert_str_eq(take(&r, 10), "");
    add("four\n");
    cr_assert_str_eq(take(&r, 10), "four\n");
}

Test(lines, a_line_that_does_not_fit_comes_in_pieces)
{
    init(4096);
    add("123456789\n");
    add("next\n");
    struct lines_reader r = at(0);
    cr_assert_str_eq(take(&r, 4), "1234");
    cr_assert(r.within);
    cr_assert_str_eq(take(&r, 4), "5678");
    cr_assert_str_eq(take(&r, 4), "9\n");
    cr_assert_not(r.within);
    cr_assert_str_eq(take(&r, 100), "next\n");
}

Test(lines, the_oldest_go_a_quarter_at_a_time)
{
    init(4000);
    fill(0, 400);
    cr_assert_eq(l.oldest, 0);
    cr_assert(add("400      \n"));
    cr_assert_eq(l.end - l.oldest, 3000);
    cr_assert_eq(l.first, 101);
    cr_assert_not(add("401      \n"));
    struct lines_reader r = at(0);
    cr_assert_str_eq(take(&r, 10), "101      \n");
    char begins[4];
    lines_peek(&l, begins, 3);
    cr_assert_str_eq(begins, "101");
}

Test(lines, only_whole_lines_go)
{
    init(4000);
    fill(0, 399);
    add("a line of another length\n");
    cr_assert_eq(l.oldest % 10, 0);
    cr_assert_eq(l.end - l.oldest, 399 * 10 + 25 - l.oldest);
    cr_assert_leq(l.end - l.oldest, 3000);
}

Test(lines, whoever_was_there_learns_how_many_are_gone)
{
    init(4000);
    fill(0, 5);
    struct lines_reader r = at(0), late = at(l.end);
    cr_assert_str_eq(take(&r, 10), "0        \n");
    fill(5, 1000);
    cr_assert_gt(l.first, 5);
    char want[64];
    snprintf(want, sizeof want, "{\"missed\":%d}\n", (int)l.first - 1);
    cr_assert_gt(lines_ready(&l, &r), 0);
    cr_assert_str_eq(take(&r, 1000), want);
    snprintf(want, sizeof want, "%-9d\n", (int)l.first);
    cr_assert_str_eq(take(&r, 10), want);
    snprintf(want, sizeof want, "{\"missed\":%d}\n", (int)l.first - 5);
    cr_assert_str_eq(take(&late, 1000), want);
    int lines = 0;
    for (const char *p; *(p = take(&late, 100));)
        lines += (int)strlen(p) / 10;
    cr_assert_eq(lines, 1000 - l.first, "all of the others come");
}

Test(lines, half_a_line_that_was_read_stays_one_of_its_own)
{
    init(4000);
    fill(0, 2);
    struct lines_reader r = at(0);
    cr_assert_str_eq(take(&r, 3), "0  ");
    fill(2, 1000);
    char want[64];
    snprintf(want, sizeof want, "\n{\"missed\":%d}\n", (int)l.first);
    cr_assert_str_eq(take(&r, 1000), want);
}

Test(lines, what_is_missed_is_told_in_pieces_too_and_once)
{
    init(4000);
    struct lines_reader r = at(0);
    fill(0, 1000);
    char want[64], got[64] = "";
    snprintf(want, sizeof want, "{\"missed\":%d}\n", (int)l.first);
    while (strlen(got) < strlen(want)) {
        cr_assert_gt(lines_ready(&l, &r), 0);
        strcat(got, take(&r, 5));
    }
    cr_assert_str_eq(got, want);
    snprintf(want, sizeof want, "%-9d\n", (int)l.first);
    cr_assert_str_eq(take(&r, 10), want);
}

Test(lines, a_place_may_be_in_the_middle_of_a_line)
{
    init(4000);
    fill(0, 3);
    struct lines_reader r = at(14);
    cr_assert(r.within);
    cr_assert_eq(r.line, 1);
    cr_assert_str_eq(take(&r, 100), "     \n2        \n");
    r = at(-5);
    cr_assert_eq(r.position, 0);
    r = at(1000);
    cr_assert_eq(r.position, 30);
    cr_assert_eq(r.line, 3);
}

/* Against what was added, in a ring that goes round many times. */
static void check_all(const int64_t *starts, int count)
{
    int64_t places[] = {l.oldest,
                        l.end,
                        l.oldest + 1,
                        l.end - 1,
                        l.oldest + rand() % 150000,
                        l.oldest + rand() % 150000};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        struct lines_reader r = at(places[i]);
        int line = (int)r.line;
        cr_assert(line >= l.first && line <= count);
        cr_assert_leq(starts[line], r.position);
        cr_assert(line == count || r.position < starts[line + 1]);
        cr_assert_eq(r.within, starts[line] < r.position);
    }
    cr_assert_eq(starts[l.first], l.oldest);
    cr_assert_leq(l.end - l.oldest, l.keep);
}

Test(lines, every_line_has_its_number)
{
    static int64_t starts[20001];
    static char line[512];
    init(200000);
    srand(1);
    for (int i = 0; i < 20000; i++) {
        size_t len = 2 + (size_t)rand() % 300;
        memset(line, 'x', len);
        line[len - 1] = '\n';
        lines_add(&l, line, len);
        starts[i + 1] = starts[i] + (int64_t)len;
        if (i % 7 == 0)
            check_all(starts, i + 1);
    }
}

/* The last line is there, however long. */
Test(lines, one_that_is_longer_than_what_is_kept)
{
    static char line[LINES_LINE_MAX + 1];
    init(4096);
    fill(0, 10);
    memset(line, 'x', LINES_LINE_MAX);
    line[LINES_LINE_MAX - 1] = '\n';
    cr_assert(add(line));
    cr_assert_eq(l.end - l.oldest, LINES_LINE_MAX);
    cr_assert_eq(l.first, 10);
    cr_assert(add("next\n"));
    struct lines_reader r = at(0);
    cr_assert_str_eq(take(&r, 100), "next\n");
}
