/* print: what the client says on its standard output, for people or as JSON. */
#ifndef CLIENT_PRINT_H
#define CLIENT_PRINT_H

#include "fs/client/image.h"

/* An aligned table: NAME STATE PROGRESS SIZE ERROR; only its head where n is 0. */
void print_images(const struct image *images, size_t n);

/* Takes the reference; 0, or -ENOMEM if it is NULL or cannot be spelt. */
int print_json(json_t *value);

#endif
