/* hint: what to do next with an image as it stands. Pure. */
#ifndef CLIENT_HINT_H
#define CLIENT_HINT_H

#include <stdbool.h>
#include <stddef.h>

/* One line; false: there is nothing to be done. `error` is as the tree has it, NULL or "" for none.
 */
bool hint_next(const char *name, const char *state, const char *want, const char *error, char *out,
               size_t max);

#endif
