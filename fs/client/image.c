#include "fs/client/image.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

#define NAME_BYTES 128

const char *const image_states[IMAGE_STATES] = {"NEW",        "DOWNLOADING", "DOWNLOADED",
                                                "UNPACKING",  "UNPACKED",    "STORED",
                                                "ACTIVATING", "ACTIVE",      "FAILED"};

static const char *const numeric_keys[] = {"size", "entries", "bytes", "skipped", "attempts"};

bool image_name_ok(const char *name)
{
    static const char alnum[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                "._-";
    size_t n = strlen(name);
    return n > 0 && n <= NAME_BYTES && !strchr("._-", name[0]) && strspn(name, alnum) == n;
}

static int read_one(const struct tree *tree, const char *name, const char *file, struct text *out,
                    struct err *err)
{
    char path[NAME_MAX + NAME_BYTES];
    snprintf(path, sizeof path, "images/%s/%s", name, file);
    return tree_read(tree, path, out, err);
}

/* Cuts `info` into its fields, in place. */
static void split_info(struct image *image)
{
    char *save, *line = strtok_r(image->info.data, "\n", &save);
    for (; line && image->fields < IMAGE_FIELDS_MAX; line = strtok_r(NULL, "\n", &save)) {
        char *space = strchr(line, ' ');
        if (space)
            *space = '\0';
        image->field[image->fields].key = line;
        image->field[image->fields++].value = space ? space + 1 : "-";
    }
}

int image_read(const struct tree *tree, const char *name, struct image *image, struct err *err)
{
    int r;
    if (!image_name_ok(name))
        return err_set(err, ERR_NONE, EINVAL, "not a name of an image");
    if ((r = read_one(tree, name, "info", &image->info, err)) < 0 ||
        (r = read_one(tree, name, "progress", &image->progress, err)) < 0 ||
        (r = read_one(tree, name, "error", &image->error, err)) < 0)
        return r;
    split_info(image);
    char path[NAME_MAX + NAME_BYTES];
    if (strcmp(image_value(image, "state"), "ACTIVE") != 0)
        return 0;
    snprintf(path, sizeof path, "images/%s/rootfs", name);
    /* It may have gone meanwhile: its absence is no error. */
    r = tree_read_link(tree, path, &image->rootfs, err);
    return r == -ENOENT ? 0 : r;
}

void image_free(struct image *image)
{
    text_free(&image->info);
    text_free(&image->progress);
    text_free(&image->error);
    text_free(&image->rootfs);
    *image = (struct image){0};
}

const char *image_value(const struct image *image, const char *key)
{
    for (size_t i = 0; i < image->fields; i++)
        if (strcmp(image->field[i].key, key) == 0)
            return image->field[i].value;
    return "-";
}

enum image_verdict image_verdict(const struct image *image)
{
    const char *state = image_value(image, "state");
    if (strcmp(state, "FAILED") == 0)
        return IMAGE_FAILED;
    if (strcmp(state, "ACTIVE") == 0)
        return IMAGE_READY;
    if (strcmp(state, "STORED") == 0 && strcmp(image_value(image, "want"), "stored") == 0)
        return IMAGE_READY;
    return IMAGE_PENDING;
}

static int64_t number_or(const char *s, int64_t otherwise)
{
    char *end;
    int64_t n = strtoll(s, &end, 10);
    return end != s && !*end ? n : otherwise;
}

struct progress image_progress(const struct image *image)
{
    char percent[24], done[24], total[24];
    struct progress p = {.percent = -1, .phase = "-"};
    if (!image->progress.data ||
        sscanf(image->progress.data, "%23s %23s %23s %15s", percent, done, total, p.phase) < 4)
        return p;
    p.percent = (int)number_or(percent, -1);
    p.done = number_or(done, 0);
    p.total = number_or(total, 0);
    return p;
}

static json_t *text_json(const char *value)
{
    if (!value || !*value || strcmp(value, "-") == 0)
        return json_null();
    return json_string(value);
}

static json_t *number_json(const char *value)
{
    char *end;
    errno = 0;
    long long n = strtoll(value, &end, 10);
    return errno == 0 && end != value && *end == '\0' ? json_integer(n) : text_json(value);
}

/* An all-digit name or digest is no number: the key decides, not the look. */
static json_t *field_json(const char *key, const char *value)
{
    for (size_t i = 0; i < ARRAY_SIZE(numeric_keys); i++)
        if (strcmp(key, numeric_keys[i]) == 0)
            return number_json(value);
    return text_json(value);
}

static json_t *progress_json(const char *progress)
{
    char percent[24] = "-", done[24] = "-", total[24] = "-", phase[24] = "-";
    sscanf(progress, "%23s %23s %23s %23s", percent, done, total, phase);
    return json_pack("{s:o, s:o, s:o, s:o}", "percent", number_json(percent), "done",
                     number_json(done), "total", number_json(total), "phase", text_json(phase));
}

json_t *image_json(const struct image *image)
{
    json_t *object = json_object();
    int bad = 0;
    for (size_t i = 0; i < image->fields; i++)
        bad |= json_object_set_new(object, image->field[i].key,
                                   field_json(image->field[i].key, image->field[i].value));
    bad |= json_object_set_new(object, "progress", progress_json(image->progress.data));
    bad |= json_object_set_new(object, "error", text_json(image->error.data));
    bad |= json_object_set_new(object, "rootfs", text_json(image->rootfs.data));
    if (!bad)
        return object;
    json_decref(object);
    return NULL;
}
