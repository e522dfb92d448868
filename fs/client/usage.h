/* usage: what the client says about itself, from the tables of commands and options. One thread. */
#ifndef CLIENT_USAGE_H
#define CLIENT_USAGE_H

#include "fs/client/commands.h"

/* All of it; of one command alone unless that is NULL. */
void usage_print(FILE *out, const struct command *command);

/* After wrong use: the command's line of usage, or (NULL) where to read on. OUTCOME_USAGE. */
enum outcome usage_hint(const struct command *command);

/* There is no such command: what may have been meant. OUTCOME_USAGE. */
enum outcome usage_unknown(const char *word);

#endif
