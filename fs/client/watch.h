/* watch: how images come on, until the user has enough. */
#ifndef CLIENT_WATCH_H
#define CLIENT_WATCH_H

#include "fs/client/commands.h"

enum outcome watch_run(const struct request *request);

#endif
