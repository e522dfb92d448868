/* target: NAME or NAME@ID, as the command line has it, and what is said where there is none. */
#ifndef CLIENT_TARGET_H
#define CLIENT_TARGET_H

#include "fs/client/commands.h"

#include <stdbool.h>

#define TARGET_NAME_MAX 129 /* with the NUL */
#define TARGET_PATH_MAX 384 /* of a file below either */

struct target {
    char name[TARGET_NAME_MAX], id[TARGET_NAME_MAX]; /* id is "" where an image is meant */
};

/* -EINVAL: it is neither. */
int target_parse(const char *word, struct target *target, struct err *err);

/* "images/NAME/FILE" or "images/NAME/snapshots/ID/FILE". */
void target_path(const struct target *target, const char *file, char out[static TARGET_PATH_MAX]);

/* For a target of that word: where r is -ENOENT, err says that there is no such thing, and which
 * there are, whatever it said before. */
void target_explain(const struct tree *tree, const char *word, int r, struct err *err);

/* As commands_fail, with that. */
enum outcome target_fail(const struct tree *tree, const char *word, int r, struct err *err);

#endif
