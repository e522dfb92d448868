/* list: all images, a line each. */
#ifndef CLIENT_LIST_H
#define CLIENT_LIST_H

#include "fs/client/commands.h"

enum outcome list_run(const struct request *request);

#endif
