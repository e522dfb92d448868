/* commands: what `imgstore` can be told to do. A new command is one row in commands.c. */
#ifndef CLIENT_COMMANDS_H
#define CLIENT_COMMANDS_H

#include "fs/client/outcome.h"
#include "fs/client/tree.h"

#include <stdbool.h>

struct options {
    const char *mount, *sort; /* --mount, --sort, or NULL */
    bool json, wait, dry_run, follow, remove;
    const char *rename; /* --rename's, or NULL */
    long lines;         /* --lines'; -1: all */
};

struct command;

struct request {
    const struct command *command;
    const struct options *options;
    const struct tree *tree; /* NULL for a command that needs none */
    int argc;                /* the command's own arguments */
    char **argv;
};

enum command_flags {
    COMMAND_WAIT = 1 << 0,    /* takes --wait */
    COMMAND_DRY_RUN = 1 << 1, /* takes --dry-run */
    COMMAND_NO_TREE = 1 << 2, /* runs where no tree is mounted */
    COMMAND_SORT = 1 << 3,    /* takes --sort */
    COMMAND_FOLLOW = 1 << 4,  /* takes --follow */
    COMMAND_LINES = 1 << 5,   /* takes --lines */
    COMMAND_REMOVE = 1 << 6,  /* takes --remove */
    COMMAND_RENAME = 1 << 7,  /* takes --rename */
    COMMAND_REST = 1 << 8,    /* what follows its first argument is no option of ours */
    COMMAND_HIDDEN = 1 << 9,  /* not for people: all words as they are */
};

struct command {
    const char *name;
    const char *args, *help; /* for --help */
    int min, max;            /* how many arguments; max -1: any number */
    unsigned flags;          /* of enum command_flags */
    enum outcome (*run)(const struct request *request);
    const char *more; /* what else its own --help says, lines with their ends; or NULL */
};

/* All of them, in the order of --help; the last one has no name. */
const struct command *commands_all(void);

/* NULL if there is none of that name. */
const struct command *commands_find(const char *name);

/* Says "imgstore: SUBJECT: text" on standard error; the outcome that r (negative) stands for.
 * subject may be NULL. */
enum outcome commands_fail(const char *subject, int r, const struct err *err);

/* 0, or -EINVAL: says what a name is. */
int commands_check_name(const char *name, struct err *err);

/* Prints one image as JSON, as `list` has it: `status` has its snapshots and events besides. */
enum outcome commands_show(const struct request *request, const char *name);

#endif
