#include "fs/client/sort.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

static int by_number(int64_t a, int64_t b)
{
    return a < b ? -1 : a > b;
}

static int by_word(const struct image *a, const struct image *b, const char *key)
{
    return strcmp(image_value(a, key), image_value(b, key));
}

static int by_name(const struct image *a, const struct image *b)
{
    return by_word(a, b, "name");
}

static int place_of(const struct image *image)
{
    const char *state = image_value(image, "state");
    int i = 0;
    while (i < IMAGE_STATES && strcmp(image_states[i], state) != 0)
        i++;
    return i;
}

static int by_state(const struct image *a, const struct image *b)
{
    return place_of(a) - place_of(b);
}

static int by_progress(const struct image *a, const struct image *b)
{
    return image_progress(a).percent - image_progress(b).percent;
}

/* What nobody knows yet is the smallest. */
static int by_size(const struct image *a, const struct image *b)
{
    const char *x = image_value(a, "size"), *y = image_value(b, "size");
    return by_number(strcmp(x, "-") == 0 ? -1 : atoll(x), strcmp(y, "-") == 0 ? -1 : atoll(y));
}

/* Their spelling sorts as they do. */
static int by_created(const struct image *a, const struct image *b)
{
    return by_word(a, b, "created");
}

static int by_updated(const struct image *a, const struct image *b)
{
    return by_word(a, b, "updated");
}

static const struct key {
    const char *name;
    int (*compare)(const struct image *a, const struct image *b);
} keys[] = {{"name", by_name}, {"state", by_state},     {"progress", by_progress},
            {"size", by_size}, {"created", by_created}, {"updated", by_updated}};

struct order {
    int (*compare)(const struct image *a, const struct image *b);
    int sign;
};

static int compare(const void *a, const void *b, void *arg)
{
    const struct order *order = arg;
    int r = order->sign * order->compare(a, b);
    return r ? r : by_name(a, b);
}

int sort_images(struct image *images, size_t n, const char *key, struct err *err)
{
    struct order order = {.sign = *key == '-' ? -1 : 1};
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        if (strcmp(keys[i].name, key + (*key == '-')) == 0)
            order.compare = keys[i].compare;
    if (!order.compare)
        return err_set(err, ERR_NONE, EINVAL,
                       "cannot sort by \"%s\": it is name, state, progress, size, created or "
                       "updated; -KEY reverses it",
                       key);
    if (n > 1)
        qsort_r(images, n, sizeof *images, compare, &order);
    return 0;
}
