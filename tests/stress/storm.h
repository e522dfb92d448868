/* storm: what its files share. See storm.c for what it is. */
#ifndef TESTS_STORM_H
#define TESTS_STORM_H

#include "latency.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

/* Whatever is measured. */
enum call {
    CALL_FETCH,
    CALL_REMOVE,
    CALL_CANCEL,
    CALL_RETRY,
    CALL_ACTIVATE,
    CALL_DEACTIVATE,
    CALL_RMDIR,
    CALL_READ, /* open, read, close: of a file of an image */
    CALL_READ_OTHER,
    CALL_STAT,
    CALL_MISS, /* a name that is not there */
    CALL_OPENDIR,
    CALL_GETDENTS,
    CALL_TURN, /* a write, and the wait until no other was in its file */
    CALLS,
};

/* What a writer knows of a name that is its own. */
enum known {
    ABSENT,
    PRESENT, /* queued, or at the server that hangs */
    FAILED,  /* cancelled */
    UNSURE,  /* the daemon was gone before it answered */
};

struct storm {
    char mount[1024], url[256];
    unsigned writers, lines, readers, togglers, few, queue;
    pid_t daemon;
    bool turns;
    unsigned char *known; /* [writers * lines] */
    atomic_bool over;     /* the writers are done */
    atomic_bool gone;     /* so is the daemon */
    /* Calls that add to the queue: begun, answered with yes, with no; that take from it: begun,
     * answered with yes. The most that it held for certain. */
    atomic_long asked, accepted, refused, dropping, dropped, fullest;
};

#define STORM_LOG_MAX 8192

struct worker {
    struct storm *storm;
    unsigned number, random;
    struct latency calls[CALLS];
    unsigned long long refused, logged, displaced;
    char log[STORM_LOG_MAX]; /* error_log as it was before the call */
    long gone_before, accepted_before;
};

__attribute__((format(printf, 1, 2), noreturn)) void storm_fail(const char *fmt, ...);

#define STORM_NAME_MAX 32
void storm_name(char name[static STORM_NAME_MAX], unsigned writer, unsigned line);

/* One call, measured: 0 or its errno. */
int storm_write(struct worker *w, enum call call, const char *text);
int storm_rmdir(struct worker *w, const char *name);

/* --- storm_judge.c: is a refusal due, and on record? */

void judge_begin(struct worker *w);
/* The last line of text was refused. */
void judge_refusal(struct worker *w, const char *file, const char *text, int error);

void judge_asks(struct worker *w, bool adds);
void judge_answer(struct worker *w, bool adds, int error);
/* A fetch was: there must have been room. */
void judge_taken(struct worker *w);

/* --- storm_read.c: threads that read until it is over */
void *storm_read(void *worker);

#endif
