#include "fs/client/target.h"

#include "fs/client/image.h"
#include "fs/client/nearest.h"

#include <errno.h>
#include <string.h>

static bool take(const char *from, size_t n, char out[static TARGET_NAME_MAX])
{
    if (n >= TARGET_NAME_MAX)
        return false;
    memcpy(out, from, n);
    out[n] = '\0';
    return image_name_ok(out);
}

int target_parse(const char *word, struct target *target, struct err *err)
{
    const char *at = strchr(word, '@');
    *target = (struct target){0};
    if (!take(word, at ? (size_t)(at - word) : strlen(word), target->name))
        return err_set(err, ERR_NONE, EINVAL, "the name of an image is " IMAGE_NAME_RULE);
    if (at && !take(at + 1, strlen(at + 1), target->id))
        return err_set(err, ERR_NONE, EINVAL, "the ID of a snapshot is " IMAGE_NAME_RULE);
    return 0;
}

void target_path(const struct target *target, const char *file, char out[static TARGET_PATH_MAX])
{
    bool snapshot = *target->id != '\0';
    snprintf(out, TARGET_PATH_MAX, "images/%s/%s%s%s%s", target->name, snapshot ? "snapshots/" : "",
             target->id, snapshot ? "/" : "", file);
}

static bool exists(const struct tree *tree, const char *name)
{
    struct text state CLEANUP_TEXT = {0};
    char path[TARGET_PATH_MAX];
    snprintf(path, sizeof path, "images/%s/state", name);
    return tree_read(tree, path, &state, NULL) == 0;
}

/* "; did you mean web?", or where all of them are listed. */
static void suggest(const struct tree *tree, const char *folder, const char *word,
                    const char *listing, struct err *err)
{
    struct tree_names names __attribute__((cleanup(tree_free_names))) = {0};
    const char *near = NULL;
    char what[64];
    snprintf(what, sizeof what, "%s", err->text);
    if (tree_list_below(tree, folder, &names, NULL) == 0)
        near = nearest(word, names.name, names.n);
    if (near)
        err_set(err, ERR_NONE, ENOENT, "%s; did you mean %s?", what, near);
    else
        err_set(err, ERR_NONE, ENOENT, "%s; `%s` shows which there are", what, listing);
}

void target_explain(const struct tree *tree, const char *word, int r, struct err *err)
{
    struct target target;
    char folder[TARGET_PATH_MAX], listing[TARGET_PATH_MAX];
    if (r != -ENOENT || target_parse(word, &target, NULL) < 0)
        return;
    if (*target.id && exists(tree, target.name)) {
        err_set(err, ERR_NONE, ENOENT, "no such snapshot");
        snprintf(folder, sizeof folder, "images/%s/snapshots", target.name);
        snprintf(listing, sizeof listing, "imgstore snapshot %s", target.name);
        suggest(tree, folder, target.id, listing, err);
    } else {
        err_set(err, ERR_NONE, ENOENT, "no such image");
        suggest(tree, "images", target.name, "imgstore list", err);
    }
}

enum outcome target_fail(const struct tree *tree, const char *word, int r, struct err *err)
{
    target_explain(tree, word, r, err);
    return commands_fail(word, r, err);
}
