/* helper_run: small tars, made byte by byte, and runs of the built unpacking helper over them; for
 * the tests that take it as a process. Whatever is not as base/wire.h says fails the test. */
#ifndef TESTS_HELPER_RUN_H
#define TESTS_HELPER_RUN_H

#include "base/text.h"
#include "base/wire.h"

#include <sys/types.h>

/* ---- archives: each adds to what is there ---- */

/* A ustar header: mode 04751, owner 1000:100, device 8:1; link may be NULL. */
void tar_header(struct text *t, char type, const char *name, const char *link, size_t size);
void tar_file(struct text *t, const char *name, const char *data, size_t n);
void tar_pad(struct text *t); /* to a block of 512 */
void tar_pax_record(struct text *records, const char *key, const char *value, size_t n);
void tar_pax(struct text *t, const struct text *records);
void tar_pax_one(struct text *t, const char *key, const char *value);
void tar_end(struct text *t);

/* Replaces what is there. */
void tar_gzip(struct text *t);

/* ---- runs ---- */

struct run {
    int data;            /* the data file */
    struct text records; /* the stream */
    int status;          /* of the process */
    struct wire_record last;
    char *message; /* of a WIRE_ERROR */
};

void run_free(struct run *run);
#define CLEANUP_RUN __attribute__((cleanup(run_free)))

/* On the helper's command line: the default limits, and none. */
extern const char *const run_usual[3], *const run_unlimited[3];

/* A whole run over the tar, with the default limits, or with others and a data file that the run
 * then owns. */
struct run run_tar(const struct text *tar);
struct run run_with(const struct text *tar, int data, const char *const limits[3]);

/* A run in pieces. run_start: the helper's process, *records its stream; run_collect reads that to
 * the end and waits; run_find_last checks it and fills `last` and `message`. */
pid_t run_start(int archive, int data, const char *const limits[3], int *records);
void run_collect(struct run *run, pid_t pid, int records);
void run_find_last(struct run *run);

/* The record at *at (it moves on) and its strings; NULL after the last. */
const char *run_next(const struct run *run, size_t *at, struct wire_record *rec);

/* The entry of that number, which there must be, and its strings. */
const char *run_entry(const struct run *run, int number, struct wire_record *rec);
int run_entries(const struct run *run);

/* The data file has these bytes where the record says. */
void run_holds(const struct run *run, const struct wire_record *rec, const char *data);

#endif
