/* export: what an image or a snapshot holds now becomes a tar file. */
#ifndef CLIENT_EXPORT_H
#define CLIENT_EXPORT_H

#include "fs/client/commands.h"

enum outcome export_run(const struct request *request);

#endif
