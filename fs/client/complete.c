#include "fs/client/complete.h"

#include "fs/client/options.h"
#include "fs/client/snapshot.h"

#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

/* With more that begin alike nobody looks at their states, and a shell should not wait for them. */
#define LOOK_MAX 200

enum what {
    NOTHING,
    FILES,
    IMAGES,
    TARGETS, /* images and NAME@ID */
    IDS,     /* of the snapshots of the argument before */
};

#define UNDERWAY "NEW DOWNLOADING DOWNLOADED UNPACKING UNPACKED ACTIVATING"

/* What a command's arguments are: the first, the second, those after it. */
static const struct fitting {
    const char *command;
    enum what of[3];
    const char *states; /* in which they must be; NULL: any */
} fittings[] = {
    {"worker", {FILES}, NULL},
    {"fetch", {IMAGES}, "FAILED"},
    {"status", {TARGETS, TARGETS, TARGETS}, NULL},
    {"logs", {IMAGES}, NULL},
    {"wait", {IMAGES, IMAGES, IMAGES}, NULL},
    {"watch", {IMAGES, IMAGES, IMAGES}, NULL},
    {"shell", {TARGETS}, "ACTIVE"},
    {"snapshot", {IMAGES, IDS}, "ACTIVE STORED"},
    {"reset", {TARGETS, TARGETS, TARGETS}, NULL},
    {"export", {TARGETS, FILES}, "ACTIVE"},
    {"import", {NOTHING, FILES}, NULL},
    {"remove", {IMAGES, IMAGES, IMAGES}, NULL},
    {"retry", {IMAGES, IMAGES, IMAGES}, "FAILED"},
    {"cancel", {IMAGES, IMAGES, IMAGES}, UNDERWAY},
    {"activate", {IMAGES, IMAGES, IMAGES}, "STORED"},
    {"deactivate", {IMAGES, IMAGES, IMAGES}, "ACTIVE"},
};

/* The command line as far as it goes. */
struct typed {
    const struct command *command;
    const struct option_row *option; /* whose value the last word is */
    const char *mount;
    char **args; /* the command's, as they stand among the words */
    int n;
    const char *word; /* the last one */
};

static bool begins(const char *candidate, const char *word)
{
    return strncmp(candidate, word, strlen(word)) == 0;
}

static void offer(const struct typed *t, const char *candidate, const char *description)
{
    if (begins(candidate, t->word))
        printf("%s\t%s\n", candidate, description);
}

/* The option that the word is, and its value if that is in the same word. */
static const struct option_row *option_of(const char *word, const char **value)
{
    size_t n = strcspn(word, "=");
    *value = word[n] ? word + n + 1 : NULL;
    for (const struct option_row *row = options_all(); row->name; row++) {
        bool is_long = begins(word, "--") && strlen(row->name) == n - 2 &&
                       strncmp(word + 2, row->name, n - 2) == 0;
        bool is_short = row->is_short && word[1] == row->letter && !word[2];
        if (is_long || is_short)
            return row;
    }
    return NULL;
}

static void take_option(struct typed *t, const char *word)
{
    const char *value;
    const struct option_row *row = option_of(word, &value);
    if (row && row->arg && !value)
        t->option = row;
    else if (row && value && strcmp(row->name, "mount") == 0)
        t->mount = value;
}

static void take_value(struct typed *t, const char *word)
{
    if (strcmp(t->option->name, "mount") == 0)
        t->mount = word;
    t->option = NULL;
}

/* Of a command in an image nothing is known here. */
static bool is_foreign(const struct typed *t)
{
    return t->command && t->command->flags & COMMAND_REST && t->n > 0;
}

/* false: there is no such command. */
static bool take_words(struct typed *t, char **words, int n)
{
    t->args = words;
    for (int i = 0; i < n; i++) {
        char *word = words[i];
        if (t->option)
            take_value(t, word);
        else if (word[0] == '-' && word[1] && !is_foreign(t))
            take_option(t, word);
        else if (t->command)
            t->args[t->n++] = word; /* never behind where we read */
        else if (!(t->command = commands_find(word)))
            return false;
    }
    return true;
}

static void offer_commands(const struct typed *t)
{
    for (const struct command *c = commands_all(); c->name; c++)
        if (!(c->flags & COMMAND_HIDDEN))
            offer(t, c->name, c->help);
}

static void offer_options(const struct typed *t)
{
    for (const struct option_row *row = options_all(); row->name; row++) {
        char form[40];
        snprintf(form, sizeof form, "--%s", row->name);
        if (options_fits(row, t->command))
            offer(t, form, row->help);
    }
}

