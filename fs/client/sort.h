/* sort: the orders in which images are listed. Pure. */
#ifndef CLIENT_SORT_H
#define CLIENT_SORT_H

#include "fs/client/image.h"

/* By "name", "state" (as an image passes through them), "progress", "size", "created" or "updated";
 * a "-" before it reverses; what is alike stays by name. -EINVAL names the keys. */
int sort_images(struct image *images, size_t n, const char *key, struct err *err);

#endif
