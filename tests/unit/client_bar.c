#include "fs/client/bar.h"
#include "fs/client/human.h"

#include <criterion/criterion.h>
#include <string.h>

static void is(const char *got, const char *due)
{
    cr_assert_str_eq(got, due, "'%s', not '%s'", got, due);
}

Test(human, sizes)
{
    char out[HUMAN_MAX];
    static const struct {
        int64_t bytes;
        const char *due;
    } table[] = {{-1, "-"},
                 {0, "0 B"},
                 {999, "999 B"},
                 {1000, "0.98 KiB"},
                 {1024, "1.00 KiB"},
                 {10239, "10.0 KiB"},
                 {103180000, "98.4 MiB"},
                 {1047527424, "999 MiB"},
                 {1048000000, "999 MiB"},
                 {1048576000, "0.98 GiB"},
                 {INT64_MAX, "8.00 EiB"}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        is(human_size(table[i].bytes, out), table[i].due);
        cr_assert_leq(strlen(out), 8);
    }
}

Test(human, parts)
{
    char out[HUMAN_PART_MAX];
    is(human_part(12582912, 29360128, out), "12.0/28.0 MiB");
    is(human_part(10, 29360128, out), "0.00/28.0 MiB");
    is(human_part(29360128, 29360128, out), "28.0 MiB");
    is(human_part(29360128, 0, out), "28.0 MiB");
}

Test(human, durations)
{
    char out[HUMAN_MAX];
    is(human_duration(-1, out), "-");
    is(human_duration(0, out), "0.0 s");
    is(human_duration(2149, out), "2.1 s");
    is(human_duration(9949, out), "9.9 s");
    is(human_duration(59999, out), "59 s");
    is(human_duration(61000, out), "1m01s");
    is(human_duration(3599000, out), "59m59s");
    is(human_duration(7620000, out), "2h07m");
    is(human_duration(280800000, out), "3d06h");
}

Test(human, ages)
{
    char out[HUMAN_MAX];
    is(human_age(-5000, out), "now");
    is(human_age(999, out), "now");
    is(human_age(42000, out), "42s ago");
    is(human_age(200000, out), "3m ago");
    is(human_age(7200000, out), "2h ago");
    is(human_age(86400000LL * 400, out), "400d ago");
}

Test(human, times)
{
    cr_assert_eq(human_time("1970-01-02T00:00:01.250Z"), 86401250);
    cr_assert_eq(human_time("-"), 0);
    cr_assert_eq(human_time(""), 0);
    cr_assert_eq(human_time("2026-01-02T03:04:05Z"), 0);
    cr_assert_eq(human_time("2026-01-02T03:04:05.6Z"), 0);
}

Test(meter, tells_the_rate_of_the_last_seconds)
{
    struct meter m = {0};
    cr_assert_lt(meter_rate(&m, 0), 0);
    meter_add(&m, 0, 0);
    cr_assert_lt(meter_rate(&m, 1000), 0);
    /* A hundred a second for a minute, then a thousand. */
    for (int64_t ms = 100; ms <= 60000; ms += 100)
        meter_add(&m, ms, ms / 10);
    cr_assert_float_eq(meter_rate(&m, 60000), 100, 1);
    for (int64_t ms = 100; ms <= 10000; ms += 100)
        meter_add(&m, 60000 + ms, 6000 + ms);
    cr_assert_float_eq(meter_rate(&m, 70000), 1000, 10);
    /* What stalls gets slower. */
    cr_assert_lt(meter_rate(&m, 80000), 400);
}

Test(meter, begins_anew_when_less_is_done)
{
    struct meter m = {0};
    meter_add(&m, 0, 0);
    meter_add(&m, 1000, 5000);
    meter_add(&m, 2000, 10);
    cr_assert_lt(meter_rate(&m, 2000), 0);
    meter_add(&m, 3000, 510);
    cr_assert_float_eq(meter_rate(&m, 3000), 500, 1);
}

