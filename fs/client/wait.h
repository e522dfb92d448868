/* wait: stays until images are ready, or cannot be any more, and says meanwhile how far they are.
 */
#ifndef CLIENT_WAIT_H
#define CLIENT_WAIT_H

#include "fs/client/image.h"
#include "fs/client/outcome.h"

/* Looks at all n of them until each is ready, failed or gone; says on standard error how they come
 * on (bars on a terminal, else a line when a phase begins) and what went wrong with each.
 * OUTCOME_NO_DAEMON as soon as the daemon is gone, OUTCOME_SIGNAL + SIGINT as soon as the user has
 * enough; else the outcome of the first of them that was not ready at its end. Appends each image,
 * as it was then, to the array `seen`, unless that is NULL. `just_begun`: how long it took is worth
 * saying. */
enum outcome wait_for(const struct tree *tree, char *const *names, size_t n, bool just_begun,
                      json_t *seen);

#endif
