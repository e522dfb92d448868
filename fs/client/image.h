/* image: one image as its files in the tree tell it. One thread. */
#ifndef CLIENT_IMAGE_H
#define CLIENT_IMAGE_H

#include "fs/client/tree.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define IMAGE_FIELDS_MAX 32 /* lines of `info`; the contract has 16 */

struct image {
    struct {
        const char *key, *value; /* into `info` */
    } field[IMAGE_FIELDS_MAX];
    size_t fields;
    struct text info, progress, error;
    struct text rootfs; /* where the link points; no data while there is none */
};

/* All states, in the order in which an image comes to them. */
#define IMAGE_STATES 9
extern const char *const image_states[IMAGE_STATES];

#define IMAGE_NAME_RULE "1 to 128 of A-Z a-z 0-9 . _ - and begins with a letter or digit"

/* May this be an image's name? Anything else could reach other files of the tree. */
bool image_name_ok(const char *name);

/* Fills a zeroed image; -ENOENT: no such image. */
int image_read(const struct tree *tree, const char *name, struct image *image, struct err *err);
void image_free(struct image *image);
#define CLEANUP_IMAGE __attribute__((cleanup(image_free)))

/* The value of a key of `info`; "-" if it isn't there. */
const char *image_value(const struct image *image, const char *key);

enum image_verdict {
    IMAGE_PENDING, /* still on its way */
    IMAGE_READY,   /* ACTIVE, or STORED where that is what is wanted */
    IMAGE_FAILED,
};
enum image_verdict image_verdict(const struct image *image);

struct progress {
    int percent;         /* of the phase; -1: unknown */
    int64_t done, total; /* bytes; 0: unknown */
    char phase[16];
};
struct progress image_progress(const struct image *image);

/* All of it as a JSON object: the keys of info in their order, then progress, error, rootfs.
 * Numbers are numbers, "-" and what is empty is null. A new reference, NULL without memory. */
json_t *image_json(const struct image *image);

#endif
