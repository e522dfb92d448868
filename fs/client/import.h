/* import: an archive that is here becomes an image. */
#ifndef CLIENT_IMPORT_H
#define CLIENT_IMPORT_H

#include "fs/client/commands.h"

enum outcome import_run(const struct request *request);

#endif
