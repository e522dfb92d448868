/* backend: all that the file system may know of what happens behind it.
 *
 * Mutations go in as commands and are answered once they are on disk; reads are answered from
 * memory at once, whatever is under way. Every function may be called from any thread, unless it
 * says otherwise. */
#ifndef BACKEND_BACKEND_H
#define BACKEND_BACKEND_H

#include "backend/metrics.h"
#include "base/err.h"
#include "base/flow.h"
#include "base/format.h"
#include "base/limits.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BACKEND_NAME_MAX 128  /* bytes of an image's name */
#define BACKEND_URL_MAX  4096 /* bytes of a URL */

struct backend;

/* Strings are borrowed and must outlive the backend. Times in ms, sizes in bytes; INT64_MAX is
 * "max". */
struct backend_config {
    const char *store;    /* folder */
    const char *database; /* file */
    const char *helper;   /* the unpacking helper's path */
    const char *sink;     /* "auto" or a sink's name */
    enum policy policy;   /* of names fetched from now on */
    struct limits limits;
    int64_t downloads, unpacks; /* workers of each kind */
    int64_t host_downloads;     /* of the former, at one server at most */
    int64_t queue;              /* images under way at most */
    int64_t attempts;
    int64_t retry_delay, retry_max; /* the first backoff; the longest, Retry-After's cap too */
    int64_t connect_timeout, stall_timeout;
    int64_t keep_unused;
    struct amount min_free; /* 0 bytes: whatever is free, nothing goes for it */
};

/* Opens store and database, takes both locks, reconciles the one with the other. No thread runs
 * yet. Not for two threads at a time. */
int backend_open(struct backend **backend, const struct backend_config *config, struct err *err);

/* Starts the threads: after the last fork. */
int backend_start(struct backend *backend, struct err *err);

/* Stops all work and joins the threads; what was under way goes on at the next start. Commands that
 * wait are answered ECANCELED, and nothing is answered after that. Readers are still served. */
void backend_stop(struct backend *backend);

/* Stops it if that is still to be done. Active mounts are unmounted unless in use (which is
 * logged), or left alone with keep_mounts. NULL is allowed. */
void backend_close(struct backend *backend, bool keep_mounts);

/* --- commands */

enum backend_command_kind {
    BACKEND_FETCH,
    BACKEND_REMOVE,
    BACKEND_CANCEL,
    BACKEND_RETRY,
    BACKEND_ACTIVATE,
    BACKEND_DEACTIVATE,
    BACKEND_CLEANUP,
    BACKEND_RESET,
    BACKEND_SNAPSHOT_MAKE,
    BACKEND_SNAPSHOT_REMOVE,
    BACKEND_SNAPSHOT_RENAME,
};

struct backend_fetch {
    const char *url;
    const char *name;
    char sha256[65]; /* lower case */
    bool imported;   /* its blob is there; the name must be free, and has its place in the queue */
    enum format format; /* if imported */
    int64_t size;       /* likewise: bytes */
};

struct backend_command {
    enum backend_command_kind kind;
    const char *name;     /* REMOVE … DEACTIVATE, RESET */
    const char *snapshot; /* RESET: its snapshot; NULL: itself. SNAPSHOT_…: the id */
    const char *to;       /* SNAPSHOT_RENAME: the new id */
    uint64_t image;       /* SNAPSHOT_…: whose; REMOVE: ENOENT if the name is another's; 0: any */
    const struct backend_fetch *lines; /* FETCH: all take effect, or none */
    size_t count;
    bool dry_run; /* CLEANUP */
};

/* err->num is 0 on success, else the contract's errno with the reason in err->text; line is the one
 * of FETCH that was refused (0 otherwise). */
typedef void backend_done(void *ctx, const struct err *err, size_t line);

/* Copies the command and returns; done is called exactly once, on the backend's thread: it must
 * not block, nor call backend_close. */
void backend_submit(struct backend *backend, const struct backend_command *command,
                    backend_done *done, void *ctx);

/* --- imports: an archive that is written here, and becomes an image at its end */

struct backend_import; /* one under way: an open file's, from begin to release */

/* Called exactly once, from any thread, at the latest when backend_stop() returns: it must not
 * block. err->num is 0 on success. */
typedef void backend_import_done(void *ctx, const struct err *err);

