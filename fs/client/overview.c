/* `imgstore status` without a name: the store. */
#include "fs/client/status.h"

#include "fs/client/colour.h"
#include "fs/client/human.h"
#include "fs/client/image.h"

#include <errno.h>
#include <string.h>

struct overview {
    struct text version, health;
    long long images[IMAGE_STATES], total, snapshots, size, free;
};

/* The value of a metric, its labels in the name; -1: there is no such. */
static long long metric(const char *metrics, const char *name)
{
    size_t n = strlen(name);
    for (const char *line = metrics; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, n) == 0 && line[n] == ' ')
            return atoll(line + n + 1);
    }
    return -1;
}

static int look(const struct tree *tree, struct overview *o, struct err *err)
{
    struct text metrics CLEANUP_TEXT = {0};
    int r = tree_read(tree, "version", &o->version, err);
    if (r == 0)
        r = tree_read(tree, "health", &o->health, err);
    if (r == 0)
        r = tree_read(tree, "metrics", &metrics, err);
    if (r < 0)
        return r == -ENOENT ? err_set(err, ERR_NONE, ENOTCONN, "no daemon at %s", tree->root) : r;
    for (size_t i = 0; i < IMAGE_STATES; i++) {
        char name[80];
        snprintf(name, sizeof name, "imgstorefs_images{state=\"%s\"}", image_states[i]);
        o->images[i] = metric(metrics.data, name);
        o->total += o->images[i] > 0 ? o->images[i] : 0;
    }
    o->snapshots = metric(metrics.data, "imgstorefs_snapshots");
    o->size = metric(metrics.data, "imgstorefs_store_size_bytes");
    o->free = metric(metrics.data, "imgstorefs_store_free_bytes");
    return 0;
}

static bool is_well(const struct overview *o)
{
    return strcmp(o->health.data, "ok") == 0;
}

static void print_images(const struct overview *o)
{
    struct text all CLEANUP_TEXT = {0};
    for (size_t i = IMAGE_STATES; i-- > 0;)
        if (o->images[i] > 0)
            text_addf(&all, "%s%s%lld %s%s", all.len ? ", " : " (",
                      colour(stdout, colour_of_state(image_states[i])), o->images[i],
                      image_states[i], colour_end(stdout));
    if (all.len)
        text_add(&all, ")");
    status_line("Images", "%lld%s", o->total, all.len && !all.failed ? all.data : "");
}

static void print_disk(const struct overview *o)
{
    char size[HUMAN_MAX], left[HUMAN_MAX];
    if (o->size > 0)
        status_line("Disk", "%s of %s free", human_size(o->free, left), human_size(o->size, size));
}

static void print(const struct tree *tree, struct overview *o)
{
    bool well = is_well(o);
    const char *paint = colour(stdout, well ? COLOUR_GOOD : COLOUR_BAD), *end = colour_end(stdout);
    printf("%s%s%s imgstorefs %s - %s%s%s\n", paint, colour_dot(), end, o->version.data, paint,
           well ? "healthy" : "has problems", end);
    status_line("Mount", "%s", tree->root);
    const char *label = "Health";
    char *save, *line = strtok_r(o->health.data, "\n", &save);
    for (; line; line = strtok_r(NULL, "\n", &save), label = "")
        printf("%10s%s %s\n", label, *label ? ":" : " ", line);
    print_images(o);
    status_line("Snapshots", "%lld", o->snapshots);
    print_disk(o);
    if (o->images[IMAGE_STATES - 1] > 0)
        status_line("Next", "`imgstore list` shows what FAILED, `imgstore status NAME` why");
    else if (o->total == 0)
        status_line("Next", "`imgstore fetch NAME URL SHA256 --wait` gets the first image");
}

static json_t *number(long long n)
{
    return n < 0 ? json_null() : json_integer(n);
}

static json_t *json_of(const struct tree *tree, struct overview *o)
{
    json_t *images = json_object(), *problems = json_array();
    bool well = is_well(o);
    for (size_t i = 0; i < IMAGE_STATES; i++)
        json_object_set_new(images, image_states[i], number(o->images[i]));
    char *save, *line = well ? NULL : strtok_r(o->health.data, "\n", &save);
    for (; line; line = strtok_r(NULL, "\n", &save))
        json_array_append_new(problems, json_string(line));
    return json_pack("{s:s, s:s, s:b, s:o, s:o, s:o, s:{s:o, s:o}}", "version", o->version.data,
                     "mount", tree->root, "healthy", well, "problems", problems, "images", images,
                     "snapshots", number(o->snapshots), "store", "size_bytes", number(o->size),
                     "free_bytes", number(o->free));
}

int status_overview(const struct tree *tree, json_t **json, struct err *err)
{
    struct overview o = {0};
    int r = look(tree, &o, err);
    if (r == 0 && json)
        *json = json_of(tree, &o);
    else if (r == 0)
        print(tree, &o);
    text_free(&o.version);
    text_free(&o.health);
    return r;
}