Test(meter, time_left)
{
    cr_assert_eq(meter_left(100, 500, 1500), 10000);
    cr_assert_eq(meter_left(-1, 500, 1500), -1);
    cr_assert_eq(meter_left(0, 500, 1500), -1);
    cr_assert_eq(meter_left(100, 500, 0), -1);
    cr_assert_eq(meter_left(1e-9, 0, INT64_MAX), -1);
}

static const struct bar some = {.name = "web",
                                .phase = "download",
                                .percent = 42,
                                .done = 12582912,
                                .total = 29360128,
                                .rate = 5347737,
                                .left_ms = 3100,
                                .colour = ""};

static char *line_of(struct text *t, const struct bar *bar, int width, int name_width)
{
    t->len = 0;
    bar_add(t, bar, width, name_width);
    return t->data;
}

Test(bar, all_of_it)
{
    struct text t CLEANUP_TEXT = {0};
    is(line_of(&t, &some, 79, 3),
       "web  download  [========>            ]   42%  12.0/28.0 MiB  5.10 MiB/s     4 s");
    cr_assert_eq(t.len, 79);
    line_of(&t, &some, 300, 3);
    cr_assert_lt(t.len, 130, "it does not grow for ever");
}

Test(bar, fits_every_width)
{
    static const char *const names[] = {"a", "web", "a-rather-long-name-of-an-image-that-goes-on"};
    struct text t CLEANUP_TEXT = {0};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (int percent = -1; percent <= 100; percent += percent < 0 ? 1 : 10)
            for (int width = 1; width < 250; width++) {
                struct bar bar = some;
                bar.name = names[i];
                bar.percent = percent;
                line_of(&t, &bar, width, (int)strlen(names[i]));
                cr_assert_leq(t.len, (size_t)width, "%d: '%s'", width, t.data);
                bar.note = "checksum-mismatch: expected something else";
                line_of(&t, &bar, width, (int)strlen(names[i]));
                cr_assert_leq(t.len, (size_t)width, "%d: '%s'", width, t.data);
            }
}

Test(bar, what_has_no_room_goes)
{
    struct text t CLEANUP_TEXT = {0};
    is(line_of(&t, &some, 60, 3), "web  download  [====>     ]   42%  12.0/28.0 MiB  5.10 MiB/s");
    is(line_of(&t, &some, 40, 3), "web  download  [=======>         ]   42%");
    is(line_of(&t, &some, 20, 3), "web  download   42%");
    is(line_of(&t, &some, 13, 3), "web  download");
    is(line_of(&t, &some, 5, 3), "web");
}

Test(bar, what_nobody_knows_leaves_its_place_empty)
{
    struct text t CLEANUP_TEXT = {0};
    struct bar bar = some;
    bar.rate = bar.left_ms = -1;
    is(line_of(&t, &bar, 79, 3),
       "web  download  [========>            ]   42%  12.0/28.0 MiB                    ");
    bar.percent = -1;
    bar.total = 0;
    bar.rate = 1024;
    is(line_of(&t, &bar, 79, 3), "web  download       12.0 MiB  1.00 KiB/s");
    bar = (struct bar){.name = "web", .phase = "queued", .percent = -1, .rate = -1, .colour = ""};
    is(line_of(&t, &bar, 79, 3), "web  queued  ");
}

Test(bar, a_note_instead)
{
    struct text t CLEANUP_TEXT = {0};
    struct bar bar = {
        .name = "web", .phase = "failed", .colour = "\033[31m", .note = "timeout: 30 s"};
    is(line_of(&t, &bar, 79, 5), "web    \033[31mfailed  \033[0m  timeout: 30 s");
    bar.colour = "";
    is(line_of(&t, &bar, 25, 3), "web  failed    timeout...");
}

Test(bar, cuts)
{
    struct text t CLEANUP_TEXT = {0};
    bar_add_cut(&t, "abcdefgh", 6);
    bar_add_cut(&t, "|", 3);
    bar_add_cut(&t, "abcd", 2);
    bar_add_cut(&t, "abcd", 0);
    is(t.data, "abc...|  ab");
}