/* For image `name`, by that thread (its id). -EINVAL for a bad name, -EEXIST if it is taken by an
 * image or an import, -EAGAIN if there are too many of either under way. */
int backend_import_begin(struct backend *backend, const char *name, int64_t by,
                         struct backend_import **import, struct err *err);
/* Takes a copy. Each write begins where the one before has ended; its failure may show with the
 * next one, or with a flush. -ENOSPC, -EFBIG and the like end the import. */
void backend_import_write(struct backend_import *import, const void *bytes, size_t n, int64_t at,
                          backend_import_done *done, void *ctx);
/* Is that all? Answered once that is known, and if so, once the image is on disk. If not, it goes
 * on, and the answer is EINVAL to who began it, success to everyone else, as more may come. */
void backend_import_flush(struct backend_import *import, int64_t by, backend_import_done *done,
                          void *ctx);
/* Nobody will write any more; done gets why if that has broken the import off,
 * unless a flush has said so to who began it. */
void backend_import_release(struct backend_import *import, backend_import_done *done, void *ctx);
/* Breaks it off, and does not wait for its room. -ENOENT, -EBUSY: it is about to be an image. */
int backend_import_unlink(struct backend *backend, const char *name, struct err *err);

/* Likewise, as its writer is killed; one that is about to be an image becomes one. */
void backend_import_abandon(struct backend_import *import);

struct backend_import_view {
    char name[BACKEND_NAME_MAX + 1];
    int64_t size;    /* bytes that have come */
    int64_t changed; /* ms since 1970 */
};

/* Of any that is open; find and list know those under way. Ids are never used twice in a run. */
bool backend_import_view(struct backend *backend, uint64_t id, struct backend_import_view *view);
bool backend_import_find(struct backend *backend, const char *name, uint64_t *id);
uint64_t backend_import_id(const struct backend_import *import);
struct backend_name;
/* As backend_list(); *changed is when the last one came or went, and may be asked for alone. */
int64_t backend_import_list(struct backend *backend, struct backend_name **names, int64_t *changed);

/* Is it a URL that fetch takes? Pure. */
bool backend_url_valid(const char *url, struct err *err);

/* Is it a name that an image can have? Pure. */
bool backend_name_valid(const char *name, size_t len);

/* --- reading */

struct backend_view {
    uint64_t id; /* never used twice in a store */
    char name[BACKEND_NAME_MAX + 1];
    char url[BACKEND_URL_MAX + 16]; /* credentials masked */
    char sha256[65];
    const char *state, *want, *policy, *sink, *format; /* words, static */
    const char *phase;                                 /* of progress: "queued" "download" … */
    int percent;
    int64_t done, total; /* bytes of the archive; total -1 while unknown */
    enum err_code code;
    char error[ERR_TEXT_MAX];
    int64_t size, entries, bytes, skipped; /* -1 while unknown */
    int64_t attempts;
    int64_t next_retry, created, updated; /* ms since 1970; 0: never */
    int64_t progressed;                   /* likewise: the last change of done, total or percent */
    bool rootfs;                          /* the link is there */
    /* How often each has changed: what is the same number is the same value. */
    uint64_t state_changes, error_changes, progress_changes;
};

/* false: there is no such image. */
bool backend_view(struct backend *backend, uint64_t id, struct backend_view *view);
bool backend_find(struct backend *backend, const char *name, uint64_t *id);
/* Is it there, and does it show rootfs? */
bool backend_exists(struct backend *backend, uint64_t id, bool *rootfs);

struct backend_name {
    uint64_t id;
    char name[BACKEND_NAME_MAX + 1];
};

/* All images, in order of their names; *names is malloc'd. Returns how many, or -ENOMEM. */
int64_t backend_list(struct backend *backend, struct backend_name **names);

/* How many there are, and when the last one came or went. */
void backend_count(struct backend *backend, size_t *count, int64_t *changed);

/* --- snapshots: the same, by their number and their image's id */

struct backend_snapshot {
    uint64_t number; /* never used twice in a store */
    uint64_t image;
    char image_name[BACKEND_NAME_MAX + 1], id[BACKEND_NAME_MAX + 1];
    const char *state;        /* a word, static */
    int64_t created, updated; /* ms since 1970 */
    int64_t upper_bytes;      /* that its layer holds; -1 while unknown */
    int64_t measured;         /* likewise: the last change of any of these */
    bool rootfs;              /* the link is there */
};

