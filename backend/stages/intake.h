/* intake: a file of blobs/ that grows as its bytes come: written, hashed, and named by its digest
 * once it is whole. One thread an intake.
 *
 * What is a download's (resumed by its tag) is stages/fetch/part.h's; an import's has no more to
 * it than this. */
#ifndef STAGES_INTAKE_H
#define STAGES_INTAKE_H

#include "stages/digest.h"
#include "stages/stage.h"

#define INTAKE_BUFFER ((size_t)64 << 10) /* bytes gathered before they are written */

struct intake {
    const struct paths *paths;
    const char *what;          /* comes: "the download", for errors */
    char name[PATHS_FILE_MAX]; /* in blobs/ */
    int fd;
    int64_t size; /* bytes taken, those in the buffer included */
    struct digest *digest;
    char *buffer;
    size_t buffered;
    int64_t begun; /* bytes whose way to the disk has been started */
};

/* Opens blobs/NAME, or makes it (with O_EXCL for excl, else 0: it must not be there); what is in
 * there is neither read nor hashed. `what` is borrowed. intake_close() it also after a failure. */
int intake_open(struct intake *in, const struct paths *paths, const char *name, int excl,
                const char *what, struct err *err);

/* Hashes what is there from the file's position on, and stands at its end. -ECANCELED if cancel_fd
 * becomes readable first. */
int intake_take_up(struct intake *in, int cancel_fd, struct err *err);

/* Empties it. */
int intake_restart(struct intake *in, struct err *err);

int intake_add(struct intake *in, const void *bytes, size_t n, struct err *err);

/* Puts what is buffered into the file. */
int intake_flush(struct intake *in, struct err *err);

/* The digest of what was taken so far; more may follow. */
int intake_digest(struct intake *in, char sha256[static DIGEST_HEX_MAX], struct err *err);

/* Brings the contents to the disk, and tells their format. */
int intake_sync(struct intake *in, enum format *format, struct err *err);

/* Makes the blob of that digest of what is synced, durable, in place of one that is there. */
int intake_name(struct intake *in, const char *sha256, enum format format, struct err *err);

/* Removes the file, unless it was named or is to stay, and frees the rest. */
void intake_close(struct intake *in, bool keep);

#endif