static void offer_values(const struct typed *t)
{
    static const char *const keys[] = {"name", "state", "progress", "size", "created", "updated"};
    if (strcmp(t->option->name, "mount") == 0)
        puts(":files");
    for (size_t i = 0; strcmp(t->option->name, "sort") == 0 && i < sizeof keys / sizeof keys[0];
         i++) {
        char reversed[16];
        snprintf(reversed, sizeof reversed, "-%s", keys[i]);
        offer(t, keys[i], "");
        offer(t, reversed, "reversed");
    }
}

static bool is_given(const struct typed *t, const char *name)
{
    for (int i = 0; i < t->n; i++)
        if (strcmp(t->args[i], name) == 0)
            return true;
    return false;
}

/* Is the state one of those words? */
static bool fits(const char *states, const char *state)
{
    size_t n = strlen(state);
    for (const char *at = states; at && (at = strstr(at, state)); at += n)
        if ((at == states || at[-1] == ' ') && (at[n] == ' ' || !at[n]))
            return true;
    return !states;
}

/* The image, or the snapshot if target has an id, if its state is one of those. */
static void offer_one(const struct typed *t, const struct tree *tree, const char *states,
                      const struct target *target, const char *candidate)
{
    struct text state CLEANUP_TEXT = {0};
    char path[TARGET_PATH_MAX];
    target_path(target, "state", path);
    if (!begins(candidate, t->word) || is_given(t, candidate))
        return;
    if (tree_read(tree, path, &state, NULL) == 0 && fits(states, state.data))
        offer(t, candidate, state.data);
}

/* As NAME@ID, or as ID alone. */
static void offer_snapshots(const struct typed *t, const struct tree *tree, const char *states,
                            const char *image, bool with_name)
{
    struct tree_names ids __attribute__((cleanup(tree_free_names))) = {0};
    struct target target = {0};
    if (snapshot_list(tree, image, &ids, NULL) < 0)
        return;
    for (size_t i = 0; i < ids.n; i++) {
        char candidate[TARGET_PATH_MAX];
        snprintf(target.name, sizeof target.name, "%s", image);
        snprintf(target.id, sizeof target.id, "%s", ids.name[i]);
        snprintf(candidate, sizeof candidate, "%s%s%s", with_name ? image : "",
                 with_name ? "@" : "", ids.name[i]);
        offer_one(t, tree, states, &target, candidate);
    }
}

static bool may_be_of(const char *word, const char *image)
{
    size_t n = strlen(image);
    return begins(image, word) || (strncmp(word, image, n) == 0 && word[n] == '@');
}

static void offer_names(const struct typed *t, const struct tree *tree, const char *states,
                        bool snapshots)
{
    struct tree_names names __attribute__((cleanup(tree_free_names))) = {0};
    size_t like = 0;
    if (tree_list(tree, &names, NULL) < 0)
        return;
    for (size_t i = 0; i < names.n; i++)
        like += may_be_of(t->word, names.name[i]);
    for (size_t i = 0; i < names.n; i++) {
        struct target target = {0};
        if (!may_be_of(t->word, names.name[i]))
            continue;
        snprintf(target.name, sizeof target.name, "%s", names.name[i]);
        if (like > LOOK_MAX)
            offer(t, names.name[i], "");
        else
            offer_one(t, tree, states, &target, names.name[i]);
        if (like <= LOOK_MAX && snapshots)
            offer_snapshots(t, tree, states, names.name[i], true);
    }
}

static void offer_arguments(const struct typed *t)
{
    struct tree tree;
    const struct fitting *f = NULL;
    for (size_t i = 0; i < sizeof fittings / sizeof fittings[0]; i++)
        if (strcmp(fittings[i].command, t->command->name) == 0)
            f = &fittings[i];
    enum what what = f ? f->of[t->n < 2 ? t->n : 2] : NOTHING;
    if (what == FILES)
        puts(":files");
    if (what == NOTHING || what == FILES || tree_find(&tree, t->mount, NULL) < 0)
        return;
    if (what == IDS)
        offer_snapshots(t, &tree, NULL, t->args[0], false);
    else
        offer_names(t, &tree, f->states, what == TARGETS);
}

enum outcome complete_run(const struct request *request)
{
    /* A daemon that hangs must not hang a shell's prompt. */
    const struct itimerval second = {.it_value = {.tv_sec = 1}};
    struct typed t = {0};
    if (request->argc == 0)
        return OUTCOME_DONE;
    setitimer(ITIMER_REAL, &second, NULL);
    t.word = request->argv[request->argc - 1];
    if (!take_words(&t, request->argv, request->argc - 1))
        return OUTCOME_DONE;
    if (t.option)
        offer_values(&t);
    else if (!is_foreign(&t) && t.word[0] == '-')
        offer_options(&t);
    else if (!t.command)
        offer_commands(&t);
    else
        offer_arguments(&t);
    return OUTCOME_DONE;
}
