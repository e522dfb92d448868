/* print: what the client says on its standard output, for people or as JSON. */
#ifndef CLIENT_PRINT_H
#define CLIENT_PRINT_H

#include "fs/client/image.h"

/* For a terminal or, all zero, for a script, which is told each word in full and no more. */
struct print_style {
    bool terminal, colour;
    int width;   /* what no line of a terminal exceeds */
    int64_t now; /* in milliseconds since 1970 */
};

/* An aligned table: NAME STATE PROGRESS SIZE ERROR, on a terminal with UPDATED; only its head where
 * n is 0. */
void print_images(const struct image *images, size_t n, const struct print_style *style);

/* Takes the reference; 0, or -ENOMEM if it is NULL or cannot be spelt. */
int print_json(json_t *value);

#endif
