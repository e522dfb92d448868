/* fetch_trial: downloads from the server of the system tests (tests/system/httpd.py) into a
 * throwaway store; for the tests of fetch. A trial belongs to one test, from trial_setup to
 * trial_teardown, which are its suite's init and fini. Skips the test where there is no place for
 * a store, or no python3. */
#ifndef TESTS_FETCH_TRIAL_H
#define TESTS_FETCH_TRIAL_H

#include "stages/digest.h"
#include "stages/stage.h"

#include <jansson.h>
#include <sys/types.h>

#define SIZE 3000000 /* of the file `f` that the server has */
#define HALF (SIZE / 2)
#define TAG  "user.imgstore.etag"

extern struct trial {
    char dir[64]; /* holds store/ and www/, the server's folder */
    struct paths paths;
    pid_t server;
    int port;
    char *data; /* what `f` holds */
    /* for the next run */
    char sha256[DIGEST_HEX_MAX]; /* at first that of `f` */
    struct stage_settings settings;
    int cancel_fd;
    /* of the last run */
    struct stage_result result;
    struct err err;
    int64_t done, total, took; /* took: milliseconds */
    bool fell;                 /* progress once went back, and not to 0 */
} trial;

void trial_setup(void);
void trial_teardown(void);

/* Skips the test if nothing can be resumed in the store. */
void trial_needs_xattrs(void);

/* Another server of the same folder, with the certificate and key in `tls` if that is not NULL. */
pid_t trial_start_server(const char *tls, int *port);
void trial_stop_server(pid_t pid);

void trial_hash(const void *bytes, size_t n, char out[static DIGEST_HEX_MAX]);
void trial_put(int dirfd, const char *name, const void *bytes, size_t n);

/* ---- runs: each checks that what is returned and err agree; path is below the server's root ----
 */

int trial_run_url(const char *url);
int trial_run(const char *path);

/* The blob is there, is `f`, and is all that is there. */
void trial_succeeds(const char *path);

/* No blob is there. */
void trial_fails(const char *path, enum err_code code, enum stage_retry retry);

/* A cancel comes 300 ms after the start and is heard soon. */
void trial_cancels(const char *path);

/* ---- what lies in blobs/ for the digest ---- */

bool trial_has(const char *suffix);
int64_t trial_part_size(void); /* -1: there is none */
void trial_drop_blob(void);

/* ---- what the server was asked for ---- */

/* Under that path, as _stats says it; to be released. */
json_t *trial_asked(const char *path);
int trial_requests(const char *path);

/* The nth request's Range ("ranges"), If-Range or Authorization; "" if it had none. Good until the
 * next call. */
const char *trial_header(const char *path, const char *what, size_t n);

#endif
