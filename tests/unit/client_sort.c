#include "fs/client/sort.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

/* name, state, size, created, updated, progress */
static const char *const rows[][6] = {
    {"b", "ACTIVE", "100", "2026-01-02T00:00:00.000Z", "2026-01-09T00:00:00.000Z",
     "100 1 1 active"},
    {"a", "FAILED", "-", "2026-01-03T00:00:00.000Z", "2026-01-08T00:00:00.000Z", "7 1 9 failed"},
    {"d", "NEW", "-", "2026-01-01T00:00:00.000Z", "2026-01-07T00:00:00.000Z", "0 0 - queued"},
    {"c", "DOWNLOADING", "99", "2026-01-04T00:00:00.000Z", "2026-01-06T00:00:00.000Z",
     "42 1 2 download"},
};
#define ROWS (sizeof rows / sizeof *rows)

static void order_is(const char *key, const char *due)
{
    static const char *const keys[] = {"name", "state", "size", "created", "updated"};
    struct image images[ROWS] = {0};
    struct err err = {0};
    char got[ROWS + 1] = "";
    for (size_t i = 0; i < ROWS; i++) {
        for (size_t k = 0; k < 5; k++) {
            images[i].field[k].key = keys[k];
            images[i].field[k].value = rows[i][k];
        }
        images[i].fields = 5;
        text_add(&images[i].progress, rows[i][5]);
    }
    cr_assert_eq(sort_images(images, ROWS, key, &err), 0, "%s", err.text);
    for (size_t i = 0; i < ROWS; i++)
        got[i] = *image_value(&images[i], "name");
    cr_assert_str_eq(got, due, "%s: %s, not %s", key, got, due);
    for (size_t i = 0; i < ROWS; i++)
        image_free(&images[i]);
}

Test(sort, by_each_key)
{
    order_is("name", "abcd");
    order_is("-name", "dcba");
    order_is("state", "dcba");
    order_is("-state", "abcd");
    order_is("progress", "dacb");
    order_is("size", "adcb"); /* what is alike stays by name */
    order_is("-size", "bcad");
    order_is("created", "dbac");
    order_is("updated", "cdab");
    order_is("-updated", "badc");
}

Test(sort, a_wrong_key_is_told_the_right_ones)
{
    struct err err = {0};
    cr_assert_eq(sort_images(NULL, 0, "colour", &err), -EINVAL);
    cr_assert(strstr(err.text, "colour") && strstr(err.text, "progress"), "%s", err.text);
    cr_assert_eq(sort_images(NULL, 0, "", &err), -EINVAL);
    cr_assert_eq(sort_images(NULL, 0, "--name", &err), -EINVAL);
}

Test(sort, progress_of_what_is_not_known)
{
    struct image image = {0};
    struct progress p = image_progress(&image);
    cr_assert_eq(p.percent, -1);
    text_add(&image.progress, "0 512 - download");
    p = image_progress(&image);
    cr_assert_eq(p.percent, 0);
    cr_assert_eq(p.done, 512);
    cr_assert_eq(p.total, 0);
    cr_assert_str_eq(p.phase, "download");
    image_free(&image);
}
