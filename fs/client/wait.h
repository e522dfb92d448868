/* wait: stays until images are ready, or cannot be any more. */
#ifndef CLIENT_WAIT_H
#define CLIENT_WAIT_H

#include "fs/client/image.h"
#include "fs/client/outcome.h"

/* Looks at all n of them, again and again, until each is ready, failed or gone; says on standard
 * error what went wrong with each. OUTCOME_NO_DAEMON as soon as the daemon is gone; else the
 * outcome of the first of them that was not ready at its end. Appends each image, as it was then,
 * to the array `seen`, unless that is NULL. */
enum outcome wait_for(const struct tree *tree, char *const *names, size_t n, json_t *seen);

#endif
