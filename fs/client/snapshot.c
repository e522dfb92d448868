#include "fs/client/snapshot.h"

#include "fs/client/image.h"

#include <errno.h>
#include <string.h>

/* Cuts info into its fields, in place. */
static void split(struct snapshot *s)
{
    const struct {
        const char *key, **value;
    } keys[] = {{"image", &s->image},
                {"id", &s->id},
                {"state", &s->state},
                {"created", &s->created},
                {"upper_bytes", &s->upper_bytes}};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        *keys[i].value = "-";
    char *save, *line = strtok_r(s->info.data, "\n", &save);
    for (; line; line = strtok_r(NULL, "\n", &save)) {
        char *space = strchr(line, ' ');
        if (!space)
            continue;
        *space = '\0';
        for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
            if (strcmp(keys[i].key, line) == 0)
                *keys[i].value = space + 1;
    }
}

int snapshot_read(const struct tree *tree, const struct target *target, struct snapshot *snapshot,
                  struct err *err)
{
    char path[TARGET_PATH_MAX];
    target_path(target, "info", path);
    int r = tree_read(tree, path, &snapshot->info, err);
    if (r < 0)
        return r;
    split(snapshot);
    target_path(target, "rootfs", path);
    r = tree_read_link(tree, path, &snapshot->rootfs, err);
    if (r == 0)
        text_add(&snapshot->rootfs, "");
    return r == -ENOENT ? 0 : r;
}

void snapshot_free(struct snapshot *snapshot)
{
    text_free(&snapshot->info);
    text_free(&snapshot->rootfs);
    *snapshot = (struct snapshot){0};
}

static json_t *word_json(const char *word)
{
    return !word || strcmp(word, "-") == 0 ? json_null() : json_string(word);
}

json_t *snapshot_json(const struct snapshot *s)
{
    bool known = strcmp(s->upper_bytes, "-") != 0;
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "image", word_json(s->image), "id",
                     word_json(s->id), "state", word_json(s->state), "created",
                     word_json(s->created), "upper_bytes",
                     known ? json_integer(atoll(s->upper_bytes)) : json_null(), "rootfs",
                     word_json(s->rootfs.len ? s->rootfs.data : NULL));
}

int snapshot_list(const struct tree *tree, const char *image, struct tree_names *ids,
                  struct err *err)
{
    char path[TARGET_PATH_MAX];
    struct text state CLEANUP_TEXT = {0};
    snprintf(path, sizeof path, "images/%s/snapshots", image);
    int r = tree_list_below(tree, path, ids, err);
    if (r != -ENOENT)
        return r;
    snprintf(path, sizeof path, "images/%s/state", image);
    return tree_read(tree, path, &state, err);
}