bool backend_snapshot_view(struct backend *backend, uint64_t number, struct backend_snapshot *view);
bool backend_snapshot_find(struct backend *backend, uint64_t image, const char *id,
                           uint64_t *number);
/* Those of the image, in order of their ids. */
int64_t backend_snapshot_list(struct backend *backend, uint64_t image, struct backend_name **names);
/* How many the image has, and when the last one came, went or was renamed. */
void backend_snapshot_count(struct backend *backend, uint64_t image, size_t *count,
                            int64_t *changed);
/* Adds where its mount is, absolute. */
void backend_snapshot_rootfs(struct backend *backend, uint64_t number, struct text *out);

/* Where the active mounts are: STORE/active. Absolute. */
const char *backend_active_dir(struct backend *backend);

/* A file's text, and when it last changed, ms since 1970. */
int64_t backend_health(struct backend *backend, struct text *out);
int64_t backend_cleanup(struct backend *backend, struct text *out);

/* All at one moment, but for the jobs and the health, which are as of another. What metrics.def has
 * of the file system's own is 0. */
void backend_metrics(struct backend *backend, struct metrics_values *out);
/* The nine states, in the contract's order. Pure. */
const char *backend_state_word(size_t i);

/* --- exports: a live tree as one pax archive, made while it is read */

struct backend_export;

/* Of an image that is ACTIVE, or, if the number of one is given, of such a snapshot. Costs nothing
 * before its first read. -ENOENT, -ENODEV (not ACTIVE), -ENOMEM. To be closed before backend_close,
 * or not at all. */
int backend_export_open(struct backend *backend, uint64_t image, uint64_t snapshot,
                        struct backend_export **out, struct err *err);
/* What is there next, at once or once there is something; see base/flow.h. Errors: EAGAIN (as many
 * run as may, or no thread), ENODEV, EIO (broken off: by a stop, or for an unmount as nobody had
 * read for a while), what the kernel refuses. */
void backend_export_read(struct backend_export *x, struct flow_read *r);
/* As flow_cancel. */
bool backend_export_cancel(struct backend_export *x, struct flow_read *r);
/* Its reader may well be gone: an unmount need not wait to see it take nothing. */
void backend_export_rest(struct backend_export *x);
/* No read waits. */
void backend_export_close(struct backend_export *x);

/* --- news */

/* Bits: what comes at once is told at once. */
enum backend_change {
    BACKEND_APPEARED = 1,
    BACKEND_STATE = 2,
    BACKEND_ERROR = 4,
    BACKEND_PROGRESS = 8,
    BACKEND_ROOTFS_COMES = 16, /* these two take turns */
    BACKEND_ROOTFS_GOES = 32,
    BACKEND_VANISHED = 64, /* it is not there any more; who removed it is answered after this */
};

/* Called on the backend's threads, several at a time, with the registry's lock held at times: it
 * must not block, nor read. Set before backend_start. */
typedef void backend_observer(void *ctx, unsigned changes, uint64_t id, const char *name);
void backend_set_observer(struct backend *backend, backend_observer *observer, void *ctx);

/* A transition. */
struct backend_event {
    int64_t seq;           /* of the store's history: it rises, and is never used twice */
    int64_t time;          /* ms since 1970 */
    const char *image;     /* its name */
    const char *from, *to; /* states; "" is before it was there, or since it is gone */
    const char *code;      /* as err_word says it; "" is none */
    const char *message;   /* likewise; credentials masked */
};

/* n of them, in order; borrowed until it returns. On the backend's thread, once they are committed
 * and can be seen; it must not block. Set before backend_start. */
typedef void backend_reporter(void *ctx, const struct backend_event *events, size_t n);
void backend_set_reporter(struct backend *backend, backend_reporter *reporter, void *ctx);

/* The newest of the past, `most` at most, in order. Before backend_start, on the thread that has
 * opened it. */
int backend_history(struct backend *backend, int64_t most, backend_reporter *reporter, void *ctx,
                    struct err *err);

/* Nobody asks for what is before seq any more: it is deleted, bit by bit. Does not block. */
void backend_keep_history(struct backend *backend, int64_t seq);

/* The state machine in Graphviz's language. */
void backend_print_fsm(struct text *out);

#endif
