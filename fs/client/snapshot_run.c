/* The commands that list and change snapshots. */
#include "fs/client/snapshot.h"

#include "base/cleanup.h"
#include "fs/client/change.h"
#include "fs/client/colour.h"
#include "fs/client/human.h"
#include "fs/client/print.h"

#include <errno.h>
#include <string.h>

static int print_row(const char *id, const char *state, const char *created, const char *size,
                     int width)
{
    return printf("%-*s  %s%-10s%s  %-24s  %8s\n", width, id,
                  colour(stdout, colour_of_state(state)), state, colour_end(stdout), created, size);
}

static void print_one(const struct snapshot *s, int width)
{
    char size[HUMAN_MAX];
    print_row(s->id, s->state, s->created, human_size_of(s->upper_bytes, size), width);
}

static int width_of(const struct tree_names *ids)
{
    size_t width = 2;
    for (size_t i = 0; i < ids->n; i++)
        if (strlen(ids->name[i]) > width)
            width = strlen(ids->name[i]);
    return (int)width;
}

/* Into the array, or (NULL) a line each; one that has just gone is left out. */
static int each(const struct tree *tree, struct target *target, const struct tree_names *ids,
                json_t *array, struct err *err)
{
    int r = 0, width = width_of(ids);
    for (size_t i = 0; i < ids->n && (r == 0 || r == -ENOENT); i++) {
        struct snapshot s CLEANUP_SNAPSHOT = {0};
        snprintf(target->id, sizeof target->id, "%s", ids->name[i]);
        r = snapshot_read(tree, target, &s, err);
        if (r == 0 && array)
            json_array_append_new(array, snapshot_json(&s));
        else if (r == 0)
            print_one(&s, width);
    }
    return r == -ENOENT ? 0 : r;
}

static enum outcome list(const struct request *request, struct target *target)
{
    struct tree_names ids __attribute__((cleanup(tree_free_names))) = {0};
    struct err err = {0};
    json_t *array = request->options->json ? json_array() : NULL;
    int r = snapshot_list(request->tree, target->name, &ids, &err);
    if (r == 0 && !array && ids.n > 0)
        printf("%-*s  %-10s  %-24s  %8s\n", width_of(&ids), "ID", "STATE", "CREATED", "SIZE");
    if (r == 0)
        r = each(request->tree, target, &ids, array, &err);
    if (r == 0 && array)
        return print_json(array), OUTCOME_DONE;
    json_decref(array);
    if (r == 0 && ids.n == 0)
        fprintf(stderr, "imgstore: %s has no snapshots; `imgstore snapshot %s ID` makes one\n",
                target->name, target->name);
    return r < 0 ? target_fail(request->tree, target->name, r, &err) : OUTCOME_DONE;
}

static int change(const struct request *request, const struct target *target, struct err *err)
{
    struct target new = *target;
    char path[TARGET_PATH_MAX], to[TARGET_PATH_MAX];
    snprintf(path, sizeof path, "images/%s/snapshots/%s", target->name, target->id);
    if (request->options->remove)
        return change_remove(request->tree, path, err);
    if (!request->options->rename) {
        int r = change_make(request->tree, path, err);
        /* The kernel has just looked it up, and says so itself: the log has no line of it. */
        return r == -EEXIST ? err_set(err, ERR_NONE, EEXIST,
                                      "exists: there is a snapshot of that ID; `imgstore reset "
                                      "%s@%s` drops what was written to it",
                                      target->name, target->id)
                            : r;
    }
    snprintf(new.id, sizeof new.id, "%s", request->options->rename);
    snprintf(to, sizeof to, "images/%s/snapshots/%s", target->name, new.id);
    return change_rename(request->tree, path, to, err);
}

/* NAME ID, or as all other commands have it NAME@ID. */
static int parse(const struct request *request, struct text *word, struct target *target,
                 struct err *err)
{
    struct target to;
    const char *new = request->options->rename;
    text_addf(word, "%s%s%s", request->argv[0], request->argc > 1 ? "@" : "",
              request->argc > 1 ? request->argv[1] : "");
    int r = word->failed ? err_set(err, ERR_NONE, ENOMEM, "out of memory")
                         : target_parse(word->data, target, err);
    if (r < 0 || !new)
        return r;
    text_free(word);
    text_addf(word, "%s@%s", target->name, new);
    r = word->failed ? err_set(err, ERR_NONE, ENOMEM, "out of memory")
                     : target_parse(word->data, &to, err);
    return r;
}

enum outcome snapshot_run(const struct request *request)
{
    struct text word CLEANUP_TEXT = {0};
    struct target target;
    struct err err = {0};
    const struct options *o = request->options;
    int r = parse(request, &word, &target, &err);
    if (r < 0)
        return commands_fail(word.data, r, &err);
    if (!*target.id && (o->remove || o->rename))
        return commands_fail(word.data, -EINVAL, &(struct err){.text = "say which: its ID"});
    if (o->remove && o->rename)
        return commands_fail(word.data, -EINVAL,
                             &(struct err){.text = "--remove or --rename, not both"});
    if (!*target.id)
        return list(request, &target);
    r = change(request, &target, &err);
    text_free(&word);
    text_addf(&word, "%s@%s", target.name, target.id);
    return r < 0 ? target_fail(request->tree, word.data, r, &err) : OUTCOME_DONE;
}

static int reset(const struct request *request, const char *word, struct err *err)
{
    struct target target;
    char line[TARGET_PATH_MAX];
    int r = target_parse(word, &target, err);
    if (r < 0)
        return r;
    snprintf(line, sizeof line, "%s%s%s", target.name, *target.id ? "/" : "", target.id);
    return tree_write(request->tree, "reset", line, err);
}

enum outcome reset_run(const struct request *request)
{
    enum outcome outcome = OUTCOME_DONE;
    for (int i = 0; i < request->argc; i++) {
        struct err err = {0};
        int r = reset(request, request->argv[i], &err);
        enum outcome each_one =
            r < 0 ? target_fail(request->tree, request->argv[i], r, &err) : OUTCOME_DONE;
        if (outcome == OUTCOME_DONE)
            outcome = each_one;
    }
    return outcome;
}
