/* options: what the command line may hold besides the arguments. A new option is one row in
 * options.c, and one in its switch. One thread. */
#ifndef CLIENT_OPTIONS_H
#define CLIENT_OPTIONS_H

#include "fs/client/commands.h"

struct option_row {
    const char *name;
    int letter;
    bool is_short;   /* -LETTER is the same */
    const char *arg; /* how its value is called; NULL: it has none */
    unsigned flag;   /* which commands take it (enum command_flags); 0: all */
    const char *help;
};

/* All of them, in the order of --help; the last one has no name. */
const struct option_row *options_all(void);

/* Does the command (NULL: what stands before it) take it? */
bool options_fits(const struct option_row *row, const struct command *command);

/* Reads the command line. Fills `options` and of `request` all but the tree. *done: nothing is left
 * to be run; the outcome says whether that is as it should be, and it has been said why. */
enum outcome options_parse(int argc, char **argv, struct options *options, struct request *request,
                           bool *done);

#endif
