/* stage: one step of work on one image, done by a worker while the image is in one state.
 *
 * A stage knows files, the network and mounts; it knows neither states nor SQL. It is idempotent:
 * after a crash it is entered again and finds what is there. Two stages of the same key never run
 * at the same time (the key is the digest for fetch, digest and policy for unpack and publish, the
 * name for activate), so a stage needs no locks. */
#ifndef STAGES_STAGE_H
#define STAGES_STAGE_H

#include "base/err.h"
#include "base/format.h"
#include "base/limits.h"
#include "store/paths.h"
#include "store/space.h"

#include <stdbool.h>
#include <stdint.h>

/* Read-only while the program runs. Times in ms. */
struct stage_settings {
    struct limits limits;
    int64_t connect_timeout; /* until a connection stands */
    int64_t stall_timeout;   /* without a byte, headers included */
    const char *helper;      /* path of the unpacking helper */
    int64_t helper_stall;    /* 0: UNPACK_STALL_MS of stages/unpack/unpack.h; tests wait less */
    int64_t helper_total;    /* 0: what the limits allow */
    int64_t helper_grace;    /* 0: UNPACK_GRACE_MS */
    const struct sink_kind *sink;
    struct aheads *aheads; /* NULL: nothing is unpacked before all of it has come */
    const struct snapshot_backend *snapshot;
};

struct stage_job {
    const char *name;   /* the image's */
    const char *url;    /* with its credentials: never to be shown */
    const char *sha256; /* 64 lower-case hex digits */
    enum policy policy;
    int64_t size, entries, bytes; /* as in stage_result, known from before; 0: not known */
    const struct paths *paths;
    const struct stage_settings *settings;
    int cancel_fd; /* becomes readable when the work is no longer wanted: stop soon, return
                      -ECANCELED, leave what a later run can use */
    /* Bytes of the archive; total is -1 while unknown. Call it as often as you like. */
    void (*progress)(void *ctx, int64_t done, int64_t total);
    void *ctx;
};

enum stage_retry {
    RETRY_NEVER,   /* another attempt would fail alike */
    RETRY_LATER,   /* may pass: back off */
    RETRY_SCRATCH, /* what was there is discarded, and fetched anew: once, at once */
};

/* What was there, so that the stage had nothing to do: what it makes, or what is made of that. */
enum stage_found { STAGE_FOUND_NOTHING, STAGE_FOUND_BLOB, STAGE_FOUND_IMAGE };

/* Zeroed before the run; -1 where unknown. Filled as far as the stage knows, also on failure. */
struct stage_result {
    enum format format;
    int64_t size;     /* bytes of the archive */
    int64_t entries;  /* in the image, implied directories counted */
    int64_t bytes;    /* of contents unpacked */
    int64_t skipped;  /* entries that the policy left out */
    const char *sink; /* the name of the image's; NULL: not known */
    enum stage_found found;
    bool ended; /* the tar has its end-of-archive blocks, as far as an unpack has just seen; a
                   digest that holds says more */
    enum stage_retry retry;
    int64_t retry_after;    /* ms that the server asked for; 0: it did not */
    struct space_need need; /* room that it takes, as far as the stage knows */
};

/* 0, or a negative errno with err set; -ECANCELED when cancel_fd asked for it. */
typedef int stage_fn(const struct stage_job *job, struct stage_result *result, struct err *err);

stage_fn fetch_run;    /* URL → blobs/<sha256>.<format>, if images/<key> is not there */
stage_fn unpack_run;   /* blob → images/<key>.part, whole but not yet durable */
stage_fn publish_run;  /* images/<key>.part → images/<key>, durable */
stage_fn activate_run; /* images/<key> → active/<name> */

#endif
