/* part: blobs/<sha256>.part, the download under way: an intake that can be resumed.
 *
 * An xattr on it holds the tag of the version that its bytes are of; without one, what is there
 * cannot be added to. One thread a part. */
#ifndef STAGES_FETCH_PART_H
#define STAGES_FETCH_PART_H

#include "stages/intake.h"

#define PART_TAG_MAX 256 /* bytes of a tag with the NUL; what has a longer one is not resumed */

struct part {
    struct intake in; /* add to it and flush it there */
    const char *sha256;
    char tag[PART_TAG_MAX]; /* "" if there is none */
};

/* Opens or makes it and hashes what is there. -ECANCELED if cancel_fd becomes readable first.
 * part_close() it also after a failure. */
int part_open(struct part *p, const struct paths *paths, const char *sha256, int cancel_fd,
              struct err *err);

/* Empties it, for bytes of the version that `tag` names (NULL: none does). */
int part_restart(struct part *p, const char *tag, struct err *err);

/* Does what is there have the digest that is wanted? */
bool part_whole(struct part *p);

/* Makes the blob of a whole part, durable. -EBADMSG (checksum-mismatch) if it is not whole. */
int part_finish(struct part *p, enum format *format, struct err *err);

/* The part stays if `keep` and there is something to resume; else it is removed. */
void part_close(struct part *p, bool keep);

#endif
