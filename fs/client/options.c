#include "fs/client/options.h"

#include "fs/client/usage.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

enum {
    MOUNT = 'm',
    JSON = 'j',
    SORT = 's',
    WAIT = 'w',
    DRY_RUN = 'D',
    FOLLOW = 'f',
    LINES = 'n',
    REMOVE = 'R',
    RENAME = 'N',
    HELP = 'h',
    VERSION = 'V',
};

static const struct option_row table[] = {
    {"mount", MOUNT, false, "DIR", 0, "the tree; else $IMGSTORE_MOUNT, else the mounted one"},
    {"json", JSON, false, NULL, 0, "print JSON"},
    {"sort", SORT, false, "KEY", COMMAND_SORT, "by which column"},
    {"wait", WAIT, false, NULL, COMMAND_WAIT, "return once it is ready, or has failed"},
    {"dry-run", DRY_RUN, false, NULL, COMMAND_DRY_RUN, "only say what would go"},
    {"follow", FOLLOW, true, NULL, COMMAND_FOLLOW, "go on with what happens, until Ctrl-C"},
    {"lines", LINES, true, "N", COMMAND_LINES, "the last N only"},
    {"remove", REMOVE, false, NULL, COMMAND_REMOVE, "remove the snapshot"},
    {"rename", RENAME, false, "NEW", COMMAND_RENAME, "give the snapshot another ID"},
    {"help", HELP, true, NULL, 0, "this; after a command: about that command"},
    {"version", VERSION, true, NULL, 0, "the version"},
    {0},
};
#define ROWS (sizeof table / sizeof table[0])

const struct option_row *options_all(void)
{
    return table;
}

bool options_fits(const struct option_row *row, const struct command *command)
{
    return row->flag == 0 || (command && command->flags & row->flag);
}

static const struct option_row *row_of(int letter)
{
    for (const struct option_row *row = table; row->name; row++)
        if (row->letter == letter)
            return row;
    return NULL;
}

static void fill_longs(struct option longs[static ROWS])
{
    for (size_t i = 0; i < ROWS; i++)
        longs[i] = (struct option){.name = table[i].name,
                                   .has_arg = table[i].arg ? required_argument : no_argument,
                                   .val = table[i].letter};
}

static bool set_lines(struct options *options, const char *value)
{
    char *end;
    errno = 0;
    options->lines = strtol(value, &end, 10);
    if (errno == 0 && end != value && *end == '\0' && options->lines >= 0)
        return true;
    fprintf(stderr, "imgstore: --lines %s: takes a number, 0 or more\n", value);
    return false;
}

static bool set(struct options *options, int letter, const char *value)
{
    switch (letter) {
    case MOUNT:
        options->mount = value;
        return true;
    case JSON:
        return options->json = true;
    case SORT:
        options->sort = value;
        return true;
    case WAIT:
        return options->wait = true;
    case DRY_RUN:
        return options->dry_run = true;
    case FOLLOW:
        return options->follow = true;
    case REMOVE:
        return options->remove = true;
    case RENAME:
        options->rename = value;
        return true;
    case LINES:
        return set_lines(options, value);
    }
    return false;
}

enum progress { GOES_ON, ANSWERED, WRONG };

/* The options up to where getopt stops. What is given before the command may be the command's. */
static enum progress take(int argc, char **argv, const char *shorts, const struct command *command,
                          struct options *options, unsigned *given)
{
    struct option longs[ROWS];
    fill_longs(longs);
    optind = 0; /* glibc: from the beginning */
    for (int c; (c = getopt_long(argc, argv, shorts, longs, NULL)) != -1;) {
        const struct option_row *row = row_of(c);
        if (c == HELP)
            return usage_print(stdout, command), ANSWERED;
        if (c == VERSION)
            return puts("imgstore " IMGSTORE_VERSION), ANSWERED;
        if (!row || !set(options, c, optarg)) /* getopt has said why */
            return WRONG;
        *given |= row->flag;
    }
    return GOES_ON;
}

static bool all_fit(const struct command *command, unsigned given)
{
    for (const struct option_row *row = table; row->name; row++)
        if (row->flag & given && !options_fits(row, command)) {
            fprintf(stderr, "imgstore: %s takes no --%s\n", command->name, row->name);
            return false;
        }
    return true;
}

static bool count_fits(const struct command *command, int n)
{
    return n >= command->min && (command->max < 0 || n <= command->max);
}

/* Behind the command: its options, among or before its arguments. */
static enum progress take_own(int argc, char **argv, const struct command *command,
                              struct options *options, unsigned *given)
{
    optind = 1;
    if (command->flags & COMMAND_HIDDEN)
        return GOES_ON;
    argv[0] = (char *)"imgstore"; /* how getopt's complaints begin */
    return take(argc, argv, command->flags & COMMAND_REST ? "+hVfn:" : "hVfn:", command, options,
                given);
}

enum outcome options_parse(int argc, char **argv, struct options *options, struct request *request,
                           bool *done)
{
    unsigned given = 0;
    *options = (struct options){.lines = -1};
    *done = true;
    enum progress progress = take(argc, argv, "+hVfn:", NULL, options, &given);
    if (progress != GOES_ON)
        return progress == WRONG ? usage_hint(NULL) : OUTCOME_DONE;
    if (optind == argc)
        return usage_print(stderr, NULL), OUTCOME_USAGE;
    argc -= optind;
    argv += optind;
    const struct command *command = commands_find(argv[0]);
    if (!command)
        return usage_unknown(argv[0]);
    progress = take_own(argc, argv, command, options, &given);
    if (progress == ANSWERED)
        return OUTCOME_DONE;
    if (progress == WRONG || !all_fit(command, given) || !count_fits(command, argc - optind))
        return usage_hint(command);
    *done = false;
    *request = (struct request){
        .command = command, .options = options, .argc = argc - optind, .argv = argv + optind};
    return OUTCOME_DONE;
}
