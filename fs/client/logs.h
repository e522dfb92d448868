/* logs: `imgstore logs`, an image's events. One thread. */
#ifndef CLIENT_LOGS_H
#define CLIENT_LOGS_H

#include "fs/client/commands.h"

enum outcome logs_run(const struct request *request);

#endif
