/* complete: `imgstore __complete WORD...`, what a shell may offer for the last WORD. One thread. */
#ifndef CLIENT_COMPLETE_H
#define CLIENT_COMPLETE_H

#include "fs/client/commands.h"

/* The words are those behind `imgstore`, the last one as far as it is typed ("" if nothing is).
 * Prints a line each, `CANDIDATE<TAB>DESCRIPTION`; `:files` says that the shell is to offer files.
 * Says nothing else, and nothing where no daemon is, and never takes long. OUTCOME_DONE. */
enum outcome complete_run(const struct request *request);

#endif
