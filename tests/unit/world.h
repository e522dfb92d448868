/* world: a backend with a store of its own, a server with archives, and commands that wait for
 * their answer; for tests, which run with Criterion or without.
 *
 * All of it lies on a tmpfs in a mount namespace of the process' own: nothing is left behind. One a
 * process; call world_up before there are threads. What cannot be so ends the process with a
 * message. */
#ifndef TESTS_WORLD_H
#define TESTS_WORLD_H

#include "backend/backend.h"
#include "base/cleanup.h"

#include <stdatomic.h>
#include <sys/types.h>

#define WORLD_ARCHIVES 4

struct world {
    char tmp[64], store[80], database[80], www[80];
    char sha256[WORLD_ARCHIVES][65]; /* of a0.tar, a1.tar.gz, a2.tar, a3.tar, in this order */
    pid_t server;
    int port;
    struct backend_config config; /* to be changed before world_open */
    struct backend *backend;
    struct err err;                /* of the last answer, or of world_open */
    size_t line;                   /* that was refused */
    atomic_ullong asked, answered; /* commands: as many once all are over */
};

/* NULL, or why tests cannot be run here: say it and skip. */
const char *world_up(struct world *w);
void world_down(struct world *w); /* the backend, too */

/* 0 or -errno, with w->err. */
int world_open(struct world *w);  /* backend_open alone */
int world_start(struct world *w); /* and backend_start */
void world_close(struct world *w, bool keep_mounts);

/* http://127.0.0.1:PORT/PATH; good until the eighth call after. */
const char *world_url(struct world *w, const char *path);
/* One of the archives under a mode of the server's: "ok", "slow" … */
const char *world_archive(struct world *w, const char *mode, int archive);

/* Each returns the errno of the answer, 0 for success; any thread with an err of its own. */
int world_submit(struct world *w, const struct backend_command *command, struct err *err,
                 size_t *line);
int world_do(struct world *w, enum backend_command_kind kind, const char *name);
int world_fetch(struct world *w, const char *url, const char *sha256, const char *name);

/* The image's view; false: there is none. */
bool world_look(struct world *w, const char *name, struct backend_view *view);
/* "ACTIVE" …; "" if there is none. */
const char *world_state(struct world *w, const char *name);
/* Waits until the image is in that state ("": gone); false after 20 s. */
bool world_wait(struct world *w, const char *name, const char *state);

#endif
