/* sink_fixture: a sink at work in a throwaway directory and given entries as the stage gives them.
 * Where nothing else is said, what goes wrong fails the test. */
#ifndef TESTS_SINK_FIXTURE_H
#define TESTS_SINK_FIXTURE_H

#include "base/wire.h"
#include "stages/unpack/sink.h"

#include <sys/stat.h>

struct fixture {
    const struct sink_kind *kind;
    char dir[64];
    int part, data;
    int root;    /* the image's, once it is finished; the directory sink's from the begin */
    int64_t end; /* of the data file */
    void *sink;
    struct namespace *ns;
    struct err err;
};

/* Skips the test for an ordinary user. */
void fixture_needs_root(void);

/* Into a mount namespace of the test's own: its mounts go with it. */
void fixture_own_mounts(void);

/* The directory sink. */
struct fixture fixture_new(void);
struct fixture fixture_in(const char *parent);
/* The erofs sink; skips the test where its image cannot be mounted. */
struct fixture fixture_erofs(void);
void fixture_done(struct fixture *f);

/* ---- entries ---- */

struct entry entry_file(const char *path, unsigned mode);
struct entry entry_dir(const char *path, unsigned mode);
struct entry entry_link(enum wire_type type, const char *path, const char *target);

/* A file whose contents are put into the data file first. */
struct entry fixture_file(struct fixture *f, const char *path, const void *bytes, size_t n);

/* ---- the sink: fixture_add returns what it does, the others must succeed ---- */

int fixture_add(struct fixture *f, struct entry e);
void fixture_must(struct fixture *f, struct entry e);
void fixture_finish(struct fixture *f);

/* ---- what it made; "" is the root ---- */

struct stat fixture_status(struct fixture *f, const char *path);
bool fixture_holds(struct fixture *f, const char *path, const char *want);

#endif
