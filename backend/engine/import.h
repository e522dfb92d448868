/* import: an archive that is being written, which becomes an image at its end.
 *
 * Each has a thread of its own, which takes what is handed over one after another: pieces it writes
 * and hashes, and a flush it answers once it knows whether that was all: the archive is unpacked
 * while it comes, and what comes of that tells. It lies here and not among the stages: a stage is
 * run by a worker on an image that there is, and can be entered again, while this waits for a
 * writer, has to know which names and digests are taken, and ends in a command. What the bytes need
 * is stages/intake.h and stages/unpack/ahead.h.
 *
 * import.c is what any thread may call, import_run.c the threads, import_end.c what becomes of it.
 */
#ifndef ENGINE_IMPORT_H
#define ENGINE_IMPORT_H

#include "backend/backend.h"
#include "base/lock.h"
#include "stages/intake.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#define IMPORTS_MAX 16 /* under way at a time: each is a thread, and may be a helper */

struct engine;

/* What was handed over. */
struct import_op {
    enum { IMPORT_WRITE, IMPORT_FLUSH, IMPORT_RELEASE } kind;
    int64_t by; /* FLUSH: the thread */
    int64_t at; /* WRITE */
    size_t n, capacity;
    char *bytes;
    backend_import_done *done;
    void *ctx;
    struct import_op *next;
};

enum import_state {
    IMPORT_UNDERWAY,
    IMPORT_IMAGE,  /* it is one */
    IMPORT_BROKEN, /* nothing is left of it */
};

struct backend_import {
    /* Never change. */
    struct imports *all;
    uint64_t id;
    char name[BACKEND_NAME_MAX + 1];
    int64_t creator;
    int cancel; /* an eventfd: it is broken off from outside */

    atomic_llong size, changed; /* written by its thread */

    /* Guarded by the lock of all. */
    struct backend_import *next;
    enum import_state state;
    bool open, running; /* the file; the thread. Without either it is freed */
    bool unlinked;      /* broken off by a user; never once sha256 is set */
    struct err answer;  /* to writes and flushes once it is not under way any more */
    struct import_op *ops, **last_op;
    struct import_op *spare;  /* of a write that was done: its memory is for the next one */
    struct import_op release; /* there is always memory for it */
    pthread_cond_t wake;
    char sha256[DIGEST_HEX_MAX]; /* of the blob that it is about to make an image of; else "" */

    /* Its thread's. */
    struct stage_job job;
    char job_key[DIGEST_HEX_MAX]; /* stands for the digest, which is not known yet */
    struct intake in;
    bool begun; /* there is an intake */
    struct ahead *ahead;
    bool ahead_tried;
    int64_t judged;     /* bytes that the last look found incomplete */
    struct err verdict; /* and why */
    bool told;          /* that, to who has begun it */
    sem_t answered;     /* by the engine */
    struct err engine_said;
};

struct imports {
    struct engine *engine;
    struct lock lock; /* guards all below */
    struct backend_import *first;
    size_t running;
    uint64_t last_id;
    int64_t changed;
    bool stopping;
    pthread_cond_t ended; /* one of them is not running any more */
};

/* NULL: no memory. */
struct imports *imports_new(struct engine *e);
/* What is under way is broken off, and nothing is handed to the engine any more. Does not wait. */
void imports_halt(struct imports *all);
/* Waits for the threads, once the engine answers or has answered. Takes NULL, as free does. */
void imports_join(struct imports *all);
void imports_free(struct imports *all);

/* How many are under way; each has a place in the queue. */
size_t imports_underway(struct imports *all);
/* How many are about to make an image of that blob, which no name refers to yet. Any thread. */
size_t imports_need(struct imports *all, const char *sha256);

/* The engine's thread: the image could not be made; what was kept for it goes. */
void import_refused(struct engine *e, const char *sha256);
/* The start: what a crash has left of imports goes. */
void import_clear(struct engine *e);

/* Any thread; see backend.h. */
int import_begin(struct imports *all, const char *name, int64_t by, struct backend_import **import,
                 struct err *err);
bool import_view(struct imports *all, uint64_t id, struct backend_import_view *view);
bool import_find(struct imports *all, const char *name, uint64_t *id);
int64_t import_list(struct imports *all, struct backend_name **names, int64_t *changed);
int import_unlink(struct imports *all, const char *name, struct err *err);

/* --- between its own files */

/* The thread; arg is the import. */
void *import_run(void *arg);

void import_free_op(struct import_op *op); /* takes NULL, and the release */
void import_free(struct backend_import *i);
/* With the lock: nobody finds it any more. */
void import_unlist(struct backend_import *i);

/* All that was written is in the file: makes the image of it. 0 once it is on disk. */
int import_end(struct backend_import *i, enum format format, bool unpacked, struct err *err);

#endif
