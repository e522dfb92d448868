#include "fs/client/commands.h"

#include "base/cleanup.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

static void usage(FILE *out)
{
    fputs("Usage: imgstore [--mount DIR] [--json] COMMAND [ARGUMENT...]\n\nCommands:\n", out);
    for (const struct command *c = commands_all(); c->name; c++)
        fprintf(out, "  %-10s %-24s  %s\n", c->name, c->args, c->help);
    fputs(
        "\nOptions:\n"
        "  --mount DIR  where the tree is; else $IMGSTORE_MOUNT, else the one that is mounted\n"
        "  --json       print JSON\n"
        "  --sort KEY   list: by name, state, progress, size, created or updated; -KEY reverses "
        "it\n"
        "  --wait       fetch, import: return once the image is ready, or has failed\n"
        "  --dry-run    cleanup: only say what would go\n"
        "  --help, --version\n"
        "\nA URL of - is read from standard input. The worker's MOUNTPOINT, where none is given,\n"
        "is $IMGSTORE_MOUNT, else /run/imgstore (not as root: $XDG_RUNTIME_DIR/imgstore).\n"
        "\nExit codes: 0 done; 1 an image failed (wait, fetch --wait); 2 wrong use; 3 no daemon;\n"
        "4 no such image; 5 refused (busy, exists, full, not permitted).\n",
        out);
}

/* What the options said already; OUTCOME_DONE also for --help, with *argv_left at NULL. */
static enum outcome parse(int argc, char **argv, struct options *options, char ***left)
{
    enum {
        MOUNT = 'm',
        JSON = 'j',
        WAIT = 'w',
        DRY_RUN = 'n',
        SORT = 's',
        HELP = 'h',
        VERSION = 'V'
    };
    static const struct option longs[] = {
        {"mount", required_argument, NULL, MOUNT}, {"json", no_argument, NULL, JSON},
        {"wait", no_argument, NULL, WAIT},         {"dry-run", no_argument, NULL, DRY_RUN},
        {"sort", required_argument, NULL, SORT},   {"help", no_argument, NULL, HELP},
        {"version", no_argument, NULL, VERSION},   {0},
    };
    *left = NULL;
    for (int c; (c = getopt_long(argc, argv, "hV", longs, NULL)) != -1;) {
        if (c == MOUNT)
            options->mount = optarg;
        else if (c == JSON)
            options->json = true;
        else if (c == WAIT)
            options->wait = true;
        else if (c == DRY_RUN)
            options->dry_run = true;
        else if (c == SORT)
            options->sort = optarg;
        else if (c == HELP)
            return usage(stdout), OUTCOME_DONE;
        else if (c == VERSION)
            return puts("imgstore " IMGSTORE_VERSION), OUTCOME_DONE;
        else
            return OUTCOME_USAGE; /* getopt has said why */
    }
    *left = argv + optind;
    return OUTCOME_DONE;
}

static bool fits(const struct command *command, const struct options *options, int argc)
{
    return argc >= command->min && (command->max < 0 || argc <= command->max) &&
           (!options->wait || command->flags & COMMAND_WAIT) &&
           (!options->sort || command->flags & COMMAND_SORT) &&
           (!options->dry_run || command->flags & COMMAND_DRY_RUN);
}

static enum outcome run(const struct options *options, int argc, char **argv)
{
    const struct command *command = argc > 0 ? commands_find(argv[0]) : NULL;
    struct tree tree;
    struct err err = {0};
    if (argc == 0)
        return usage(stderr), OUTCOME_USAGE;
    if (!command) {
        fprintf(stderr, "imgstore: no command %s; see imgstore --help\n", argv[0]);
        return OUTCOME_USAGE;
    }
    if (!fits(command, options, argc - 1)) {
        fprintf(stderr, "Usage: imgstore %s %s\n", command->name, command->args);
        return OUTCOME_USAGE;
    }
    bool wants_tree = !(command->flags & COMMAND_NO_TREE);
    int r = wants_tree ? tree_find(&tree, options->mount, &err) : 0;
    if (r < 0)
        return commands_fail(NULL, r, &err);
    return command->run(&(struct request){.command = command,
                                          .options = options,
                                          .tree = wants_tree ? &tree : NULL,
                                          .argc = argc - 1,
                                          .argv = argv + 1});
}

int main(int argc, char **argv)
{
    struct options options = {0};
    char **left;
    enum outcome outcome = parse(argc, argv, &options, &left);
    if (left)
        outcome = run(&options, argc - optind, left);
    /* Nobody must take half an answer for a whole one. */
    if ((fflush(stdout) != 0 || ferror(stdout)) && outcome == OUTCOME_DONE) {
        fprintf(stderr, "imgstore: cannot write: %s\n", strerror(errno));
        outcome = OUTCOME_REFUSED;
    }
    return outcome;
}
