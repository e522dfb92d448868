/* shell: `imgstore shell`, a command in an image's root file system. One thread. */
#ifndef CLIENT_SHELL_H
#define CLIENT_SHELL_H

#include "fs/client/commands.h"

/* The command's own exit code, as a shell has it (which is no outcome), once it could be run;
 * SHELL_NOT_ENTERED if it could not; an outcome if there is nothing to be entered. */
#define SHELL_NOT_ENTERED 125
#define SHELL_NOT_RUN     126
#define SHELL_NOT_FOUND   127

enum outcome shell_run(const struct request *request);

#endif
