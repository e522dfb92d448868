/* ahead: an archive unpacked while it comes, from the same bytes.
 *
 * The fetch stage, or an import, begins it and says how many bytes there are; a helper reads them
 * through a pipe.
 * What comes of it, an error too, is nobody's to see: the image has no info, and so is none, until
 * the digest has held and the unpack stage takes it. Everything else throws it away, which costs
 * time and nothing more. A beginning that cannot be made is none: whoever needs the image unpacks
 * it from the blob. */
#ifndef UNPACK_AHEAD_H
#define UNPACK_AHEAD_H

#include "stages/stage.h"

struct aheads; /* those of the program; any thread */
struct ahead;  /* one: who began it has it until it is sealed */

/* At most so many at a time. NULL: no memory. */
struct aheads *aheads_new(int64_t most);
/* Once no stage runs any more. Takes NULL. */
void aheads_free(struct aheads *aheads);
/* Stops what is sealed of that image (paths_image), which nobody waits for any more. Does not
 * block; aheads_reap(), which does, takes away what it has left. False: there is none. */
bool aheads_drop(struct aheads *aheads, const char *key);
void aheads_reap(struct aheads *aheads);

/* Begins with the file `source`, which grows to `total` bytes (-1: not known); NULL: not this one.
 * `needed`: whoever asks cannot go on without, and neither others under way nor a lack of room
 * forbid it. */
struct ahead *ahead_begin(const struct stage_job *job, int source, int64_t total, bool needed);
/* So many bytes are in the file; `all`: there will be no more. Takes NULL. */
void ahead_bytes(struct ahead *a, int64_t size, bool all);
/* Once all bytes are there: waits until they are unpacked. 0 and the result, or why they cannot be;
 * -ECANCELED also where it was given up for want of room, -ETIMEDOUT without headway. As often as
 * you like; it stays the caller's. */
int ahead_wait(struct ahead *a, const struct stage_job *job, struct stage_result *result,
               struct err *err);
/* The digest holds: the unpack stage may take it. Takes NULL. */
void ahead_seal(struct ahead *a);
/* The same for what was begun under a name of its own, in place of the digest, that was not known
 * then. False: the image, or another one for it, is there, and this one stays the caller's. */
bool ahead_seal_as(struct ahead *a, const char *sha256);
/* It does not, or the bytes are not to be had. What was made is for the next sweep. Takes NULL. */
void ahead_end(struct ahead *a);
/* The same, and nothing is left when it returns. */
void ahead_remove(struct ahead *a);

/* If the job's image was begun and sealed: waits for its end; true if its part (paths_image_part)
 * is whole then, with its info, and the result filled in. Else nothing of it is left, or another's
 * is under way. False too once cancel_fd asks to stop. */
bool ahead_take(const struct stage_job *job, struct stage_result *result);
/* The job's image is there without it: what was sealed for it goes. */
void ahead_pass_over(const struct stage_job *job);

#endif
